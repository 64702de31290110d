#!/usr/bin/env python3
"""A mirror that is a folder of this machine: --mirror file:///…"""

import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import netkit
from netkit import ARCH, BASE, MIRROR, RELEASE, TREE, USAGE, NetTest, noise_package

NAME = "zzz-1-x86_64-P1.tgz"


class Folder(NetTest):
    def setUp(self):
        super().setUp()
        self.paths = self.put_some("aaa", "bbb", "ccc")
        self.http = self.url
        self.url = self.url_of(self.mirror)

    def url_of(self, folder):
        return "file://" + urllib.parse.quote(folder)

    def check(self, *more):
        result = self.assert_done(self.build(*more))
        self.assert_installed(*self.paths)
        self.assertEqual(self.server.requests, [])
        return result

    def move_mirror(self, *components):
        place = os.path.join(self.folder, *components)
        os.makedirs(os.path.dirname(place), exist_ok=True)
        os.rename(self.mirror, place)
        self.mirror = place
        self.url = self.url_of(place)

    def names(self, *more):
        result = self.run_program("plan", "-r", RELEASE, "-a", ARCH, "-m", self.url, *more)
        return [line.split(None, 1)[1].rsplit("  ", 1)[0] for line in self.assert_done(result).out.splitlines()]


class Same(Folder):
    def test_as_by_http(self):
        """The server's page is sorted as a folder is, so order and root are the same."""
        for i, place in enumerate(("plamo/00_base/devel.txz", "plamo/00_base/old", "contrib/DB", "plamo/02_devel")):
            self.put(noise_package(f"sub{i}", 5000, i), place)
        self.put(noise_package("kernel", 5000))
        more = ("--categories", "00_base 02_devel", "--contrib", "DB")
        self.assert_done(self.build(*more))
        first, self.root, self.url = self.root, self.root + "2", self.http
        shutil.rmtree(self.cache)
        self.assert_done(self.build(*more))
        self.assert_same_root(first, self.root)
        self.assertIn("sub0", os.listdir(self.root + "/var/log/packages"))

    def test_times_are_kept(self):
        self.check()
        for path in self.paths:
            cached = os.path.join(self.cache_folder("cache"), os.path.basename(path))
            self.assertEqual(int(os.stat(cached).st_mtime), 1_500_000_000)

    def test_mirror_is_not_touched(self):
        """The cache has copies: what is written to one does not reach the mirror."""
        self.check()
        for path in self.paths:
            cached = os.path.join(self.cache_folder("cache"), os.path.basename(path))
            self.assertNotEqual(os.stat(cached).st_ino, os.stat(self.mirror + path).st_ino)
        shutil.rmtree(self.root)
        shutil.rmtree(self.mirror)
        self.assert_done(self.build())

    def test_localhost(self):
        self.url = self.url.replace("file://", "file://localhost")
        self.check()

    def test_slash_at_the_end(self):
        self.url += "//"
        self.check()

    def test_sizes_in_the_plan(self):
        result = self.assert_done(self.run_program("plan", "-r", RELEASE, "-a", ARCH, "-m", self.url))
        sizes = [int(line.split()[0]) for line in result.out.splitlines()]
        self.assertEqual(sizes, [os.path.getsize(self.mirror + p) for p in self.paths])

    def test_environment(self):
        """DLSCHEME=file with an empty server cannot be said; the option can."""
        result = self.run_program("build", self.root, "--no-configure", "-r", RELEASE, "-a", ARCH, "--mirror", self.url,
                                  env={"DLSCHEME": "http", "MIRRORSRV": "mirror.invalid", "LXC_CACHE_PATH": self.cache})
        self.assert_done(result)
        self.assert_installed(*self.paths)


