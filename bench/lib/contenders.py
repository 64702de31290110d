# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who is measured: each as the command that a user of it would give, on the same files from the same server.

Each run starts from nothing: a contender's folder is emptied before its clock starts."""

import os
import shutil
import subprocess
import sys
import tempfile

import serve
from work import ALL_CATEGORIES, ARCH, RELEASES

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "lib"))

from template import CONFIG_BEFORE, ORACLE, VARIABLES, cache_paths  # noqa: E402 (found by the line above)

# From one .tzst archive to the next in one process: bsdtar itself takes one archive.
BSDTAR_20 = """ls -S *.tzst | xargs -P2 -n20 sh -c 'cat "$@" | bsdtar -xpf - --ignore-zeros --exclude "^install" -C "$0"' "$1" """
TAR_EACH = """ls -S *.txz | xargs -P2 -I{} tar -xJf {} --anchored --exclude=install -C "$1" """
DECODE_EACH = {"txz": "ls -S *.txz | xargs -P2 -n1 xz -dc >/dev/null",
               "tzst": "ls -S *.tzst | xargs -P2 -n1 zstd -q -dc >/dev/null"}
OURS_DECODE = """exec "$1" decode 2 $(ls -S *.*z*)"""


def environment(**more):
    """Ours, without what would lead a contender elsewhere."""
    kept = {k: v for k, v in os.environ.items() if k not in VARIABLES and not k.lower().endswith("_proxy")}
    return {**kept, "LC_ALL": "C.UTF-8", **more}


