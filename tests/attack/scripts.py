#!/usr/bin/env python3
"""Packages with hostile scripts: what they do stays in the root, on every rung of the sandbox.

A sandbox that holds nothing must not cost the host anything but this test: the scripts harm what the test made, and of
the host's own they only try what changes nothing (a mode that is there already, a value that is set, a signal that is
ignored)."""

import os
import pty
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from sandboxplaces import CONFINED, PLACES, place, without_any
from report import Report
from scripthost import MARKS, SAFE, SECRET, UNSAFE, ScriptHost, attacker, survivors
from skip import need_programs, need_root, skip
from workspace import arguments, temporary_folder

# All that a hermetic script may find at its top.
TOP = {"bin", "dev", "e", "etc", "proc", "root", "run", "sbin", "target", "tmp", "var"}
# What namespaces hold, where there are any.
FAMILIES = {"family 1", "family 2", "family 10", "family 16"}

# Name: (script, what it must not be able to write down). All of them end, and the build goes on.
CONTAINED = {
    "writes to absolute paths": ("""
        for f in /etc /usr /dev /tmp '' ; do echo evil > $f/plamo-fast-attack; done
        echo evil > @OUTSIDE@/sentinel; rm -rf @OUTSIDE@
        exec 2>/dev/null
        chmod 666 /dev/null; chown 0 /dev/zero; touch -c /usr /usr/bin/env /etc/passwd; chmod 777 @OUTSIDE@/sentinel
        @ATTACKER@ climb @OUTSIDE@/sentinel > leaks/harm""", ("harm",)),
    "writes above the root": ("""
        for up in .. ../.. ../../.. ../../../../../..; do
            echo evil > $up/plamo-fast-attack; echo evil > $up/outside/sentinel; rm -rf $up/outside
            chmod 777 $up/outside/sentinel; chown 65432 $up/outside/sentinel; touch $up/outside/sentinel
        done 2> /dev/null
        for top in / .. /tmp /dev; do (cd $top; $OLDPWD/@ATTACKER@ climb @OUTSIDE@/sentinel); done > leaks/harm""",
                              ("harm",)),
    "writes through links out of the root": ("""
        ln -s @OUTSIDE@ absolute; ln -s ../outside relative; ln -s ../../../outside deep; ln -s /etc hostetc
        for l in absolute relative deep; do echo evil > $l/sentinel; touch $l/made; rm -rf $l/; done
        echo evil > hostetc/plamo-fast-attack; ln @OUTSIDE@/secret leaks/hard; cp -r absolute/. leaks""", ("hard",)),
    "climbs out of a chroot": ("""
        exec 2>/dev/null
        for at in / . .. /tmp; do
            chroot . /@ATTACKER@ climb @OUTSIDE@/sentinel < $at; (cd $at; chroot $OLDPWD /@ATTACKER@ climb @OUTSIDE@/sentinel)
        done > leaks/chroot""", ("chroot",)),
    "climbs out of a chroot of its own": ("""
        exec 2>/dev/null
        @ATTACKER@ escape @OUTSIDE@/sentinel > leaks/escape
        chroot . /@ATTACKER@ escape @OUTSIDE@/sentinel < / >> leaks/escape
        mkdir -p etc/usr/lib; cp @ATTACKER@ etc/usr/lib/attacker
        for at in / . etc; do
            chroot etc /@ATTACKER@ climb @OUTSIDE@/sentinel < $at; chroot etc /@ATTACKER@ escape @OUTSIDE@/sentinel < $at
        done > leaks/nested
        root=$PWD
        chroot / $root/@ATTACKER@ climb @OUTSIDE@/sentinel > leaks/top; chroot /proc/1/root ls @OUTSIDE@ >> leaks/top
        cd / && chroot . sh -c 'cd ../../../..; ls @OUTSIDE@' >> $root/leaks/top""", ("escape", "nested", "top")),
    "moves a directory from under a chroot": ("""
        exec 2>/dev/null
        mkdir stand
        chroot . /@ATTACKER@ moved /stand /ready /go @OUTSIDE@/sentinel > leaks/moved &
        for i in 1 2 3 4 5 6 7 8 9 10; do [ -e ready ] || sleep 0.2; done
        mv stand /tmp/stand || mv stand ../stand; touch go
        wait""", ("moved",)),
    "daemonises": (f"""
        sleep {MARKS[0]} & nohup sleep {MARKS[1]} & setsid sleep {MARKS[2]} </dev/null >/dev/null 2>&1 &
        (setsid sh -c "trap '' HUP TERM; sleep {MARKS[3]} & wait" </dev/null >/dev/null 2>&1 &)
        chroot . /bin/busybox sleep {MARKS[0]} &
        sleep 0.2""", ()),
    "kills": ("""
        exec 2>/dev/null
        kill -9 $PPID 1 @PID@; kill -STOP $PPID 1 @PID@
        @ATTACKER@ signals @TESTPID@; kill -URG -1; chroot . /@ATTACKER@ signals @TESTPID@
        setsid sh -c 'kill -9 0'
        echo 1 > leaks/alive""", ()),
    "reads secrets": ("""
        exec 2>/dev/null
        env > leaks/env; cat /proc/1/environ /proc/*/environ > leaks/environ; cat /proc/*/cmdline > leaks/cmdline
        cat /etc/shadow /etc/gshadow > leaks/shadow; ls -A /home > leaks/home; cat /etc/ssh/*key > leaks/keys
        cat @OUTSIDE@/secret /proc/1/root/@OUTSIDE@/secret /proc/*/cwd/outside/secret > leaks/secret
        for f in /proc/*/fd/*; do case $f in */self/*) ;; *) readlink $f; esac; done | grep plamo > leaks/fds
        dd if=/proc/kcore bs=1 count=4 > leaks/kcore; dd if=/dev/mem bs=1 count=4 > leaks/mem""",
                      ("shadow", "home", "keys", "secret", "fds", "kcore", "mem")),
    "reads the host": ("""
        exec 2>/dev/null
        cat /etc/passwd > leaks/passwd; cat /etc/group > leaks/group
        cat /etc/hostname /etc/hosts /etc/machine-id /etc/os-release /etc/resolv.conf > leaks/etc
        hostname > leaks/name; uname -n >> leaks/name; cat /proc/sys/kernel/hostname >> leaks/name
        cat /proc/mounts /proc/*/mountinfo /proc/*/mounts > leaks/mounts; (pwd; env) > leaks/own
        ls -A / > leaks/top; ls -A /usr /lib /lib64 /boot /home /mnt /opt /srv /var/lib /sys > leaks/directories
        ls -A /bin /sbin /run > leaks/programs; ls -A /dev > leaks/devices; ls -A /tmp > leaks/tmp
        cat /proc/1/root/etc/passwd /proc/1/cwd/etc/passwd /proc/self/root/etc/os-release > leaks/root""",
                       ("etc", "directories", "root", "tmp")),
    "opens the root's nodes": ("""
        @ATTACKER@ open @UNSAFE@ /dev/fuse /dev/kmsg > leaks/opened; chroot . /@ATTACKER@ open @UNSAFE@ >> leaks/opened
        chmod 640 dev/tun; chown 3:4 dev/tun; rm dev/kmsg
        @ATTACKER@ open dev/tun >> leaks/opened""", ("opened",)),
    "moves the root's nodes": ("""
        mv dev/fuse etc/fuse; ln dev/tty0 etc/tty0; cp -a dev/loop etc/loop
        @ATTACKER@ open etc/fuse etc/tty0 etc/loop > leaks/opened""", ("opened",)),
    "makes device nodes": ("""
        exec 2>/dev/null
        mknod disk b @DISK@ && mknod /tmp/disk b @DISK@ && mknod /dev/disk b @DISK@; chmod 666 disk
        head -c 4096 disk > leaks/disk; head -c 4096 /tmp/disk > leaks/tmpdisk; mkdir mnt; mount disk mnt
        ls mnt > leaks/mounted; mknod device c 10 229; chroot . /bin/busybox mknod /inside c 10 229
        @ATTACKER@ open disk device inside /tmp/disk /dev/disk > leaks/opened
        chroot . /@ATTACKER@ open /disk /device /inside >> leaks/opened""",
                           ("disk", "tmpdisk", "mounted", "opened")),
    "uses the network": ("""
        exec 2>/dev/null
        @ATTACKER@ sockets @PORT@ @OUTSIDE@/socket @ABSTRACT@ > leaks/sockets
        chroot . /@ATTACKER@ sockets @PORT@ @OUTSIDE@/socket @ABSTRACT@ >> leaks/sockets
        ls /sys/class/net > leaks/interfaces""", ("interfaces",)),
    "makes calls that lead out": ("""
        exec 2>/dev/null
        @ATTACKER@ calls @PID@ @KEY@ > leaks/calls; chroot . /@ATTACKER@ calls @PID@ @KEY@ > leaks/inside""",
                                  ("calls", "inside")),
    "mounts and enters namespaces": ("""
        exec 2>/dev/null
        mkdir mnt; mount -t tmpfs x mnt && echo 1 > leaks/tmpfs; umount mnt
        mount -o remount,rw,bind /usr && touch /usr/plamo-fast-attack
        unshare -Urm sh -c 'mount -t proc x /proc && ls /proc/1 > leaks/user'; unshare -p true && echo 1 > leaks/pid
        nsenter -t 1 -m ls > leaks/entered""", ("tmpfs", "user", "pid", "entered")),
    "changes the kernel": ("""
        exec 2>/dev/null
        for f in kernel/core_pattern kernel/modprobe kernel/hostname kernel/sysrq vm/swappiness; do
            value=`cat /proc/sys/$f`; echo "$value" > /proc/sys/$f && echo $f >> leaks/sysctl; done
        hostname "`hostname`" && echo 1 > leaks/hostname; date -s "`date`" && echo 1 > leaks/date
        dmesg > leaks/dmesg; swapoff /none 2>&1 | grep 'Invalid\\|No such' > leaks/swapoff""",
                           ("sysctl", "hostname", "date", "dmesg", "swapoff")),
    "changes the tools": ("""
        exec 2>/dev/null
        chmod 0 /sbin/installer/* /sbin/installer /sbin /bin /dev/null /dev /etc /tmp /; chown 9:9 /sbin/installer/sh; rm -rf /sbin/installer /bin /sbin
        echo evil > /sbin/installer/wc; mv /sbin/installer /sbin/other; ln -sf /root /sbin/installer/ls
        ln /sbin/installer/sh sh && echo evil > sh; echo evil > /bin/sh; touch /tmp/left; mkdir -m 0 /tmp/closed""", ()),
    "deletes the whole root": ("rm -rf $PWD/* ./* ./.[a-z]* ../* 2>/dev/null", ()),
    "exits non-zero": ("exit 7", ()),
    "prints gigabytes": ("head -c 2000000000 /dev/zero | tr '\\0' x", ()),
}

