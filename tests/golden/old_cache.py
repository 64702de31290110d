#!/usr/bin/env python3
"""What lxc-plamo left behind, without a manifest or a journal of ours: its full cache, half a download, damage."""

import os
import random
import re
import shutil
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import article_5x
from compare import compare_roots
from mirror import a_few
from nginx import Nginx
from report import Report
from skip import need_programs, need_root
from template import ORACLE, SUFFIXES, cached_in_order, create, installed_in_order, read
from workspace import arguments, temporary_folder

# The oldest and the newest: the cache is the same in all.
RELEASES = ("5.x", "8.x")
# The package that no category gives, put into the cache by hand.
BY_HAND = "plamo/01_minimum/in-tbz-1.0-noarch-B1.tbz"
# Two files of one package: whichever is first in `ls -cr` is installed.
TIED = ("twice-1.0-noarch-B1", "twice-2.0-noarch-B1")
RECEIVED = re.compile(r"(\d+) bytes received")


def file_names(folder):
    """Plain files only: the shell also leaves folders, its unpacked tools."""
    return sorted(name for name in os.listdir(folder) if os.path.isfile(os.path.join(folder, name)))


def ctime_ns(path):
    return os.lstat(path).st_ctime_ns


def touch_after(paths, last_ns):
    """Gives all paths one and the same ctime, which is after last_ns, and returns it."""
    for _ in range(10000):
        for path in paths:
            os.chmod(path, 0o644)
        times = {ctime_ns(path) for path in paths}
        if len(times) == 1 and min(times) > last_ns:
            return min(times)
        time.sleep(0.0005)
    raise RuntimeError(f"no common ctime for {paths}")


