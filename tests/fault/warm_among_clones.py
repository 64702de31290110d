#!/usr/bin/env python3
"""A warmer in the middle of a bulk build: roots are made in a loop, by several at once, while caches are brought up to
date again and again; both are killed at random. Cache and roots stay sound, and no run disturbs another."""

import os
import random
import re
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import netkit
from faultkit import FaultTest
from netkit import ARCH, RELEASE, package
from tarball import file

CLONERS, LIMIT_S = 3, 60
FILES = 60


class WarmAmongClones(FaultTest):
    def setUp(self):
        super().setUp()
        self.random = random.Random(os.environ.get("PF_SEED", "1"))
        self.config = os.path.join(self.folder, "plamo-fast.conf")
        with open(self.config, "w") as stream:
            stream.write(f"[one]\nrelease = {RELEASE}\narch = {ARCH}\nmirror = {self.url}\ncache = {self.cache}\n"
                         "add = contrib/Net/ccc\nkeep = 1\n")
        self.state = 0
        self.change()
        self.made = 0

    def change(self):
        """Each state of the mirror is in all of its packages' files: no root may mix two."""
        self.state += 1
        for name in ("aaa", "bbb"):
            members = [file(f"usr/share/{name}.{i}", f"state {self.state}\n".encode() * 50) for i in range(FILES)]
            self.put(package(f"{name}-1-x86_64-P1", members), moment=1_500_000_000 + self.state)

    def start_cloner(self):
        self.made += 1
        root = f"{self.folder}/root{self.made}"
        given = list(self.build_arguments())
        given[1] = root
        return root, self.start(self.command(*given))

    def start_warmer(self):
        return self.start(self.command("warm", "--config", self.config))

    def states_of(self, root):
        states = set()
        for name in ("aaa", "bbb"):
            for i in range(FILES):
                states.add(self.read(root, "usr/share", f"{name}.{i}"))
        return states

    def assert_whole_root(self, root, what):
        states = self.states_of(root)
        self.assertEqual(len(states), 1, f"{what}: {root} is of several states: {states}")
        self.assertEqual(sorted(os.listdir(f"{root}/var/log/packages")), ["aaa", "bbb", "ccc"], what)

    def end_cloner(self, root, process, killed):
        result = self.wait(process, LIMIT_S)
        if killed and result.status != 0:
            self.assertEqual(result.status, -signal.SIGKILL, str(result))
            # Killed after it had given the root its name, it leaves the whole of it.
            if os.path.lexists(root):
                self.assert_whole_root(root, str(result))
        else:
            self.assert_done(result)
            self.assert_whole_root(root, str(result))
        self.remove(root)

    def end_warmer(self, process, killed):
        result = self.wait(process, LIMIT_S)
        if not killed or result.status != -signal.SIGKILL:
            self.assert_done(result)

    def assert_sound(self, what):
        """With nobody at work: what has a final name is whole, and a root can be made without the mirror."""
        self.assert_sound_cache(what)
        if os.path.isdir(self.cache_folder("rootfs")):
            self.assert_whole_root(self.cache_folder("rootfs"), what)
        self.remove(self.root)
        url, self.url = self.url, "http://mirror.invalid/"
        self.assert_done(self.build())
        self.url = url
        self.assert_whole_root(self.root, what)
        left = [n for n in os.listdir(self.cache) if "work" in n or "trash" in n]
        self.assertEqual(left, [], what)

    def crowd(self, number, with_kills):
        """Cloners that follow each other without a pause while the mirror changes and is asked, at times by two. It
        changes between updates: what it has in the middle of one is another matter."""
        cloners = [self.start_cloner() for _ in range(CLONERS)]
        for _ in range(3):
            self.change()
            killed = set()
            warmers = [self.start_warmer() for _ in range(self.random.choice((1, 1, 2)))]
            time.sleep(self.random.uniform(0, 0.15))
            if with_kills:
                for process in self.random.sample([p for _, p in cloners] + warmers, 2):
                    if process.poll() is None:
                        process.kill()
                        killed.add(process)
            if self.random.random() < 0.3:
                self.assert_done(self.run_program("gc", "--cache", self.cache))
            for i, (root, process) in enumerate(cloners):
                if process.poll() is not None or process in killed:
                    self.end_cloner(root, process, process in killed)
                    cloners[i] = self.start_cloner()
            for process in warmers:
                self.end_warmer(process, process in killed)
        for root, process in cloners:
            self.end_cloner(root, process, False)
        self.assert_sound(f"round {number}")

    def rounds(self, with_kills):
        self.assert_done(self.wait(self.start_warmer()))
        for number in range(40 if netkit.settings.slow else 6):
            self.crowd(number, with_kills)
        # And what was left half-done is brought to an end.
        self.assert_done(self.wait(self.start_warmer()))
        self.remove(self.root)
        self.assert_done(self.build("--offline"))
        self.assertEqual(self.states_of(self.root), {f"state {self.state}\n".encode() * 50})

    def start_bulk(self, path, backing):
        return self.start(self.command("create", "c{1..8}", "-P", path, "--backing", backing, "-f", self.defaults,
                                       "--release", RELEASE, "--arch", ARCH, "--mirror", self.url,
                                       "--cache", self.cache, "--add", "contrib/Net/ccc", "--jobs", "2"))

    def roots_of(self, path):
        """Of the containers that have their names: of an overlay what it lies upon, for nobody edits these files."""
        names = [name for name in sorted(os.listdir(path)) if not name.startswith(".")]
        for name in names:
            config = self.read(path, name, "config").decode()
            yield re.search(r"^lxc\.rootfs\.path = (?:dir:|overlay:)([^:\n]*)", config, re.M).group(1)

    def bulk_round(self, number, backing, with_kills):
        path = f"{self.folder}/lxc{number}"
        self.change()
        runs = [self.start_bulk(path, backing), self.start_warmer()]
        time.sleep(self.random.uniform(0, 0.15))
        killed = [run for run in runs if with_kills and self.random.random() < 0.7 and run.poll() is None]
        for run in killed:
            run.kill()
        for run in runs:
            result = self.wait(run, LIMIT_S)
            if run not in killed or result.status != -signal.SIGKILL:
                self.assert_done(result)
        for again in range(2):
            roots = list(self.roots_of(path)) if os.path.isdir(path) else []
            for root in roots:
                self.assert_whole_root(root, f"round {number}, {backing}")
            if not again:
                self.assert_done(self.wait(self.start_bulk(path, backing), LIMIT_S))
        self.assertEqual(len(roots), 8, "containers after the run that completes the set")
        self.assertEqual([n for n in os.listdir(path) if n.startswith(".")], [], "half-made containers")
        self.assert_sound(f"round {number}, {backing}")
        self.remove(path)

    def test_bulk(self):
        """Many containers in one run while the cache is brought up to date."""
        self.defaults = os.path.join(self.folder, "default.conf")
        with open(self.defaults, "w"):
            pass
        self.assert_done(self.wait(self.start_warmer()))
        for number in range(60 if netkit.settings.slow else 12):
            self.bulk_round(number, ("dir", "overlay")[number % 2], number % 4 > 1)

    def test_undisturbed(self):
        self.rounds(False)

    def test_killed_at_random(self):
        self.rounds(True)


if __name__ == "__main__":
    netkit.main()
