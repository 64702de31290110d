"""What the fault tests share: a small build that takes some 20 ms, runs of it under faults, and what must hold then."""

import collections
import functools
import glob
import json
import os
import shutil
import subprocess
import tempfile

from attackkit import is_instrumented
from faulty_server import FaultyServer
from filesystems import KINDS, mounted
from mirror import mirror_folder
from netkit import NetTest, noise, package, settings
from package import link_pair
from server import MIRROR_PATH
from tarball import fifo, file, hardlink
from tool import everything_options

# Every call by which the engine changes a file system, as tests/fault/inject.c names them.
MUTATING = ("create", "write", "writev", "pwrite64", "renameat", "renameat2", "linkat", "symlinkat", "mkdirat",
            "mknodat", "unlinkat", "fchown", "fchownat", "fchmod", "fchmodat", "fchmodat2", "utimensat", "ftruncate",
            "copy_file_range", "sendfile", "ficlone", "subvol_create", "snap_create", "snap_destroy", "syncfs", "fsync",
            "fdatasync", "fsetxattr", "fremovexattr", "mkdir", "rename", "unlink", "symlink", "link")

Injected = collections.namedtuple("Injected", "result hits seen")


def use_memory():
    """Thousands of builds: their folders are kept in memory where there is room."""
    if os.path.isdir("/dev/shm") and os.access("/dev/shm", os.W_OK):
        room = os.statvfs("/dev/shm")
        if room.f_bavail * room.f_frsize > 200 << 20:
            tempfile.tempdir = "/dev/shm"


def tool(name):
    """A program or library of tests/fault that the build has made."""
    return os.path.join(os.path.dirname(settings.bin), "tests", "fault", name)


@functools.cache
def share():
    """Where the sanitizers look on, an eighth of the samples has to do: each takes four times as long, and more."""
    return 8 if is_instrumented(f"{settings.bin}/plamo-fast") else 1