# What the last rung cannot let go on: the build stops instead, and says why.
REFUSED = {"climbs out of a chroot of its own": "only namespaces allow", "makes device nodes": "makes a device node",
           "moves the root's nodes": "the device node"}

# Name: (script, what the build says of it). A limit was hit: whatever the script makes of that, the root is not whole.
LIMITED = {
    "writes a large file": ("dd if=/dev/zero of=large bs=1 count=1 seek=20G; exit 0", "GiB"),
    "writes a large file and lives": ("@ATTACKER@ large large; exit 0", "GiB"),
    "writes a large file by chroot": ("chroot . /@ATTACKER@ large /large; exit 0", "GiB"),
    "fills its /tmp": ("@ATTACKER@ flood /tmp; exit 0", "/tmp"),
    "fills its /tmp and tidies up": ("@ATTACKER@ flood /tmp; sleep 3; rm -f /tmp/*; exit 0", "/tmp"),
}
# What the last two take of the disk, for a moment; and some more.
FLOOD_BYTES = 24 << 30


def words(text):
    return set(filter(None, text.split("\n")))


def contained(report, host, name, script, forbidden):
    """Builds with the attack. What it got, and the build's log."""
    status, log = host.build(script.replace("@UNSAFE@", " ".join(f"dev/{node}" for node in UNSAFE)))
    host.check(report, name)
    if status == 4 and host.place.said == CONFINED and name in REFUSED:
        report.check(REFUSED[name] in " ".join(log.split()), f"{name}: another refusal: {log}")
        report.check(not os.path.exists(host.root), f"{name}: there is a root")
        return None, log
    report.equal(status, 0, f"{name}: status of the build") or report.note(log)
    leaks = host.leaks()
    report.equal({leak: leaks[leak] for leak in forbidden if leaks.get(leak)}, {}, f"{name}: what it got")
    report.check(SECRET not in "".join(leaks.values()), f"{name}: it has the secret")
    if report.check(os.path.exists(host.path("usr/share/zlast/count")), f"{name}: the next package's script did not run"):
        with open(host.path("usr/share/zlast/count")) as count, open(host.path("usr/share/zlast/tmp")) as left:
            report.equal((count.read(), left.read()), ("4\n", ""), f"{name}: what the next package's script saw")
    return leaks if status == 0 else None, log


