#!/usr/bin/env python3
"""--update fetches what has changed and tells of it; the old cache and root serve until the new ones are whole."""

import json
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import netkit
from faulty_server import Fault
from netkit import MIRROR, NO_SPACE, PACKAGE, TREE, USAGE, NetTest, noise_package, package, settings
from scan import scan
from tarball import file

MANIFEST = ".plamo-fast.manifest.json"
LATER = 1_600_000_000


class UpdateTest(NetTest):
    """A mirror with three packages, and a cache made of it. self.root is of the old state."""

    def setUp(self):
        super().setUp()
        self.paths = self.put_some("aaa", "bbb", "ccc")
        self.assert_done(self.build())
        self.first = self.root
        self.containers = 1
        self.another_root()

    def another_root(self):
        self.containers += 1
        self.root = os.path.join(self.folder, f"root{self.containers}")
        self.server.clear()

    def update(self, *more, **keywords):
        return self.build("--update", *more, **keywords)

    def inode(self):
        return os.stat(self.cache_folder("rootfs")).st_ino

    def cached(self):
        """The cache folder's packages as `ls -cr` has them."""
        names = [n for n in os.listdir(self.cache_folder("cache")) if not n.startswith(".")]
        return sorted(names, key=lambda n: os.stat(os.path.join(self.cache_folder("cache"), n)).st_ctime_ns)

    def manifest(self):
        return json.loads(self.read(self.cache_folder("cache"), MANIFEST))

    def bodies(self):
        """The packages of which bytes were sent."""
        return sorted({r.path.rsplit("/", 1)[-1] for r in self.server.asked() if r.path.endswith(".tgz") and r.sent})

    def snapshot(self):
        return {kind: scan(self.cache_folder(kind)) for kind in ("cache", "rootfs")}

    def assert_as_before(self, before):
        for kind, tree in before.items():
            self.assert_same_tree(tree, scan(self.cache_folder(kind)), f"the old {kind} has been touched")

    def assert_no_leftover(self):
        """Nothing but the packages and the root."""
        names = {os.path.basename(self.cache_folder(kind)) for kind in ("cache", "rootfs")}
        self.assertEqual({n for n in os.listdir(self.cache) if not n.endswith(".lock")}, names)

    def assert_like_a_cold_build(self, *more, tags=True):
        """Root and cache folder are those of a build from nothing, in the same folder (records name it). Without tags:
        those of finished downloads that an earlier run has left need not be known any more."""
        updated = {"root": self.root, "order": self.cached(), "files": self.manifest(),
                   "cache": self.cache + ".updated"}
        os.rename(self.cache, updated["cache"])
        self.another_root()
        self.assert_done(self.build(*more))
        self.assert_same_root(updated["root"], self.root)
        self.assertEqual(updated["order"], self.cached(), "order of the cache folder")
        manifests = [updated["files"], self.manifest()]
        for entry in [entry for m in manifests for entry in m["files"] if not tags]:
            entry.pop("etag", None)
        self.assertEqual(*manifests)
        packages = os.path.basename(self.cache_folder("cache"))
        old, new = (scan(f"{where}/{packages}") for where in (updated["cache"], self.cache))
        for tree in (old, new):
            del tree[b"."], tree[MANIFEST.encode()]
        self.assert_same_tree(old, new, "the packages in the cache folder")

    def assert_told(self, result, *pairs):
        """A line for each change: the file's name and a word."""
        for name, word in pairs:
            self.assertRegex(result.err, rf"(?m)^plamo-fast: .*{name}.*{word}", str(result))

    def told(self, result):
        return [line for line in result.err.splitlines() if "-P1.tgz" in line]


