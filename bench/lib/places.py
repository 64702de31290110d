# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where it is measured: a folder on a tmpfs, or on a file system in an image file that lies on that tmpfs.

So no disk takes part: what is measured is the file system, and writeback never throttles."""

import contextlib
import os
import shutil
import subprocess
import tempfile

MAKE = {
    "ext4": ["mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0"],
    "xfs": ["mkfs.xfs", "-q", "-f", "-m", "reflink=1"],
    "btrfs": ["mkfs.btrfs", "-q", "-f"],
}
IMAGE_BYTES = 8 << 30


def _run(*command):
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def why_not(kind):
    """Why a file system cannot be had here; None if it can."""
    if kind == "tmpfs":
        return None
    program = MAKE[kind][0]
    if not shutil.which(program, path=os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"):
        return f"needs {program}"
    with open("/proc/filesystems") as stream:
        if kind not in stream.read().split() and subprocess.run(["modprobe", "-q", kind], check=False).returncode:
            return f"this kernel has no {kind}"
    return None


@contextlib.contextmanager
def place(tmpfs, kind):
    """A folder of its own on that file system, gone at the end."""
    folder = tempfile.mkdtemp(prefix=f"plamo-bench-{kind}-", dir=tmpfs)
    os.chmod(folder, 0o755)
    try:
        if kind == "tmpfs":
            yield folder
            return
        image, mounted = os.path.join(folder, "image"), os.path.join(folder, "mounted")
        os.mkdir(mounted)
        with open(image, "wb") as stream:
            stream.truncate(IMAGE_BYTES)
        _run(*MAKE[kind], image)
        _run("mount", "-o", "loop,noatime", image, mounted)
        try:
            yield mounted
        finally:
            _run("umount", mounted)
    finally:
        shutil.rmtree(folder)


def settle(kind):
    """Before each run: what earlier ones wrote is no business of the next."""
    if kind != "tmpfs":
        os.sync()