def check_effects(report, host, name, leaks, log):
    """What an attack shall do to its own root all the same, and what it may have seen."""
    confined = host.place.said == CONFINED
    if name == "opens the root's nodes" and host.place.ids:
        nodes_are_kept(report, host)
    if name == "uses the network":
        report.check(words(leaks.get("sockets", "")) <= (set() if confined else FAMILIES), f"{name}: {leaks}")
    if name == "reads the host" and host.hermetic:
        hermetic(report, host, leaks)
    if name == "exits non-zero":
        report.check("status 7" in log, f"{name}: nothing is said of it")
    if name == "prints gigabytes":
        size = os.path.getsize(host.path("var/log/install.log"))
        report.check((1 << 20) <= size < (2 << 20), f"{name}: install.log has {size} bytes")
    if name == "kills":
        report.equal(leaks.get("alive"), "1\n", f"{name}: the script itself")
    if name == "deletes the whole root":
        report.check(not os.path.exists(host.path("etc/own")), f"{name}: it could not")


def nodes_are_kept(report, host):
    """Whatever keeps scripts from opening nodes, the root still has them, as the script left them."""
    found = {}
    for name in ("dev", "etc"):
        for node in os.listdir(host.path(name)):
            there = os.lstat(host.path(name, node))
            if stat.S_ISBLK(there.st_mode) or stat.S_ISCHR(there.st_mode):
                kind = "b" if stat.S_ISBLK(there.st_mode) else "c"
                found[f"{name}/{node}"] = (kind, os.major(there.st_rdev), os.minor(there.st_rdev),
                                           stat.S_IMODE(there.st_mode), there.st_uid, there.st_gid)
    wanted = {f"dev/{node}": (*numbers, 0o666, 0, 0) for node, numbers in UNSAFE.items()}
    wanted |= {f"dev/{node}": ("c", 1, minor, 0o666, 0, 0) for node, minor in SAFE.items()}
    wanted |= {"dev/tty": ("c", 5, 0, 0o666, 0, 0), "dev/tun": ("c", 10, 200, 0o640, 3, 4)}
    del wanted["dev/kmsg"]
    report.equal(found, wanted, "device nodes of the root")


