#!/usr/bin/env python3
"""What has been done is not done again: no request and no decode on a warm cache, no process for plain links."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import netkit
from netkit import ARCH, RELEASE, NetTest, noise_package, package
from package import link_pair
from tarball import file, folder

PAIRS = "".join(link_pair("usr/lib", f"libx.so.{i}", "libx.so.1.0") for i in range(40))


class Warm(NetTest):
    def setUp(self):
        super().setUp()
        self.paths = self.put_some("aaa", "bbb", "ccc")

    def forget(self, *paths):
        for path in paths:
            shutil.rmtree(path)
        self.server.clear()

    def assert_work(self, result, **wanted):
        self.assert_done(result)
        self.assertIsNotNone(result.summary, str(result))
        self.assertEqual({k: result.summary[k] for k in wanted}, wanted, str(result))
        self.assertEqual(len(self.server.requests), wanted.get("requests", len(self.server.requests)), str(result))

    def test_cold_build_says_what_it_did(self):
        result = self.build()
        self.assert_work(result, decoded=3, installed=3, shells=0, requests=5)
        [page] = self.server.asked("")
        self.assertEqual(result.summary["bytes"], page.sent + sum(os.path.getsize(self.mirror + p) for p in self.paths))
        self.assertEqual(self.server.asked(method="HEAD"), [])

    def test_second_build(self):
        self.build()
        self.forget(self.root)
        self.assert_work(self.build(), requests=0, bytes=0, decoded=0, installed=0)
        self.assert_installed(*self.paths)

    def test_second_build_without_any_mirror(self):
        self.build()
        self.forget(self.root)
        self.server.stop()
        self.assert_work(self.build(), requests=0, decoded=0)

    def test_second_container(self):
        """The template, too, and beside what build has cached."""
        self.build()
        self.server.clear()
        path = os.path.join(self.folder, "c1")
        os.mkdir(path)
        with open(f"{path}/config", "w"):
            pass
        result = self.run_program(f"--path={path}", "--name=c1", f"--rootfs={path}/rootfs", "-r", RELEASE, "-a", ARCH,
                                  program="lxc-plamo-fast",
                                  env={"LXC_CACHE_PATH": self.cache, "DLSCHEME": "http", "MIRRORSRV": self.url[7:]})
        self.assert_work(result, requests=0, decoded=0)
        self.assertTrue(os.path.isfile(f"{path}/rootfs/usr/share/aaa"))

    def test_cached_root_deleted(self):
        """The downloads are enough: nothing is asked for, each is decoded once."""
        self.build()
        self.forget(self.root, self.cache_folder("rootfs"))
        self.assert_work(self.build(), requests=0, bytes=0, decoded=3, installed=3)
        self.assert_installed(*self.paths)

    def test_a_whole_package_that_is_another(self):
        """The manifest knows the file that was verified. gzip's time stamp is covered by no check value of its own."""
        self.build()
        name = os.path.basename(self.paths[1])
        with open(os.path.join(self.cache_folder("cache"), name), "r+b") as f:
            f.seek(4)
            f.write(b"\x01\x02\x03\x04")
        self.forget(self.root, self.cache_folder("rootfs"))
        # As a damaged one it comes anew, and it alone.
        self.assert_done(self.build())
        self.assertEqual(self.sent(), {name})
        self.assert_installed(*self.paths)
        self.assertEqual(self.read(self.cache_folder("cache"), name), self.read(self.mirror + self.paths[1]))

    def test_downloads_deleted(self):
        """The cached root is enough."""
        self.build()
        self.forget(self.root, self.cache_folder("cache"))
        self.assert_work(self.build(), requests=0, decoded=0)

    def test_content_of_a_clone_is_its_own(self):
        """What a container changes does not reach the cached root or the next container."""
        self.build()
        with open(f"{self.root}/usr/share/aaa", "r+b") as f:
            f.write(b"changed")
        first, self.root = self.root, f"{self.folder}/second"
        self.build()
        self.assert_installed(*self.paths)
        self.assertNotEqual(self.read(first, "usr/share/aaa"), self.read(self.root, "usr/share/aaa"))

    def test_cleaned(self):
        self.build()
        result = self.assert_done(self.run_program("clean", "-r", RELEASE, "-a", ARCH, "--cache", self.cache))
        self.assertEqual([n for n in os.listdir(self.cache) if not n.endswith(".lock")], [], str(result))
        self.assertRegex(result.err, r"removed 2, ([\d.]+) of \1 MB; 0 in use")
        self.forget(self.root)
        self.assert_work(self.build(), requests=5, decoded=3)

    def test_nothing_to_clean(self):
        """Where there is no cache, none is made."""
        self.assert_done(self.run_program("clean", "-r", RELEASE, "-a", ARCH, "--cache", self.cache))
        self.assertFalse(os.path.exists(self.cache))

    def test_other_release_and_arch_are_apart(self):
        self.build()
        self.run_program("clean", "-r", "7.x", "-a", ARCH, "--cache", self.cache)
        self.run_program("clean", "-r", RELEASE, "-a", "x86", "--cache", self.cache)
        self.forget(self.root)
        self.assert_work(self.build(), requests=0, decoded=0)

    def kill_in_script(self):
        """SIGKILL while a package's script runs: all packages are there, none is installed for good."""
        self.put(package("zzz-1-x86_64-P1", [file("usr/share/zzz", b"")], script="echo > script-runs\nsleep 2.5\n"))
        process = self.start_build()
        note = os.path.join(self.cache, f".plamo-fast-work-{RELEASE}-{ARCH}", "root", "script-runs")
        self.eventually(lambda: os.path.exists(note), "the script runs")
        time.sleep(0.3)
        process.send_signal(signal.SIGKILL)
        self.wait(process)
        self.assertFalse(os.path.exists(self.root))
        self.assertEqual([n for n in os.listdir(self.cache) if n.startswith("rootfs-")], [])

    def test_killed_while_installing(self):
        """No finished download is fetched again, and nothing of the killed run is in the root."""
        self.kill_in_script()
        self.server.clear()
        result = self.assert_done(self.build())
        self.assertEqual(self.sent(), set(), str(result))
        self.assertEqual(sorted(os.listdir(self.root + "/var/log/packages")), ["aaa", "bbb", "ccc", "zzz"])
        self.assertEqual(os.listdir(self.folder + "/cache").count(f".plamo-fast-work-{RELEASE}-{ARCH}"), 0)

    def test_killed_while_installing_without_ranges(self):
        """The same from a server that would send everything again."""
        self.server.ranges = False
        self.kill_in_script()
        self.server.clear()
        result = self.assert_done(self.build())
        self.assertEqual(sum(r.sent for r in self.server.asked() if not r.path.endswith("/")), 0, str(result))

    def test_killed_while_copying(self):
        """The clone that a killed run left beside ROOT is taken away by the next one."""
        self.build()
        self.forget(self.root)
        left = os.path.join(self.folder, ".root.plamo-fast")
        os.makedirs(left + "/usr/share/junk")
        os.chmod(left, 0o700)
        with open(left + "/.plamo-fast.mark", "w") as mark:
            os.fchmod(mark.fileno(), 0o600)
        self.assert_work(self.build(), requests=0, decoded=0)
        self.assertFalse(os.path.exists(left))
        self.assertFalse(os.path.exists(self.root + "/usr/share/junk"))

    def test_decoded_once_although_tried_twice(self):
        """A name twice: the second is decoded but not installed; nothing else is decoded again."""
        self.put(noise_package("aaa", 1000, version="2"))
        result = self.build()
        self.assert_work(result, decoded=4, installed=3)
        self.assertIn("aaa-2-x86_64-P1", result.err)


