"""What the attack tests share: a host that must stay as it is, builds with limits of time and memory, verdicts."""

import glob
import gzip
import os
import re
import shutil
import subprocess
import tempfile
import time

import netkit
from netkit import BASE, NOBODY, PACKAGE, NetTest, Result, clean_environment, noise_package, settings
from scan import describe, differences, scan

# No refusal may take more, whatever the attack: processor time, which other tests do not lengthen. All in all it may
# take PATIENCE times as long on a busy machine.
LIMIT_S = 60
PATIENCE = 4
LIMIT_KB = 400 * 1024

# How many variants of an attack are also tried in a user namespace.
MAPPED_RUNS = 2

# A package that attacks has this name, the good one beside it the other.
EVIL, GOOD = "evil-1-x86_64-P1", "aaa-1-x86_64-P1"

tried = {"attacks": 0, "variants": 0}


def gz(data):
    return gzip.compress(data, 6, mtime=0)


def write_gz(path, *pieces):
    """A gzip file of pieces: bytes, or (bytes, how often). Each is a gzip member of its own: repeating is cheap."""
    with open(path, "wb") as stream:
        for piece in pieces:
            data, count = piece if isinstance(piece, tuple) else (piece, 1)
            packed = gz(data)
            for _ in range(count):
                stream.write(packed)


def is_instrumented(program):
    """Sanitizers take memory and time of their own."""
    with open(program, "rb") as stream:
        return b"__asan_init" in (data := stream.read()) or b"__tsan_init" in data


def plant(folder):
    """Sentinels: what a host has that an attack may want to read, change, replace or remove."""
    os.mkdir(folder)
    for name, mode, owner in (("secret", 0o600, 0), ("passwd", 0o644, 0), ("users", 0o640, 1000), ("suid", 0o4755, 0),
                              ("locked", 0o000, 0)):
        with open(f"{folder}/{name}", "w") as stream:
            stream.write(f"host {name}\n")
        os.chown(f"{folder}/{name}", owner, owner)
        os.chmod(f"{folder}/{name}", mode)
    os.mkdir(f"{folder}/open")
    os.chmod(f"{folder}/open", 0o777)
    os.mkdir(f"{folder}/empty")
    os.symlink("secret", f"{folder}/link")
    os.link(f"{folder}/passwd", f"{folder}/passwd-")
    for place, folders, files in os.walk(folder, topdown=False):
        for name in folders + files:
            os.utime(os.path.join(place, name), (1_400_000_000, 1_400_000_000), follow_symlinks=False)
    os.utime(folder, (1_400_000_000, 1_400_000_000))


def inodes(folder):
    """The change time and the number of names of each entry: nothing can be set, linked or renamed unseen."""
    found = {}
    for place, folders, files in os.walk(folder):
        for path in [place, *(os.path.join(place, n) for n in folders + files)]:
            st = os.lstat(path)
            found[path] = st.st_ctime_ns, st.st_nlink, st.st_ino
    return found


