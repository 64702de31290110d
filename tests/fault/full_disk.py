#!/usr/bin/env python3
"""A full file system, of bytes or of inodes: status 7, one line that names it, its space given back but for what has
been downloaded, and a cache that goes on where it was as soon as there is room."""

import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import netkit
from faultkit import FaultTest
from netkit import NO_SPACE, noise, package
from skip import need_programs
from tarball import file

MIB = 1 << 20
FILES = 300


class Disk(FaultTest):
    """Packages of some 4 MiB in all, and one of many small files."""

    def setUp(self):
        super().setUp()
        if not netkit.settings.private_mounts:
            self.skipTest("needs mounts of its own")
        for number in range(3):
            self.put(package(f"big{number}-1-x86_64-P1", [file(f"usr/lib/big{number}", noise(MIB, number))]))
        self.put(package("many-1-x86_64-P1", [file(f"usr/share/many/{n}", b"%d\n" % n) for n in range(FILES)]))
        self.disk = f"{self.folder}/disk"
        os.mkdir(self.disk)
        # Its path is part of the records in a root.
        self.cache = f"{self.disk}/cache"
        self.make_good()

    def mount(self, source, *options):
        subprocess.run(["mount", *options, source, self.disk], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", self.disk], stderr=subprocess.DEVNULL)

    def unmount(self):
        subprocess.run(["umount", self.disk], check=True)

    def image(self, size, inodes=1500):
        """A new ext4 of so many bytes, mounted. Without a journal a small one has room for files at all."""
        path = f"{self.folder}/image"
        self.remove(path)
        with open(path, "wb") as stream:
            stream.truncate(size)
        subprocess.run(["mkfs.ext4", "-q", "-F", "-O", "^has_journal", "-m", "0", "-b", "1024",
                        "-I", "256", "-N", str(inodes), path], check=True)
        self.mount(path, "-o", "loop")

    def enlarge(self, size):
        path = f"{self.folder}/image"
        self.unmount()
        with open(path, "r+b") as stream:
            stream.truncate(size)
        subprocess.run(["e2fsck", "-fy", path], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        subprocess.run(["resize2fs", path], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.mount(path, "-o", "loop")

    def used(self):
        """Bytes and inodes that are taken, once what was removed is given back."""
        os.sync()
        room = os.statvfs(self.disk)
        return (room.f_blocks - room.f_bfree) * room.f_frsize, room.f_files - room.f_ffree

    def taken_since(self, before, kept):
        """What is taken now and was not before. The kernel gives back what a sandbox had mounted a moment after its end."""
        for _ in range(50):
            taken = [after - first for after, first in zip(self.used(), before)]
            if taken[1] <= kept[1]:
                break
            time.sleep(0.1)
        return taken

    def kept(self):
        """What finished downloads, and those that were begun, take: bytes and inodes of the folders they are in."""
        total = entries = 0
        for where, _, files in os.walk(self.cache):
            for name in [".", *files]:
                total += os.lstat(os.path.join(where, name)).st_blocks * 512
                entries += 1
        return total, entries

    def assert_full(self, what, result, named):
        self.assertEqual(result.status, NO_SPACE, f"{what}\n{result}")
        self.assertEqual(len(result.errors), 1, f"{what}\n{result}")
        self.assertIn("full", result.errors[0], what)
        self.assertIn(named, result.errors[0], what)

    def try_cache(self, what):
        """One build with its cache on the disk. True where there was room for it."""
        self.remove(self.root)
        before = self.used()
        result = self.build("--jobs", "2")
        if result.status == 0:
            self.assert_equal_root(self.root, what)
            self.remove(self.root)
            return True
        self.assert_full(what, result, self.cache)
        self.assertFalse(os.path.lexists(self.root), what)
        left = {n.split("-")[0] for n in os.listdir(self.cache)} if os.path.isdir(self.cache) else set()
        self.assertLessEqual(left, {"partial", "cache", ".plamo"}, what)
        self.assertFalse([n for n in os.listdir(self.cache) if "work" in n or "trash" in n], what)
        kept = self.kept() if os.path.isdir(self.cache) else (0, 0)
        taken = self.taken_since(before, kept)
        # A folder's own blocks, which a file system may keep.
        self.assertLessEqual(taken[0], kept[0] + 64 * 1024, f"{what}: bytes that are not given back\n{result}")
        self.assertLessEqual(taken[1], kept[1], f"{what}: inodes that are not given back\n{result}")
        return False

    def goes_on(self, what):
        """There is room now: what had been downloaded is not fetched again."""
        finished = self.finished_downloads()
        self.server.clear()
        result = self.build()
        self.assertEqual(result.status, 0, f"{what}: with room\n{result}")
        again = [r.path for r in self.server.asked() if r.sent and r.path.rsplit("/", 1)[-1] in finished]
        self.assertEqual(again, [], f"{what}: fetched again\n{result}")
        self.assert_equal_root(self.root, what)
        self.assert_no_leftovers(what)
        self.remove(self.root)

    def grow(self, sizes, mount, enlarge):
        full = 0
        for size in sizes:
            what = f"a disk of {size >> 10} KiB"
            with self.subTest(what):
                mount(size)
                try:
                    if not self.try_cache(what):
                        full += 1
                        enlarge(32 * MIB)
                        self.goes_on(what)
                finally:
                    self.unmount()
        self.assertGreater(full, 4, "too few of the disks were full")

    def test_cache_on_a_small_disk(self):
        need_programs("mkfs.ext4", "resize2fs", "e2fsck")
        sizes = [*range(600 << 10, 9 * MIB, (MIB >> 3) * (1 if netkit.settings.slow else 5))]
        self.grow(sizes, self.image, self.enlarge)

    def test_cache_on_a_small_tmpfs(self):
        def mount(size):
            self.mount("none", "-t", "tmpfs", "-o", f"size={size}")

        def enlarge(size):
            subprocess.run(["mount", "-o", f"remount,size={size}", self.disk], check=True)

        self.grow(range(64 << 10, 9 * MIB, (MIB >> 3) * (1 if netkit.settings.slow else 4)), mount, enlarge)

    def test_cache_without_inodes(self):
        full = 0
        for inodes in (16, 24, 32, 48, 64, 100, 200, 350, 420):
            what = f"{inodes} inodes"
            with self.subTest(what):
                self.mount("none", "-t", "tmpfs", "-o", f"size=32m,nr_inodes={inodes}")
                try:
                    if not self.try_cache(what):
                        full += 1
                        subprocess.run(["mount", "-o", "remount,nr_inodes=2000", self.disk], check=True)
                        self.goes_on(what)
                finally:
                    self.unmount()
        self.assertGreater(full, 4)

    def test_cache_on_ext4_without_inodes(self):
        need_programs("mkfs.ext4")
        for inodes in (32, 48, 96, 200):
            what = f"ext4 with {inodes} inodes"
            with self.subTest(what):
                self.image(16 * MIB, inodes)
                try:
                    self.assertFalse(self.try_cache(what), what)
                finally:
                    self.unmount()

    def elsewhere(self):
        """The cache is not on the disk, and full."""
        self.cache = f"{self.folder}/cache"
        self.remove(self.good)
        self.make_good()
        self.assert_done(self.build())
        self.remove(self.root)

    def try_target(self, what):
        self.assertEqual(os.listdir(self.disk), [], what)
        before = self.used()
        self.root = f"{self.disk}/root"
        result = self.build()
        if result.status == 0:
            self.assert_equal_root(self.root, what)
            return True
        self.assert_full(what, result, self.root)
        self.assertEqual(os.listdir(self.disk), [], f"{what}\n{result}")
        self.assertLessEqual(self.used()[0], before[0] + 16 * 1024, what)
        found = sorted(n.split("-")[0] for n in os.listdir(self.cache) if not n.endswith(".lock"))
        self.assertEqual(found, ["cache", "rootfs"], what)
        return False

    def test_target_on_a_small_disk(self):
        """The cache is elsewhere and stays good; also where the disk itself is the folder of the root."""
        self.elsewhere()
        full = 0
        for options in ([f"size={size}"] for size in range(32 << 10, 5 * MIB, 400 << 10)):
            full += self.one_target(options)
        for inodes in (5, 20, 60, 300, 340):
            full += self.one_target(["size=16m", f"nr_inodes={inodes}"])
        self.assertGreater(full, 9)

    def one_target(self, options):
        what = f"the root on a tmpfs with {options}"
        with self.subTest(what):
            self.mount("none", "-t", "tmpfs", "-o", ",".join(options))
            try:
                return not self.try_target(what)
            finally:
                self.unmount()

    def test_target_is_a_small_disk(self):
        self.elsewhere()
        self.root = self.disk
        for size in (32 << 10, 512 << 10, 2 * MIB):
            what = f"the root is a tmpfs of {size} bytes"
            with self.subTest(what):
                self.mount("none", "-t", "tmpfs", "-o", f"size={size}")
                try:
                    self.assert_full(what, self.build(), self.root)
                    self.assertEqual(os.listdir(self.disk), [], what)
                finally:
                    self.unmount()


if __name__ == "__main__":
    netkit.main()