def hermetic(report, host, leaks):
    """Nothing of the host, and no path of the cache."""
    report.equal(leaks["passwd"], "root:x:0:0::/root:/bin/sh\n", "the list of users")
    report.equal(leaks["group"], "root:x:0:\n", "the list of groups")
    report.check(words(leaks["top"]) <= TOP, f"the top: {leaks['top']}")
    report.check(words(leaks["devices"]) <= {*SAFE, "tty"}, f"devices: {leaks['devices']}")
    report.equal(words(leaks["programs"]) - {"/bin:", "/sbin:", "/run:"}, {"sh", "installer"}, "programs")
    report.check(host.folder not in leaks["mounts"] + leaks["own"], f"a path of the host: {leaks}")
    # The host's name cannot be hidden without a namespace.
    if host.place.said != CONFINED:
        report.check(socket.gethostname() not in leaks["name"], f"the host's name: {leaks['name']}")


def safe_nodes_open(report, host):
    """null zero full random urandom of the root itself, from outside and inside."""
    names = " ".join(f"dev/{name}" for name in SAFE)
    status, log = host.build(f"@ATTACKER@ open {names} > leaks/outside\nchroot . /@ATTACKER@ open {names} > leaks/inside\n"
                             "echo x > dev/null && chroot . /bin/sh -c 'echo x > /dev/null && echo yes > /leaks/written'\n")
    report.equal(status, 0, "safe nodes: status") or report.note(log)
    leaks = host.leaks()
    if host.place.ids:
        report.equal((leaks.get("outside"), leaks.get("inside"), leaks.get("written")),
                     (names.replace(" ", "\n") + "\n",) * 2 + ("yes\n",), "safe nodes: which open")


