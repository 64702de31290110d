#!/usr/bin/env python3
"""What lxc-plamo has cached lxc-plamo-fast uses, and the other way, with the same root and without the mirror."""

import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import article_5x
from compare import compare_roots
from mirror import a_few
from nginx import Nginx
from report import Report
from skip import need_programs, need_root
from template import ORACLE, cached_in_order, create, installed_in_order
from workspace import arguments, temporary_folder

# The oldest and the newest: the cache is the same in all.
RELEASES = ("5.x", "8.x")
# Put into a cached root to see whether it is used as it is.
MARK = "usr/share/only-in-the-cached-root"


class Interchange:
    def __init__(self, report, folder, started_ns, server, release):
        self.report, self.folder, self.started_ns, self.server = report, folder, started_ns, server
        self.release = release
        # What the two ignore by default is not the same in 5.x, and neither is how they configure it.
        self.variables = {**a_few(release), **({"IGNOREPKGS": article_5x.IGNOREPKGS} if release == "5.x" else {})}
        self.same_configuration = release != "5.x"
        self.cache = os.path.join(folder, "cache")
        self.made = 0

    def create(self, program, with_mirror):
        """A container. Not `with_mirror`: it must come from the cache, without one request."""
        self.made += 1
        asked = len(self.server.requests())
        container = create(program, os.path.join(self.folder, f"container-{self.made}"), self.cache,
                           self.release, self.server, self.variables)
        if not self.report.equal(container.status, 0, f"status of {program}"):
            self.report.note(container.log)
            self.report.exit()
        if not with_mirror:
            self.report.equal(len(self.server.requests()) - asked, 0, f"requests of {program} with a full cache")
        return container

    def fill_and_use(self, filler, user):
        """`filler` fills an empty cache; `user` installs from its packages, into the container that is returned."""
        filled = self.create(filler, True)
        first_root = os.path.join(self.folder, f"root-{self.made}")
        os.rename(filled.cached_root, first_root)
        self.check_ctimes(filled.cached_packages, first_root, filler)
        used = self.create(user, False)
        compare_roots(self.report, first_root, used.cached_root, self.started_ns)
        if self.same_configuration:
            compare_roots(self.report, filled.rootfs, used.rootfs, self.started_ns)
        self.report.equal(installed_in_order(used.cached_root), installed_in_order(first_root),
                          f"order in which {user} installs what {filler} cached")
        return used

    def check_ctimes(self, packages, root, filler):
        """ls -cr sees the order of installation only in ctimes that differ."""
        files = cached_in_order(packages)
        times = [time for _, time in files]
        self.report.check(all(a < b for a, b in zip(times, times[1:])), f"{filler}: ctimes do not strictly increase")
        # A second version of a package is in the cache but not installed.
        installed = installed_in_order(root)
        stems = [os.path.splitext(name)[0] for name, _ in files]
        self.report.equal([stem for stem in stems if stem in installed], installed, f"{filler}: order of ctimes")

    def use_root(self, made, user):
        """The cached root that another left is what `user` copies."""
        with open(os.path.join(made.cached_root, MARK), "w"):
            pass
        used = self.create(user, False)
        self.report.check(os.path.exists(os.path.join(used.rootfs, MARK)), f"{user} does not use the cached root")

    def forget(self):
        shutil.rmtree(self.cache)


def main():
    wanted = arguments(__doc__, release=RELEASES)
    need_root()
    need_programs(ORACLE, "wget", "ed", "patch", Nginx.program)
    report = Report()
    fast = os.path.join(wanted.bin, "lxc-plamo-fast")
    for release in [wanted.release] if wanted.release else RELEASES:
        with temporary_folder() as (folder, started_ns), Nginx(wanted.mirror) as server:
            interchange = Interchange(report, folder, started_ns, server, release)
            for one, other in ((ORACLE, fast), (fast, ORACLE)):
                interchange.use_root(interchange.fill_and_use(one, other), one)
                interchange.forget()
    report.exit()


if __name__ == "__main__":
    main()
