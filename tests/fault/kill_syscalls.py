#!/usr/bin/env python3
"""kill -9 before each call that changes a file system: nothing half-built shows, nothing finished is lost, the next run
goes on and leaves nothing lying about. A sample of the calls by default, each of them with --slow."""

import collections
import os
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import netkit
from faultkit import MUTATING, FaultTest, OnBtrfs, sampled
from netkit import ARCH, RELEASE, USAGE, noise, package
from tarball import file


class KillTest(FaultTest):
    def setUp(self):
        super().setUp()
        if not netkit.settings.private_mounts:
            self.skipTest("needs mounts of its own")
        self.make_good()

    def kill_each(self, command, begin, check, most, env=None):
        """`begin` makes the state that each run starts from; `check` says what must hold after the kill."""
        begin()
        count = self.count_calls(command, MUTATING, env=env)
        killed = 0
        for when in sampled(count + 3, most):
            begin()
            self.server.clear()
            injected = self.inject(command, MUTATING, when, signal=signal.SIGKILL, env=env)
            if not injected.hits:
                self.assertEqual(injected.result.status, 0, str(injected.result))
            killed += len(injected.hits)
            what = f"call {when} of {count}, {' '.join(injected.hits) or 'not hit'}"
            check(what, injected)
        print(f"    {killed} kills at {count} calls", flush=True)
        self.assertGreater(killed, min(count, most) * 3 // 4, "too few runs were hit")

    def asked_again(self, finished):
        """Of the files that had come whole, those whose bytes were sent again."""
        return sorted({r.path for r in self.server.asked() if r.sent and r.path.rsplit("/", 1)[-1] in finished})

    def next_build(self, what, *more):
        result = self.build(*more)
        self.assertEqual(result.status, 0, f"{what}: the next run\n{result}")
        return result


class BuildTest(KillTest):
    def nothing(self):
        self.remove(self.root, self.cache)

    def check(self, what, _):
        self.assert_whole_or_absent(what)
        finished = self.finished_downloads()
        self.remove(self.root)
        self.server.clear()
        result = self.next_build(what)
        self.assertEqual(self.asked_again(finished), [], f"{what}: finished, and fetched again\n{result}")
        self.assert_equal_root(self.root, what)
        self.assert_equal_root(self.cache_folder("rootfs"), what)
        self.assert_no_leftovers(what)


class Build(BuildTest):
    def test_cold(self):
        self.kill_each(self.command(*self.build_arguments()), self.nothing, self.check, 100)

    def test_cold_with_one_worker(self):
        self.file_mirror()
        self.kill_each(self.command(*self.build_arguments("--jobs", "1")), self.nothing, self.check, 40)

    def only_downloads(self):
        self.nothing()
        self.copy(f"{self.folder}/full", self.cache)
        self.remove(self.cache_folder("rootfs"))

    def only_root(self):
        """A warm cache: what is killed is the copying."""
        self.nothing()
        self.copy(f"{self.folder}/full", self.cache)

    def fill(self):
        self.assert_done(self.build())
        self.copy(self.cache, f"{self.folder}/full")

    def test_from_downloads(self):
        self.fill()
        self.kill_each(self.command(*self.build_arguments()), self.only_downloads, self.check, 40)

    def test_copying(self):
        self.fill()
        self.kill_each(self.command(*self.build_arguments()), self.only_root, self.check, 40)


class BuildOnBtrfs(OnBtrfs, BuildTest):
    def test_cold(self):
        self.kill_each(self.command(*self.build_arguments()), self.nothing, self.check, 40)

    def cached(self):
        self.remove(self.root)
        self.assert_done(self.build())
        self.remove(self.root)

    def test_snapshot(self):
        self.kill_each(self.command(*self.build_arguments()), self.cached, self.check, 20)


class Update(KillTest):
    """The old root, the new one, or none: whichever is there is whole."""

    def setUp(self):
        super().setUp()
        self.assert_done(self.build())
        self.copy(self.cache, f"{self.folder}/full")
        self.old_good = self.good
        os.unlink(f"{self.mirror}{netkit.BASE}/aaa-1-x86_64-P1.tgz")
        self.put(package("aaa-2-x86_64-P1", [file("usr/share/aaa", noise(4000, seed=2))]))
        self.put(package("bbb-1-x86_64-P1", [file("usr/share/bbb", noise(4000, seed=3))]), moment=1_600_000_000)
        self.put(package("ddd-1-x86_64-P1", [file("usr/share/ddd", noise(2000))], suffix="tzst"))
        self.remove(self.root, self.cache)
        self.good = os.path.join(self.folder, "new")
        self.root, root = self.good, self.root
        self.assert_done(self.build())
        self.root = root

    def old(self):
        self.remove(self.root, self.cache)
        self.copy(f"{self.folder}/full", self.cache)

    def assert_either(self, root, what):
        """A root is the old one or the new one; each of the two has a version of aaa of its own."""
        try:
            self.assert_same_root(self.old_good, root)
        except AssertionError:
            self.assert_equal_root(root, what)

    def check(self, what, injected):
        self.assert_sound_cache(what)
        cached = self.cache_folder("rootfs")
        if os.path.isdir(cached):
            self.assert_either(cached, what)
        if os.path.isdir(self.root) and os.listdir(self.root):
            self.assert_equal_root(self.root, what)
        self.remove(self.root)
        finished = self.finished_downloads(["partial"])
        self.server.clear()
        self.next_build(f"{what}: update", "--update")
        self.assertEqual(self.asked_again(finished), [], f"{what}: finished, and fetched again")
        self.assert_equal_root(self.root, what)
        self.assert_no_leftovers(f"{what}: update")

    def check_plain(self, what, _):
        self.remove(self.root)
        self.server.clear()
        self.next_build(what)
        self.assert_either(self.root, what)
        # What an update has fetched so far stays for the next one.
        self.assert_no_leftovers(what, also=[n for n in os.listdir(self.cache) if n.startswith("partial-")])
        self.remove(self.root)
        self.next_build(f"{what}: update", "--update")
        self.assert_equal_root(self.root, what)
        self.assert_no_leftovers(f"{what}: update")

    def test_update(self):
        self.kill_each(self.command(*self.build_arguments("--update")), self.old, self.check, 60)

    def test_update_then_a_plain_build(self):
        self.kill_each(self.command(*self.build_arguments("--update")), self.old, self.check_plain, 30)


class Clean(KillTest):
    def setUp(self):
        super().setUp()
        self.assert_done(self.build())
        self.copy(self.cache, f"{self.folder}/full")
        self.clean = self.command("clean", "-r", RELEASE, "-a", ARCH, "--cache", self.cache)

    def full(self):
        self.remove(self.root)
        self.copy(f"{self.folder}/full", self.cache)

    def check(self, what, _):
        self.assert_whole_or_absent(what)
        packages = self.cache_folder("cache")
        if os.path.isdir(packages):
            before = f"{self.folder}/full/{os.path.basename(packages)}"
            self.assertEqual(sorted(os.listdir(packages)), sorted(os.listdir(before)), f"{what}: half of the packages")
        self.next_build(what)
        self.assert_equal_root(self.root, what)
        self.assert_no_leftovers(what)

    def check_cleaned(self, what, _):
        result = self.wait(self.start(self.clean))
        self.assertEqual(result.status, 0, f"{what}\n{result}")
        self.assertEqual([n for n in os.listdir(self.cache) if not n.endswith(".lock")], [], what)

    def test_clean(self):
        self.kill_each(self.clean, self.full, self.check, 40)

    def test_clean_twice(self):
        self.kill_each(self.clean, self.full, self.check_cleaned, 20)


# What is in a root that is filled in place until it is whole.
UNFINISHED = ".plamo-fast.unfinished"


class MountPoint(KillTest):
    """ROOT is a mount point: it is empty, or whole, or has in it what says that it is neither."""

    def setUp(self):
        super().setUp()
        self.assert_done(self.build())
        self.copy(self.cache, f"{self.folder}/full")
        self.remove(self.root)
        os.mkdir(self.root)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "plamo-fast-root", self.root], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", self.root], check=False)
        self.states = collections.Counter()

    def empty(self):
        subprocess.run(["find", self.root, "-mindepth", "1", "-delete"], check=True)

    def warm(self):
        self.empty()
        self.copy(f"{self.folder}/full", self.cache)

    def cold(self):
        self.empty()
        self.remove(self.cache)

    def check(self, what, _):
        self.assert_whole_or_absent(what, [self.cache_folder("rootfs")])
        names = os.listdir(self.root)
        if UNFINISHED in names and len(names) > 1:
            self.states["half"] += 1
            again = self.build()
            self.assertEqual((again.status, len(again.errors)), (USAGE, 1), f"{what}: half a root\n{again}")
            self.assertIn(UNFINISHED, again.errors[0], what)
            self.assertEqual(sorted(os.listdir(self.root)), sorted(names), f"{what}: not left alone")
            self.empty()
        elif UNFINISHED in names:
            self.states["unfinished"] += 1
        elif names:
            self.states["whole"] += 1
            self.assert_equal_root(self.root, what)
            self.empty()
        self.next_build(what)
        self.assert_equal_root(self.root, what)

    def test_warm(self):
        self.kill_each(self.command(*self.build_arguments()), self.warm, self.check, 60)
        self.assertGreater(self.states["unfinished"], 0, self.states)
        if netkit.settings.slow:
            self.assertGreater(self.states["half"], 0, self.states)

    def test_cold(self):
        self.kill_each(self.command(*self.build_arguments()), self.cold, self.check, 20)