class Names(Folder):
    def test_odd_folders(self):
        """The URL is percent-encoded, as URLs are."""
        for name in ("a word", "100%", "a%41b", "c#d", "e?f", "g+h", "i;j&k=l", "m'n\"o", "äöü", "p\\q", "x" * 200):
            with self.subTest(name):
                self.move_mirror(name, "mirror")
                self.check()
                shutil.rmtree(self.root)
                shutil.rmtree(self.cache)

    def test_odd_files(self):
        names = ("lib++", "a%41b", "c#d", "e?f", "two words", "g&h", "ä")
        for i, name in enumerate(names):
            self.put(noise_package(name, 3000, i))
        self.paths += [f"{BASE}/{name}-1-x86_64-P1.tgz" for name in names]
        self.check()

    def test_bytes_that_are_no_text(self):
        """JSON cannot hold them: they stand there as what they are."""
        name = b"raw\xff-1-x86_64-P1.tgz"
        os.rename(self.mirror.encode() + self.paths[0].encode(), self.mirror.encode() + BASE.encode() + b"/" + name)
        result = self.assert_done(self.run_program("plan", "-r", RELEASE, "-a", ARCH, "-m", self.url, "--json"))
        files = [entry["file"] for entry in json.loads(result.out)["files"]]
        self.assertIn({"hex": name.hex()}, files)
        self.assertIn(os.path.basename(self.paths[1]), files)

    def test_url_that_is_not_encoded(self):
        """A blank or % as it stands is no URL: refused, or taken for what is meant; never another folder."""
        self.move_mirror("two words")
        self.url = "file://" + self.mirror
        result = self.build()
        if result.status != 0:
            self.assert_failed(result, USAGE, "two words")


class Links(Folder):
    def test_linked_package(self):
        pool = os.path.join(self.folder, "pool")
        os.rename(self.mirror + self.paths[1], pool)
        os.symlink(pool, self.mirror + self.paths[1])
        self.check()
        cached = os.path.join(self.cache_folder("cache"), os.path.basename(self.paths[1]))
        self.assertFalse(os.path.islink(cached))

    def test_linked_folders(self):
        """The mirror itself, the release, a category."""
        real = self.mirror + ".real"
        os.rename(self.mirror, real)
        os.symlink(real, self.mirror)
        os.rename(real + TREE, real + "/pool")
        os.symlink(real + "/pool", real + TREE)
        os.rename(real + BASE, real + "/base")
        os.symlink(real + "/base", real + BASE)
        self.check()

    def test_link_to_nothing(self):
        os.symlink("nothing", self.mirror + BASE + "/gone-1-x86_64-P1.tgz")
        self.check()

    def test_link_in_a_circle(self):
        os.symlink(".", self.mirror + BASE + "/circle")
        os.symlink("loop", self.mirror + BASE + "/loop")
        result = self.build()
        self.assert_done(result)
        self.assert_installed(*self.paths)

    def test_fifo(self):
        """Nobody ever writes into it. Neither planned nor waited for."""
        os.mkfifo(self.mirror + BASE + "/bba-1-x86_64-P1.tgz")
        os.mkfifo(self.mirror + BASE + "/CHECKSUMS.md5")
        result = self.run_program(*self.build_arguments(), timeout_s=20)
        self.assert_done(result)
        self.assert_installed(*self.paths)

    def test_fifo_where_the_sums_should_be(self):
        os.mkfifo(f"{self.mirror}{TREE}/CHECKSUMS.md5")
        self.assert_done(self.run_program(*self.build_arguments("--stall-timeout", "1"), timeout_s=20))
        self.assert_installed(*self.paths)

    def test_link_to_a_fifo(self):
        os.mkfifo(self.folder + "/fifo")
        os.symlink(self.folder + "/fifo", self.mirror + BASE + "/bba-1-x86_64-P1.tgz")
        self.assert_done(self.run_program(*self.build_arguments(), timeout_s=20))
        self.assert_installed(*self.paths)

    def test_other_kinds(self):
        os.mknod(self.mirror + BASE + "/bba-1-x86_64-P1.tgz", 0o20666, os.makedev(1, 3))
        os.mkdir(self.mirror + BASE + "/bbc-1-x86_64-P1.tgz")
        self.check()


