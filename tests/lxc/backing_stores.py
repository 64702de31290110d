#!/usr/bin/env python3
"""LXC's backing stores: lxc-create -B dir, btrfs, loop, overlay and best, roots on mount points and in empty folders.

Each container has the same root, starts, stops, and is gone after lxc-destroy."""

import os
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from compare import BY_OURSELVES, Roots
from create_start_stop import BOOT_TIMEOUT_S, REACHED, RELEASE, Containers, why_none_starts
from nginx import Nginx
from report import Report
from scan import describe, differences, scan
from skip import need_programs, need_root, skip
from workspace import arguments, temporary_folder

# One name for all: it is in the root's files.
NAME = "c1"
TEMPLATE = "lxc-plamo-fast"
NO_SPACE = 7
IMAGE_BYTES = 512 << 20
# Less than the root needs, and enough for mkfs.
SMALL_BYTES = 4 << 20
# Where LXC mounts a root while the template runs ends so.
LXC_MOUNT = "/lxc/rootfs"


class Bench:
    """What the stores share: the cache, the server, and the root of -B dir to compare with."""

    def __init__(self, report, folder, started_ns, wanted, server):
        self.report, self.folder, self.started_ns, self.server = report, folder, started_ns, server
        self.program = os.path.join(wanted.bin, TEMPLATE)
        self.reference = None
        self.reference_scan = None
        self.starts = False

    def containers(self, folder):
        """LXC's tools on a folder of their own in this one. The template leaves its status beside it."""
        os.makedirs(folder, exist_ok=True)
        template = os.path.join(folder, TEMPLATE)
        with open(template, "w") as stream:
            stream.write(f'#!/bin/sh\n{self.program} "$@"\nstatus=$?\necho $status >{folder}/status\nexit $status\n')
        os.chmod(template, 0o755)
        containers = Containers(folder, template, self.server)
        containers.environment["LXC_CACHE_PATH"] = os.path.join(self.folder, "cache")
        return containers

    def create(self, containers, *options):
        """(status of lxc-create, status of the template, what they say)"""
        status, output = containers.run("lxc-create", NAME, "-f", containers.config, "-t", containers.template,
                                        *options, "--", "-r", RELEASE)
        with open(os.path.join(os.path.dirname(containers.template), "status")) as stream:
            return status, int(stream.read()), output

    def compare(self, root, what):
        """The root is that of -B dir; a file system's lost+found is none of it."""
        found = scan(root)
        for name in [name for name in found if name.split(b"/")[0] == b"lost+found"]:
            del found[name]
        if not self.reference:
            self.reference, self.reference_scan = root, found
            return
        roots = Roots(self.reference, root, self.started_ns)
        for difference in differences(self.reference_scan, found):
            if difference.field == "presence" or not any(a.holds(difference, roots) for a in BY_OURSELVES):
                self.report.fail(f"{what}: {describe(difference)}")


def is_mount_point(path):
    """Also of the same file system, which os.path.ismount does not see."""
    return subprocess.run(["mountpoint", "-q", path], stderr=subprocess.DEVNULL).returncode == 0


def nothing_left(report, folder, what):
    """No mount and no loop device of ours is left. The kernel lets a loop device go when nobody has its mount any more,
    and a sandbox that was opened beside this test has a copy of all mounts until its build ends."""
    for _ in range(300):
        loops = subprocess.run(["losetup", "-n", "-l", "-O", "NAME,BACK-FILE"], stdout=subprocess.PIPE).stdout.decode()
        with open("/proc/self/mounts") as stream:
            mounts = stream.read()
        left = [line for line in (loops + mounts).splitlines() if folder in line or f"{LXC_MOUNT} " in line]
        if not left:
            return
        time.sleep(0.1)
    report.fail(f"{what}: left {left}")


