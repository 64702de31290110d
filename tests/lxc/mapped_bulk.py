#!/usr/bin/env python3
"""plamo-fast create where the configuration maps ids (lxc.idmap), and what LXC would not take.

Containers start, by copy and by overlay, and their owners are those that lxc-create gives; what cannot be is refused
before anything is made."""

import ctypes
import os
import stat
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from bulk import RELEASE, USAGE, Bulk
from create_start_stop import why_none_starts
from report import Report
from skip import need_programs, need_root, skip
from workspace import arguments, temporary_folder

FIRST_ID = 100000
COUNT = 65536
MAPS = f"lxc.net.0.type = empty\nlxc.idmap = u 0 {FIRST_ID} {COUNT}\nlxc.idmap = g 0 {FIRST_ID} {COUNT}\n"


def give_root_the_ids(folder):
    """newuidmap wants them in these files, which only this process and its children see changed."""
    libc = ctypes.CDLL(None, use_errno=True)
    clone_newns, ms_rec, ms_slave = 0x20000, 0x4000, 1 << 19
    if libc.unshare(clone_newns) or libc.mount(b"none", b"/", None, ms_rec | ms_slave, None):
        skip("no mounts of our own can be had here")
    ids = os.path.join(folder, "subid")
    with open(ids, "w") as stream:
        stream.write(f"root:{FIRST_ID}:{COUNT}\n")
    for name in ("/etc/subuid", "/etc/subgid"):
        if not os.path.exists(name) or subprocess.run(["mount", "--bind", ids, name]).returncode:
            skip(f"{name} cannot be replaced here")


def owners(root):
    """{path: (uid, gid, mode)}, less what a first start makes."""
    found = {}
    for base, folders, files in os.walk(root):
        for name in folders + files:
            info = os.lstat(os.path.join(base, name))
            found[os.path.relpath(os.path.join(base, name), root)] = (info.st_uid, info.st_gid, info.st_mode)
    return found


def oracle(bulk):
    """The same container by lxc-create, whose template runs with the ids mapped."""
    home, cache = os.path.join(bulk.folder, "home"), os.path.join(bulk.folder, "mapped-cache")
    for path in (home, cache):
        os.mkdir(path)
        os.chown(path, FIRST_ID, FIRST_ID)
    environment = {**bulk.environment, "HOME": home}
    result = subprocess.run(
        ["lxc-create", "-P", bulk.containers.path, "-f", bulk.containers.config, "-n", "oracle", "-t",
         os.path.join(bulk.bin, "lxc-plamo-fast"), "--", "-r", RELEASE, "-m", f"file://{bulk.mirror}", "--cache", cache, "-q"],
        env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    bulk.report.equal(result.returncode, 0, f"status of lxc-create ({result.stdout.decode()})")
    return owners(bulk.path_of("oracle", "rootfs"))


def test_owners(bulk):
    """Those of a copy are lxc-create's; of an overlay those of its two layers."""
    wanted = oracle(bulk)
    bulk.create("copied", "--backing", "dir", numbers=(1, 0, 0, 0))
    found = owners(bulk.path_of("copied", "rootfs"))
    bulk.report.equal({p: v for p, v in found.items() if wanted.get(p) != v}, {}, "owners that are not lxc-create's")
    bulk.report.equal(set(wanted) - set(found), set(), "what only lxc-create has")
    bulk.create("layered", "--backing", "overlay", numbers=(1, 0, 0, 0))
    mapped = [name for name in bulk.bases() if stat.S_IMODE(os.stat(f"{bulk.cache}/bases-plamo/{name}").st_mode) == 0o710]
    bulk.report.equal(len(mapped), 1, "bases with mapped owners")
    for name in mapped:
        for path, (uid, gid, mode) in owners(f"{bulk.cache}/bases-plamo/{name}/root").items():
            bulk.report.check(uid >= FIRST_ID and gid >= FIRST_ID, f"{path} of the base belongs to {uid}:{gid}")
            bulk.report.check(not stat.S_ISCHR(mode) and not stat.S_ISBLK(mode), f"{path} of the base is a device")
    for path, (uid, gid, _) in owners(bulk.path_of("layered", "overlay")).items():
        bulk.report.check(uid >= FIRST_ID and gid >= FIRST_ID, f"{path} of the overlay belongs to {uid}:{gid}")


def test_starts(bulk):
    """Both start, and root is root there."""
    for name in ("copied", "layered"):
        status, output = bulk.containers.start(name)
        if not bulk.report.equal(status, 0, f"status of lxc-start {name} ({output.strip()})"):
            continue
        status, output = bulk.containers.attach(name, "/bin/sh", "-c", "echo x >/root/x && cat /etc/HOSTNAME /proc/1/uid_map")
        bulk.report.equal((status, output.split()), (0, [name, "0", str(FIRST_ID), str(COUNT)]), f"what {name} says")
        bulk.containers.run("lxc-stop", name, "-k")


def test_refused(bulk):
    """Before anything is made, with the reason."""
    settings = os.path.join(bulk.folder, "settings")
    cases = (("lxc.nonsense = 5", "LXC refuses the line \"lxc.nonsense = 5\""),
             ("lxc.idmap = u 70000 300000 x", "LXC refuses the line \"lxc.idmap = u 70000 300000 x\""),
             ("lxc.idmap = u 65536 300000 10", "/etc/subuid and /etc/subgid must give them to root"))
    for line, words in cases:
        with open(settings, "w") as stream:
            stream.write(f"[r2]\nconfig = {line}\n")
        output = bulk.create("r1", "r2", "--settings", settings, status=USAGE)
        bulk.report.check(words in output, f"{line}: not told why\n{output}")
        bulk.report.check(not os.path.exists(bulk.path_of("r1")), f"{line}: r1 was made")
    os.chmod(bulk.containers.path, 0o700)
    output = bulk.create("r1", status=USAGE)
    bulk.report.check("cannot reach" in output, f"a path that cannot be reached: not told\n{output}")
    os.chmod(bulk.containers.path, 0o755)


def test_owner_without_a_map(bulk):
    """A map of one user: what belongs to another is named."""
    with open(bulk.containers.config, "w") as stream:
        stream.write(MAPS.replace(str(COUNT), "1"))
    output = bulk.create("small", status=USAGE, numbers=(0, 0, 1, 0))
    bulk.report.check("which lxc.idmap does not map for the container" in output, f"not told why\n{output}")
    bulk.report.check(not os.path.exists(bulk.path_of("small")), "small was made")


def main():
    wanted = arguments(__doc__)
    need_root()
    need_programs("lxc-create", "lxc-start", "lxc-attach", "lxc-usernsexec", "newuidmap")
    report = Report()
    with temporary_folder() as (folder, _):
        os.chmod(folder, 0o755)
        give_root_the_ids(folder)
        bulk = Bulk(report, folder, wanted)
        reason = why_none_starts(bulk.containers)
        bulk.containers.run("lxc-destroy", "probe")
        with open(bulk.containers.config, "w") as stream:
            stream.write(MAPS)
        try:
            for test in (test_owners, *(() if reason else (test_starts,)), test_refused, test_owner_without_a_map):
                begun = time.monotonic()
                report.note(f"{test.__name__}: {test.__doc__}")
                test(bulk)
                report.note(f"{time.monotonic() - begun:.1f} s")
        finally:
            bulk.containers.remove_all()
    if reason and not report.failures:
        skip(f"made containers, but none starts on this machine: {reason}")
    report.exit()


if __name__ == "__main__":
    main()
