#!/usr/bin/env python3
"""Many on one cache: builders of two releases, some of them killed, Debian's template, and a clean in between. All that
live come to the same root, nobody waits for ever, and the cache stays sound. And signals, which stop a run cleanly."""

import os
import random
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import netkit
from compare import BY_OURSELVES, BY_SHELL, Roots
from faultkit import MUTATING, EverythingTest, FaultTest, sampled
from mirror import a_few, selection
from netkit import ARCH, NetTest
from scan import describe, differences, scan
from template import CONFIG_BEFORE, ORACLE, mirror_variables
from tool import everything_options

RELEASES = ("7.x", "8.x")
# Against waiting for ever, and no measure of speed: the shell template alone takes minutes where others build.
LIMIT_S = 600


class Many(EverythingTest):
    def setUp(self):
        super().setUp()
        self.random = random.Random(os.environ.get("PF_SEED", "1"))
        for release in RELEASES:
            self.assert_done(self.run_program(*self.arguments(release, self.good_root(release))))
        self.remove(self.cache)

    def good_root(self, release):
        return f"{self.folder}/good-{release}"

    def arguments(self, release, root, *more):
        given = list(NetTest.build_arguments(self, *everything_options(selection.FEW_CATEGORIES), *more))
        given[1] = root
        given[given.index("--release") + 1] = release
        return given

    def start_builder(self, number, *more):
        release = RELEASES[number % 2]
        root = f"{self.folder}/root{number}"
        return release, root, self.start(self.command(*self.arguments(release, root, *more)))

    def start_shell_template(self, release, number):
        """Debian's template, which gives up where another holds the lock."""
        where = f"{self.folder}/shell{number}"
        os.makedirs(where)
        with open(f"{where}/config", "w") as stream:
            stream.write(CONFIG_BEFORE)
        with open(f"{where}/wgetrc", "w") as stream:
            stream.write("wait = 0.02\nuse_proxy = off\n")
        command = [ORACLE, f"--path={where}", "--name=c1", f"--rootfs={where}/rootfs", "-r", release, "-a", ARCH]
        variables = {"LXC_CACHE_PATH": self.cache, "WGETRC": f"{where}/wgetrc",
                     **mirror_variables(self.address()), **a_few(release)}
        return self.start(command, variables, start_new_session=True)

    def address(self):
        """As a server of the golden tests names itself."""
        class Address:
            scheme, address = "http", self.server.url.removeprefix("http://")
        return Address

    def assert_good(self, release, root, allowed, what):
        good = self.good_root(release)
        roots = Roots(good, root, self.started_ns)
        bad = [describe(d) for d in differences(scan(good), scan(root))
               if d.field == "presence" or not any(a.holds(d, roots) for a in allowed)]
        self.assertEqual(bad, [], what)

    def end(self, process, deadline):
        return self.wait(process, max(1, deadline - time.monotonic()))

    def crowd(self, round_number, with_shell):
        deadline = time.monotonic() + LIMIT_S
        # As the first it has the lock, later it finds it taken.
        shell_first = with_shell and round_number % 2 == 0
        if shell_first:
            shell = self.start_shell_template("8.x", round_number)
            time.sleep(0.2)
        builders = [self.start_builder(number, "--jobs", self.random.choice(("1", "4"))) for number in range(6)]
        victims = set(self.random.sample(range(6), 2))
        others = []
        time.sleep(self.random.uniform(0, 0.3))
        if with_shell and not shell_first:
            shell = self.start_shell_template("8.x", round_number)
        for number in sorted(victims):
            time.sleep(self.random.uniform(0, 0.4))
            builders[number][2].kill()
        others.append(self.start(self.command("clean", "-r", "8.x", "-a", ARCH, "--cache", self.cache)))
        busy = True
        if with_shell:
            result = self.end(shell, deadline)
            busy = "Cache repository is busy" in result.out + result.err
            self.assertTrue(busy or result.status == 0, str(result))
        for process in others:
            self.assert_done(self.end(process, deadline))
        for number, (release, root, process) in enumerate(builders):
            result = self.end(process, deadline)
            if number in victims and result.status != 0:
                self.assertEqual(result.status, -signal.SIGKILL, str(result))
                # Killed after it had given the root its name, it leaves the whole of it.
                if not os.path.lexists(root):
                    continue
            else:
                self.assert_done(result)
            self.assert_good(release, root, BY_OURSELVES if busy else BY_SHELL, f"round {round_number}: {result}")
        if busy:
            self.assert_sound_cache(f"round {round_number}")
        return busy

    def tidy(self):
        """The killed ones' leftovers are taken away by those that come after them."""
        for number in range(6):
            self.remove(f"{self.folder}/root{number}")
        for number in range(6):
            self.assert_done(self.wait(self.start_builder(number)[2]))
            self.remove(f"{self.folder}/root{number}")
        left = [n for n in os.listdir(self.cache) if "work" in n or "trash" in n or n.startswith("partial")]
        self.assertEqual(left, [])
        self.assertEqual([n for n in os.listdir(self.folder) if n.startswith(".")], [])

    def rounds(self, count, with_shell):
        for number in range(count):
            self.crowd(number, with_shell)
            self.tidy()
            # With what the round before has left, and from nothing.
            if number % 2:
                self.remove(self.cache)

    def test_builders(self):
        self.rounds(20 if netkit.settings.slow else 6, False)

    def test_builders_and_the_shell_template(self):
        if not os.access(ORACLE, os.X_OK):
            self.skipTest(f"needs {ORACLE}")
        self.rounds(8 if netkit.settings.slow else 2, True)

    def test_updates_among_builders(self):
        """Who asks the mirror what has changed excludes the others no longer than it works."""
        deadline = time.monotonic() + LIMIT_S
        builders = [self.start_builder(number, *(["--update"] if number > 2 else [])) for number in range(6)]
        for release, root, process in builders:
            result = self.assert_done(self.end(process, deadline))
            self.assert_good(release, root, BY_OURSELVES, str(result))

    def test_one_root_for_two(self):
        """Two that are given the same folder: one makes it, the other says that it is taken."""
        for number in range(8):
            first = self.start_builder(0)
            time.sleep(self.random.uniform(0, 0.1))
            second = self.start_builder(0)
            results = [self.wait(p[2]) for p in (first, second)]
            what = "\n".join(map(str, results))
            one, other = sorted(result.status for result in results)
            self.assertEqual(one, 0, what)
            self.assertIn(other, (netkit.USAGE, netkit.BUSY), what)
            self.assert_good(first[0], first[1], BY_OURSELVES, "the one")
            self.remove(first[1], *([self.cache] if number % 2 else []))

    def test_stopped_and_continued(self):
        """Waits that a stop of the process breaks off are taken up again."""
        release, root, process = self.start_builder(1)
        while process.poll() is None:
            process.send_signal(signal.SIGSTOP)
            time.sleep(0.002)
            process.send_signal(signal.SIGCONT)
            time.sleep(self.random.uniform(0, 0.01))
        result = self.assert_done(self.wait(process))
        self.assert_good(release, root, BY_OURSELVES, str(result))


