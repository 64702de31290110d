#!/usr/bin/env python3
"""The clock of the day is set forward or back while a program runs: roots, caches and time limits are as ever.

It is set for the program alone (jump_clock.c). What a step back does to the times of files, which are the kernel's, is
seen in unit-cache."""

import fcntl
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import netkit
from faultkit import FaultTest, sampled, tool
from faulty_server import Fault
from netkit import ARCH, BASE, BUSY, DONE, MIRROR, RELEASE

DAY_S = 24 * 60 * 60
YEARS_S = 10 * 365 * DAY_S
LIMIT_S = 2


class Jumps(FaultTest):
    def setUp(self):
        super().setUp()
        if not os.path.exists(tool("jump_clock.so")):
            self.skipTest("the sanitizers must be loaded first")
        self.make_good()
        self.count_file = f"{self.folder}/count"

    def jumping(self, command, at, by_s):
        return self.wait(self.start(command, {"LD_PRELOAD": tool("jump_clock.so"), "JUMP_CLOCK_AT": str(at),
                                              "JUMP_CLOCK_BY": str(by_s), "JUMP_CLOCK_REPORT": self.count_file}))

    def moments(self, command, most):
        """At which questions for the time the clock may be set: the command's, run undisturbed. Who never asks has it
        set before all."""
        self.jumping(command, 1, 0)
        return sampled(int(self.read(self.count_file)), most) or [1]

    def test_build(self):
        command = self.command(*self.build_arguments())
        for at in self.moments(command, 12):
            for by_s in (-YEARS_S, -DAY_S, YEARS_S):
                self.remove(self.root, self.cache)
                with self.subTest(at=at, by_s=by_s):
                    result = self.assert_done(self.jumping(command, at, by_s))
                    self.assert_equal_root(self.root, str(result))
                    self.assert_no_leftovers(str(result))
                    self.remove(self.root)
                    self.server.clear()
                    self.assert_done(self.build())
                    self.assertEqual(self.server.asked(), [], "the cache counts as before")
                    self.assert_equal_root(self.root, str(result))

    def limited(self, option, faults, statuses):
        """A time limit is met neither at once nor never."""
        command = self.command(*self.build_arguments(option, str(LIMIT_S)))
        for at in self.moments(command, 2):
            for by_s in (-DAY_S, DAY_S):
                self.remove(self.root, self.cache)
                self.server.clear()
                self.server.add(f"{BASE}/bbb-1-x86_64-P1.tgz", *[Fault(stall=100)] * faults)
                with self.subTest(at=at, by_s=by_s):
                    result = self.jumping(command, at, by_s)
                    self.assertIn(result.status, statuses, str(result))
                    self.assertGreaterEqual(result.seconds, LIMIT_S, str(result))

    def test_stalled_mirror(self):
        """It is asked again after the time."""
        self.limited("--stall-timeout", 1, [DONE])

    def test_limit_of_all_fetching(self):
        self.limited("--fetch-timeout", 100, [MIRROR])

    def test_busy_cache(self):
        """Another builder holds it."""
        self.assert_done(self.build())
        lock = next(f"{self.cache}/{name}" for name in os.listdir(self.cache) if name.endswith(".builder.lock"))
        self.remove(self.root)
        command = self.command(*self.build_arguments("--update", "--lock-timeout", str(LIMIT_S)))
        with open(lock, "r+b") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            for at in self.moments(command, 2):
                for by_s in (-DAY_S, DAY_S):
                    result = self.jumping(command, at, by_s)
                    self.assertEqual(result.status, BUSY, str(result))
                    self.assertGreaterEqual(result.seconds, LIMIT_S, str(result))

    def test_asked_in_the_future(self):
        """What was noted by a clock that was ahead does not keep a mirror unasked until then."""
        config = f"{self.folder}/config"
        with open(config, "w") as stream:
            stream.write(f"[all]\nrelease = {RELEASE}\narch = {ARCH}\nmirror = {self.url}\ncache = {self.cache}\nmax-age = 1h\n")
        command = self.command("warm", "--config", config)
        for first_s, second_s, asks in ((0, 0, False), (DAY_S, 0, True), (0, DAY_S, True), (0, -DAY_S, True)):
            with self.subTest(first_s=first_s, second_s=second_s):
                self.remove(self.cache)
                self.assert_done(self.jumping(command, 1, first_s))
                self.server.clear()
                self.assert_done(self.jumping(command, 1, second_s))
                self.assertEqual(bool(self.server.asked()), asks)

    def test_ages_of_what_is_kept(self):
        """By a clock that is behind nothing is old."""
        self.assert_done(self.build())
        before = sorted(os.listdir(self.cache))
        command = self.command("gc", "--cache", self.cache, "--max-age", "1h")
        for by_s in (-YEARS_S, -DAY_S, 0):
            self.assert_done(self.jumping(command, 1, by_s))
            self.assertEqual(sorted(os.listdir(self.cache)), before, f"{by_s} s")
        self.assert_done(self.jumping(command, 1, YEARS_S))
        self.assertFalse(os.path.exists(self.cache_folder("cache")), "and by one that is ahead it is")


if __name__ == "__main__":
    netkit.main()
