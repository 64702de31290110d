#!/usr/bin/env python3
"""The root is the same on every file system, and shares its content with the cache where the file system can (a snapshot
of it on btrfs); also where the cache is on another one than the root."""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from compare import BY_OURSELVES, Allowance, compare_roots
from filesystems import KINDS, mounted
from nginx import Nginx
from report import Report
from scan import scan
from skip import need_programs, need_root, skip
from tool import digest, everything_options, plamo_fast
from workspace import arguments, temporary_folder

RELEASE = "8.x"


def _location_in_record(difference, _):
    return difference.path.startswith(b"var/log/packages/") and difference.field in ("size", "sha256")


# Records name the cache folder, which is another one on each file system.
ALLOWED = BY_OURSELVES + (Allowance("PACKAGE LOCATION names the cache folder", _location_in_record),)


def build(report, wanted, server, root, cache):
    run = plamo_fast(wanted.bin, "build", root, "--name", "c1", "--mirror", server.url, "--release", RELEASE,
                     "--cache", cache, *everything_options())
    if not report.equal(run.status, 0, f"status of the build of {root}"):
        report.note(run.log)
        report.exit()
    return run.log


def how_made(log):
    return re.search(r"; \d+ (?:entries )?(copied|reflinked|snapshot) \(", log).group(1)


def check_across(report, wanted, server, point, reference, started_ns):
    """From a cached root elsewhere to here, and from the one here to elsewhere."""
    there = os.path.join(os.path.dirname(reference), "cache")
    for root, cache in ((os.path.join(point, "across"), there), (f"{point}-back", os.path.join(point, "cache"))):
        log = build(report, wanted, server, root, cache)
        report.check("done: 0 requests" in log, f"{root} from {cache}: the cached root was not taken\n{log}")
        report.equal(how_made(log), "copied", f"{root} from {cache}: across file systems\n{log}")
        compare_roots(report, reference, root, started_ns, BY_OURSELVES if cache == there else ALLOWED)


def main():
    wanted = arguments(__doc__)
    need_root()
    need_programs(*(mkfs[0] for mkfs, _ in KINDS.values() if mkfs))
    report = Report()
    missing = []
    with temporary_folder() as (folder, started_ns), Nginx(wanted.mirror) as server:
        reference = os.path.join(folder, "reference")
        build(report, wanted, server, reference, os.path.join(folder, "cache"))
        reference_scan = scan(reference)
        reference_digest = digest(report, wanted.bin, reference)
        for kind, (_, how) in KINDS.items():
            with mounted(kind, folder) as point:
                if not point:
                    missing.append(kind)
                    continue
                root = os.path.join(point, "root")
                log = build(report, wanted, server, root, os.path.join(point, "cache"))
                report.equal(how_made(log), how, f"{kind}: how the root came of the cached one")
                # A second for each package would be too long to wait for lxc-plamo's order; the manifest has it.
                report.equal("tells too few moments apart" in " ".join(log.split()), kind == "seconds",
                             f"{kind}: is it said that the order is missing?\n{log}")
                report.equal(digest(report, wanted.bin, root), reference_digest, f"{kind}: digest of the root")
                compare_roots(report, reference, root, started_ns, ALLOWED, reference_scan)
                # A root that has parts of seconds cannot come there with them.
                if kind != "seconds":
                    check_across(report, wanted, server, point, reference, started_ns)
    if missing and not report.failures:
        skip(f"all others passed, but this machine cannot mount {', '.join(missing)}")
    report.exit()


if __name__ == "__main__":
    main()
