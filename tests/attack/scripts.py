#!/usr/bin/env python3
"""Packages with hostile scripts: what they do stays in the root, as root and as root of a user namespace.

A sandbox that holds nothing must not cost the host anything but this test: the scripts harm what the test made, and of
the host's own they only try what changes nothing (a mode that is there already, a value that is set)."""

import os
import pty
import signal
import socket
import stat
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import mirror  # noqa: F401 (the fixtures are found through it)
from report import Report
from skip import need_programs, need_root, skip
from template import VARIABLES
from workspace import arguments, temporary_folder

from package import Package, archive
from tarball import file

RELEASE = "8.x"
ARCH = "x86_64"
CATEGORY = "00_base"
SECRET = "the-secret-of-the-host"
# Durations that nothing else sleeps for: so what a script leaves behind is found by them.
MARKS = ("98761", "98762", "98763", "98764")
NAMESPACE = ("unshare", "-Ur")


class Host:
    """The test's folder: a mirror of one package, sentinels, and what shows that a script got out."""

    def __init__(self, folder, wanted, prefix):
        self.folder, self.wanted, self.prefix = folder, wanted, prefix
        self.outside = os.path.join(folder, "outside")
        self.root = os.path.join(folder, "root")
        os.makedirs(self.outside)
        self.write_sentinels()
        self.bystander = subprocess.Popen(["sleep", "1000"])
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.local = socket.socket(socket.AF_UNIX)
        self.local.bind(os.path.join(self.outside, "socket"))
        self.abstract = socket.socket(socket.AF_UNIX)
        self.abstract.bind(f"\0plamo-fast-{os.getpid()}")
        for listening in (self.listener, self.local, self.abstract):
            listening.listen()
            listening.setblocking(False)

    def write_sentinels(self):
        for name, text in (("sentinel", "kept\n"), ("secret", SECRET)):
            with open(os.path.join(self.outside, name), "w") as stream:
                stream.write(text)

    def filled(self, script):
        """The script with this host's places in it."""
        for word, value in (("@OUTSIDE@", self.outside), ("@PORT@", str(self.listener.getsockname()[1])),
                            ("@ABSTRACT@", f"plamo-fast-{os.getpid()}"), ("@DISK@", self.disk()),
                            ("@PID@", str(self.bystander.pid))):
            script = script.replace(word, value)
        return script

    def disk(self):
        device = os.stat(self.folder).st_dev
        return f"{os.major(device)} {os.minor(device)}"

    def make_mirror(self, script):
        place = f"plamo/{CATEGORY}"
        packages = [Package("attack-1.0-noarch-B1", place, (file("leaks/.keep", ""), file("etc/own", "own\n")),
                            script=self.filled(script)),
                    Package("zlast-1.0-noarch-B1", place, (file("usr/share/zlast", "installed\n"),))]
        where = os.path.join(self.folder, "mirror", f"Plamo-{RELEASE}", ARCH, place)
        subprocess.run(["rm", "-rf", self.root, os.path.join(self.folder, "cache"),
                        os.path.join(self.folder, "mirror")], check=True)
        os.makedirs(where)
        for package in packages:
            with open(os.path.join(where, package.file_name(RELEASE, ARCH)), "wb") as stream:
                stream.write(archive(package, RELEASE, ARCH))

    def command(self, *options):
        return [*self.prefix, os.path.join(self.wanted.bin, "plamo-fast"), "build", self.root, "--no-configure",
                "--mirror", f"file://{self.folder}/mirror", "--release", RELEASE, "--arch", ARCH,
                "--categories", CATEGORY, "--add", "", "--cache", os.path.join(self.folder, "cache"), *options]

    def environment(self):
        return {**{k: v for k, v in os.environ.items() if k not in VARIABLES}, "PLAMO_TEST_SECRET": SECRET}

    def build(self, script, *options, before=()):
        self.make_mirror(script)
        result = subprocess.run([*before, *self.command(*options)], env=self.environment(), timeout=120,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return result.returncode, result.stdout.decode("utf-8", "backslashreplace")

    def leaks(self):
        """What the script could write down, by name."""
        folder = os.path.join(self.root, "leaks")
        found = {}
        for name in os.listdir(folder) if os.path.isdir(folder) else ():
            with open(os.path.join(folder, name), "rb") as stream:
                found[name] = stream.read(1 << 20).decode("utf-8", "backslashreplace")
        return found

    def check(self, report, what):
        """The host as it was."""
        with open(os.path.join(self.outside, "sentinel")) as stream:
            report.equal(stream.read(), "kept\n", f"{what}: the sentinel")
        report.equal(sorted(os.listdir(self.outside)), ["secret", "sentinel", "socket"], f"{what}: names beside it")
        report.equal([path for path in ("/etc/plamo-fast-attack", "/usr/plamo-fast-attack", "/plamo-fast-attack",
                                        "/dev/plamo-fast-attack", "/tmp/plamo-fast-attack") if os.path.lexists(path)],
                     [], f"{what}: files made on the host")
        report.equal(stat.S_IMODE(os.stat("/dev/null").st_mode), 0o666, f"{what}: mode of /dev/null")
        report.equal(self.bystander.poll(), None, f"{what}: a process of the host")
        report.equal(survivors(), [], f"{what}: processes left behind")
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
        if words[0] == "sleep" and set(words) & set(MARKS):
            found.append(words)
    return found


PYTHON = "python3 - <<'END'\n"

# Name: (script, what it must not be able to write down). All of them end, and the build goes on.
CONTAINED = {
    "writes to absolute paths": ("""
        for f in /etc /usr /dev /tmp '' ; do echo evil > $f/plamo-fast-attack; done
        echo evil > @OUTSIDE@/sentinel; rm -rf @OUTSIDE@
        exec 2>/dev/null
        chmod 666 /dev/null && echo 1 > leaks/mode; chown 0 /dev/zero && echo 1 > leaks/owner
        touch -c /usr /usr/bin/env && echo 1 > leaks/time""", ("mode", "owner", "time")),
    "writes above the root": ("""
        for up in .. ../.. ../../.. ../../../../../..; do
            echo evil > $up/plamo-fast-attack; echo evil > $up/outside/sentinel; rm -rf $up/outside
        done""", ()),
    "writes through links out of the root": ("""
        ln -s @OUTSIDE@ absolute; ln -s ../outside relative; ln -s ../../../outside deep; ln -s /etc hostetc
        for l in absolute relative deep; do echo evil > $l/sentinel; touch $l/made; rm -rf $l/; done
        echo evil > hostetc/plamo-fast-attack; ln @OUTSIDE@/secret leaks/hard; cp -r absolute/. leaks""", ("hard",)),
    "daemonises": (f"""
        sleep {MARKS[0]} & nohup sleep {MARKS[1]} & setsid sleep {MARKS[2]} </dev/null >/dev/null 2>&1 &
        (setsid sh -c "trap '' HUP TERM; sleep {MARKS[3]} & wait" </dev/null >/dev/null 2>&1 &)
        sleep 0.2""", ()),
    "kills": ("""
        kill -9 $PPID 1 @PID@; kill -STOP $PPID 1 @PID@; setsid sh -c 'kill -9 0'
        echo 1 > leaks/alive""", ()),
    "fills the disk": ("""
        dd if=/dev/zero of=/tmp/plamo-fast-attack bs=1M count=300; du -m /tmp | cut -f1 > leaks/megabytes
        dd if=/dev/zero of=/etc/plamo-fast-attack bs=1M count=300; du -m /etc | cut -f1 >> leaks/megabytes
        dd if=/dev/zero of=large bs=1 count=1 seek=20G; dd if=/dev/zero of=/dev/shm/x bs=1M count=300""", ()),
    "reads secrets": ("""
        exec 2>/dev/null
        env > leaks/env; cat /proc/1/environ /proc/*/environ > leaks/environ; cat /proc/*/cmdline > leaks/cmdline
        cat /etc/shadow /etc/gshadow > leaks/shadow; ls -A /root /home > leaks/home; cat /etc/ssh/*key > leaks/keys
        cat @OUTSIDE@/secret /proc/1/root/@OUTSIDE@/secret /proc/*/cwd/outside/secret > leaks/secret
        for f in /proc/*/fd/*; do case $f in */self/*) ;; *) readlink $f; esac; done | grep plamo > leaks/fds
        dd if=/proc/kcore bs=1 count=4 > leaks/kcore; dd if=/dev/mem bs=1 count=4 > leaks/mem""",
                      ("shadow", "home", "keys", "secret", "fds", "kcore", "mem")),
    "reads the disk": ("""
        mknod disk b @DISK@ && mknod /tmp/disk b @DISK@ && chmod 666 disk
        head -c 4096 disk > leaks/disk; head -c 4096 /tmp/disk > leaks/tmpdisk; mkdir mnt; mount disk mnt
        ls mnt > leaks/mounted; mknod device c 1 5 && head -c 8 device > leaks/device
        """, ("disk", "tmpdisk", "mounted", "device")),
    "uses the network": (PYTHON + """
import socket
def attempt(name, family, address):
    try:
        with socket.socket(family) as one:
            one.settimeout(2)
            one.connect(address)
            open(f"leaks/{name}", "w").write("connected")
    except OSError:
        pass
attempt("port", socket.AF_INET, ("127.0.0.1", @PORT@))
attempt("world", socket.AF_INET, ("192.0.2.1", 80))
attempt("path", socket.AF_UNIX, "@OUTSIDE@/socket")
attempt("abstract", socket.AF_UNIX, "\\0@ABSTRACT@")
END
ls /sys/class/net > leaks/devices 2>/dev/null""", ("port", "world", "path", "abstract", "devices")),
    "mounts and enters namespaces": ("""
        exec 2>/dev/null
        mkdir mnt; mount -t tmpfs x mnt && echo 1 > leaks/tmpfs; umount mnt
        mount -o remount,rw,bind /usr && touch /usr/plamo-fast-attack
        unshare -Urm sh -c 'mount -t proc x /proc && ls /proc/1 > leaks/user'; unshare -p true && echo 1 > leaks/pid
        nsenter -t 1 -m ls > leaks/entered; chroot /proc/1/root ls @OUTSIDE@ > leaks/chroot
        cd / && chroot . sh -c 'cd ../../../..; ls @OUTSIDE@' > /target/leaks/up""",
                                     ("tmpfs", "user", "pid", "entered", "chroot", "up")),
    "changes the kernel": ("""
        exec 2>/dev/null
        for f in kernel/core_pattern kernel/modprobe kernel/hostname kernel/sysrq vm/swappiness; do
            value=`cat /proc/sys/$f`; echo "$value" > /proc/sys/$f && echo $f >> leaks/sysctl; done
        hostname "`hostname`" && echo 1 > leaks/hostname; date -s "`date`" && echo 1 > leaks/date
        dmesg > leaks/dmesg; swapoff /none 2>&1 | grep 'Invalid\\|No such' > leaks/swapoff""",
                           ("sysctl", "hostname", "date", "dmesg", "swapoff")),
    "deletes the whole root": ("rm -rf /target/* ./* ./.[a-z]* ../* 2>/dev/null", ()),
    "exits non-zero": ("exit 7", ()),
    "prints gigabytes": ("head -c 2000000000 /dev/zero | tr '\\0' x", ()),
}


def contained(report, host, name, script, forbidden):
    status, log = host.build(script)
    report.equal(status, 0, f"{name}: status of the build") or report.note(log)
    host.check(report, name)
    leaks = host.leaks()
    report.equal({leak: leaks[leak] for leak in forbidden if leaks.get(leak)}, {}, f"{name}: what it got")
    report.check(SECRET not in "".join(leaks.values()), f"{name}: it has the secret")
    report.check(os.path.exists(os.path.join(host.root, "usr/share/zlast")), f"{name}: the next package is missing")
    return leaks, log


def check_effects(report, host, name, leaks, log):
    """What an attack shall do to its own root all the same."""
    if name == "fills the disk":
        sizes = [int(size) for size in leaks.get("megabytes", "").split()]
        report.check(len(sizes) == 2 and all(0 < size <= 65 for size in sizes), f"{name}: {sizes} MB")
        large = os.path.join(host.root, "large")
        report.check(not os.path.exists(large) or os.path.getsize(large) <= 4 << 30, f"{name}: a huge file")
    if name == "reads the disk" and not host.prefix:
        report.check(stat.S_ISBLK(os.lstat(os.path.join(host.root, "disk")).st_mode), f"{name}: no node is kept")
    if name == "exits non-zero":
        report.check("status 7" in log, f"{name}: nothing is said of it")
    if name == "prints gigabytes":
        size = os.path.getsize(os.path.join(host.root, "var/log/install.log"))
        report.check((1 << 20) <= size < (2 << 20), f"{name}: install.log has {size} bytes")
    if name == "kills":
        report.equal(leaks.get("alive"), "1\n", f"{name}: the script itself")
    if name == "deletes the whole root":
        report.check(not os.path.exists(os.path.join(host.root, "etc/own")), f"{name}: it could not")


def forks_without_end(report, host):
    for script in (f"while :; do sleep {MARKS[0]} & done", f"f() {{ f & f & }}; f; sleep {MARKS[1]}"):
        start = time.monotonic()
        status, log = host.build(script)
        report.equal(status, 4, "forks without end: status")
        report.check("processes at once" in log, f"forks without end: {log}")
        report.check(time.monotonic() - start < 60, "forks without end: it took long")
        host.check(report, "forks without end")
        report.check(not os.path.exists(host.root), "forks without end: there is a root")


def start_and_wait(host, script):
    """Starts a build whose script sleeps, and waits until it does."""
    host.make_mirror(script)
    process = subprocess.Popen(host.command(), env=host.environment(), stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(200):
        if survivors():
            break
        time.sleep(0.05)
    return process


def sleeps_for_ever(report, host):
    """Its time limit is ten minutes; who builds may not want to wait so long."""
    for number, wanted in ((signal.SIGTERM, 128 + signal.SIGTERM), (signal.SIGKILL, -signal.SIGKILL)):
        process = start_and_wait(host, f"trap '' HUP INT TERM; sleep {MARKS[0]}; sleep {MARKS[1]}")
        report.equal(len(survivors()), 1, "sleeps for ever: processes meanwhile")
        process.send_signal(number)
        report.equal(process.wait(timeout=30), wanted, f"sleeps for ever: status after signal {number}")
        for _ in range(100):
            if not survivors():
                break
            time.sleep(0.05)
        host.check(report, f"sleeps for ever, signal {number}")


def types_into_the_terminal(report, host):
    """The build has a terminal; what a script pushes into it would be the next command of who builds."""
    host.make_mirror(PYTHON + """
import fcntl, os, termios
for name in ("/dev/tty", "/dev/console", f"/proc/{os.getppid()}/fd/0", *(f"/proc/self/fd/{fd}" for fd in range(3))):
    try:
        fd = os.open(name, os.O_RDWR | os.O_NOCTTY)
    except OSError:
        continue
    for letter in b"evil\\n":
        try:
            fcntl.ioctl(fd, termios.TIOCSTI, bytes([letter]))
        except OSError:
            pass
END
""")
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe("sh", ["sh", "-c", '"$@"; echo "status:$?"; read -r line; echo "got:$line"', "sh",
                          *host.command("--quiet")], host.environment())
    os.write(terminal, b"clean\n")
    output = b""
    try:
        while piece := os.read(terminal, 4096):
            output += piece
    except OSError:
        pass  # the terminal's other end is closed
    os.waitpid(pid, 0)
    report.check(b"status:0" in output and b"got:clean" in output, f"types into the terminal: {output!r}")
    host.check(report, "types into the terminal")


def needs_a_sandbox(report, host):
    """Without the privileges for one the build stops; and these attacks would succeed without one."""
    reaching = "echo evil > @OUTSIDE@/sentinel"
    without = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"]
    status, log = host.build(reaching, before=without)
    report.equal(status, 6, "no sandbox: status")
    report.check("--no-sandbox" in log, f"no sandbox: {log}")
    report.check(not os.path.exists(host.root), "no sandbox: there is a root")
    host.check(report, "no sandbox")
    status, log = host.build(reaching, "--no-sandbox", before=without)
    report.equal(status, 0, "--no-sandbox: status")
    report.check("without a sandbox" in log, f"--no-sandbox: nothing is said of it: {log}")
    with open(os.path.join(host.outside, "sentinel")) as stream:
        report.equal(stream.read(), "evil\n", "--no-sandbox: what the attack does without a sandbox")
    host.write_sentinels()


def attack(report, wanted, prefix):
    with temporary_folder() as (folder, _):
        host = Host(folder, wanted, prefix)
        for name, (script, forbidden) in CONTAINED.items():
            leaks, log = contained(report, host, name, script, forbidden)
            check_effects(report, host, name, leaks, log)
        forks_without_end(report, host)
        sleeps_for_ever(report, host)
        types_into_the_terminal(report, host)
        if not prefix:
            needs_a_sandbox(report, host)
        host.bystander.kill()


def main():
    wanted = arguments(__doc__)
    need_root()
    need_programs("unshare", "setpriv", "setsid", "python3")
    report = Report()
    report.note("as root")
    attack(report, wanted, ())
    if subprocess.run([*NAMESPACE, "true"], stderr=subprocess.DEVNULL).returncode:
        report.failures or skip("no user namespace can be made here; as root all was contained")
    else:
        report.note("as root of a user namespace")
        attack(report, wanted, NAMESPACE)
    report.exit()


if __name__ == "__main__":
    main()