class Missing(Folder):
    def test_mirror(self):
        self.url += "/nothing"
        self.assert_failed(self.build(), MIRROR, "/nothing")

    def test_mirror_is_a_file(self):
        self.url = self.url_of(self.mirror + self.paths[0])
        self.assert_failed(self.build(), MIRROR, os.path.basename(self.paths[0]))

    def test_release(self):
        shutil.rmtree(self.mirror + TREE)
        self.assert_failed(self.build(), MIRROR, f"Plamo-{RELEASE}")

    def test_category(self):
        self.assert_failed(self.build("--categories", "00_bas"), MIRROR, "00_bas", "00_base")

    def test_other_host(self):
        """A file URL of another machine is none that could be read."""
        self.url = self.url.replace("file://", "file://mirror.invalid")
        result = self.build()
        self.assertIn(result.status, (USAGE, MIRROR), str(result))
        self.assertEqual(len(result.errors), 1, str(result))
        self.assertIn("mirror.invalid", result.errors[0])

    def test_folder_that_may_not_be_read(self):
        os.chmod(self.mirror + BASE, 0)
        programs = os.path.join(self.folder, "bin")
        shutil.copytree(netkit.settings.bin, programs)
        command = [os.path.join(programs, "plamo-fast"), "plan", "-r", RELEASE, "-a", ARCH, "-m", self.url]
        result = self.wait(self.start(command, user=netkit.NOBODY, group=netkit.NOBODY, extra_groups=[]))
        self.assertIn(result.status, (MIRROR, netkit.PERMISSION), str(result))
        self.assertEqual((len(result.errors), result.out), (1, ""), str(result))
        self.assertIn("00_base", result.errors[0])

    def test_goes_away_in_the_middle(self):
        """A file is planned and gone when its turn comes."""
        for i in range(20):
            self.put(noise_package(f"p{i:02}", 60_000, i))
        process = self.start_build("--limit-rate", "300k", "--connections", "1")
        bbb = self.partial("bbb-1-x86_64-P1.tgz")
        self.eventually(lambda: os.path.exists(bbb) or process.poll() is not None, "bbb")
        os.unlink(f"{self.mirror}{BASE}/p19-1-x86_64-P1.tgz")
        self.assert_failed(self.wait(process), MIRROR, "p19-1-x86_64-P1.tgz")


