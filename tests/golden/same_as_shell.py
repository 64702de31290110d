#!/usr/bin/env python3
"""The root that lxc-plamo-fast makes is the root that Debian's lxc-plamo makes from the same mirror."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from apache import Apache
from compare import compare_roots
from mirror import everything
from nginx import Nginx
from report import Report
from skip import need_programs, need_root
from template import ORACLE, create, initpkg_in_order, installed_in_order
from workspace import arguments, temporary_folder

# Each release from another kind of listing, so that both are read in a whole run.
SERVERS = {"7.x": Nginx, "8.x": Apache}


def increasing(report, pairs, what):
    times = [time for _, time in pairs]
    report.check(all(a < b for a, b in zip(times, times[1:])), f"{what} do not strictly increase: {pairs}")
    return [name for name, _ in pairs]


def same_text(report, left, right):
    with open(left) as a, open(right) as b:
        report.equal(b.read(), a.read(), right)


def made(report, program, where, cache, release, server):
    container = create(program, where, cache, release, server, everything())
    if not report.equal(container.status, 0, f"status of {program}"):
        report.note(container.log)
        report.exit()
    return container


def compare(report, wanted, release):
    """Makes a container with each program and compares all they left."""
    with temporary_folder() as (folder, started_ns), SERVERS[release](wanted.mirror) as server:
        # Records name the cache folder, so both use the same one, one after the other.
        cache = os.path.join(folder, "cache")
        shell = made(report, ORACLE, os.path.join(folder, "shell"), cache, release, server)
        aside = os.path.join(folder, "cache-of-shell")
        os.rename(cache, aside)
        ours = made(report, os.path.join(wanted.bin, "lxc-plamo-fast"), os.path.join(folder, "ours"), cache, release,
                    server)
        shell_root = os.path.join(aside, os.path.basename(shell.cached_root))
        compare_roots(report, shell_root, ours.cached_root, started_ns)
        compare_roots(report, shell.rootfs, ours.rootfs, started_ns)
        report.equal(installed_in_order(ours.cached_root), installed_in_order(shell_root), "order of installation")
        report.equal(increasing(report, initpkg_in_order(ours.rootfs), "times in var/log/initpkg"),
                     increasing(report, initpkg_in_order(shell.rootfs), "the shell's times in var/log/initpkg"),
                     "order of the first boot")
        same_text(report, shell.config, ours.config)


def main():
    wanted = arguments(__doc__, release=sorted(SERVERS))
    releases = [wanted.release] if wanted.release else sorted(SERVERS)
    need_root()
    need_programs(ORACLE, "wget", *(SERVERS[release].program for release in releases))
    report = Report()
    for release in releases:
        compare(report, wanted, release)
    report.exit()


if __name__ == "__main__":
    main()