class Signals(FaultTest):
    """At each call that changes a file system: a stop is clean, a second signal ends it at once."""

    def setUp(self):
        super().setUp()
        if not netkit.settings.private_mounts:
            self.skipTest("needs mounts of its own")
        self.make_good()
        self.build_command = self.command(*self.build_arguments())

    def stop_each(self, number, most):
        count = self.count_calls(self.build_command, MUTATING)
        stopped = 0
        samples = sampled(count, most)
        for when in samples:
            self.remove(self.root, self.cache)
            injected = self.inject(self.build_command, MUTATING, when, signal=number)
            result = injected.result
            what = f"signal {number} at call {when} of {count}, {injected.hits}\n{result}"
            if result.status == 0:
                self.assert_equal_root(self.root, what)
            else:
                stopped += 1
                self.assertEqual(result.status, 128 + number, what)
                # Before there is anything to stop it ends without a word.
                self.assertLessEqual(len(result.errors), 1, what)
                self.assertFalse(os.path.lexists(self.root), what)
            self.assert_whole_or_absent(what)
            self.assertEqual(self.leftovers(), [], what)
            finished = self.finished_downloads()
            self.remove(self.root)
            self.server.clear()
            self.assert_done(self.build())
            self.assertFalse([r for r in self.server.asked() if r.sent and r.path.rsplit("/", 1)[-1] in finished], what)
            self.assert_equal_root(self.root, what)
            self.assert_no_leftovers(what)
        self.assertGreater(stopped, len(samples) // 2)

    def test_sigint(self):
        self.stop_each(signal.SIGINT, 60)

    def test_sigterm(self):
        self.stop_each(signal.SIGTERM, 60)

    def test_second_signal_at_once(self):
        """What hangs, here a script, cannot keep it."""
        self.put(netkit.package("zzz-1-x86_64-P1", [], script="echo > running\nsleep 30\n"))
        for number in (signal.SIGINT, signal.SIGTERM):
            self.remove(self.root, self.cache)
            process = self.start(self.build_command, start_new_session=True)
            work = f"{self.cache}/.plamo-fast-work-8.x-x86_64/root/running"
            self.eventually(lambda: os.path.exists(work), "the script runs")
            began = time.monotonic()
            process.send_signal(number)
            process.send_signal(number)
            result = self.wait(process)
            self.assertEqual(result.status, 128 + number, str(result))
            self.assertLess(time.monotonic() - began, 1, str(result))
            self.assert_whole_or_absent(str(result))
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        os.unlink(f"{self.mirror}{netkit.BASE}/zzz-1-x86_64-P1.tgz")
        self.remove(self.root)
        self.assert_done(self.build())
        self.assert_equal_root(self.root, "after the second signal")
        self.assert_no_leftovers("after the second signal")


if __name__ == "__main__":
    netkit.main()