class Contender:
    """`command` and `environment` once `prepare` has made the folder ready; `root` is what comes of it."""

    name = ""
    needs = ()

    def __init__(self, bench, place, release):
        self.bench, self.release = bench, release
        self.suffix = RELEASES[release]
        self.folder = os.path.join(place, f"{type(self).__name__}-{release}")
        self.root = os.path.join(self.folder, "root")
        # The same for all, one after the other: records hold the path of the cache.
        self.cache = os.path.join(place, f"cache-{release}")
        self.address = bench.server.address

    def why_not(self):
        missing = [name for name in self.needs if not shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")]
        return f"needs {' '.join(missing)}" if missing else None

    def prepare(self):
        self.clear()
        os.makedirs(self.folder)

    def keep(self):
        """Its run is over: what the next one would find goes into its own folder."""
        if os.path.exists(self.cache):
            os.rename(self.cache, os.path.join(self.folder, "cache"))

    def clear(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def after(self, _round):
        """Nobody looks at what it made any more."""
        self.clear()

    def command(self):
        raise NotImplementedError

    def environment(self):
        return environment()

    def cwd(self):
        return self.folder


class OursPrepared(Contender):
    """All that makes the cached root: crawl, fetch, verify, install, records, publish."""

    name = "plamo-fast, finished root"
    jobs = 2

    def prepare(self):
        super().prepare()
        self.root = cache_paths(os.path.join(self.folder, "cache"), self.release)[1]

    def command(self):
        return [self.bench.program("bench-stages"), "prepare", "--release", self.release, "--jobs", str(self.jobs),
                "--mirror", serve.mirror_url(self.address), "--cache", self.cache,
                "--categories", " ".join(ALL_CATEGORIES), *self.more()]

    def more(self):
        return ()


class OursOneWorker(OursPrepared):
    name = "plamo-fast, finished root, 1 core"
    jobs = 1

    def command(self):
        return ["taskset", "-c", "0", *super().command()]


class OursUnsandboxed(OursPrepared):
    """The scripts as the shell template runs them."""

    name = "plamo-fast, finished root, --no-sandbox"

    def more(self):
        return ("--no-sandbox",)


class OursTraced(OursPrepared):
    name = "plamo-fast, traced"

    def more(self):
        return "--trace", os.path.join(self.folder, "trace.json")


class Template(Contender):
    """A container by a template of lxc-create, from an empty cache."""

    def program(self):
        raise NotImplementedError

    def prepare(self):
        super().prepare()
        self.prepare_container()

    def prepare_container(self):
        where = os.path.join(self.folder, "c1")
        shutil.rmtree(where, ignore_errors=True)
        os.makedirs(where)
        with open(os.path.join(where, "config"), "w") as stream:
            stream.write(CONFIG_BEFORE)
        open(os.path.join(where, "wgetrc"), "w").close()
        self.where, self.root = where, os.path.join(where, "rootfs")

    def command(self):
        return [self.program(), f"--path={self.where}", "--name=c1", f"--rootfs={self.root}", "-r", self.release,
                "-a", ARCH]

    def environment(self):
        return environment(DLSCHEME="http", MIRRORSRV=self.address, MIRRORPATH="/mirror/mirror",
                           CATEGORIES=" ".join(ALL_CATEGORIES), EXTRACTGRS="", ADDONPKGS="",
                           LXC_CACHE_PATH=self.cache, WGETRC=os.path.join(self.where, "wgetrc"))


class Shell(Template):
    name = "lxc-plamo, container"
    needs = ("wget", "patch", "ed")

    def why_not(self):
        return super().why_not() or (None if os.path.exists(ORACLE) else "needs lxc-templates")

    def program(self):
        return ORACLE


class OursContainer(Template):
    name = "plamo-fast, container"

    def program(self):
        return self.bench.program("lxc-plamo-fast")


class OursWarm(OursContainer):
    """The same where the cached root is there: that of a cold run before."""

    name = "plamo-fast, container from the cached root"

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.filled = False

    def prepare(self):
        if not self.filled:
            super().prepare()
            subprocess.run(self.command(), env=self.environment(), check=True, stdin=subprocess.DEVNULL,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self.filled = True
        self.prepare_container()

    def keep(self):
        """The cache stays where it is, for the next run."""

    def clear(self):
        super().clear()
        shutil.rmtree(self.cache, ignore_errors=True)

    def after(self, _round):
        shutil.rmtree(self.where, ignore_errors=True)

    def cached_root(self):
        return cache_paths(self.cache, self.release)[1]


class CopyArchive(Contender):
    """cp -a of the root that an OursWarm has cached."""

    name = "cp -a"

    def __init__(self, bench, place, release, warm):
        super().__init__(bench, place, release)
        self.warm = warm
        self.reflink = False

    def keep(self):
        """The cache is the other's, who needs it again."""

    def command(self):
        return ["cp", "-a", *(["--reflink=always"] if self.reflink else []), self.warm.cached_root(), self.root]


class Tar(Contender):
    """The unordered parallel tar, of files that are there already."""

    name = "parallel tar, extract only"
    needs = ("tar", "xz")

    def prepare(self):
        super().prepare()
        os.mkdir(self.root)

    def command(self):
        return ["sh", "-c", TAR_EACH, "sh", self.root]

    def cwd(self):
        return self.bench.flat(self.release)


class BsdTar(Tar):
    name = "parallel bsdtar, 20 packages a process, extract only"
    needs = ("bsdtar",)

    def command(self):
        return ["sh", "-c", BSDTAR_20, "sh", self.root]


class Decode(Tar):
    name = "xz or zstd alone, decode only"

    def command(self):
        return ["sh", "-c", DECODE_EACH[self.suffix]]


class OursDecode(Tar):
    """Decoding with all that is verified of it: the compressed bytes' digest, the format's own sums, the end."""

    name = "plamo-fast, decode and verify only"

    def command(self):
        return ["sh", "-c", OURS_DECODE, "sh", self.bench.program("bench-stages")]


class OursUnverified(OursDecode):
    """The same decoders without any of that."""

    name = "plamo-fast, decode only, nothing verified"

    def command(self):
        return ["sh", "-c", OURS_DECODE.replace("decode", "decode-unverified"), "sh", self.bench.program("bench-stages")]


class Pacman(Contender):
    name = "pacman, fetch and install"
    needs = ("pacman",)

    def why_not(self):
        return super().why_not() or (None if self.bench.work.facts["pacman"] else "the work has no pacman packages")

    def prepare(self):
        super().prepare()
        for name in ("root", "db", "cache", "hooks"):
            os.mkdir(os.path.join(self.folder, name))
        with open(os.path.join(self.folder, "pacman.conf"), "w") as stream:
            stream.write(f"[options]\nRootDir = {self.root}\nDBPath = {self.folder}/db\nCacheDir = {self.folder}/cache\n"
                         f"LogFile = {self.folder}/log\nGPGDir = {self.folder}/gpg\nHookDir = {self.folder}/hooks\n"
                         f"Architecture = x86_64\nSigLevel = Never\nParallelDownloads = 8\n"
                         f"[bench]\nServer = http://{self.address}/mirror/pacman\n")

    def command(self):
        return ["pacman", "--config", os.path.join(self.folder, "pacman.conf"), "--noconfirm", "--noprogressbar",
                "--overwrite", "*", "-Sydd", *sorted(self.bench.work.facts["debs"])]


class Mmdebstrap(Contender):
    name = "mmdebstrap --variant=extract"
    needs = ("mmdebstrap",)

    def prepare(self):
        super().prepare()
        # It unpacks below its own temporary folder where the target is none that it can fill.
        self.temporary = tempfile.mkdtemp(dir=self.folder)

    def command(self):
        return ["mmdebstrap", "--quiet", "--variant=extract", "--mode=root", "--format=directory",
                "--include=" + ",".join(sorted(self.bench.work.facts["debs"])), "bench", self.root,
                f"deb [trusted=yes] http://{self.address}/mirror/debs ./"]

    def environment(self):
        return environment(TMPDIR=self.temporary)