class NothingChanged(UpdateTest):
    def check(self, root_stays=True):
        before, inode = self.snapshot(), self.inode()
        result = self.assert_done(self.update())
        packages = [r for r in self.server.asked() if r.path.endswith(".tgz")]
        self.assertEqual([(r.status, r.sent) for r in packages], [(304, 0)] * len(self.paths), str(result))
        self.assertEqual(result.summary["decoded"], 0, str(result))
        self.assertEqual(self.told(result), [], "changes told although there are none")
        if root_stays:
            self.assertEqual(self.inode(), inode)
            self.assert_as_before(before)
        self.assert_no_leftover()
        self.assert_installed(*self.paths)
        return packages

    def test_tags(self):
        for request in self.check():
            self.assertIn("if-none-match", request.headers)

    def test_times(self):
        self.server.etag = False
        shutil.rmtree(self.cache)
        self.assert_done(self.build())
        self.another_root()
        for request in self.check():
            self.assertEqual(request.headers["if-modified-since"], "Fri, 14 Jul 2017 02:40:00 GMT")

    def test_cache_of_the_shell(self):
        """wget has left the server's times, and there is no manifest."""
        os.unlink(os.path.join(self.cache_folder("cache"), MANIFEST))
        for request in self.check():
            self.assertIn("if-modified-since", request.headers)

    def test_twice(self):
        self.check()
        self.another_root()
        self.check()

    def test_root_deleted(self):
        """The packages are the mirror's: the root is made of them, nothing is fetched."""
        shutil.rmtree(self.cache_folder("rootfs"))
        result = self.assert_done(self.update())
        self.assertEqual(self.bodies(), [])
        self.assertEqual(result.summary["installed"], 3)
        self.assert_installed(*self.paths)
        self.assert_no_leftover()

    def test_server_without_conditions(self):
        """It has neither tags nor times: everything is sent, but nothing has changed, and nothing else is told."""
        self.server.etag = self.server.last_modified = False
        result = self.assert_done(self.update())
        self.assert_installed(*self.paths)
        self.assertEqual(self.told(result), [], f"told as changed although the bytes are the same\n{result}")

    def test_touched_on_the_mirror(self):
        """New times and tags, the same bytes."""
        self.server.etag_prefix = "new-"
        for path in self.paths:
            os.utime(self.mirror + path, (LATER, LATER))
        result = self.assert_done(self.update())
        self.assert_installed(*self.paths)
        self.assertEqual(self.told(result), [], f"told as changed although the bytes are the same\n{result}")

    def test_quiet(self):
        self.assertEqual(self.assert_done(self.update("--quiet")).err, "")

    def test_without_it_no_request(self):
        """A plain build on a warm cache does not even make a socket for the network."""
        log = os.path.join(self.folder, "strace")
        if not shutil.which("strace") or subprocess.run(["strace", "-qq", "-o", "/dev/null", "true"]).returncode:
            self.skipTest("strace may not trace here")
        self.put(noise_package("ddd", 5000))
        command = ["strace", "-f", "-qq", "-o", log, "-e", "trace=network", *self.command(*self.build_arguments())]
        self.assert_done(self.wait(self.start(command, {"ASAN_OPTIONS": "detect_leaks=0"})))
        self.assertNotIn("AF_INET", self.read(log).decode())
        self.assertEqual(self.server.requests, [])


