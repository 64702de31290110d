"""Facts 4 of 5.x and 6.x as statements about a configured root of the test mirror.

The rc scripts of the mirror have a `note WORD` before, in and after each of the template's ranges."""

import os
import re
import stat
import time

from compare import is_hash_of
from template import initpkg_in_order, read

FSTAB = [
    ["none", "/proc", "proc", "defaults", "0", "0"], ["none", "/sys", "sysfs", "defaults", "0", "0"],
    ["none", "/dev", "tmpfs", "defaults", "0", "0"], ["none", "/tmp", "tmpfs", "defaults", "0", "0"],
    ["none", "/dev/pts", "devpts", "gid=5,mode=620", "0", "0"],
    ["none", "/proc/bus/usb", "usbfs", "noauto", "0", "0"],
    ["none", "/var/lib/nfs/rpc_pipefs", "rpc_pipefs", "defaults", "0", "0"],
]
INITTAB = [
    "# What to do when power fails (shutdown).",
    'pf::powerfail:/sbin/shutdown -h +0 "THE POWER IS FAILING"',
    "1:1235:respawn:/sbin/agetty 38400 console",
    "c1:1235:respawn:/sbin/agetty 38400 tty1 linux", "c2:1235:respawn:/sbin/agetty 38400 tty2 linux",
    "c3:1235:respawn:/sbin/agetty 38400 tty3 linux", "c4:1235:respawn:/sbin/agetty 38400 tty4 linux",
]
NULL, ZERO, FULL, RANDOM, URANDOM = ((1, minor) for minor in (3, 5, 7, 8, 9))
# name: mode, device
DEVICES = {"null": (0o666, NULL), "zero": (0o666, ZERO), "full": (0o666, FULL), "random": (0o666, RANDOM),
           "urandom": (0o666, URANDOM), "tty": (0o666, (5, 0)), "console": (0o600, (5, 1)), "ptmx": (0o666, (5, 2)),
           **{f"tty{i}": (0o666, (4, i)) for i in range(5)}}


def notes(root, script):
    """The words of a script's notes."""
    return re.findall(r"^note (\S+)$", read(root, f"etc/rc.d/{script}"), re.MULTILINE)


def holds_line(text, line):
    return line in text.splitlines()


def check_old(report, root):
    """What the template does for both."""
    report.equal([line.split() for line in read(root, "etc/fstab").splitlines()], FSTAB, "etc/fstab")
    inittab = read(root, "etc/inittab").splitlines()
    report.equal([line for line in inittab if line[:2] in ("pf", "1:", "c1", "c2", "c3", "c4", "c5", "c6")
                  or "What to do" in line], INITTAB, "the edited lines of etc/inittab")
    report.check("# The power is back before the shutdown to single user: stay." in inittab,
                 "another line of etc/inittab lost its \"to single user\"")
    report.equal(len(inittab), 57, "lines of etc/inittab, which were 58")
    report.equal(read(root, "etc/udev/udev.conf").splitlines()[1], "udev_log=0", "udev's log level")
    report.equal(read(root, "var/run/inet1-scheme"), "DHCP\n", "var/run/inet1-scheme")
    report.equal(notes(root, "rc.M"), ["begin", "before-screen", "ip6tables", "services", "before-sync", "end"],
                 "what is left of rc.M")
    report.check(not os.path.exists(os.path.join(root, "etc/inittab.orig")), "the patch did not fit etc/inittab")
    inet1 = read(root, "etc/rc.d/rc.inet1.tradnet")
    for line in ("if false && grep -q wlan=none /proc/cmdline ; then",
                 "elif false && ! grep -q no-wlan-at-all /proc/cmdline ; then", "elif true ; then",
                 "# A radio network, if false && cmdline says so, and if not a wire.",
                 "/sbin/ifconfig lo 127.0.0.1", "  /usr/sbin/dhclient eth0", "# loopback: y"):
        report.check(holds_line(inet1, line), f"rc.inet1.tradnet lacks {line!r}")
    report.check("main program" not in inet1, "the main program of netconfig ran")
    report.equal(stat.S_IMODE(os.stat(os.path.join(root, "etc/rc.d/rc.inet1.tradnet")).st_mode), 0o755,
                 "mode of rc.inet1.tradnet")


