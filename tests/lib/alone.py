#!/usr/bin/env python3
"""alone.py PROGRAM…: runs a test with a lock folder of its own, so that tests run side by side.

The system's lock belongs to all builds on a machine, and lxc-plamo gives up where another holds it. Who may not mount
anything waits for the other tests instead."""

import ctypes
import fcntl
import os
import subprocess
import sys
import tempfile

LOCK_FOLDER = "/var/lock/subsys"


def _let_go_of_others_mounts():
    """Copies of what another test has mounted would keep it busy for as long as this one runs; where the mounts of the
    whole machine are private, its unmounting does not reach us."""
    here = os.path.abspath(__file__)
    with open("/proc/self/mounts") as stream:
        points = [line.split()[1].encode().decode("unicode_escape") for line in stream]
    for point in reversed(points):
        of_a_test = point.startswith(tempfile.gettempdir() + "/") or point.endswith("/lxc/rootfs")
        if of_a_test and not here.startswith(point + "/"):
            subprocess.run(["umount", "--lazy", point], stderr=subprocess.DEVNULL)


def private_mounts():
    """Gives this process mounts of its own, with a lock folder of its own: other tests and builds on this machine are
    neither waited for nor disturbed. False where this user may not."""
    if os.geteuid() != 0:
        return False
    # /var/lock may be a link to where nothing is yet.
    os.makedirs(os.path.realpath(LOCK_FOLDER), exist_ok=True)
    libc = ctypes.CDLL(None, use_errno=True)
    # Slaves: what another test unmounts must not stay mounted, and busy, here.
    clone_newns, ms_rec, ms_slave = 0x20000, 0x4000, 1 << 19
    if libc.unshare(clone_newns) or libc.mount(b"none", b"/", None, ms_rec | ms_slave, None):
        return False
    _let_go_of_others_mounts()
    return subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "plamo-fast-test", LOCK_FOLDER]).returncode == 0


def wait_for_other_tests():
    """Held until the program that takes our place has ended."""
    lock = os.open(os.path.join(tempfile.gettempdir(), "plamo-fast-tests.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    os.set_inheritable(lock, True)
    fcntl.flock(lock, fcntl.LOCK_EX)


if __name__ == "__main__":
    if not private_mounts():
        wait_for_other_tests()
    os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
