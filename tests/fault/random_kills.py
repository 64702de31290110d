#!/usr/bin/env python3
"""kill -9 of the whole process group at random times of a larger build, until it is done: what comes out is what a
build that nobody kills makes. 100 kills by default, 300 with --slow; with one worker and with four."""

import os
import random
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import netkit
from faultkit import EverythingTest
from netkit import ARCH, RELEASE
from skip import need_programs
from template import ORACLE, create


class Kills(EverythingTest):
    def setUp(self):
        super().setUp()
        self.random = random.Random(os.environ.get("PF_SEED", "1"))

    def start_group(self, *more):
        with open(f"{self.folder}/log", "wb") as log:
            return subprocess.Popen(self.command(*self.build_arguments(*more)), env=netkit.clean_environment(),
                                    stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def kill_after(self, seconds, *more):
        """True where the build was still running then."""
        process = self.start_group(*more)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            pass
        running = process.poll() is None
        if running:
            os.killpg(process.pid, signal.SIGKILL)
        status = process.wait()
        self.assertIn(status, (0, -signal.SIGKILL), self.read(self.folder, "log").decode(errors="replace"))
        return running

    def kill_many(self, kills, jobs):
        self.make_good()
        started = time.monotonic()
        self.assert_done(self.build("--jobs", jobs))
        whole_s = time.monotonic() - started
        self.remove(self.root, self.cache)
        done = killed = 0
        finished = set()
        while killed < kills:
            # Where much is done already the rest is short: what is killed then is the copying.
            longest_s = whole_s * self.random.choice((0.1, 0.4, 1))
            running = self.kill_after(self.random.uniform(0, longest_s), "--jobs", jobs)
            killed += running
            done += not running
            self.assert_whole_or_absent(f"kill {killed}")
            now = self.finished_downloads()
            self.assertLessEqual(finished, now, f"kill {killed}: downloads that had finished are gone")
            finished = now
            # Killed, and yet all of it was there: nothing is left to be done.
            self.remove(self.root)
            if not running or killed % 12 == 0:
                finished = set()
                self.finish(jobs, killed)
        self.finish(jobs, killed)
        print(f"    {killed} kills, {done} builds that were quicker, one takes {whole_s:.2f} s", flush=True)

    def finish(self, jobs, killed):
        """Brought to its end, and begun anew."""
        self.remove(self.root)
        self.server.clear()
        before = self.finished_downloads()
        result = self.build("--jobs", jobs)
        self.assertEqual(result.status, 0, f"after {killed} kills\n{result}")
        # Lists of checksums are read with the listings, each time.
        before = {name for name in before if not name.endswith((".md5", ".sha256"))}
        again = [r.path for r in self.server.asked() if r.sent and r.path.rsplit("/", 1)[-1] in before]
        self.assertEqual(again, [], f"after {killed} kills: fetched again")
        self.assert_equal_root(self.root, f"after {killed} kills")
        self.assert_equal_root(self.cache_folder("rootfs"), f"after {killed} kills")
        self.assert_no_leftovers(f"after {killed} kills")
        self.remove(self.root, self.cache)

    def test_one_worker(self):
        self.kill_many(150 if netkit.settings.slow else 35, "1")

    def test_four_workers(self):
        self.kill_many(150 if netkit.settings.slow else 35, "4")

    def test_shell_template_on_the_cache_afterwards(self):
        """What kills have left is nothing that Debian's template stumbles over."""
        need_programs("wget", "ed")
        if not os.access(ORACLE, os.X_OK):
            self.skipTest(f"needs {ORACLE}")
        for seconds in (0.05, 0.15, 0.3):
            self.kill_after(seconds)
            self.remove(self.root)
        self.assert_done(self.build())
        self.remove(self.cache_folder("rootfs"))
        # The release 8.x installs by pkgtools of the mirror, which are in what "everything" names.
        container = create(ORACLE, f"{self.folder}/c1", self.cache, RELEASE, arch=ARCH)
        self.assertEqual(container.status, 0, container.log)
        self.assertTrue(os.path.isdir(f"{container.rootfs}/var/log/packages"), container.log)
        names = [sorted(os.listdir(f"{root}/var/log/packages")) for root in (container.rootfs, self.root)]
        self.assertEqual(*names, container.log)


if __name__ == "__main__":
    netkit.main()