class Processes(NetTest):
    """strace sees each process and thread that is made, and each program that is run."""

    def trace(self, *more):
        if not shutil.which("strace"):
            self.skipTest("needs strace")
        log = os.path.join(self.folder, "strace")
        command = ["strace", "-f", "-qq", "-o", log, "-e", "trace=execve,execveat,clone,clone3,fork,vfork", "-e",
                   "signal=none", *self.command(*self.build_arguments("--jobs", "2", *more))]
        if subprocess.run(["strace", "-qq", "-o", "/dev/null", "true"], capture_output=True).returncode:
            self.skipTest("strace may not trace here")
        # A sanitizer's search for leaks traces, too, and only one may.
        result = self.assert_done(self.wait(self.start(command, {"ASAN_OPTIONS": "detect_leaks=0"})))
        lines = [line.split(None, 1) for line in self.read(log).decode(errors="replace").splitlines()]
        made = [(pid, call) for pid, call in lines if re.match(r"(clone|clone3|fork|vfork)\(", call)]
        processes = [call for _, call in made if "CLONE_THREAD" not in call]
        programs = [(pid, call) for pid, call in lines if re.match(r"execve(at)?\(", call)]
        return result, processes, programs

    def test_plain_pairs(self):
        for i in range(5):
            self.put(package(f"lib{i}-1-x86_64-P1", [folder("usr/lib"), file("usr/lib/libx.so.1.0", b"x")], script=PAIRS))
        result, processes, programs = self.trace("--no-sandbox")
        self.assertEqual(processes, [], "a process was made")
        self.assertEqual(len(programs), 1, f"a program was run: {programs}")
        self.assertEqual(result.summary["shells"], 0)
        shutil.rmtree(self.root)
        shutil.rmtree(self.cache)
        result, processes, programs = self.trace()
        # Its own, and the two of the trial that it makes when it is opened.
        self.assertEqual(len(processes), 3, f"more than the sandbox's own processes were made: {processes}")
        self.assertEqual(len(programs), 1, f"a program was run: {programs}")
        self.assertEqual(result.summary["shells"], 0)
        self.assertEqual(os.readlink(f"{self.root}/usr/lib/libx.so.39"), "libx.so.1.0")

    def test_one_real_script(self):
        self.put(package("aaa-1-x86_64-P1", [folder("usr/lib"), file("usr/lib/libx.so.1.0", b"x")], script=PAIRS))
        self.put(package("bbb-1-x86_64-P1", [file("usr/share/bbb", b"x")], script="echo real > usr/share/real\n"))
        result, processes, programs = self.trace("--no-sandbox")
        self.assertEqual(len(processes), 1, processes)
        self.check_one_shell(result, programs)
        shutil.rmtree(self.root)
        shutil.rmtree(self.cache)
        result, processes, programs = self.trace()
        self.check_one_shell(result, programs)

    def check_one_shell(self, result, programs):
        own = programs[0][0]
        shells = {pid for pid, call in programs[1:]}
        self.assertEqual(len(shells), 1, programs)
        self.assertNotIn(own, shells)
        self.assertEqual(result.summary["shells"], 1)
        self.assertEqual(self.read(self.root, "usr/share/real"), b"real\n")

    def test_warm(self):
        self.put(package("bbb-1-x86_64-P1", [file("usr/share/bbb", b"x")], script="echo real > usr/share/real\n"))
        self.build()
        shutil.rmtree(self.root)
        _, processes, programs = self.trace()
        self.assertEqual((processes, len(programs)), ([], 1))


if __name__ == "__main__":
    netkit.main()