def limits_are_hit(report, host):
    found = os.statvfs(host.folder)
    room = found.f_bavail * found.f_frsize >= FLOOD_BYTES
    for name, (script, said) in LIMITED.items():
        if "/tmp" in said and not room:
            report.note(f"{name}: left out, as {host.folder} has no 24 GiB to spare")
            continue
        status, log = host.build(script)
        report.equal(status, 4, f"{name}: status") or report.note(log)
        report.check(said in log, f"{name}: the limit is not named: {log}")
        report.check(not os.path.exists(host.root), f"{name}: there is a root")
        host.check(report, name)


def forks_without_end(report, host):
    for script in (f"while :; do sleep {MARKS[0]} & done", f"f() {{ f & f & }}; f; sleep {MARKS[1]}",
                   f"while :; do chroot . /bin/busybox sleep {MARKS[2]} & done"):
        status, log = host.build(script)
        report.equal(status, 4, "forks without end: status")
        report.check("processes at once" in log, f"forks without end: not ended by their number: {log}")
        host.check(report, "forks without end")
        report.check(not os.path.exists(host.root), "forks without end: there is a root")


def wait_until(holds):
    """A minute at most: what takes an instant on a quiet machine."""
    end = time.monotonic() + 60
    while not holds() and time.monotonic() < end:
        time.sleep(0.05)


