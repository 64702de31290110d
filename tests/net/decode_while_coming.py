#!/usr/bin/env python3
"""A large package is begun while it comes, and believed only when it is whole: whatever happens to it on the way, the
root is that of the file that the mirror has."""

import glob
import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import netkit
from faulty_server import Fault
from netkit import BASE, PACKAGE, NetTest, noise_package

NAME = "zzz-1-x86_64-P1.tgz"
SIZE = 4_000_000
BREAK = 2_500_000


class DecodeWhileComing(NetTest):
    def setUp(self):
        super().setUp()
        self.put_some("aaa", "bbb")
        self.name, self.data = noise_package("zzz", SIZE)
        self.path = self.put((self.name, self.data))
        self.part = self.partial(NAME + ".part")

    def requests(self):
        return self.server.asked(NAME)

    def unpacked_bytes(self):
        """Of zzz, in the folder where it is staged."""
        return max(map(self.size, glob.glob(f"{self.cache}/.plamo-fast-work-*/stage/*/usr/share/zzz")), default=0)

    def start_until_stalled(self, fault, *more):
        """A run that has unpacked of zzz whatever can be had of the first BREAK bytes."""
        self.server.add(self.path, fault)
        process = self.start_build(*more)
        self.eventually(lambda: self.unpacked_bytes() > BREAK // 2, "half of that")
        self.assertEqual(self.size(self.partial(NAME)), -1, "it is not whole yet")
        return process

    def assert_built(self, result):
        self.assert_done(result)
        self.assert_installed(*[os.path.join(BASE, n) for n in sorted(os.listdir(self.mirror + BASE))])
        record = self.read(self.root, "var/log/packages/zzz").decode()
        self.assertIn(f"{len(self.server.contents.get(self.path, self.data)) // 1024} K", record)

    def test_begun_early(self):
        for jobs in ("2", "3"):
            with self.subTest(jobs):
                process = self.start_until_stalled(Fault(stall=BREAK), "--jobs", jobs)
                self.server.release()
                self.assert_built(self.wait(process))
                self.assertEqual([r.range_start for r in self.requests()][-2:], [None, BREAK])
                shutil.rmtree(self.root)
                shutil.rmtree(self.cache)

    def test_others_are_not_held_up(self):
        """A worker that follows runs what becomes whole meanwhile: those before it are installed while it stalls."""
        self.put_some(*(f"p{i:02}" for i in range(20)))
        process = self.start_until_stalled(Fault(stall=BREAK), "--jobs", "2")
        record = f"{self.cache}/.plamo-fast-work-*/root/var/log/packages/p19"
        self.eventually(lambda: glob.glob(record), "all before it are installed")
        self.server.release()
        self.assert_built(self.wait(process))

    def test_changed_on_the_way(self):
        """What was unpacked of the old one is thrown away."""
        _, new = noise_package("zzz", SIZE - 500_000, seed=2)
        process = self.start_until_stalled(Fault(stall=BREAK))
        self.server.add(self.path, Fault(content=new))
        self.server.release()
        self.assert_built(self.wait(process))

    def test_changed_to_something_short(self):
        _, new = noise_package("zzz", 300_000, seed=2)
        process = self.start_until_stalled(Fault(stall=BREAK))
        self.server.add(self.path, Fault(content=new))
        self.server.release()
        self.assert_built(self.wait(process))

    def test_damaged(self):
        """Damage is one of the whole file: it goes, and the next run fetches all of it."""
        damaged = bytearray(self.data)
        damaged[1_200_000:1_200_100] = bytes(100)
        self.server.add(self.path, Fault(content=bytes(damaged)))
        self.assert_failed(self.build(), PACKAGE, "zzz-1-x86_64-P1")
        self.assertEqual((self.size(self.part), self.size(self.partial(NAME))), (-1, -1))
        self.server.clear()
        del self.server.contents[self.path]
        self.assert_built(self.build())
        self.assertEqual([r.range_start for r in self.requests()], [None])

    def test_cut_for_good(self):
        """Nothing more comes: what came stays for the next run, and nothing half-built."""
        self.server.add(self.path, Fault(cut=BREAK), Fault(status=404, repeat=True))
        self.assert_failed(self.build(), netkit.MIRROR, NAME)
        self.assertEqual(self.size(self.part), BREAK)
        self.server.clear()
        self.assert_built(self.build())
        self.assertEqual([r.range_start for r in self.requests()], [BREAK])

    def test_killed(self):
        process = self.start_until_stalled(Fault(stall=BREAK))
        process.kill()
        self.wait(process)
        self.server.release()
        self.server.clear()
        self.assert_built(self.build())
        self.assertEqual([r.range_start for r in self.requests()], [BREAK])

    def test_many_with_all_kinds_of_faults(self):
        paths = [self.put(noise_package(f"q{i}", 1_500_000 + 200_000 * i, seed=i)) for i in range(8)]
        kinds = (Fault(cut=1_300_000), Fault(reset=1_100_000), Fault(close=True), Fault(no_length=True),
                 Fault(drip=(100_000, 0.01)), Fault(cut=1_400_000, headers={"ETag": '"another"'}))
        for i, path in enumerate(paths):
            self.server.add(path, kinds[i % len(kinds)], kinds[(3 * i + 1) % len(kinds)])
        self.assert_built(self.build("--jobs", "3", "--connections", "6"))


if __name__ == "__main__":
    netkit.main()