class Changed(UpdateTest):
    def check(self, *pairs, bodies, paths=None, more=()):
        container = scan(self.first)
        result = self.assert_done(self.update(*more))
        self.assert_told(result, *pairs)
        self.assertEqual(len(self.told(result)), len(pairs), f"one line for each change\n{result}")
        self.assertEqual(self.bodies(), sorted(bodies), str(result))
        self.assert_no_leftover()
        self.assert_installed(*(paths or self.paths))
        self.assert_same_tree(container, scan(self.first), "a container that was there before")
        self.server.clear()
        self.assert_like_a_cold_build(*more)
        return result

    def test_in_place(self):
        """Other bytes under the same name."""
        self.put(noise_package("bbb", 25_000, seed=7), moment=LATER)
        self.check(("bbb-1-x86_64-P1.tgz", "changed"), bodies=["bbb-1-x86_64-P1.tgz"])

    def test_in_place_of_the_same_size(self):
        name, data = os.path.basename(self.paths[1]), self.read(self.mirror + self.paths[1])
        changed = data[:4] + b"\1\2\3\4" + data[8:]     # gzip's time stamp
        self.put((name, changed), moment=LATER)
        self.check((name, "changed"), bodies=[name])

    def test_in_place_and_older(self):
        """A rebuilt mirror may have an older time; the tag tells."""
        self.put(noise_package("bbb", 25_000, seed=7), moment=1_400_000_000)
        self.check(("bbb-1-x86_64-P1.tgz", "changed"), bodies=["bbb-1-x86_64-P1.tgz"])

    def test_in_place_without_tags(self):
        self.server.etag = False
        shutil.rmtree(self.cache)
        self.assert_done(self.build())
        self.first = self.root
        self.another_root()
        self.put(noise_package("bbb", 25_000, seed=7), moment=LATER)
        self.check(("bbb-1-x86_64-P1.tgz", "changed"), bodies=["bbb-1-x86_64-P1.tgz"])

    def test_version(self):
        os.unlink(self.mirror + self.paths[1])
        new = self.put(noise_package("bbb", 25_000, version="2"), moment=LATER)
        result = self.check(("bbb-2-x86_64-P1.tgz", "bbb-1-x86_64-P1"), bodies=["bbb-2-x86_64-P1.tgz"],
                            paths=[self.paths[0], self.paths[2], new])
        self.assertEqual(len(self.told(result)), 1)

    def test_added(self):
        self.paths.append(self.put(noise_package("bbc", 5_000)))
        self.check(("bbc-1-x86_64-P1.tgz", "added"), bodies=["bbc-1-x86_64-P1.tgz"])

    def test_removed(self):
        os.unlink(self.mirror + self.paths[1])
        del self.paths[1]
        self.check(("bbb-1-x86_64-P1.tgz", "removed"), bodies=[])

    def test_order(self):
        """The order is the page's: the root is made anew, although no file has changed."""
        overlapping = [self.put(package(f"{n}-1-x86_64-P1", [file("etc/common", n), file(f"usr/share/{n}", n)]))
                       for n in ("ppp", "qqq")]
        self.assert_done(self.update())
        self.another_root()
        self.assertEqual(self.read(self.cache_folder("rootfs"), "etc/common"), b"qqq")
        self.list_in_order(*(f"{n}-1-x86_64-P1.tgz" for n in ("qqq", "ccc", "ppp", "bbb", "aaa")))
        self.check(bodies=[], paths=self.paths + overlapping)
        self.assertEqual(self.read(self.root, "etc/common"), b"ppp")

    def test_all_at_once(self):
        os.unlink(self.mirror + self.paths[0])
        os.unlink(self.mirror + self.paths[1])
        new = [self.put(noise_package("aaa", 9_000, version="1.1"), moment=LATER),
               self.put(noise_package("ccc", 8_000, seed=3), moment=LATER), self.put(noise_package("ddd", 7_000))]
        self.check(("aaa-1.1-x86_64-P1.tgz", "aaa-1-x86_64-P1"), ("bbb-1-x86_64-P1.tgz", "removed"),
                   ("ccc-1-x86_64-P1.tgz", "changed"), ("ddd-1-x86_64-P1.tgz", "added"),
                   bodies=[os.path.basename(p) for p in new], paths=new)

    def test_more_categories(self):
        path = self.put(noise_package("eee", 5_000), "plamo/02_devel")
        self.check(("eee-1-x86_64-P1.tgz", "added"), bodies=["eee-1-x86_64-P1.tgz"], paths=[*self.paths, path],
                   more=("--categories", "00_base 02_devel"))

    def test_fewer_categories(self):
        self.put(noise_package("eee", 5_000), "plamo/02_devel")
        self.assert_done(self.update("--categories", "00_base 02_devel"))
        self.another_root()
        self.check(("eee-1-x86_64-P1.tgz", "removed"), bodies=[])

    def test_nothing_cached(self):
        """The same as a build."""
        shutil.rmtree(self.cache)
        result = self.assert_done(self.update())
        self.assert_installed(*self.paths)
        self.assert_no_leftover()
        self.assertEqual(result.summary["decoded"], 3)
        self.assert_like_a_cold_build()

    def test_packages_deleted(self):
        """The root alone is no proof of what it was made from."""
        shutil.rmtree(self.cache_folder("cache"))
        self.assert_done(self.update())
        self.assert_installed(*self.paths)
        self.assert_no_leftover()

    def test_damaged_in_the_cache(self):
        """The mirror's file is as it was, the cache's is not what was verified: it is fetched anew."""
        name = os.path.basename(self.paths[1])
        victim = os.path.join(self.cache_folder("cache"), name)
        status = os.stat(victim)
        with open(victim, "r+b") as f:
            f.seek(1000)
            f.write(b"xxxx")
        os.utime(victim, ns=(status.st_atime_ns, status.st_mtime_ns))
        result = self.assert_done(self.update())
        self.assertEqual(self.bodies(), [name], str(result))
        self.assert_installed(*self.paths)

    def test_truncated_in_the_cache(self):
        name = os.path.basename(self.paths[1])
        os.truncate(os.path.join(self.cache_folder("cache"), name), 1000)
        result = self.assert_done(self.update())
        self.assertEqual(self.bodies(), [name], str(result))
        self.assert_installed(*self.paths)

    def test_damaged_in_the_cache_and_another_changed(self):
        """The new root is never made of a damaged file."""
        name = os.path.basename(self.paths[1])
        with open(os.path.join(self.cache_folder("cache"), name), "r+b") as f:
            f.seek(1000)
            f.write(b"xxxx")
        self.put(noise_package("ccc", 25_000, seed=7), moment=LATER)
        self.assert_done(self.update())
        self.assert_installed(*self.paths)

    def test_many_changes(self):
        """More than the downloader holds at once, most unchanged."""
        many = [self.put(noise_package(f"p{i:03}", 500, i)) for i in range(200)]
        self.assert_done(self.update())
        self.another_root()
        for i in range(0, 200, 40):
            self.put(noise_package(f"p{i:03}", 600, i), moment=LATER)
        names = [f"p{i:03}-1-x86_64-P1.tgz" for i in range(0, 200, 40)]
        self.check(*((name, "changed") for name in names), bodies=names, paths=self.paths + many)