class InPlace(KillTest):
    """The template fills the folder that it is given, which may be a mount point: what says that a root is whole is the
    container's configuration, which is written last and in one piece."""

    BEFORE = b"# as lxc-create leaves it\nlxc.net.0.type = empty\n"

    def setUp(self):
        super().setUp()
        self.assert_done(self.build())
        self.copy(self.cache, f"{self.folder}/full")
        self.container = os.path.join(os.path.dirname(self.root), "c1")
        self.rootfs = f"{self.container}/rootfs"
        self.env = {"LXC_CACHE_PATH": self.cache, "DLSCHEME": "http", "MIRRORSRV": self.url[7:],
                    "ADDONPKGS": "contrib/Net/ccc"}
        self.template = self.command(f"--path={self.container}", "--name=c1", f"--rootfs={self.rootfs}", "-r", RELEASE,
                                     "-a", ARCH, program="lxc-plamo-fast")
        self.begin()
        self.assert_done(self.wait(self.start(self.template, self.env)))
        self.good_container = f"{self.folder}/good-container"
        self.copy(self.container, self.good_container)

    def begin(self):
        self.remove(self.container)
        os.makedirs(self.rootfs)
        with open(f"{self.container}/config", "wb") as stream:
            stream.write(self.BEFORE)

    def check(self, what, injected):
        self.assert_whole_or_absent(what, [self.cache_folder("rootfs")])
        config = self.read(self.container, "config")
        whole = self.read(self.good_container, "config")
        self.assertIn(config, (self.BEFORE, whole), f"{what}: a configuration that is neither")
        if config == whole:
            self.assert_same_root(f"{self.good_container}/rootfs", self.rootfs)
        elif set(os.listdir(self.rootfs)) - {UNFINISHED}:
            again = self.wait(self.start(self.template, self.env))
            self.assertEqual((again.status, len(again.errors)), (USAGE, 1), f"{what}: taken for an empty one\n{again}")
        elif os.listdir(self.rootfs):
            self.assert_done(self.wait(self.start(self.template, self.env)))
            self.assert_same_root(f"{self.good_container}/rootfs", self.rootfs)
        self.begin()
        self.assert_done(self.wait(self.start(self.template, self.env)))
        self.assert_same_root(f"{self.good_container}/rootfs", self.rootfs)
        left = [n for n in os.listdir(self.container) if n not in os.listdir(self.good_container)]
        self.assertEqual(left, [], what)

    def test_template(self):
        self.kill_each(self.template, self.begin, self.check, 40, env=self.env)


class InPlaceOnBtrfs(OnBtrfs, InPlace):
    """The folder that is given is replaced by a snapshot."""


if __name__ == "__main__":
    netkit.main()
