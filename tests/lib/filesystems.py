"""Fresh file systems of several kinds, in images on loop devices or in memory."""

import os
import subprocess
from contextlib import contextmanager

IMAGE_BYTES = 1 << 30
# mkfs command, how a root comes of a cached one there
KINDS = {
    "tmpfs": (None, "copied"),
    "ext4": (["mkfs.ext4", "-q"], "copied"),
    # Inodes of the old size have room for whole seconds alone.
    "seconds": (["mkfs.ext4", "-q", "-I", "128"], "copied"),
    "xfs": (["mkfs.xfs", "-q", "-m", "reflink=1"], "reflinked"),
    "btrfs": (["mkfs.btrfs", "-q"], "snapshot"),
    "overlay": (None, "copied"),
}


@contextmanager
def mounted(kind, folder):
    """A fresh file system of that kind below `folder`, or None where this machine cannot have one."""
    point = os.path.join(folder, kind)
    os.mkdir(point)
    mkfs = KINDS[kind][0]
    command = ["mount", "-t", "tmpfs", "tmpfs", point]
    if kind == "overlay":
        # Of a tmpfs under the same name, which it hides then: what this folder is on may be an overlay already.
        subprocess.run(command, check=True)
        layers = [os.path.join(point, name) for name in ("lower", "upper", "work")]
        for layer in layers:
            os.mkdir(layer)
        command = ["mount", "-t", "overlay", "overlay", "-o", "lowerdir={},upperdir={},workdir={}".format(*layers), point]
    if mkfs:
        image = point + ".img"
        with open(image, "wb") as stream:
            stream.truncate(IMAGE_BYTES)
        subprocess.run([*mkfs, image], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        command = ["mount", "-o", "loop", image, point]
    if subprocess.run(command, stderr=subprocess.DEVNULL).returncode != 0:
        subprocess.run(["umount", point], stderr=subprocess.DEVNULL)
        yield None
        return
    try:
        yield point
    finally:
        for _ in range(2 if kind == "overlay" else 1):
            subprocess.run(["umount", point], check=True)
