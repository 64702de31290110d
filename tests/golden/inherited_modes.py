#!/usr/bin/env python3
"""A cache or a target in a folder that hands its group or its access list down still gives the exact root."""

import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from compare import BY_OURSELVES, compare_roots
from nginx import Nginx
from report import Report
from scan import scan
from skip import need_root
from tool import everything_options, plamo_fast
from workspace import arguments, temporary_folder

RELEASE = "8.x"
# An ACL as the kernel stores it: version 2, then (tag, permissions, id) for user, group and other.
DEFAULT_ACL = (b"\x02\x00\x00\x00" b"\x01\x00\x07\x00\xff\xff\xff\xff" b"\x04\x00\x05\x00\xff\xff\xff\xff"
               b"\x20\x00\x00\x00\xff\xff\xff\xff")


def set_group(path):
    os.chown(path, 0, 1234)
    os.chmod(path, 0o2775)


def set_acl(path):
    os.setxattr(path, "system.posix_acl_default", DEFAULT_ACL)


def build(report, wanted, server, root, cache):
    run = plamo_fast(wanted.bin, "build", root, "--name", "c1", "--mirror", server.url, "--release", RELEASE,
                     "--cache", cache, *everything_options())
    if not report.equal(run.status, 0, f"status of the build of {root}"):
        report.note(run.log)
        report.exit()


def main():
    wanted = arguments(__doc__)
    need_root()
    report = Report()
    with temporary_folder() as (folder, started_ns), Nginx(wanted.mirror) as server:
        cache = os.path.join(folder, "cache")
        reference = os.path.join(folder, "reference")
        build(report, wanted, server, reference, cache)
        reference_scan = scan(reference)
        for hand_down in (set_group, set_acl):
            parent = os.path.join(folder, hand_down.__name__)
            for path in (cache, parent):
                shutil.rmtree(path, ignore_errors=True)
                os.mkdir(path)
                try:
                    hand_down(path)
                except OSError as error:
                    report.note(f"left out, {hand_down.__name__}: {error}")
                    break
            else:
                root = os.path.join(parent, "root")
                build(report, wanted, server, root, cache)
                compare_roots(report, reference, root, started_ns, BY_OURSELVES, reference_scan)
                # In place, as lxc-create has it.
                in_place = os.path.join(parent, "mounted")
                os.mkdir(in_place)
                hand_down(in_place)
                subprocess.run(["mount", "--bind", in_place, in_place], check=True)
                try:
                    build(report, wanted, server, in_place, cache)
                    # The folder itself is the user's own and stays as it is.
                    left = {**reference_scan, b".": scan(in_place)[b"."]}
                    compare_roots(report, reference, in_place, started_ns, BY_OURSELVES, left)
                finally:
                    subprocess.run(["umount", in_place], check=True)
    report.exit()


if __name__ == "__main__":
    main()
