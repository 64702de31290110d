"""The host that package scripts attack: a mirror of few packages, sentinels, and what shows that a script got out."""

import ctypes
import os
import signal
import socket
import stat
import subprocess

import mirror  # noqa: F401 (the fixtures are found through it)
from template import VARIABLES

from package import Package, archive
from pkgtools import busybox, pkgtools
from tarball import device, file, folder, symlink

RELEASE = "8.x"
ARCH = "x86_64"
CATEGORY = "00_base"
PLACE = f"plamo/{CATEGORY}"
SECRET = "the-secret-of-the-host"
# Durations that nothing else sleeps for, no other test of this kind either: what a script leaves behind is found by them.
MARKS = tuple(str(100_000_000 + os.getpid() * 10 + i) for i in range(4))
ATTACKER = "usr/lib/attacker"
QUEUE = b"/plamo-fast-attack"
SHARED_KEY = 0x706C666B
# Of these neither owner nor mode may change, whoever tries.
HOST_PATHS = ("/", "/etc", "/etc/passwd", "/usr", "/usr/bin/env", "/dev/null", "/dev/zero", "/tmp")

# name: (kind, major, minor). What a root may have as nodes and no script may open: FUSE, a terminal, the console, memory,
# a loop device, TUN.
UNSAFE = {"fuse": ("c", 10, 229), "tty0": ("c", 4, 0), "console": ("c", 5, 1), "mem": ("c", 1, 1),
          "kmsg": ("c", 1, 11), "loop": ("b", 7, 0), "tun": ("c", 10, 200), "ptmx": ("c", 5, 2)}
SAFE = {"null": 3, "zero": 5, "full": 7, "random": 8, "urandom": 9}


def attacker(bin_folder):
    """Where the build has put the static program that scripts bring with them; None where none could be linked."""
    path = os.path.join(bin_folder, "..", "tests", "attack", "attacker")
    return path if os.path.exists(path) else None


def _base(with_nodes):
    """What the root has before the attack: a shell and its tools for `chroot .`, users, nodes."""
    links = (symlink(f"bin/{name}", "busybox") for name in ("sh", "ls", "cat", "echo", "head", "wc"))
    nodes = (*(device(f"dev/{name}", "c", 1, minor, 0o666) for name, minor in SAFE.items()),
             device("dev/tty", "c", 5, 0, 0o666),
             *(device(f"dev/{name}", *numbers, 0o666) for name, numbers in UNSAFE.items())) if with_nodes else ()
    return Package("aaa_base-1.0-noarch-B1", PLACE, (
        file("bin/busybox", busybox(), 0o755), *links, *nodes, file("etc/passwd", "root:x:0:0::/root:/bin/sh\n"),
        file("etc/group", "root:x:0:\n"), folder("leaks")))


def _last():
    """Comes after the attack: its script shows what that left to others."""
    return Package("zlast-1.0-noarch-B1", PLACE, (folder("usr/share/zlast"),), script=(
        "echo abc | wc -c > usr/share/zlast/count\nls -A /tmp > usr/share/zlast/tmp\n"))


