#!/usr/bin/env python3
"""A cache that came with a container's image: its directories lie in the lower layer of an overlay, and cannot be renamed."""

import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import netkit
from faulty_server import Fault
from filesystems import mounted
from netkit import NetTest, noise_package, settings

NAME = "zzz-1-x86_64-P1.tgz"


class LowerLayer(NetTest):
    """What a test has in its cache until `freeze` is in the lower layer from then on."""

    def setUp(self):
        super().setUp()
        if not settings.private_mounts:
            self.skipTest("needs mounts of its own")
        # What this directory is on may be an overlay itself.
        self.layers = self.enterContext(mounted("tmpfs", self.folder))
        self.cache = os.path.join(self.layers, "lower")
        self.paths = self.put_some("aaa", "bbb", "ccc")
        self.roots = 0

    def freeze(self):
        upper, work, point = (os.path.join(self.layers, name) for name in ("upper", "work", "cache"))
        for folder in (upper, work, point):
            os.mkdir(folder)
        options = f"lowerdir={self.cache},upperdir={upper},workdir={work}"
        if subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, point], stderr=subprocess.DEVNULL).returncode:
            self.skipTest("this machine has no overlays")
        self.addCleanup(subprocess.run, ["umount", "-l", point], check=False)
        self.cache = point
        self.server.clear()

    def build_another(self, *more):
        self.roots += 1
        self.root = os.path.join(self.folder, f"root{self.roots}")
        return self.assert_done(self.build(*more))

    def assert_sound(self, *packages):
        """What is cached is what the mirror has, in the order of the manifest and of `ls -cr`, and nothing else is there."""
        folder = self.cache_folder("cache")
        names = [name for name in os.listdir(folder) if not name.startswith(".")]
        order = sorted(names, key=lambda name: os.stat(os.path.join(folder, name)).st_ctime_ns)
        self.assertEqual(order, list(packages))
        for name in names:
            self.assertEqual(self.read(folder, name), self.read(f"{self.mirror}{netkit.BASE}", name))
        wanted = {os.path.basename(self.cache_folder(kind)) for kind in ("cache", "rootfs")}
        self.assertEqual({n for n in os.listdir(self.cache) if not n.endswith(".lock")}, wanted)
        records = os.listdir(os.path.join(self.root, "var/log/packages"))
        self.assertEqual(sorted(records), sorted(name.split("-")[0] for name in packages))

    def names(self, *stems):
        return [f"{stem}-1-x86_64-P1.tgz" for stem in stems]

    def test_update(self):
        self.build_another()
        self.freeze()
        for seed in (7, 8):
            self.put(noise_package("bbb", 9000, seed=seed), moment=1_600_000_000 + seed)
            self.build_another("--update")
            self.assert_sound(*self.names("aaa", "bbb", "ccc"))
            self.assertEqual(self.read(self.root, "usr/share/bbb"), netkit.noise(9000, seed))

    def test_kept(self):
        """An update that keeps the old packages moves them."""
        self.build_another()
        old = self.read(self.cache_folder("cache"), "bbb-1-x86_64-P1.tgz")
        self.freeze()
        self.put(noise_package("bbb", 9000, seed=7), moment=1_600_000_000)
        config = os.path.join(self.folder, "plamo-fast.conf")
        with open(config, "w") as stream:
            stream.write(f"[web]\nrelease = {netkit.RELEASE}\narch = {netkit.ARCH}\nmirror = {self.url}\ncache = {self.cache}\n")
        self.assert_done(self.run_program("warm", "--config", config, "--update", "--keep", "1"))
        [kept] = [name for name in os.listdir(self.cache) if name.startswith("kept-")]
        self.assertEqual(self.read(self.cache, kept, "bbb-1-x86_64-P1.tgz"), old)
        self.build_another()

    def test_clean(self):
        self.build_another()
        self.freeze()
        self.assert_done(self.run_program("clean", "--release", netkit.RELEASE, "--arch", netkit.ARCH, "--cache", self.cache))
        self.assertEqual([name for name in os.listdir(self.cache) if not name.endswith(".lock")], [])
        self.build_another()
        self.assert_sound(*self.names("aaa", "bbb", "ccc"))

    def test_packages_without_a_root(self):
        self.build_another()
        shutil.rmtree(self.cache_folder("rootfs"))
        self.freeze()
        self.build_another()
        self.assert_sound(*self.names("aaa", "bbb", "ccc"))

    def test_broken_off(self):
        """A partial folder: what it has is not sent again."""
        path = self.put(noise_package("zzz", 400_000))
        self.server.add(path, Fault(stall=150_000))
        process = self.start_build()
        self.eventually(lambda: self.size(self.partial(NAME + ".part")) >= 150_000, "150000 bytes of zzz")
        process.kill()
        self.wait(process)
        self.server.release()
        self.freeze()
        self.build_another()
        self.assert_sound(*self.names("aaa", "bbb", "ccc", "zzz"))
        self.assertEqual([r.range_start for r in self.server.asked(NAME)], [150_000])

    def test_killed_in_the_middle(self):
        """Half a directory is taken for none."""
        self.build_another()
        self.freeze()
        for kind in ("rootfs", "cache"):
            folder = self.cache_folder(kind)
            with open(os.path.join(self.cache, f".plamo-fast-going.{os.path.basename(folder)}"), "w"):
                pass
            victim = os.path.join(folder, "usr/share/aaa" if kind == "rootfs" else "aaa-1-x86_64-P1.tgz")
            os.unlink(victim)
        self.build_another()
        self.assert_sound(*self.names("aaa", "bbb", "ccc"))
        self.assertTrue(os.path.exists(os.path.join(self.root, "usr/share/aaa")))


if __name__ == "__main__":
    netkit.main()
