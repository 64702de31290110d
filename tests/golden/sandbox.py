#!/usr/bin/env python3
"""With the sandbox for package scripts and without it the root is the same, for every script of the test mirror."""

import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from compare import BY_OURSELVES, compare_roots
from mirror import selection
from report import Report
from skip import need_root
from template import installed_in_order
from tool import plamo_fast
from workspace import arguments, temporary_folder

# 8.x has all cases; of 5.x configuring runs a program of the root, of 6.x a function of one.
CASES = (("5.x", "x86"), ("5.x", "x86_64"), ("6.x", "x86_64"), ("7.x", "x86_64"), ("8.x", "x86_64"), ("8.x", "x86"))


def build(report, wanted, folder, release, arch, name, *options):
    # Records name the cache folder, so both builds use the same one.
    cache = os.path.join(folder, "cache")
    shutil.rmtree(cache, ignore_errors=True)
    root = os.path.join(folder, f"{name}-{release}-{arch}")
    run = plamo_fast(wanted.bin, "build", root, "--name", "c1", "--mirror", f"file://{wanted.mirror}", "--release",
                     release, "--arch", arch, "--cache", cache, "--root-password", "keep", "--categories",
                     " ".join(selection.categories(release)), "--contrib", " ".join(selection.CONTRIB), "--add",
                     " ".join(selection.ADDONS), *options)
    if not report.equal(run.status, 0, f"status of the build {name} of {release} {arch}"):
        report.note(run.log)
        report.exit()
    report.check(" 0 scripts by sh" not in run.log.replace("\n", " "), f"{name} of {release} {arch}: no script ran")
    return root


def main():
    wanted = arguments(__doc__)
    need_root()
    report = Report()
    with temporary_folder() as (folder, started_ns):
        for release, arch in CASES:
            inside = build(report, wanted, folder, release, arch, "inside")
            plain = build(report, wanted, folder, release, arch, "plain", "--no-sandbox")
            compare_roots(report, plain, inside, started_ns, BY_OURSELVES)
            report.equal(installed_in_order(inside), installed_in_order(plain),
                         f"{release} {arch}: order of installation")
    report.exit()


if __name__ == "__main__":
    main()