class Interrupted(Folder):
    """A copy that is broken off goes on, and never mixes two contents."""

    def setUp(self):
        super().setUp()
        # Alone: no other package's unpacking may meet the end of the space first.
        for path in self.paths:
            os.unlink(self.mirror + path)
        self.name, self.data = noise_package("zzz", 1_000_000)
        self.paths = [self.put((self.name, self.data))]

    def break_off(self):
        """The cache's file system is full in the middle of zzz. Then it is larger."""
        if not netkit.settings.private_mounts:
            self.skipTest("cannot mount")
        os.mkdir(self.cache)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=700k", "plamo-small", self.cache], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", self.cache], check=False)
        self.assert_failed(self.build(), netkit.NO_SPACE, NAME)
        subprocess.run(["mount", "-o", "remount,size=40m", self.cache], check=True)
        self.assertIn(self.size(self.partial(NAME + ".part")), range(100_000, len(self.data)))

    def test_full(self):
        self.break_off()
        had = self.size(self.partial(NAME + ".part"))
        result = self.check()
        self.assertLessEqual(result.summary["bytes"], len(self.data) - had + 70_000, "what was there came again")

    def test_killed(self):
        for number in (signal.SIGKILL, signal.SIGTERM):
            with self.subTest(number):
                process = self.start_build("--limit-rate", "400k")
                self.eventually(lambda: self.size(self.partial(NAME + ".part")) > 200_000 or process.poll() is not None,
                                "a part of zzz")
                process.send_signal(number)
                result = self.wait(process)
                self.assertEqual(abs(result.status) % 128, number, str(result))
                had = self.size(self.partial(NAME + ".part"))
                result = self.check()
                self.assertLessEqual(result.summary["bytes"], len(self.data) - had + 70_000, "what was there came twice")
                shutil.rmtree(self.root)
                shutil.rmtree(self.cache)

    def test_limited(self):
        """--limit-rate holds for a folder as well."""
        result = self.check("--limit-rate", "400k")
        self.assertGreater(result.seconds, 1.5)

    def test_broken_off_and_changed(self):
        self.break_off()
        self.put(noise_package("zzz", 900_000, seed=4), moment=1_600_000_000)
        self.check()

    def test_broken_off_and_shorter(self):
        self.break_off()
        self.put(noise_package("zzz", 50_000, seed=4), moment=1_600_000_000)
        self.check()

    def test_broken_off_and_as_long_as_the_part(self):
        """There is nothing after what is there, but it is of the old file."""
        self.break_off()
        name, data = noise_package("zzz", 100_000, seed=4)
        self.put((name, data), moment=1_600_000_000)
        os.truncate(self.partial(NAME + ".part"), len(data))
        self.check()

    def test_changed_at_the_same_time(self):
        """Other bytes, the same length and the same time: only verification can tell. Never a mixture in a root."""
        self.break_off()
        self.put(noise_package("zzz", 1_000_000, seed=4))
        result = self.build()
        if result.status != 0:
            self.assert_failed(result, netkit.PACKAGE, "zzz-1-x86_64-P1")
            self.assert_done(self.build())
        self.assert_installed(*self.paths)


class Update(Folder):
    def again(self, *more):
        shutil.rmtree(self.root)
        return self.check("--update", *more)

    def test_nothing_changed(self):
        self.check()
        inode = os.stat(self.cache_folder("rootfs")).st_ino
        result = self.again()
        self.assertEqual((result.summary["bytes"], result.summary["decoded"]), (0, 0), str(result))
        self.assertEqual(os.stat(self.cache_folder("rootfs")).st_ino, inode)

    def test_changed(self):
        self.check()
        self.put(noise_package("bbb", 25_000, seed=4), moment=1_600_000_000)
        result = self.again()
        self.assertRegex(result.err, r"bbb-1-x86_64-P1\.tgz.*changed")
        self.assertEqual(result.summary["bytes"], os.path.getsize(self.mirror + self.paths[1]), "only it is copied")

    def test_changed_and_older(self):
        """Another size tells, whatever the time is."""
        self.check()
        self.put(noise_package("bbb", 25_000, seed=4), moment=1_400_000_000)
        self.again()

    def test_same_size_and_older(self):
        """A folder's times are exact: one that differs is another file, also where it is older."""
        self.check()
        name, data = os.path.basename(self.paths[1]), self.read(self.mirror + self.paths[1])
        self.put((name, data[:4] + b"\1\2\3\4" + data[8:]), moment=1_400_000_000)
        self.again()

    def test_added_and_removed(self):
        self.check()
        os.unlink(self.mirror + self.paths.pop(0))
        self.paths.append(self.put(noise_package("ddd", 5000)))
        result = self.again()
        self.assertRegex(result.err, r"ddd-1-x86_64-P1\.tgz.*added")
        self.assertRegex(result.err, r"aaa-1-x86_64-P1\.tgz.*removed")

    def test_from_http_to_a_folder(self):
        """The cache came from a server; the folder has the same files."""
        url, self.url = self.url, self.http
        self.assert_done(self.build())
        self.url = url
        self.server.clear()
        result = self.again()
        self.assertEqual(result.summary["decoded"], 0, str(result))


if __name__ == "__main__":
    netkit.main()
