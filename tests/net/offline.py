#!/usr/bin/env python3
"""--offline builds of what the cache has, says what is missing, and never makes a socket for the network."""

import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import netkit
from netkit import ARCH, MIRROR, PACKAGE, RELEASE, USAGE, NetTest

MANIFEST = ".plamo-fast.manifest.json"
ORDER = ("bbb", "ccc", "aaa")


class Offline(NetTest):
    """The mirror would have all that is asked for. It is never asked."""

    def setUp(self):
        super().setUp()
        self.paths = self.put_some("aaa", "bbb", "ccc")
        self.list_in_order(*(f"{n}-1-x86_64-P1.tgz" for n in ORDER))
        if not shutil.which("strace") or subprocess.run(["strace", "-qq", "-o", "/dev/null", "true"]).returncode:
            self.skipTest("strace may not trace here")

    def fill(self):
        self.assert_done(self.build())
        shutil.rmtree(self.root)
        self.server.clear()

    def offline(self, *arguments):
        """Runs the program with --offline; whatever becomes of it, nothing is asked of the network."""
        log = os.path.join(self.folder, "strace")
        command = ["strace", "-f", "-qq", "-o", log, "-e", "trace=network", *self.command(*arguments, "--offline")]
        # A sanitizer's search for leaks traces, too, and only one may.
        result = self.wait(self.start(command, {"ASAN_OPTIONS": "detect_leaks=0"}))
        calls = re.findall(r"^.*(?:AF_INET|connect\().*$", self.read(log).decode(), re.MULTILINE)
        self.assertEqual(calls, [], str(result))
        self.assertEqual(self.server.requests, [], str(result))
        return result

    def build_offline(self, *more):
        return self.offline(*self.build_arguments(*more))

    def plan_offline(self, *more):
        return self.offline("plan", "-r", RELEASE, "-a", ARCH, "--cache", self.cache, "-m", self.url, *more)

    def planned(self, result):
        return [line.split()[1] for line in self.assert_done(result).out.splitlines()]

    def test_root_cached(self):
        self.fill()
        result = self.assert_done(self.build_offline())
        self.assert_installed(*self.paths)
        self.assertEqual(result.summary["decoded"], 0)

    def test_packages_cached(self):
        self.fill()
        shutil.rmtree(self.cache_folder("rootfs"))
        result = self.assert_done(self.build_offline())
        self.assert_installed(*self.paths)
        self.assertEqual((result.summary["decoded"], result.summary["requests"]), (3, 0))
        log = self.read(self.root, "var/log/install.log").decode()
        self.assertEqual([line.split()[-1] for line in log.splitlines()], [f"{n}-1-x86_64-P1" for n in ORDER])

    def test_packages_of_the_shell(self):
        """No manifest: in `ls -cr` order."""
        self.fill()
        shutil.rmtree(self.cache_folder("rootfs"))
        os.unlink(os.path.join(self.cache_folder("cache"), MANIFEST))
        self.assert_done(self.build_offline())
        self.assert_installed(*self.paths)

    def test_root_alone(self):
        self.fill()
        shutil.rmtree(self.cache_folder("cache"))
        result = self.assert_done(self.build_offline())
        self.assertEqual(result.summary["decoded"], 0)
        self.assertTrue(os.path.isfile(f"{self.root}/usr/share/aaa"))

    def test_nothing_cached(self):
        self.assert_failed(self.build_offline(), MIRROR, self.cache, RELEASE, "offline")

    def test_other_release_cached(self):
        self.fill()
        result = self.build_offline("--release", "7.x")
        self.assertEqual((result.status, len(result.errors)), (MIRROR, 1), str(result))
        self.assertIn("7.x", result.errors[0])
        self.assertFalse(os.path.lexists(self.root))

    def test_half_a_download(self):
        """A partial folder is not a cache: nothing is made of it, and it stays for a run with a network."""
        os.makedirs(self.partial())
        shutil.copy2(self.mirror + self.paths[0], self.partial())
        self.assert_failed(self.build_offline(), MIRROR, "offline")
        self.assertEqual(os.listdir(self.partial()), [os.path.basename(self.paths[0])])

    def test_damaged_package(self):
        self.fill()
        shutil.rmtree(self.cache_folder("rootfs"))
        name = os.path.basename(self.paths[1])
        os.truncate(os.path.join(self.cache_folder("cache"), name), 9000)
        self.assert_failed(self.build_offline(), PACKAGE, name.removesuffix(".tgz"))

    def test_plan(self):
        """In install order, with sizes."""
        self.fill()
        result = self.plan_offline()
        self.assertEqual(self.planned(result), [f"{n}-1-x86_64-P1.tgz" for n in ORDER])
        sizes = [int(line.split()[0]) for line in result.out.splitlines()]
        self.assertEqual(sizes, [os.path.getsize(os.path.join(self.cache_folder("cache"), f"{n}-1-x86_64-P1.tgz"))
                                 for n in ORDER])

    def test_plan_of_the_shells_packages(self):
        self.fill()
        os.unlink(os.path.join(self.cache_folder("cache"), MANIFEST))
        self.assertEqual(self.planned(self.plan_offline()), [f"{n}-1-x86_64-P1.tgz" for n in ORDER])

    def test_plan_of_nothing(self):
        result = self.plan_offline()
        self.assertEqual((result.status, len(result.errors), result.out), (MIRROR, 1, ""), str(result))
        self.assertIn(self.cache, result.errors[0])

    def test_plan_changes_nothing(self):
        """Not even the cache folder is made."""
        self.plan_offline()
        self.assertFalse(os.path.exists(self.cache))

    def test_with_update(self):
        self.fill()
        for arguments in (("--update",), ("--update", "--quiet")):
            result = self.build_offline(*arguments)
            self.assertEqual((result.status, len(result.errors)), (USAGE, 1), str(result))
            self.assertFalse(os.path.lexists(self.root))


if __name__ == "__main__":
    netkit.main()