class AttackTest(NetTest):
    """Each test is one attack. `host` is a tree of sentinels beside the mirror, the cache and the root."""

    @classmethod
    def setUpClass(cls):
        cls.scratch_in_memory()
        cls.programs = tempfile.mkdtemp(prefix="plamo-attack-bin-")
        cls.addClassCleanup(shutil.rmtree, cls.programs)
        os.chmod(cls.programs, 0o755)
        # Where also a user without rights can run them.
        for name in ("plamo-fast", "lxc-plamo-fast"):
            shutil.copy(os.path.join(settings.bin, name), cls.programs)
        cls.instrumented = is_instrumented(f"{cls.programs}/plamo-fast")

    def setUp(self):
        super().setUp()
        tried["attacks"] += 1
        self.host = os.path.join(self.folder, "host")
        plant(self.host)
        self.before = scan(self.host), inodes(self.host)
        self.beside = set(os.listdir(self.folder)) | {"cache", "root"}
        self.from_folder()
        self.as_root()
        self.mapped_runs = 0
        self.put((f"{GOOD}.tgz", self.good(GOOD)))

    @classmethod
    def scratch_in_memory(cls):
        """Each build flushes the file system it is on: on one of our own, that waits for nobody's data."""
        if not settings.private_mounts:
            return
        folder = tempfile.mkdtemp(prefix="plamo-attack-")
        cls.addClassCleanup(os.rmdir, folder)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755,size=12g", "plamo-attack", folder], check=True)
        cls.addClassCleanup(subprocess.run, ["umount", "-l", folder], check=False)
        before, tempfile.tempdir = tempfile.tempdir, folder
        cls.addClassCleanup(setattr, tempfile, "tempdir", before)

    def from_folder(self):
        """Builds take the packages from the folder itself."""
        self.url = f"file://{self.mirror}"

    def from_server(self):
        """Builds take the packages from the scripted HTTP server."""
        self.url = self.server.url

    @staticmethod
    def good(stem, suffix="tgz"):
        return noise_package(stem.split("-")[0], 3000, suffix=suffix)[1]

    def command(self, *arguments, program="plamo-fast"):
        return [*self.prefix, os.path.join(self.programs, program), *arguments]

    def start(self, command, env=None, **more):
        """As the class above; the output goes to files, so that the end can be waited for with what it used."""
        out, err = tempfile.TemporaryFile(), tempfile.TemporaryFile()
        given = {"stdin": subprocess.DEVNULL, "stdout": out, "stderr": err, **more}
        process = subprocess.Popen(command, env=clean_environment(**(env or {})), **given)
        process.started, process.files = time.monotonic(), (out, err)
        self.addCleanup(self._end, process)
        return process

    def _end(self, process):
        if process.returncode is None:
            process.kill()
            process.wait()
        for stream in process.files:
            stream.close()

    def wait(self, process, timeout_s=50):
        limit = time.monotonic() + timeout_s
        pid = 0
        while not pid:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if not pid and time.monotonic() > limit:
                process.kill()
                process.wait()
                self.fail(f"{process.args} did not end within {timeout_s} s")
            time.sleep(0 if pid else 0.002)
        process.returncode = os.waitstatus_to_exitcode(status)
        texts = []
        for stream in process.files:
            stream.seek(0)
            texts.append(stream.read().decode(errors="surrogateescape"))
        result = Result(process.args, process.returncode, *texts, time.monotonic() - process.started)
        result.peak_kb, result.processor_s = usage.ru_maxrss, usage.ru_utime + usage.ru_stime
        self.assertNotRegex(result.err, "Sanitizer|runtime error: ", str(result))
        if not self.instrumented:
            self.assertLess(result.peak_kb, LIMIT_KB, f"{result.peak_kb} KiB of memory at the peak\n{result}")
        return result

    # Who builds.

    def as_root(self):
        self.prefix = []

    def as_mapped_root(self):
        """Root of a user namespace of a user without rights, with one id."""
        self.prefix = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "unshare", "-Ur"]
        for path in (self.cache, self.folder):
            os.makedirs(path, exist_ok=True)
            os.chown(path, NOBODY, NOBODY)
        # Not every place lets a user without rights have a user namespace.
        if subprocess.run([*self.prefix, "true"], stderr=subprocess.DEVNULL).returncode:
            self.skipTest("no user namespaces for users without rights")

    def start_anew(self):
        """No cache and no root."""
        for path in (self.cache, self.root):
            shutil.rmtree(path, ignore_errors=True)
        os.chown(self.folder, 0, 0)

    # Verdicts.

    def assert_host_untouched(self, result=None):
        self.assertEqual([describe(d) for d in differences(self.before[0], scan(self.host))], [], f"the host\n{result}")
        self.assertEqual(inodes(self.host), self.before[1], f"the host\n{result}")
        beside = {n for n in os.listdir(self.folder) if not n.startswith("mirror-")}
        self.assertLessEqual(beside, self.beside, f"something new beside the root\n{result}")
        if os.path.isdir(self.cache):
            known = re.compile(r"(partial|cache|rootfs)-plamo-8\.x-x86_64|\.plamo-fast(-8\.x-x86_64\.(builder|names))?\.lock")
            self.assertEqual([n for n in os.listdir(self.cache) if not known.fullmatch(n)], [], f"the cache\n{result}")

    def build_refused(self, names, status=PACKAGE, limit_s=LIMIT_S, arguments=()):
        """One build that must fail as the catalogue says."""
        tried["variants"] += 1
        slower = 4 if self.instrumented else 1
        result = self.build(*arguments, timeout_s=limit_s * slower * PATIENCE)
        self.assertLess(result.processor_s, limit_s * slower, str(result))
        self.assert_failed(result, status, *names)
        self.assert_host_untouched(result)
        self.assertFalse(os.path.lexists(self.cache_folder("rootfs")), str(result))
        return result

    def build_works(self, *names, arguments=()):
        """The next build, with good packages on the mirror, makes the root."""
        result = self.assert_done(self.build(*arguments))
        self.assert_host_untouched(result)
        self.assertEqual(sorted(os.listdir(f"{self.root}/var/log/packages")), sorted({"aaa", *names}), str(result))
        self.assertTrue(os.path.isfile(f"{self.root}/usr/share/aaa"), str(result))
        return result

    def refused(self, data, *names, what="", suffix="tgz", stem=EVIL, limit_s=LIMIT_S, unprivileged=True):
        """R: the package is refused, naming it and the member, by root and, a test's first variants, by root of a user
        namespace; with a good one in its place the next build works. data: the bytes of the file, or a function that
        writes them to a path."""
        result = None
        unprivileged = unprivileged and self.mapped_runs < MAPPED_RUNS
        self.mapped_runs += unprivileged
        for who in (self.as_root, self.as_mapped_root) if unprivileged else (self.as_root,):
            with self.subTest(what, who=who.__name__):
                self.start_anew()
                who()
                path = self.mirror + self.put((f"{stem}.{suffix}", b"" if callable(data) else data))
                if callable(data):
                    data(path)
                # No category gives a .tbz, only a request for one.
                wish = ("--add", f"plamo/00_base/{stem.split('-')[0]}") if suffix == "tbz" else ()
                result = self.build_refused((f"package {stem}.{suffix}", *names), limit_s=limit_s, arguments=wish)
                self.put((f"{stem}.{suffix}", self.good(stem, suffix)), moment=1_500_000_100)
                self.build_works(stem.split("-")[0], arguments=wish)
        for path in glob.glob(f"{self.mirror}{BASE}/{stem}.*"):
            os.unlink(path)
        self.as_root()
        return result

    def refused_tar(self, tar, *names, what="", **more):
        """The same for the bytes of a tar."""
        return self.refused(gz(tar), *names, what=what, **more)

    def contained(self, *packages, unprivileged=True):
        """C: (stem, tar) are installed in this order, and nothing outside the root changes. Yields each build's result,
        for the caller's own checks of the root."""
        for stem, tar in packages:
            self.put((f"{stem}.tgz", gz(tar)))
        for who in (self.as_root, self.as_mapped_root) if unprivileged else (self.as_root,):
            with self.subTest(who=who.__name__):
                tried["variants"] += 1
                self.start_anew()
                who()
                yield self.build_works(*(stem.split("-")[0] for stem, _ in packages))
        self.as_root()

    def ways_out(self, name):
        """Names of a file of the host as seen from the root, from staging and from anywhere."""
        return [f"{self.host}/{name}", *("../" * n + f"host/{name}" for n in (1, 2, 3, 4, 5)),
                "../" * 30 + self.host[1:] + f"/{name}"]


def main():
    """As netkit.main, and counts."""
    try:
        netkit.main()
    finally:
        print(f"{tried['attacks']} attacks in {tried['variants']} variants")