def start_and_wait(host, script):
    """Starts a build whose script sleeps, and waits until it does."""
    host.make_attack(script)
    process = subprocess.Popen(host.command(), env=host.environment(), stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(survivors)
    return process


def sleeps_for_ever(report, host):
    """Its time limit is ten minutes; who builds may not want to wait so long."""
    for number, wanted in ((signal.SIGTERM, 128 + signal.SIGTERM), (signal.SIGKILL, -signal.SIGKILL)):
        process = start_and_wait(host, f"trap '' HUP INT TERM; sleep {MARKS[0]}; sleep {MARKS[1]}")
        report.equal(len(survivors()), 1, "sleeps for ever: processes meanwhile")
        process.send_signal(number)
        report.equal(process.wait(timeout=120), wanted, f"sleeps for ever: status after signal {number}")
        wait_until(lambda: not survivors())
        host.check(report, f"sleeps for ever, signal {number}")


def types_into_the_terminal(report, host):
    """The build has a terminal; what a script pushes into it would be the next command of who builds."""
    host.make_attack("@ATTACKER@ terminal; chroot . /@ATTACKER@ terminal")
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


def has_its_rung(report, host):
    """The build says which one it is."""
    status, log = host.build("exit 0")
    report.equal(status, 0, "a good script: status") or report.note(log)
    report.check(host.place.said in " ".join(log.split()), f"nothing is said of the sandbox, or another thing: {log}")


def needs_a_sandbox(report, host):
    """Without the privileges for any the build stops; and these attacks would succeed without one."""
    reaching = "echo evil > @OUTSIDE@/sentinel"
    status, log = host.build(reaching, before=without_any())
    report.equal(status, 6, "no sandbox: status")
    report.check("--no-sandbox" in log, f"no sandbox: {log}")
    report.check(not os.path.exists(host.root), "no sandbox: there is a root")
    report.equal([name for _, _, names in os.walk(host.cache) for name in names if name.endswith(".tzst")], [],
                 "no sandbox: files that were fetched")
    host.check(report, "no sandbox")
    status, log = host.build(reaching, "--no-sandbox", before=without_any())
    report.equal(status, 0, "--no-sandbox: status")
    report.check("without a sandbox" in log, f"--no-sandbox: nothing is said of it: {log}")
    with open(os.path.join(host.outside, "sentinel")) as stream:
        report.equal(stream.read(), "evil\n", "--no-sandbox: what the attack does without a sandbox")


def attack(report, host):
    """All of them, against a build that has the release's tools."""
    for name, (script, forbidden) in CONTAINED.items():
        leaks, log = contained(report, host, name, script, forbidden)
        if leaks is not None:
            check_effects(report, host, name, leaks, log)
    safe_nodes_open(report, host)
    forks_without_end(report, host)
    limits_are_hit(report, host)
    sleeps_for_ever(report, host)
    types_into_the_terminal(report, host)
    has_its_rung(report, host)
    if host.place.name == "as root":
        needs_a_sandbox(report, host)


def attack_with_host_tools(report, host):
    """No package has the tools: the host's programs are shown, and what those read."""
    for name, (script, forbidden) in CONTAINED.items():
        if name not in ("reads the host", "changes the tools"):
            leaks, log = contained(report, host, name, script, forbidden)
            if leaks is not None:
                check_effects(report, host, name, leaks, log)
    status, log = host.build("command -v perl > leaks/perl; touch /usr/bin/plamo-fast-attack && echo 1 > leaks/usr")
    report.equal(status, 0, "host's tools: status")
    report.check("this machine's programs" in " ".join(log.split()), f"host's tools: nothing is said of it: {log}")
    report.equal((bool(host.leaks().get("perl")), "usr" in host.leaks()), (bool(shutil.which("perl")), False),
                 "host's tools: what a script finds and writes")


def main():
    wanted = arguments(__doc__, place=[*PLACES, "host-tools"])
    need_root()
    need_programs("unshare", "setpriv")
    if not attacker(wanted.bin):
        skip("needs a static libc to link the attackers' program with")
    with temporary_folder() as (folder, _):
        hosts = os.path.join(folder, "host")
        os.mkdir(hosts)
        hermetic_place = wanted.place != "host-tools"
        where = place(wanted.place or "root" if hermetic_place else "root", folder, hosts, wanted.bin)
        if not where:
            skip(f"this place cannot be had here: {wanted.place}")
        report = Report()
        report.note(where.name)
        host = ScriptHost(hosts, wanted, where, hermetic_place)
        try:
            (attack if hermetic_place else attack_with_host_tools)(report, host)
        finally:
            host.end()
    report.exit()


if __name__ == "__main__":
    main()
