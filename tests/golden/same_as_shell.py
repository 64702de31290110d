#!/usr/bin/env python3
"""The root that lxc-plamo-fast makes is the root that Debian's lxc-plamo makes from the same mirror, and that one is as
the facts describe it.

For 5.x, which that one would configure as 6.x, it is the root that it installs, configured as in the article."""

import collections
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import article_5x
import facts
from apache import Apache
from compare import compare_roots
from mirror import a_few, base_addons, everything, selection
from nginx import Nginx
from report import Report
from skip import need_programs, need_root
from template import CONFIG_BEFORE, ORACLE, create, initpkg_in_order, installed_in_order
from workspace import arguments, temporary_folder

# Each release from another kind of listing than the one after, so that both are read in a whole run.
SERVERS = {"5.x": Nginx, "6.x": Apache, "7.x": Nginx, "8.x": Apache}
NAME = "c1"

# What a container is made of: the variables that are set, and the arch where one is named.
Case = collections.namedtuple("Case", "release variables arch", defaults=(None,))


def without_categories(release):
    """CATEGORIES="": no category, but contrib folders, and all that is needed as add-ons."""
    return Case(release, {"CATEGORIES": "", "EXTRACTGRS": " ".join(selection.CONTRIB),
                          "ADDONPKGS": " ".join(base_addons(release))})


GROUPS = {
    **{release: [Case(release, everything(release))] for release in SERVERS},
    # No category at all, and a root without some of the files that the template edits.
    "empty": [without_categories("6.x"), without_categories("8.x"),
              Case("6.x", {"CATEGORIES": "00_base", "ADDONPKGS": ""})],
    "x86": [Case("5.x", {}, "x86"), Case("8.x", a_few("8.x"), "x86")],
}


def increasing(report, pairs, what):
    times = [time for _, time in pairs]
    report.check(all(a < b for a, b in zip(times, times[1:])), f"{what} do not strictly increase: {pairs}")
    return [name for name, _ in pairs]


def made(report, program, where, cache, case, variables, server):
    container = create(program, where, cache, case.release, server, variables, name=NAME, arch=case.arch)
    if not report.equal(container.status, 0, f"status of {program}"):
        report.note(container.log)
        report.exit()
    return container


def made_by_shell(report, where, cache, case, server):
    """The container that is to be; of 5.x the article's template would have made it."""
    variables = case.variables
    if case.release == "5.x":
        variables = {"IGNOREPKGS": article_5x.IGNOREPKGS, **variables}
    shell = made(report, ORACLE, where, cache, case, variables, server)
    if case.release == "5.x":
        rootfs = os.path.join(where, "rootfs-of-article")
        subprocess.run(["cp", "-a", shell.cached_root, rootfs], check=True)
        article_5x.configure(rootfs, NAME)
        shell = shell._replace(rootfs=rootfs)
    return shell


def check_facts(report, case, shell):
    if not case.arch and case.variables == everything(case.release):
        facts.check_everything(report, shell, case.release)


def compare_configs(report, case, shell, ours):
    with open(shell.config) as a, open(ours.config) as b:
        wanted, found = a.read(), b.read()
    if case.release == "5.x":
        path = os.path.dirname(ours.config)
        report.check(found.startswith(CONFIG_BEFORE), f"the beginning of {ours.config}: {found}")
        # The order of the lines has no meaning, and the facts name none.
        found = sorted(line for line in found[len(CONFIG_BEFORE):].splitlines() if line)
        wanted = sorted(article_5x.config_lines(path, NAME, case.arch or "x86_64"))
        fstab = os.path.join(path, "fstab")
        report.check(os.path.isfile(fstab) and os.path.getsize(fstab) == 0, f"{fstab} is not an empty file")
    report.equal(found, wanted, ours.config)


def compare(report, wanted, case):
    """Makes a container with each program and compares all they left."""
    report.note(f"{case.release} {case.arch or ''} {case.variables}")
    with temporary_folder() as (folder, started_ns), SERVERS[case.release](wanted.mirror) as server:
        # Records name the cache folder, so both use the same one, one after the other.
        cache = os.path.join(folder, "cache")
        shell = made_by_shell(report, os.path.join(folder, "shell"), cache, case, server)
        check_facts(report, case, shell)
        aside = os.path.join(folder, "cache-of-shell")
        os.rename(cache, aside)
        ours = made(report, os.path.join(wanted.bin, "lxc-plamo-fast"), os.path.join(folder, "ours"), cache, case,
                    case.variables, server)
        shell_root = os.path.join(aside, os.path.basename(shell.cached_root))
        compare_roots(report, shell_root, ours.cached_root, started_ns)
        compare_roots(report, shell.rootfs, ours.rootfs, started_ns)
        report.equal(installed_in_order(ours.cached_root), installed_in_order(shell_root), "order of installation")
        report.equal(increasing(report, initpkg_in_order(ours.rootfs), "times in var/log/initpkg"),
                     increasing(report, initpkg_in_order(shell.rootfs), "the shell's times in var/log/initpkg"),
                     "order of the first boot")
        compare_configs(report, case, shell, ours)


def main():
    wanted = arguments(__doc__, group=list(GROUPS))
    cases = [case for name, group in GROUPS.items() if wanted.group in (None, name) for case in group]
    need_root()
    need_programs(ORACLE, "wget", "ed", "patch", "openssl", *{SERVERS[case.release].program for case in cases})
    report = Report()
    for case in cases:
        compare(report, wanted, case)
    report.exit()


if __name__ == "__main__":
    main()
