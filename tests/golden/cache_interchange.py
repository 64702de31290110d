#!/usr/bin/env python3
"""What lxc-plamo has cached lxc-plamo-fast uses, and the other way, with the same root and without the mirror."""

import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from compare import compare_roots
from mirror import everything
from nginx import Nginx
from report import Report
from skip import need_programs, need_root
from template import ORACLE, cached_in_order, create, installed_in_order
from workspace import arguments, temporary_folder

RELEASE = "7.x"
# Put into a cached root to see whether it is used as it is.
MARK = "usr/share/only-in-the-cached-root"


class Interchange:
    def __init__(self, report, folder, started_ns, server):
        self.report, self.folder, self.started_ns, self.server = report, folder, started_ns, server
        self.cache = os.path.join(folder, "cache")
        self.made = 0

    def create(self, program, with_mirror):
        """A container of everything. Not `with_mirror`: it must come from the cache, without one request."""
        self.made += 1
        asked = len(self.server.requests())
        container = create(program, os.path.join(self.folder, f"container-{self.made}"), self.cache, RELEASE,
                           self.server, everything())
        if not self.report.equal(container.status, 0, f"status of {program}"):
            self.report.note(container.log)
            self.report.exit()
        if not with_mirror:
            self.report.equal(len(self.server.requests()) - asked, 0, f"requests of {program} with a full cache")
        return container

    def fill_and_use(self, filler, user):
        """`filler` fills an empty cache; `user` installs from its packages."""
        filled = self.create(filler, True)
        first_root = os.path.join(self.folder, f"root-{self.made}")
        os.rename(filled.cached_root, first_root)
        self.check_ctimes(filled.cached_packages, first_root, filler)
        used = self.create(user, False)
        compare_roots(self.report, first_root, used.cached_root, self.started_ns)
        compare_roots(self.report, filled.rootfs, used.rootfs, self.started_ns)
        self.report.equal(installed_in_order(used.cached_root), installed_in_order(first_root),
                          f"order in which {user} installs what {filler} cached")

    def check_ctimes(self, packages, root, filler):
        """ls -cr sees the order of installation only in ctimes that differ."""
        files = cached_in_order(packages)
        times = [time for _, time in files]
        self.report.check(all(a < b for a, b in zip(times, times[1:])), f"{filler}: ctimes do not strictly increase")
        # A second version of a package is in the cache but not installed.
        installed = installed_in_order(root)
        stems = [os.path.splitext(name)[0] for name, _ in files]
        self.report.equal([stem for stem in stems if stem in installed], installed, f"{filler}: order of ctimes")

    def use_root(self, maker, user):
        """The cached root that `maker` left is what `user` copies."""
        made = self.create(maker, True)
        with open(os.path.join(made.cached_root, MARK), "w"):
            pass
        used = self.create(user, False)
        self.report.check(os.path.exists(os.path.join(used.rootfs, MARK)), f"{user} does not use the root of {maker}")

    def forget(self):
        shutil.rmtree(self.cache)


def main():
    wanted = arguments(__doc__)
    need_root()
    need_programs(ORACLE, "wget", Nginx.program)
    report = Report()
    fast = os.path.join(wanted.bin, "lxc-plamo-fast")
    with temporary_folder() as (folder, started_ns), Nginx(wanted.mirror) as server:
        interchange = Interchange(report, folder, started_ns, server)
        for one, other in ((ORACLE, fast), (fast, ORACLE)):
            interchange.fill_and_use(one, other)
            interchange.forget()
            interchange.use_root(one, other)
            interchange.forget()
    report.exit()


if __name__ == "__main__":
    main()
