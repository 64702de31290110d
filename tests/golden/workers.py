#!/usr/bin/env python3
"""One worker and eight make the same root, ten times, with downloads that finish in random order."""

import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from compare import BY_OURSELVES, compare_roots
from pythonserver import PythonServer
from report import Report
from scan import scan
from skip import need_root
from template import cache_paths, cached_in_order, installed_in_order
from tool import digest, everything_options, plamo_fast
from workspace import arguments, temporary_folder

RELEASE = "8.x"
ROUNDS = 10
# Several times what serving a package takes, so that the order of arrival is the delays' and not the requests'.
MAX_DELAY_S = 0.03


def build(report, wanted, folder, server, name, jobs, connections):
    """Builds from nothing. Records name the cache folder, so all builds use the same one in turn."""
    cache = os.path.join(folder, "cache")
    shutil.rmtree(cache, ignore_errors=True)
    root = os.path.join(folder, name)
    run = plamo_fast(wanted.bin, "build", root, "--name", "c1", "--mirror", server.url, "--release", RELEASE,
                     "--cache", cache, "--jobs", str(jobs), "--connections", str(connections), *everything_options())
    if not report.equal(run.status, 0, f"status of the build {name}"):
        report.note(run.log)
        report.exit()
    return root, [file for file, _ in cached_in_order(cache_paths(cache, RELEASE)[0])]


def main():
    wanted = arguments(__doc__)
    need_root()
    report = Report()
    with temporary_folder() as (folder, started_ns):
        with PythonServer(wanted.mirror) as server:
            serial, serial_files = build(report, wanted, folder, server, "serial", 1, 1)
        serial_scan = scan(serial)
        serial_order = installed_in_order(serial)
        serial_digest = digest(report, wanted.bin, serial)
        for turn in range(ROUNDS):
            with PythonServer(wanted.mirror, MAX_DELAY_S, seed=turn) as server:
                root, files = build(report, wanted, folder, server, f"workers-{turn}", 8, 8)
            compare_roots(report, serial, root, started_ns, BY_OURSELVES, serial_scan)
            report.equal(installed_in_order(root), serial_order, f"round {turn}: order of installation")
            report.equal(digest(report, wanted.bin, root), serial_digest, f"round {turn}: digest of the root")
            report.equal(files, serial_files, f"round {turn}: order in the cache folder")
            shutil.rmtree(root)
    report.exit()


if __name__ == "__main__":
    main()