@contextmanager
def mounted(source, point, *options):
    """Mounts it there; None where this machine cannot."""
    os.makedirs(point, exist_ok=True)
    result = subprocess.run(["mount", *options, source, point], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield point if result.returncode == 0 else None
    finally:
        if result.returncode == 0:
            subprocess.run(["umount", point], check=True)


@contextmanager
def new_file_system(mkfs, folder, size_bytes=IMAGE_BYTES):
    """A fresh file system mounted below the folder, or None where this machine cannot have one."""
    image = os.path.join(folder, "image")
    with open(image, "wb") as stream:
        stream.truncate(size_bytes)
    subprocess.run([mkfs, "-q", image], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    with mounted(image, os.path.join(folder, "mounted"), "-o", "loop") as point:
        yield point


def live(report, containers, what):
    """The container starts, reaches runlevel 3, and stops."""
    status, output = containers.start(NAME)
    if not report.equal(status, 0, f"{what}: status of lxc-start ({output.strip()})"):
        return
    end = time.monotonic() + BOOT_TIMEOUT_S
    while containers.attach(NAME, "/bin/sh", "-c", f"test -e /{REACHED}")[0] != 0:
        if not report.check(time.monotonic() < end, f"{what}: did not reach runlevel 3 in {BOOT_TIMEOUT_S} s"):
            break
        time.sleep(0.2)
    report.equal(containers.attach(NAME, "/bin/cat", "/etc/HOSTNAME"), (0, f"{NAME}\n"), f"{what}: its name inside")
    status, output = containers.run("lxc-stop", NAME, "--timeout", "20", "--nokill")
    report.equal(status, 0, f"{what}: status of lxc-stop ({output.strip()})")
    report.equal(containers.run("lxc-info", NAME, "-s")[1].split(), ["State:", "STOPPED"], f"{what}: state")


def check_life(bench, folder, what, options, kind, root=None, how="entries"):
    """From lxc-create with these options to lxc-destroy. `kind` is what the config must say of the root's storage, `how`
    what the template must say of how it came of the cached root."""
    report, containers = bench.report, bench.containers(folder)
    status, own, output = bench.create(containers, *options)
    if not report.equal((status, own), (0, 0), f"{what}: status of lxc-create, of the template"):
        report.note(output)
        containers.remove_all()
        return
    report.check(f" {how} " in output, f"{what}: not made by {how}: {output}")
    where = os.path.join(containers.path, NAME)
    with open(os.path.join(where, "config")) as stream:
        said = [line.split("=", 1)[1].strip() for line in stream if line.startswith("lxc.rootfs.path")]
    report.check(len(said) == 1 and said[0].startswith(f"{kind}:"), f"{what}: lxc.rootfs.path is {said}")
    with ExitStack() as stack:
        inside = root or os.path.join(where, "rootfs")
        if kind == "loop":
            inside = stack.enter_context(mounted(f"{where}/rootdev", f"{folder}/look", "-o", "loop,ro"))
        if report.check(inside, f"{what}: the root cannot be looked into"):
            bench.compare(inside, what)
    if bench.starts:
        live(report, containers, what)
        # One that did not stop could not be destroyed, and would outlive the test.
        containers.run("lxc-stop", NAME, "-k")
    # The reference is compared with until the end, and LXC cannot remove a mount point.
    if inside != bench.reference and not is_mount_point(inside):
        status, output = containers.run("lxc-destroy", NAME)
        report.equal(status, 0, f"{what}: status of lxc-destroy ({output.strip()})")
        left = [path for path in (where, root) if path and os.path.exists(path)]
        report.equal(left, [], f"{what}: left after lxc-destroy")
        nothing_left(report, os.path.join(folder, "containers"), what)


def check_too_small(bench, folder):
    """A loop image that is too small: said as what it is, and nothing is left."""
    report, containers = bench.report, bench.containers(folder)
    status, own, output = bench.create(containers, "-B", "loop", "--fstype", "ext4", "--fssize", f"{SMALL_BYTES}B")
    report.check(status != 0, "a small loop: lxc-create ends with 0")
    report.equal(own, NO_SPACE, "a small loop: status of the template")
    errors = [line for line in output.splitlines() if line.startswith(f"{TEMPLATE}: error: ")]
    report.check(len(errors) == 1 and "full" in errors[0], f"a small loop: one line that says so: {output}")
    report.equal(os.listdir(containers.path), [], "a small loop: what is left")
    nothing_left(report, folder, "a small loop")


def check_small_mount(bench, folder):
    """A full file system that the root was to fill: it is empty again, and its lost+found still there."""
    os.makedirs(folder)
    with new_file_system("mkfs.ext4", folder, SMALL_BYTES) as point:
        before = scan(point)
        where = os.path.join(folder, "container")
        os.mkdir(where)
        result = subprocess.run([bench.program, f"--path={where}", f"--name={NAME}", f"--rootfs={point}", "--offline"],
                                env={**os.environ, "LXC_CACHE_PATH": os.path.join(bench.folder, "cache")},
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        bench.report.equal(result.returncode, NO_SPACE, f"a small mount: status of the template ({result.stdout!r})")
        bench.report.equal(sorted(scan(point)), sorted(before), "a small mount: what is left on it")
        bench.report.equal(os.listdir(where), [], "a small mount: what is left in the container's folder")


def on_folders(bench, missing):
    """-B dir, best (which takes a folder here), overlay, and a folder that is there already."""
    reference = os.path.join(bench.folder, "reference")
    check_life(bench, reference, "-B dir", ("-B", "dir"), "dir")
    check_life(bench, os.path.join(bench.folder, "best"), "-B best", ("-B", "best"), "dir")
    check_life(bench, os.path.join(bench.folder, "without"), "no -B", (), "dir")
    with open("/proc/filesystems") as stream:
        if "\toverlay\n" in stream.read():
            check_life(bench, os.path.join(bench.folder, "overlay"), "-B overlay", ("-B", "overlay"), "overlay")
        else:
            missing.append("overlay")
    root = os.path.join(bench.folder, "is there")
    os.mkdir(root)
    check_life(bench, os.path.join(bench.folder, "given"), "--dir with an empty folder", ("-B", "dir", "--dir", root),
               "dir", root)


def on_mount_points(bench, missing):
    """A root on a mount point: of the same file system, in memory, and one with lost+found."""
    same, memory, disk = (os.path.join(bench.folder, "points", name) for name in ("same", "memory", "disk"))
    os.makedirs(same)
    os.makedirs(disk)
    with mounted(same, same, "--bind") as point:
        check_point(bench, point, "a bind mount", missing)
    with mounted("tmpfs", memory, "-t", "tmpfs", "-o", "mode=755") as point:
        check_point(bench, point, "a tmpfs", missing)
    with new_file_system("mkfs.ext4", disk) as point:
        check_point(bench, point, "an ext4", missing)
        if point:
            bench.report.check(os.path.isdir(os.path.join(point, "lost+found")), "an ext4: its lost+found is gone")


def check_point(bench, point, what, missing):
    if not point:
        missing.append(what)
        return
    folder = os.path.join(bench.folder, what.replace(" ", "-"))
    check_life(bench, folder, f"--dir with {what}", ("-B", "dir", "--dir", point), "dir", point)
    bench.report.check(is_mount_point(point), f"{what} is not mounted any more")


def subvolumes(point):
    listed = subprocess.run(["btrfs", "subvolume", "list", point], check=True, stdout=subprocess.PIPE).stdout
    return [line.split(" path ", 1)[1] for line in listed.decode().splitlines()]


def on_btrfs(bench, missing):
    """LXC's folder on btrfs: -B btrfs makes the root a subvolume, and so does best. Where the cache is on the same btrfs, the
    root is a snapshot of the cached one; LXC's own subvolume gives way to it."""
    folder = os.path.join(bench.folder, "btrfs")
    os.mkdir(folder)
    with new_file_system("mkfs.btrfs", folder) as point:
        if not point:
            missing.append("btrfs")
            return
        for store in ("btrfs", "best", "dir"):
            kind = "dir" if store == "dir" else "btrfs"
            check_life(bench, os.path.join(point, store), f"-B {store} on btrfs", ("-B", store), kind)
        bench.report.equal(subvolumes(point), [], "subvolumes after lxc-destroy")
        cache = os.path.join(point, "cache")
        os.mkdir(cache)
        # By the path that the cache has for all others: records name it.
        with mounted(cache, os.path.join(bench.folder, "cache"), "--bind"):
            for store in ("dir", "btrfs", "best"):
                kind = "dir" if store == "dir" else "btrfs"
                check_life(bench, os.path.join(point, f"snapshot-{store}"), f"-B {store} on btrfs, as a snapshot",
                           ("-B", store), kind, how="snapshot")
            bench.report.equal(subvolumes(point), [f"cache/rootfs-plamo-{RELEASE}-x86_64"],
                               "subvolumes after lxc-destroy of snapshots")


def on_loop_devices(bench, missing):
    """-B loop: LXC makes a file system in a file and mounts it for the template."""
    if subprocess.run(["losetup", "-f"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode != 0:
        missing.append("loop devices")
        return
    for kind in ("ext4", "xfs"):
        check_life(bench, os.path.join(bench.folder, f"loop-{kind}"), f"-B loop with {kind}",
                   ("-B", "loop", "--fstype", kind, "--fssize", f"{IMAGE_BYTES}B"), "loop")
    check_too_small(bench, os.path.join(bench.folder, "loop-small"))
    check_small_mount(bench, os.path.join(bench.folder, "mount-small"))


def main():
    wanted = arguments(__doc__)
    need_root()
    need_programs("lxc-create", "lxc-start", "lxc-attach", "losetup", "mountpoint", "mkfs.ext4", "mkfs.xfs",
                  "mkfs.btrfs", "btrfs", Nginx.program)
    report, missing = Report(), []
    with temporary_folder() as (folder, started_ns), Nginx(wanted.mirror) as server:
        bench = Bench(report, folder, started_ns, wanted, server)
        reason = why_none_starts(bench.containers(os.path.join(folder, "probe")))
        bench.starts = not reason
        if reason:
            missing.append(f"containers that start: {reason}")
        for test in (on_folders, on_mount_points, on_btrfs, on_loop_devices):
            report.note(f"{test.__name__}: {test.__doc__}")
            test(bench, missing)
        nothing_left(report, folder, "all")
    if missing and not report.failures:
        skip(f"the others passed, but this machine has not: {', '.join(missing)}")
    report.exit()


if __name__ == "__main__":
    main()
