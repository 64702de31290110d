#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Times a container from an empty cache: Debian's lxc-plamo against lxc-plamo-fast, on the fixture mirror.

The runs are interleaved and the two roots are compared before any figure is printed. Run it as root on a
quiet machine. The shell's side does what the fixture's installpkg does: five passes over each package, as
Plamo's does (fixtures/README.md)."""

import argparse
import os
import platform
import statistics
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tests", "lib"))

from compare import compare_roots  # noqa: E402 (found by the line above)
from mirror import everything, mirror_folder  # noqa: E402
from nginx import Nginx  # noqa: E402
from report import Report  # noqa: E402
from skip import need_programs, need_root  # noqa: E402
from template import ORACLE, create  # noqa: E402
from workspace import temporary_folder  # noqa: E402


def timed(report, program, where, cache, release, server):
    # Without the pause between downloads that the golden tests need: an empty file instead of theirs.
    settings = where + ".wgetrc"
    open(settings, "w").close()
    variables = {**everything(), "WGETRC": settings}
    start = time.monotonic()
    container = create(program, where, cache, release, server, variables)
    seconds = time.monotonic() - start
    if not report.equal(container.status, 0, f"status of {program}"):
        report.note(container.log)
        report.exit()
    return seconds, container


def one_round(report, binary, release, server, number):
    """Both programs from nothing, with the same cache path one after the other; the seconds of each."""
    with temporary_folder() as (folder, started_ns):
        cache = os.path.join(folder, "cache")
        shell_s, shell = timed(report, ORACLE, os.path.join(folder, "shell"), cache, release, server)
        os.rename(cache, os.path.join(folder, "cache-of-shell"))
        ours_s, ours = timed(report, binary, os.path.join(folder, "ours"), cache, release, server)
        warm_s, _ = timed(report, binary, os.path.join(folder, "warm"), cache, release, server)
        if number == 0:
            compare_roots(report, shell.rootfs, ours.rootfs, started_ns)
            if report.failures:
                report.exit()
    return shell_s, ours_s, warm_s


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", default=os.path.join(HERE, "..", "build", "release", "bin"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--mirror", help="the fixture mirror; made when absent")
    wanted = parser.parse_args()
    need_root()
    need_programs(ORACLE, "wget", "nginx")
    report = Report()
    mirror = mirror_folder(wanted.mirror)
    binary = os.path.join(os.path.abspath(wanted.bin), "lxc-plamo-fast")
    rows = []
    for release in ("7.x", "8.x"):
        with Nginx(mirror) as server:
            rounds = [one_round(report, binary, release, server, i) for i in range(wanted.rounds)]
        rows.append((release, [statistics.median(times) for times in zip(*rounds)]))
    print(f"\n{wanted.rounds} interleaved rounds, medians, {os.cpu_count()} cores, Linux {platform.release()}\n")
    print("| release | lxc-plamo, empty cache | lxc-plamo-fast, empty cache | ratio | lxc-plamo-fast, warm cache |")
    print("|---|---|---|---|---|")
    for release, (shell, ours, warm) in rows:
        print(f"| {release} | {shell:.2f} s | {ours:.2f} s | {shell / ours:.1f}× | {warm:.2f} s |")


if __name__ == "__main__":
    main()