def shuffle(folder, seed):
    """Gives the packages of a cache folder ctimes in an order that is not that of their names."""
    names = [name for name in sorted(os.listdir(folder)) if name.endswith(SUFFIXES)]
    tied = [name for name in names if name.rsplit(".", 1)[0] in TIED]
    rest = [name for name in names if name not in tied]
    random.Random(seed).shuffle(rest)
    # Some pairs, NAME-a and NAME-b, can only be installed in this order.
    for first in [name for name in rest if "-a-" in name]:
        second = first.replace("-a-", "-b-")
        one, other = rest.index(second), rest.index(first)
        rest[max(one, other)], rest[min(one, other)] = second, first
    groups = [[name] for name in rest]
    groups.insert(len(groups) // 2, tied)
    last_ns = 0
    for group in groups:
        last_ns = touch_after([os.path.join(folder, name) for name in group], last_ns)
    # `ls -cr` turns names round where the times are the same.
    return [name for group in groups for name in sorted(group, reverse=True)]


class OldCache:
    def __init__(self, report, wanted, folder, started_ns, server, release):
        self.report, self.folder, self.started_ns, self.server = report, folder, started_ns, server
        self.mirror, self.release = wanted.mirror, release
        self.fast = os.path.join(wanted.bin, "lxc-plamo-fast")
        self.variables = {**a_few(release), **({"IGNOREPKGS": article_5x.IGNOREPKGS} if release == "5.x" else {})}
        self.cache = os.path.join(folder, "cache")
        self.made = 0

    def run(self, program, server=None):
        self.made += 1
        return create(program, os.path.join(self.folder, f"container-{self.made}"), self.cache, self.release, server,
                      self.variables)

    def build(self, program, server=None):
        container = self.run(program, server)
        if not self.report.equal(container.status, 0, f"status of {program}"):
            self.report.note(container.log)
            self.report.exit()
        return container

    def move_root(self, container, name):
        """Takes the cached root away, so that the next run makes one, and returns where it is now."""
        root = os.path.join(self.folder, name)
        os.rename(container.cached_root, root)
        return root

    def same(self, container, root, what):
        compare_roots(self.report, root, container.cached_root, self.started_ns)
        self.report.equal(installed_in_order(container.cached_root), installed_in_order(root), f"{what}: order")

    def check_full(self, packages):
        """A full cache in an order of its own, with a .tbz, and with the tools that the shell unpacked."""
        shutil.copy(os.path.join(self.mirror, f"Plamo-{self.release}", "x86_64", BY_HAND), packages)
        order = [name.rsplit(".", 1)[0] for name in shuffle(packages, self.release)]
        self.report.check(order != sorted(order), "the order is that of the names")
        self.report.check(os.path.isfile(os.path.join(packages, "sbin/installpkg")), "the shell left no tools")
        shell_root = self.move_root(self.build(ORACLE), "root-of-full")
        # The shell has unpacked its tools again, but touched no package.
        installed = installed_in_order(shell_root)
        self.report.equal(installed, [stem for stem in order if stem != TIED[0]], "order of the shell")
        self.report.check("in-tbz-1.0-noarch-B1" in installed, "the .tbz in the cache was not installed")
        self.report.equal(read(shell_root, "usr/share/cases/twice"), "2.0\n", "the version that wins a tie")
        ours = self.build(self.fast)
        self.same(ours, shell_root, "full cache")
        shutil.rmtree(ours.cached_root)

    def check_partial(self, packages, order, root):
        """A download that wget left in its middle: whole files, one cut short, and none of the rest."""
        full = os.path.join(self.folder, "full")
        os.rename(packages, full)
        partial = packages.replace("cache-plamo", "partial-plamo")
        os.mkdir(partial)
        half = len(order) // 2
        for name in order[:half + 1]:
            shutil.copy2(os.path.join(full, name), partial)
        cut = os.path.join(partial, order[half])
        os.truncate(cut, os.path.getsize(cut) // 2)
        have = sum(os.path.getsize(os.path.join(partial, name)) for name in os.listdir(partial))
        wanted = sum(os.path.getsize(os.path.join(full, name)) for name in order)
        ours = self.build(self.fast, self.server)
        self.report.check(not os.path.exists(partial), "the partial folder is still there")
        found = [name for name, _ in cached_in_order(packages)]
        self.report.equal(found, order, "packages of the resumed download, in order")
        left = [name for name in file_names(packages) if name.endswith((".part", ".1", ".html"))]
        self.report.equal(left, [], "left over in the cache folder")
        for name in order:
            with open(os.path.join(packages, name), "rb") as a, open(os.path.join(full, name), "rb") as b:
                self.report.check(a.read() == b.read(), f"{name} is not what the mirror has")
        self.same(ours, root, "resumed download")
        # Listings come on top of what was missing; they are much less than what was there.
        received = int(RECEIVED.search(ours.log).group(1))
        self.report.check(received < wanted - have // 2,
                          f"{received} bytes received, where {have} of {wanted} were there")
        shutil.rmtree(ours.cached_root)
        shutil.rmtree(packages)
        os.rename(full, packages)

    def check_damaged(self, packages):
        """A package that is not whole stops us, by its name, and no root appears."""
        for number, (stem, damage) in enumerate((("tzdata-2022a-noarch-B1", cut_short),
                                                 ("busybox-1.35.0-x86_64-B1", flip),
                                                 ("in-tbz-1.0-noarch-B1", replace), ("make-4.3-x86_64-B1", empty))):
            [name] = [name for name in os.listdir(packages) if name.rsplit(".", 1)[0] == stem]
            path = os.path.join(packages, name)
            aside = os.path.join(self.folder, f"whole-{number}")
            shutil.copy2(path, aside)
            damage(path)
            ours = self.run(self.fast)
            self.report.check(ours.status != 0, f"{damage.__name__}: {name} was installed")
            self.report.check(name in ours.log, f"{damage.__name__}: the message does not name {name}: {ours.log}")
            self.report.check(not os.path.exists(ours.cached_root), f"{damage.__name__}: there is a cached root")
            if os.path.exists(path):
                os.remove(path)
            shutil.copy2(aside, path)


def cut_short(path):
    os.truncate(path, os.path.getsize(path) * 2 // 3)


def flip(path):
    with open(path, "r+b") as stream:
        stream.seek(os.path.getsize(path) // 2)
        byte = stream.read(1)[0]
        stream.seek(-1, os.SEEK_CUR)
        stream.write(bytes([byte ^ 0x10]))


def replace(path):
    with open(path, "wb") as stream:
        stream.write(b"<html>404 Not Found</html>\n")


def empty(path):
    os.truncate(path, 0)


def main():
    wanted = arguments(__doc__, release=RELEASES)
    need_root()
    need_programs(ORACLE, "wget", "ed", "patch", Nginx.program)
    report = Report()
    for release in [wanted.release] if wanted.release else RELEASES:
        with temporary_folder() as (folder, started_ns), Nginx(wanted.mirror) as server:
            old = OldCache(report, wanted, folder, started_ns, server, release)
            first = old.build(ORACLE, server)
            order = [name for name, _ in cached_in_order(first.cached_packages)]
            root = old.move_root(first, "root-of-first")
            old.check_partial(first.cached_packages, order, root)
            old.check_full(first.cached_packages)
            old.check_damaged(first.cached_packages)
    report.exit()


if __name__ == "__main__":
    main()
