#!/usr/bin/env python3
"""Facts 3.2: Debian's lxc-plamo skips a corrupt archive with a message and leaves no record of it. We stop instead, which
is a test of the attacks; this one guards the mirror's cases."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from nginx import Nginx
from report import Report
from skip import need_programs, need_root
from template import ORACLE, create
from workspace import arguments, temporary_folder

BAD_PACKAGES = ("truncated", "nothing-left", "flipped", "cut-tar", "not-an-archive")
RELEASES = ("5.x", "7.x")


def check(report, folder, server, release):
    container = create(ORACLE, os.path.join(folder, "bad"), os.path.join(folder, "cache-bad"), release, server,
                       {"CATEGORIES": "00_base 98_bad", "EXTRACTGRS": "", "ADDONPKGS": ""})
    report.equal(container.status, 0, "status with corrupt packages")
    for name in BAD_PACKAGES:
        for suffix in ("tgz", "txz", "tzst"):
            file = f"{name}-1.0-noarch-B1.{suffix}"
            report.check(f"{file}: corrupt archive, skipped." in container.log, f"{file} was not refused")
        record = os.path.join(container.cached_root, "var/log/packages", name)
        report.check(not os.path.exists(record), f"{name} has a record")


def main():
    wanted = arguments(__doc__)
    need_root()
    need_programs(ORACLE, "wget", Nginx.program)
    report = Report()
    for release in RELEASES:
        with temporary_folder() as (folder, _), Nginx(wanted.mirror) as server:
            check(report, folder, server, release)
    report.exit()


if __name__ == "__main__":
    main()
