#!/usr/bin/env python3
"""A cold build makes the same root on every rung of the sandbox for package scripts, with one worker and with eight."""

import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from mirror import selection
from sandboxplaces import PLACES, place
from report import Report
from scan import describe, differences, scan
from skip import need_programs, need_root
from template import VARIABLES
from tool import digest, everything_options
from workspace import arguments, temporary_folder

# Of each the whole mirror, where the place can have it: hdsetup's tools and pkgtools'.
RELEASES = ("6.x", "8.x")
# And of this one what a user namespace of a single id can have: packages of one owner, without devices.
ONE_OWNER = ("8.x", ["--no-configure", "--categories", "00_base 05_ext", "--add", "", "--ignore",
                     "shadow chown devices tools-moving tools-owners"])


def everything(release):
    return ["--root-password", "keep", "--name", "c1", *everything_options(selection.categories(release))]


def build(report, wanted, folder, where, jobs, release, options):
    """The digest of a root that is built from nothing. Records name the cache folder, so all builds use the same one."""
    cache, root = os.path.join(folder, "cache"), os.path.join(folder, "root")
    for path in (cache, root):
        shutil.rmtree(path, ignore_errors=True)
    command = [*where.prefix, os.path.join(wanted.bin, "plamo-fast"), "build", root, "--mirror",
               f"file://{wanted.mirror}", "--release", release, "--arch", "x86_64", "--cache", cache, "--jobs", str(jobs),
               *options]
    environment = {k: v for k, v in os.environ.items() if k not in VARIABLES}
    run = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, text=True, errors="backslashreplace")
    what = f"{release}, {where.name}, {jobs} workers"
    if not report.equal(run.returncode, 0, f"{what}: status") or not report.check(
            where.said in " ".join(run.stdout.split()), f"{what}: another sandbox than expected"):
        report.note(run.stdout)
        return None
    return digest(report, wanted.bin, root)


def compare(report, wanted, folder, found, release, options):
    first, root = None, os.path.join(folder, "root")
    for where in found:
        for jobs in (1, 8):
            made = build(report, wanted, folder, where, jobs, release, options)
            if first is None:
                first, kept = made, scan(root)
            elif made and made != first:
                report.fail(f"{release}, {where.name}, {jobs} workers: another digest than {found[0].name}, 1 worker")
                for difference in differences(kept, scan(root)):
                    if difference.field != "mtime_ns":
                        report.note(describe(difference))


def main():
    wanted = arguments(__doc__)
    need_root()
    need_programs("unshare", "setpriv")
    report = Report()
    with temporary_folder() as (spare, _), temporary_folder() as (folder, _):
        found = {name: place(name, spare, folder, wanted.bin, wanted.mirror) for name in PLACES}
        for name, where in found.items():
            where or report.note(f"left out, as it cannot be had here: {name}")
        found = [where for where in found.values() if where]
        for release in RELEASES:
            compare(report, wanted, folder, [where for where in found if where.ids], release, everything(release))
        compare(report, wanted, folder, [found[0], *(where for where in found if not where.ids)], *ONE_OWNER)
    report.exit()


if __name__ == "__main__":
    main()