class ScriptHost:
    """hermetic: the mirror has the release's tools, so that scripts see nothing of the host."""

    def __init__(self, folder, wanted, place, hermetic=True):
        self.folder, self.wanted, self.place, self.hermetic = folder, wanted, place, hermetic
        self.outside = os.path.join(folder, "outside")
        self.root = os.path.join(folder, "root")
        self.cache = os.path.join(folder, "cache")
        self.packages = os.path.join(folder, "mirror", f"Plamo-{RELEASE}", ARCH, PLACE)
        os.makedirs(self.outside)
        self.write_sentinels()
        self.bystander = subprocess.Popen(["sleep", "1000"])
        self.listen()
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.shared = self.libc.shmget(SHARED_KEY, 4096, 0o1666)
        # Pending, it shows that a signal came; unblocked it would be ignored.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGURG})
        self.before = self.metadata()
        self.make_mirror()

    def listen(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.local = socket.socket(socket.AF_UNIX)
        self.local.bind(os.path.join(self.outside, "socket"))
        self.abstract = socket.socket(socket.AF_UNIX)
        self.abstract.bind(f"\0plamo-fast-{os.getpid()}")
        for listening in (self.listener, self.local, self.abstract):
            listening.listen()
            listening.setblocking(False)

    def end(self):
        self.bystander.kill()
        self.bystander.wait()
        self.libc.shmctl(self.shared, 0, None)
        for listening in (self.listener, self.local, self.abstract):
            listening.close()

    def write_sentinels(self):
        for name, text in (("sentinel", "kept\n"), ("secret", SECRET)):
            with open(os.path.join(self.outside, name), "w") as stream:
                stream.write(text)
            os.chmod(stream.name, 0o644)

    def metadata(self):
        """All that a script could change of the sentinels, and the owners and modes of what is the host's own."""
        ours = [os.lstat(os.path.join(self.outside, name)) for name in ("sentinel", "secret", "socket", "")]
        host = [(path, os.stat(path)) for path in HOST_PATHS]
        return ([(st.st_ino, st.st_mode, st.st_uid, st.st_nlink, st.st_ctime_ns) for st in ours],
                [(path, st.st_mode, st.st_uid, st.st_gid) for path, st in host])

    def filled(self, script):
        """The script with this host's places in it."""
        found = os.stat(self.folder).st_dev
        for word, value in (("@OUTSIDE@", self.outside), ("@PORT@", str(self.listener.getsockname()[1])),
                            ("@ABSTRACT@", f"plamo-fast-{os.getpid()}"), ("@KEY@", str(SHARED_KEY)),
                            ("@DISK@", f"{os.major(found)} {os.minor(found)}"), ("@TESTPID@", str(os.getpid())),
                            ("@PID@", str(self.bystander.pid)), ("@ATTACKER@", ATTACKER)):
            script = script.replace(word, value)
        return script

    def put(self, package):
        os.makedirs(self.packages, exist_ok=True)
        with open(os.path.join(self.packages, package.file_name(RELEASE, ARCH)), "wb") as stream:
            stream.write(archive(package, RELEASE, ARCH))

    def make_mirror(self):
        """All but the attack, which comes between base and last."""
        self.put(_base(with_nodes=self.place.ids))
        self.put(_last())
        if self.hermetic:
            self.put(pkgtools(RELEASE))

    def make_attack(self, script):
        subprocess.run(["rm", "-rf", self.root, self.cache], check=True)
        with open(attacker(self.wanted.bin), "rb") as stream:
            program = stream.read()
        self.put(Package("attack-1.0-noarch-B1", PLACE, (
            file(ATTACKER, program, 0o755), file("leaks/.keep", ""), file("etc/own", "own\n")),
            script=self.filled(script)))

    def command(self, *options):
        return [*self.place.prefix, os.path.join(self.wanted.bin, "plamo-fast"), "build", self.root, "--no-configure",
                "--mirror", f"file://{self.folder}/mirror", "--release", RELEASE, "--arch", ARCH,
                "--categories", CATEGORY, "--add", "", "--cache", self.cache, *options]

    def environment(self):
        return {**{k: v for k, v in os.environ.items() if k not in VARIABLES}, "PLAMO_TEST_SECRET": SECRET}

    def build(self, script, *options, before=()):
        self.make_attack(script)
        result = subprocess.run([*before, *self.command(*options)], env=self.environment(), timeout=500,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return result.returncode, result.stdout.decode("utf-8", "backslashreplace")

    def path(self, *names):
        return os.path.join(self.root, *names)

    def leaks(self):
        """What the script could write down, by name."""
        found = {}
        for name in os.listdir(self.path("leaks")) if os.path.isdir(self.path("leaks")) else ():
            if stat.S_ISREG(os.lstat(self.path("leaks", name)).st_mode):
                with open(self.path("leaks", name), "rb") as stream:
                    found[name] = stream.read(1 << 20).decode("utf-8", "backslashreplace")
        return found

    def check(self, report, what):
        """The host as it was."""
        with open(os.path.join(self.outside, "sentinel")) as stream:
            report.equal(stream.read(), "kept\n", f"{what}: the sentinel")
        report.equal(sorted(os.listdir(self.outside)), ["secret", "sentinel", "socket"], f"{what}: names beside it")
        if not report.equal(self.metadata(), self.before, f"{what}: owners, modes and times of the host's files"):
            self.before = self.metadata()
        report.equal([path for path in ("/etc/plamo-fast-attack", "/usr/plamo-fast-attack", "/plamo-fast-attack",
                                        "/dev/plamo-fast-attack", "/tmp/plamo-fast-attack") if os.path.lexists(path)],
                     [], f"{what}: files made on the host")
        report.equal(self.bystander.poll(), None, f"{what}: a process of the host")
        report.check(signal.SIGURG not in signal.sigpending(), f"{what}: a signal reached a process of the host")
        report.equal(survivors(), [], f"{what}: processes left behind")
        report.check(self.libc.mq_unlink(QUEUE) < 0, f"{what}: a message queue of the host")
        for name, listening in (("port", self.listener), ("socket", self.local), ("abstract", self.abstract)):
            try:
                listening.accept()
                report.fail(f"{what}: it reached the host's {name}")
            except BlockingIOError:
                pass


def survivors():
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as stream:
                words = stream.read().decode("utf-8", "replace").split("\0")
        except OSError:
            continue
        if set(words[1:]) & set(MARKS):
            found.append(words)
    return found