class Failed(UpdateTest):
    """Whatever goes wrong: the old packages and the old root serve as before."""

    def assert_old_serves(self, before):
        self.assert_as_before(before)
        self.server.clear()
        url, self.url = self.url, "http://mirror.invalid/"
        result = self.assert_done(self.build())
        self.url = url
        self.assertEqual(result.summary["requests"], 0)
        self.assert_same_tree_of_containers()
        self.another_root()

    def assert_same_tree_of_containers(self):
        self.assert_same_root(self.first, self.root)

    def fail_to_update(self, status, *names, keywords=None, more=()):
        before = self.snapshot()
        result = self.update(*more, **(keywords or {}))
        self.assertEqual((result.status, len(result.errors)), (status, 1), str(result))
        for name in names:
            self.assertIn(name, result.errors[0])
        self.assertFalse(os.path.lexists(self.root))
        self.assert_old_serves(before)
        return result

    def test_mirror_is_dead(self):
        self.server.stop()
        self.fail_to_update(MIRROR, self.url)

    def test_category_is_gone(self):
        os.rename(f"{self.mirror}{TREE}/plamo/00_base", f"{self.mirror}{TREE}/plamo/00_bases")
        self.fail_to_update(MIRROR, "00_base", "00_bases")

    def test_empty_listing(self):
        """A mirror that is being filled: no reason to throw everything away."""
        self.list_in_order()
        self.fail_to_update(MIRROR)

    def test_package_that_is_not_there(self):
        path = self.put(noise_package("ddd", 5000))
        self.server.add(path, Fault(status=404, repeat=True))
        self.fail_to_update(MIRROR, "ddd-1-x86_64-P1.tgz")
        self.server.clear()
        self.assert_done(self.update())
        self.assert_installed(*self.paths, path)
        self.assert_no_leftover()

    def test_damaged_package(self):
        name, data = noise_package("bbb", 25_000, seed=7)
        self.put((name, data[:-20]), moment=LATER)
        self.fail_to_update(PACKAGE, name.removesuffix(".tgz"))
        self.put((name, data), moment=LATER + 1)
        self.assert_done(self.update())
        self.assert_installed(*self.paths)
        self.assert_no_leftover()

    def test_offline(self):
        result = self.fail_to_update(USAGE, "offline", more=("--offline",))
        self.assertEqual(self.server.requests, [], str(result))

    def test_disk_is_full(self):
        if not settings.private_mounts:
            self.skipTest("cannot mount")
        shutil.rmtree(self.cache)
        os.mkdir(self.cache)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "plamo-small", self.cache], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", self.cache], check=False)
        self.assert_done(self.build())
        self.first = self.root
        self.another_root()
        big = self.put(noise_package("zzz", 1_500_000))
        self.fail_to_update(NO_SPACE, self.cache)
        os.unlink(self.mirror + big)
        # Room for the packages, not for the root made of them.
        unpacked = self.put(package("zzz-1-x86_64-P1", [file("usr/share/zzz", b"\0" * 4_000_000)]))
        self.fail_to_update(NO_SPACE, self.cache)
        subprocess.run(["mount", "-o", "remount,size=40m", self.cache], check=True)
        self.assert_done(self.update())
        self.assert_installed(*self.paths, unpacked)
        self.assert_no_leftover()


if __name__ == "__main__":
    netkit.main()