def check_6x(report, root):
    check_old(report, root)
    report.equal(notes(root, "rc.S"),
                 ["begin", "shm", "hotplug", "before-mtab", "mtab", "hostname", "tmp", "end"], "what is left of rc.S")
    report.check(holds_line(read(root, "etc/rc.d/rc.S"), "mkdir /dev/shm"), "rc.S lacks mkdir /dev/shm")
    report.equal(notes(root, "rc.6"), ["begin", "localtime", "remote", "before-swap", "end"], "what is left of rc.6")
    inet2 = read(root, "etc/rc.d/rc.inet2").splitlines()
    for line in inet2:
        if "rpc.mountd" in line or "modprobe" in line:
            report.check(line.startswith("#"), f"rc.inet2 still has {line!r}")
    report.check('    services="$services rpc.statd"' in inet2, "rc.inet2 lost another line")
    services = os.path.join(root, "etc/rc.d/init.d")
    report.equal({name: stat.S_IMODE(os.stat(os.path.join(services, name)).st_mode) for name in os.listdir(services)},
                 {"crond": 0o755, "saslauthd": 0o644, "open-iscsi": 0o644}, "init.d")
    report.check("shadow" not in [name for name, _ in initpkg_in_order(root)], "initpkg/shadow is still there")
    report.check(os.path.exists(os.path.join(root, "etc/ld.so.conf.new")), "etc/ld.so.conf.new is gone")


def check_5x(report, root):
    check_old(report, root)
    report.equal(notes(root, "rc.S"),
                 ["begin", "hotplug", "null", "before-mtab", "mtab", "hostname", "tmp", "end"], "what is left of rc.S")
    for name, (mode, device) in DEVICES.items():
        found = os.lstat(os.path.join(root, "dev", name))
        report.equal((stat.S_ISCHR(found.st_mode), stat.S_IMODE(found.st_mode), found.st_rdev),
                     (True, mode, os.makedev(*device)), f"dev/{name}")
    initctl = os.lstat(os.path.join(root, "dev/initctl"))
    report.equal((stat.S_ISFIFO(initctl.st_mode), stat.S_IMODE(initctl.st_mode)), (True, 0o600), "dev/initctl")
    report.equal(os.lstat(os.path.join(root, "dev/pts")).st_mode, stat.S_IFDIR | 0o755, "dev/pts")
    report.equal(sorted(os.listdir(os.path.join(root, "dev"))), sorted([*DEVICES, "initctl", "pts"]), "dev")
    report.equal(read(root, "etc/ld.so.conf"), "/usr/local/lib\n/usr/lib\n/lib\n", "etc/ld.so.conf")
    report.check(not os.path.exists(os.path.join(root, "etc/ld.so.conf.new")), "etc/ld.so.conf.new is still there")
    report.check("libc.so.6 => /lib/libc.so.6" in read(root, "etc/ld.so.cache"), "ldconfig did not run in the root")
    users = [line.split(":") for line in read(root, "etc/shadow").splitlines()]
    report.check(is_hash_of(users[0][1].encode(), b"root") and not is_hash_of(users[0][1].encode(), b"toor"),
                 "root's password is not root")
    today = int(time.time()) // 86400
    report.check(int(users[0][2]) in (today - 1, today), "the day of root's password is not today")
    report.equal(users[0][:1] + users[0][3:], ["root", "0", "99999", "7", "", "", ""], "the rest of root's line")
    report.equal([user[1] for user in users[1:]], ["!", "*"], "the passwords of the others")
    report.check("shadow" in [name for name, _ in initpkg_in_order(root)], "initpkg/shadow is gone")
    report.check("system-time" in notes(root, "rc.6"), "rc.6 was edited")