def sampled(last, most):
    """1 … last; of more than `most`, so many of them, evenly spread (all with --slow)."""
    most = max(most // share(), 1)
    if settings.slow or last <= most:
        return list(range(1, last + 1))
    if most == 1:
        return [(last + 1) // 2]
    return sorted({1 + i * (last - 1) // (most - 1) for i in range(most)})


def read_manifest(folder):
    """The files that a complete folder's manifest names: name -> size."""
    with open(os.path.join(folder, ".plamo-fast.manifest.json")) as stream:
        return {entry["file"]: entry["size"] for entry in json.load(stream)["files"]}


class FaultTest(NetTest):
    """A mirror of three packages: plain links, a script that needs a shell, a hard link, a fifo, a text beside an add-on,
    a changed file."""

    def setUp(self):
        use_memory()
        super().setUp()
        self.small_mirror()
        self.good = os.path.join(self.folder, "good")

    def small_mirror(self):
        pairs = link_pair("usr/share", "link", "aaa") + link_pair("usr/share", "other", "aaa")
        members = [file("usr/share/aaa", noise(3000)), file("etc/both", b"aaa\n")]
        self.put(package("aaa-1-x86_64-P1", members, script=pairs))
        self.put(package("bbb-1-x86_64-P1", [file("usr/share/bbb", noise(5000)), fifo("usr/share/bbb-fifo"),
                                             hardlink("usr/share/bbb-too", "usr/share/bbb")],
                         script="mkdir -p etc/made\necho made > etc/made/by-bbb\n"))
        self.put(package("ccc-1-x86_64-P1", [file("etc/both", b"ccc\n")], suffix="txz", place="contrib/Net"),
                 place="contrib/Net")
        self.put(("ccc-1-x86_64-P1.txt", b"ccc: an add-on\nccc: with a text\n"), place="contrib/Net")

    def build_arguments(self, *more):
        return super().build_arguments("--add", "contrib/Net/ccc", "--jobs", "2", *more)

    def file_mirror(self):
        """From now on no server is asked: the mirror is a folder."""
        self.url = f"file://{self.mirror}"

    def make_good(self):
        """The root that everything is compared with; the cache is left without one."""
        root, self.root = self.root, self.good
        self.assert_done(self.build())
        self.root = root
        # The top folder itself is not copied into a container's root.
        self.copy(self.cache_folder("rootfs"), f"{self.good}-cached")
        self.remove(self.cache)
        self.server.clear()

    def remove(self, *paths):
        for path in paths:
            subprocess.run(["rm", "-rf", path], check=True)

    def copy(self, source, target):
        self.remove(target)
        subprocess.run(["cp", "-a", source, target], check=True)

    # Faults.

    def inject(self, command, calls, when, signal=0, error=0, own=False, env=None, timeout_s=30):
        """Runs a command with faults at the calls of these names; `when` as inject.c has it. own: not at its
        children's, which may make of an error what they like."""
        report = os.path.join(self.folder, "report")
        what = ["--signal", str(signal)] if signal else ["--error", str(error)]
        what += ["--own"] if own else []
        injecting = [tool("inject"), "--calls", ",".join(calls), "--when", str(when), *what, "--report", report, "--"]
        result = self.wait(self.start([*injecting, *command], env), timeout_s)
        lines = self.read(report).decode().splitlines()
        self.assertTrue(lines, str(result))
        return Injected(result, lines[:-1], int(lines[-1].split()[0]))

    def count_calls(self, command, calls, **keywords):
        """How many such calls a command makes that nothing happens to; threads make it vary a little."""
        injected = self.inject(command, calls, 1 << 40, error=1, **keywords)
        self.assertEqual(injected.result.status, 0, str(injected.result))
        return injected.seen

    # What must hold.

    def journalled(self):
        """The files that the partial folder's journal says are whole."""
        path = self.partial(".plamo-fast.journal")
        if not os.path.exists(path):
            return set()
        lines = self.read(path).decode(errors="replace").split("\n")[:-1]
        return {f[1] for f in (line.split("\t") for line in lines) if len(f) == 3 and f[0] == "done"}

    def finished_downloads(self, kinds=("partial", "cache")):
        """Files that have come whole, in the partial folder or the complete one."""
        whole = self.journalled()
        for kind in kinds:
            folder = self.cache_folder(kind)
            if os.path.isdir(folder):
                whole |= {n for n in os.listdir(folder) if not n.startswith(".") and not n.endswith(".part")}
        return whole

    def assert_equal_root(self, root, what):
        cached = root == self.cache_folder("rootfs") and os.path.isdir(f"{self.good}-cached")
        try:
            self.assert_same_root(f"{self.good}-cached" if cached else self.good, root)
        except AssertionError as error:
            self.fail(f"{what}: {error}")

    def assert_whole_or_absent(self, what, roots=None):
        """Nothing under a final name is half of a thing."""
        for root in roots or (self.root, self.cache_folder("rootfs")):
            if os.path.lexists(root) and (root != self.root or os.listdir(root)):
                self.assert_equal_root(root, what)
        self.assert_sound_cache(what)

    def assert_sound_cache(self, what, cache=None):
        """Each complete folder holds what its manifest says, whole."""
        for folder in glob.glob(f"{cache or self.cache}/cache-plamo-*"):
            present = {n: os.path.getsize(f"{folder}/{n}") for n in os.listdir(folder) if not n.startswith(".")}
            manifest = read_manifest(folder)
            self.assertEqual(present, manifest, f"{what}: {folder} and its manifest")

    def leftovers(self):
        """What a run that ends by itself takes away, whatever became of it."""
        left = [name for name in os.listdir(os.path.dirname(self.root)) if name.startswith(".")]
        in_cache = os.listdir(self.cache) if os.path.isdir(self.cache) else []
        return left + [name for name in in_cache if "work" in name or "trash" in name]

    def assert_no_leftovers(self, what, also=()):
        """Only the two folders that a finished build leaves, and nothing beside ROOT."""
        wanted = {os.path.basename(self.cache_folder(kind)) for kind in ("cache", "rootfs")} | set(also)
        found = {n for n in os.listdir(self.cache) if not n.endswith(".lock")}
        self.assertEqual(found, wanted, f"{what}: what is in the cache folder")
        above, name = os.path.split(self.root)
        beside = [n for n in os.listdir(above) if n.startswith(".")]
        self.assertEqual(beside, [], f"{what}: leftovers beside ROOT")
        # The journal goes after the folder has its final name, where nobody reads it: a kill in between leaves it.
        inside = {n for n in os.listdir(self.cache_folder("cache")) if n.startswith(".")} - {".plamo-fast.journal"}
        self.assertEqual(inside, {".plamo-fast.manifest.json"}, f"{what}: in the complete folder")


class OnBtrfs:
    """A FaultTest with cache and root on a fresh btrfs: the cached root is a subvolume, the root a snapshot of it."""

    def make_good(self):
        point = self.enterContext(mounted("btrfs", self.folder)) if shutil.which(KINDS["btrfs"][0][0]) else None
        if not point:
            self.skipTest("needs mkfs.btrfs, a loop device, and a kernel that has btrfs")
        self.cache, self.root = f"{point}/cache", f"{point}/root"
        super().make_good()


class EverythingTest(FaultTest):
    """The same with the test mirror and all of its cases: a build that takes a third of a second."""

    def setUp(self):
        super().setUp()
        if not settings.private_mounts:
            self.skipTest("needs mounts of its own")

    def small_mirror(self):
        self.server.stop()
        served = os.path.join(self.folder, "served")
        os.mkdir(served)
        os.symlink(mirror_folder(settings.mirror), served + MIRROR_PATH)
        self.server = FaultyServer(served).start()
        self.addCleanup(self.server.stop)
        self.url = self.server.url + MIRROR_PATH

    def build_arguments(self, *more):
        return NetTest.build_arguments(self, *everything_options(), *more)
