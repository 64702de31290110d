#!/usr/bin/env python3
"""--update is ended by a signal: the cache serves as before, or as new, and the next one finishes."""

import io
import os
import random
import shutil
import signal
import sys
import tarfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import netkit
from faulty_server import Fault
from netkit import ARCH, BASE, RELEASE, noise_package, package
from tarball import file
from update import LATER, UpdateTest


class Interrupted(UpdateTest):
    """A signal at some moment: then a plain build works without any mirror, and the next update finishes."""

    def setUp(self):
        super().setUp()
        self.put(noise_package("bbb", 25_000, seed=7), moment=LATER)

    def contents(self, cached):
        """What the file of a noise package is by its archive in the cache."""
        archive = tarfile.open(fileobj=io.BytesIO(self.read(self.cache_folder("cache"), cached)))
        name = cached.split("-")[0]
        return name, archive.extractfile(f"usr/share/{name}").read()

    def assert_consistent(self):
        """The cached root is of the packages that lie beside it, all of them."""
        wanted = dict(self.contents(n) for n in self.cached())
        root = self.cache_folder("rootfs")
        self.assertEqual(sorted(os.listdir(root + "/var/log/packages")), sorted(wanted))
        for name, data in wanted.items():
            self.assertEqual(self.read(root, "usr/share", name), data, f"{name} is of another state than the packages")
        recorded = {line.split()[-1] for name in wanted for line in
                    self.read(root, "var/log/packages", name).decode().splitlines() if line.startswith("PACKAGE NAME:")}
        self.assertEqual(recorded, {n.removesuffix(".tgz") for n in self.cached()})

    def assert_works_without_a_mirror(self):
        url, self.url = self.url, "http://mirror.invalid/"
        result = self.assert_done(self.build())
        self.url = url
        self.assertEqual(result.summary["requests"], 0, str(result))
        self.assert_consistent()
        self.another_root()

    def finish(self):
        self.server.release()
        self.server.clear()
        self.assert_done(self.update())
        self.assert_consistent()
        self.assert_no_leftover()

    def check(self, number, ready, what):
        process = self.start_build("--update")
        self.eventually(ready, what)
        process.send_signal(number)
        result = self.wait(process, 10)
        if number == signal.SIGINT:
            self.assertEqual((result.status, len(result.errors)), (130, 1), str(result))
        self.server.release()
        self.assertFalse(os.path.lexists(self.root))
        self.assert_works_without_a_mirror()
        self.finish()
        self.assert_installed(*self.paths)

    def test_while_the_index_comes(self):
        for number in (signal.SIGINT, signal.SIGKILL):
            with self.subTest(number):
                self.server.add(f"{BASE}/", Fault(stall=10))
                self.check(number, self.server.stalled.is_set, "the index stalls")
                self.another_root()
                self.put(noise_package("bbb", 25_000, seed=number), moment=LATER + number)

    def test_while_downloading(self):
        for number in (signal.SIGINT, signal.SIGKILL):
            with self.subTest(number):
                self.server.add(self.paths[1], Fault(stall=9_000))
                part = self.partial("bbb-1-x86_64-P1.tgz.part")
                self.check(number, lambda: self.size(part) >= 9_000, "a part of bbb")
                self.another_root()
                self.put(noise_package("bbb", 25_000, seed=number), moment=LATER + number)

    def test_while_installing(self):
        slow = package("slow-1-x86_64-P1", [file("usr/share/slow", b"")], script="echo > script-runs\nsleep 1.5\n")
        note = os.path.join(self.cache, f".plamo-fast-work-{RELEASE}-{ARCH}", "root", "script-runs")
        for number in (signal.SIGINT, signal.SIGKILL):
            with self.subTest(number):
                path = self.put(slow)
                process = self.start_build("--update")
                self.eventually(lambda: os.path.exists(note), "the script runs")
                process.send_signal(number)
                self.wait(process, 10)
                self.assert_works_without_a_mirror()
                os.unlink(self.mirror + path)
                self.finish()
                self.another_root()
                self.put(noise_package("bbb", 25_000, seed=number), moment=LATER + number)

    def kill_with_bbb_finished(self):
        """bbb of state A has come, the next one has not, and then the mirror has bbb of state B."""
        slow = self.put(noise_package("zzz", 25_000))
        self.server.add(slow, Fault(stall=9_000))
        process = self.start_build("--update")
        self.eventually(lambda: self.size(self.partial("zzz-1-x86_64-P1.tgz.part")) >= 9_000, "a part of zzz")
        self.eventually(lambda: os.path.exists(self.partial("bbb-1-x86_64-P1.tgz")), "bbb")
        time.sleep(0.3)
        process.kill()
        self.wait(process)
        self.server.release()
        self.server.clear()
        self.put(noise_package("bbb", 26_000, seed=8), moment=LATER + 100)
        return [*self.paths, slow]

    def test_killed_and_changed_again(self):
        """What an interrupted update fetched may be old when the next one asks: the result is the mirror's now."""
        paths = self.kill_with_bbb_finished()
        self.assert_done(self.update())
        self.assert_installed(*paths)

    def test_killed_and_changed_again_and_updated_twice(self):
        """If one update is content with it, at least the next one is not."""
        paths = self.kill_with_bbb_finished()
        self.assert_done(self.update())
        self.another_root()
        self.assert_done(self.update())
        self.assert_installed(*paths)

    def test_killed_while_what_is_finished_is_fetched_again(self):
        """A finished download of one update is out of date for the next one, which is killed, too, when a part of its
        successor, as long as itself, has come. Nobody takes the one for the other."""
        paths = self.kill_with_bbb_finished()
        packages = (noise_package("bbb", 25_000, seed) for seed in range(100, 200))
        length = self.size(self.partial("bbb-1-x86_64-P1.tgz"))
        path = self.put(next(p for p in packages if len(p[1]) == length), moment=LATER + 200)
        self.server.add(path, Fault(stall=9_000))
        process = self.start_build("--update")
        self.eventually(lambda: self.size(self.partial("bbb-1-x86_64-P1.tgz.part")) >= 9_000, "a part of bbb")
        process.kill()
        self.wait(process)
        self.server.release()
        self.server.clear()
        self.assert_done(self.update())
        self.assert_installed(*paths)

    def test_killed_at_any_time(self):
        """Twenty times, each at a moment of its own in the length of an update."""
        chance = random.Random(3)
        self.put(noise_package("bbb", 26_000, seed=6), moment=LATER + 1)
        length_s = self.assert_done(self.update()).seconds
        for i in range(20):
            self.another_root()
            for name in chance.sample(("aaa", "bbb", "ccc"), 2):
                self.put(noise_package(name, 20_000, seed=1000 + i), moment=LATER + 10 + i)
            if i % 3 == 0:
                for old in [n for n in os.listdir(self.mirror + BASE) if n.startswith("ddd")]:
                    os.unlink(f"{self.mirror}{BASE}/{old}")
                self.put(noise_package("ddd", 5_000, version=str(i)))
            process = self.start_build("--update")
            # The root is made and exchanged near the end: most kills fall there.
            time.sleep(chance.uniform(0.15, 1.05) * length_s)
            process.kill()
            self.wait(process)
            with self.subTest(i):
                if os.path.lexists(self.root):
                    shutil.rmtree(self.root)
                self.assert_works_without_a_mirror()
        # The state of the mirror stays now: whatever the killed ones have left, two updates reach it.
        self.finish()
        self.another_root()
        self.assert_done(self.update())
        self.assert_like_a_cold_build(tags=False)


if __name__ == "__main__":
    netkit.main()
