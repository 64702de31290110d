#!/usr/bin/env python3
"""Memory runs out: no crash, one clear line or the whole result, nothing half-built. The allocations of libcurl,
libarchive and the C library count as well. A sample by default, each in turn with --slow.

Without the sandbox: libseccomp 2.5 itself ends by SIGSEGV where an allocation fails while it writes a filter."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import netkit
from faultkit import FaultTest, sampled, tool
from netkit import ARCH, FAILED, RELEASE

LIBARCHIVE_GIVES_UP = "Fatal Internal Error in libarchive"


class Allocation(FaultTest):
    def setUp(self):
        super().setUp()
        if not netkit.settings.private_mounts:
            self.skipTest("needs mounts of its own")
        if not os.path.exists(tool("fail_malloc.so")):
            self.skipTest("the sanitizers have allocators of their own")
        self.make_good()
        self.count_file = f"{self.folder}/count"

    def run_failing(self, command, at):
        return self.wait(self.start(command, {"LD_PRELOAD": tool("fail_malloc.so"), "FAIL_MALLOC_AT": str(at),
                                              "FAIL_MALLOC_REPORT": self.count_file}))

    def count(self, command):
        self.assert_done(self.run_failing(command, 1 << 40))
        return int(self.read(self.count_file))

    def check(self, at, result):
        what = f"allocation {at}\n{result}"
        if LIBARCHIVE_GIVES_UP in result.err:
            # The library ends the process then and there: as if it had been killed, but with a word and a status.
            self.assertEqual(result.status, FAILED, what)
            self.assert_whole_or_absent(what)
            return 1
        if result.status == 0:
            self.assert_equal_root(self.root, what)
            self.assert_equal_root(self.cache_folder("rootfs"), what)
            return 0
        self.assertIn(result.status, range(1, 8), what)
        self.assertEqual(len(result.errors), 1, f"one error line is wanted: {what}")
        self.assert_whole_or_absent(what)
        self.assertEqual(self.leftovers(), [], what)
        return 1

    def next_run(self, at, *more):
        self.remove(self.root)
        again = self.build(*more)
        self.assertEqual(again.status, 0, f"the run after the failure of allocation {at}\n{again}")
        self.assert_equal_root(self.root, f"after allocation {at}")
        self.assert_no_leftovers(f"after allocation {at}")

    def fail_each(self, command, begin, most, suffix="", again=()):
        begin()
        count = self.count(command)
        failed = 0
        for number, at in enumerate(sampled(count, most)):
            begin()
            with self.subTest(allocation=f"{at}{suffix}"):
                bad = self.check(f"{at}{suffix}", self.run_failing(command, f"{at}{suffix}"))
                failed += bad
                # The others leave nothing else behind than these.
                if bad and (number % 4 == 0 or netkit.settings.slow or suffix):
                    self.next_run(at, *again)
        print(f"    {failed} failures of {count} allocations", flush=True)
        return failed

    def fresh(self):
        self.remove(self.root, self.cache)

    def test_build(self):
        self.assertGreater(self.fail_each(self.command(*self.build_arguments("--no-sandbox")), self.fresh, 400), 20)

    def test_no_memory_from_there_on(self):
        self.fail_each(self.command(*self.build_arguments("--no-sandbox")), self.fresh, 60, "+")

    def test_json_lines(self):
        """A program that reads the lines is told why the run failed, too."""
        command = self.command(*self.build_arguments("--no-sandbox", "--progress=json"))
        self.fresh()
        failed = 0
        for at in sampled(self.count(command), 20):
            self.fresh()
            result = self.run_failing(command, f"{at}+")
            if result.status == 0 or LIBARCHIVE_GIVES_UP in result.err:
                continue
            failed += 1
            if not result.err.startswith("{"):
                # The option has not been read yet.
                self.assertEqual(len(result.errors), 1, f"allocation {at}+\n{result}")
                continue
            events = [json.loads(line)["event"] for line in result.err.splitlines()]
            self.assertEqual(events.count("error"), 1, f"allocation {at}+\n{result}")
        self.assertGreater(failed, 5)

    def test_update(self):
        self.assert_done(self.build())
        self.copy(self.cache, f"{self.folder}/full")

        def begin():
            self.remove(self.root)
            self.copy(f"{self.folder}/full", self.cache)

        self.fail_each(self.command(*self.build_arguments("--no-sandbox", "--update")), begin, 120, again=["--update"])

    def test_other_commands(self):
        """They change nothing; what counts is that they end as documented."""
        self.assert_done(self.build())
        for arguments in (("plan", "-r", RELEASE, "-a", ARCH, "--mirror", self.url), ("--help",), ("build",),
                          ("clean", "-r", "7.x", "-a", ARCH, "--cache", self.cache)):
            command = self.command(*arguments)
            self.run_failing(command, 1 << 40)
            for at in sampled(int(self.read(self.count_file)), 40):
                with self.subTest(arguments[0], allocation=at):
                    result = self.run_failing(command, at)
                    self.assertIn(result.status, range(0, 8), str(result))
                    self.assertEqual(len(result.errors), 1 if result.status else 0, str(result))


if __name__ == "__main__":
    netkit.main()
