#!/usr/bin/env python3
"""Each thing that goes wrong gives one line that names it, the documented exit status and no half-built root."""

import fcntl
import glob
import lzma
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import netkit
from faulty_server import Fault
from netkit import (ARCH, BASE, BUSY, LOCK_FILE, MIRROR, NO_SPACE, NOBODY, PACKAGE, PERMISSION, RELEASE, TREE, USAGE,
                    NetTest, noise_package, package, settings)
from tarball import file


def unused_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Mirror(NetTest):
    def test_connection_refused(self):
        self.url = f"http://127.0.0.1:{unused_port()}"
        result = self.build()
        self.assert_failed(result, MIRROR, self.url)

    def test_unknown_host(self):
        self.url = "http://mirror.invalid/Plamo"
        self.assert_failed(self.build(), MIRROR, "mirror.invalid")

    def test_silent_host(self):
        """A host that takes the connection and never answers is left in the end."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            self.assert_failed(self.build("--stall-timeout", "1"), MIRROR, self.url)

    def test_category_that_is_not_there(self):
        self.put_some("aaa")
        result = self.assert_failed(self.build("--categories", "00_base 07_nothing"), MIRROR, "07_nothing", f"{self.url}{TREE}/plamo/")
        self.assertEqual(self.fetched(), [], str(result))

    def test_release_that_is_not_there(self):
        shutil.rmtree(self.mirror + TREE)
        self.assert_failed(self.build(), MIRROR, f"{self.url}{BASE}")

    def test_empty_category(self):
        self.assert_failed(self.build(), MIRROR)

    def test_nothing_but_texts(self):
        """An add-on's pattern may match no package at all: that is no root."""
        with open(self.mirror + BASE + "notes-1.txt", "w") as f:
            f.write("text")
        self.assert_failed(self.build("--categories", "", "--add", "plamo/00_base/notes"), MIRROR, self.url)

    def test_package_that_is_not_there(self):
        """It is listed but gone: the others are kept, and the next run fetches it alone."""
        paths = self.put_some("aaa", "bbb", "ccc")
        self.server.add(paths[1], Fault(status=404, repeat=True))
        self.assert_failed(self.build(), MIRROR, os.path.basename(paths[1]), self.url + paths[1], "404")
        self.assertEqual(len(self.server.asked("bbb-1-x86_64-P1.tgz")), 1, "a 404 is not tried again")
        self.server.clear()
        self.assert_done_with_only_missing(paths)

    def assert_done_with_only_missing(self, paths):
        """The next run goes on from what the partial folder has."""
        have = [os.path.basename(p) for p in paths if os.path.exists(self.partial(os.path.basename(p)))]
        result = self.assert_done(self.build())
        self.assertEqual([n for n in self.sent() if n in have], [], f"fetched although finished\n{result}")
        self.assert_installed(*paths)

    def test_permanent_server_error(self):
        paths = self.put_some("aaa", "bbb")
        self.server.add(paths[0], Fault(status=403, repeat=True))
        self.assert_failed(self.build(), MIRROR, os.path.basename(paths[0]), "403")
        self.server.clear()
        self.assert_done_with_only_missing(paths)

    def test_finished_downloads_are_kept(self):
        """One package fails after all others have been fetched: the next run asks for that one only."""
        paths = self.put_some("aaa", "bbb", "ccc", "ddd")
        self.server.add(paths[3], Fault(status=404, delay=1))
        self.assert_failed(self.build(), MIRROR, os.path.basename(paths[3]))
        self.server.clear()
        self.assert_done(self.build())
        self.assertEqual(self.sent(), {"ddd-1-x86_64-P1.tgz"})
        self.assert_installed(*paths)

    def test_redirects_that_lead_nowhere(self):
        """To a file, to another scheme, round in circles: refused, and nothing of the host is read."""
        secret = os.path.join(self.folder, "secret")
        with open(secret, "w") as f:
            f.write("secret\n")
        [path] = self.put_some("aaa")
        for place in (f"file://{secret}", f"ftp://127.0.0.1:{unused_port()}/x", "gopher://127.0.0.1/x", path):
            with self.subTest(place):
                self.server.clear()
                self.server.add(path, Fault(redirect=place, repeat=True))
                result = self.assert_failed(self.build(), MIRROR, os.path.basename(path))
                self.assertNotIn("secret\n", "".join(self.read(p).decode("latin1") for p in
                                                      glob.glob(self.partial("*"))), str(result))
                self.assertLess(len(self.server.asked()), 20)

    def test_redirect_to_another_place(self):
        [path] = self.put_some("aaa")
        other = f"{TREE}/elsewhere.tgz"
        os.rename(self.mirror + path, self.mirror + other)
        with open(self.mirror + path, "wb"):
            pass
        self.server.add(path, Fault(redirect=other))
        self.assert_done(self.build())
        self.assertEqual(self.read(self.cache_folder("cache"), os.path.basename(path)), self.read(self.mirror + other))

    def test_listing_is_no_listing(self):
        """A page without links, as a captive portal sends it, is no plan."""
        self.server.contents[BASE + "/"] = b"<html>Please log in</html>"
        self.assert_failed(self.build(), MIRROR)
        self.server.contents[BASE + "/"] = b"\x00\xff\x7fELF" * 1000
        self.assert_failed(self.build(), MIRROR)


class Packages(NetTest):
    def corrupt(self, data):
        return self.put(("ccc-1-x86_64-P1.tgz", data))

    def check_bad(self, data, good):
        """The bad file is refused by name, thrown away, and the next run with the fault gone fetches it alone."""
        paths = self.put_some("aaa", "bbb", "ddd")
        bad = self.corrupt(data)
        self.assert_failed(self.build(), PACKAGE, "ccc-1-x86_64-P1")
        kept = [n for n in ("aaa", "bbb", "ddd") if os.path.exists(self.partial(f"{n}-1-x86_64-P1.tgz"))]
        self.assertIn("aaa", kept, "packages before the bad one had been verified")
        self.put((os.path.basename(bad), good))
        self.server.clear()
        self.assert_done(self.build())
        self.assertIn("ccc-1-x86_64-P1.tgz", self.fetched())
        self.assertEqual([n for n in self.sent() if n[:3] in kept], [])
        self.assert_installed(*paths, bad)

    def test_truncated_file(self):
        """The server believes in the truncation: lengths agree, only verification can tell."""
        _, good = noise_package("ccc", 30_000)
        self.check_bad(good[:len(good) // 2], good)

    def test_cut_in_the_trailer(self):
        _, good = noise_package("ccc", 30_000)
        self.check_bad(good[:-3], good)

    def test_flipped_bit(self):
        _, good = noise_package("ccc", 30_000)
        data = bytearray(good)
        data[len(data) // 2] ^= 4
        self.check_bad(bytes(data), good)

    def test_flipped_bit_in_the_check_value(self):
        _, good = noise_package("ccc", 30_000)
        data = bytearray(good)
        data[-7] ^= 1
        self.check_bad(bytes(data), good)

    def test_error_page_instead_of_a_package(self):
        _, good = noise_package("ccc", 30_000)
        self.check_bad(b"<html>404 with status 200</html>", good)

    def test_empty_file(self):
        _, good = noise_package("ccc", 30_000)
        self.check_bad(b"", good)

    def test_cut_tar_in_a_whole_xz(self):
        """The compressed file is whole, but what it holds lacks the blocks that end an archive."""
        name, good = noise_package("ccc", 30_000, suffix="txz")
        tar = lzma.decompress(good).rstrip(b"\0")
        path = self.put((name, lzma.compress(tar + bytes(-len(tar) % 512))))
        self.assert_failed(self.build(), PACKAGE, "ccc-1-x86_64-P1")
        self.put((name, good))
        self.assert_done(self.build())
        self.assert_installed(path)

    def test_corrupt_file_in_a_complete_cache(self):
        """A warm cache whose file went bad: it comes anew, and it alone; where nothing may be fetched it is named."""
        paths = self.put_some("aaa", "bbb")
        self.assert_done(self.build())
        shutil.rmtree(self.root)
        shutil.rmtree(self.cache_folder("rootfs"))
        victim = os.path.join(self.cache_folder("cache"), os.path.basename(paths[1]))
        with open(victim, "r+b") as f:
            f.seek(1000)
            f.write(b"xxxx")
        self.server.clear()
        self.assert_failed(self.build("--offline"), PACKAGE, "bbb-1-x86_64-P1")
        self.assertTrue(os.path.exists(os.path.join(self.cache_folder("cache"), os.path.basename(paths[0]))))
        self.assertIn("fetching it anew", self.assert_done(self.build()).err)
        self.assertEqual(self.sent(), {os.path.basename(victim)})
        self.assert_installed(*paths)

    def test_skip_corrupt(self):
        """With --skip-corrupt the build goes on, as the shell template does, and says so."""
        paths = self.put_some("aaa", "bbb")
        self.corrupt(b"junk")
        result = self.assert_done(self.build("--skip-corrupt"))
        self.assertIn("ccc-1-x86_64-P1", result.err)
        self.assertEqual(sorted(os.listdir(self.root + "/var/log/packages")), ["aaa", "bbb"])
        self.assertEqual(len(paths), 2)


class Space(NetTest):
    def setUp(self):
        super().setUp()
        if not settings.private_mounts:
            self.skipTest("cannot mount")

    def mount(self, folder, options):
        os.makedirs(folder, exist_ok=True)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "plamo-small", folder], capture_output=True)
        if done.returncode:
            self.skipTest(f"cannot mount: {done.stderr.decode().strip()}")
        self.addCleanup(subprocess.run, ["umount", "-l", folder], check=False)

    def remount(self, folder, options):
        subprocess.run(["mount", "-o", f"remount,{options}", folder], check=True)

    def go_on(self, paths, options):
        """With more room the next run fetches only what is missing."""
        have = [n for n in os.listdir(self.partial()) if n.endswith(".tgz")]
        self.server.clear()
        self.remount(self.cache, options)
        self.assert_done(self.build())
        self.assertEqual([n for n in self.sent() if n in have], [])
        self.assert_installed(*paths)

    def test_cache_full_while_downloading(self):
        self.mount(self.cache, "size=2m")
        small = self.put_some("aaa", "bbb")
        big = self.put(noise_package("zzz", 3_000_000))
        self.server.add(big, Fault(delay=1))
        self.assert_failed(self.build(), NO_SPACE, "zzz-1-x86_64-P1.tgz", self.cache)
        self.assertEqual([n for n in sorted(os.listdir(self.partial())) if n.endswith(".tgz")],
                         ["aaa-1-x86_64-P1.tgz", "bbb-1-x86_64-P1.tgz"])
        self.go_on([*small, big], "size=40m")

    def test_cache_full_while_unpacking(self):
        self.mount(self.cache, "size=4m")
        small = self.put_some("aaa", "bbb")
        big = self.put(package("zzz-1-x86_64-P1", [file("usr/share/zzz", b"\0" * 12_000_000 + b"x")]))
        result = self.assert_failed(self.build(), NO_SPACE, "zzz-1-x86_64-P1", self.cache)
        self.assertGreater(shutil.disk_usage(self.cache).free, 3_000_000, f"space is not released\n{result}")
        self.go_on([*small, big], "size=60m")

    def test_cache_without_inodes(self):
        self.mount(self.cache, "size=20m,nr_inodes=80")
        small = self.put_some("aaa", "bbb")
        many = self.put(package("zzz-1-x86_64-P1", [file(f"usr/share/many/{i}", b"") for i in range(200)]
                                + [file("usr/share/zzz", b"")]))
        # One worker unpacks in order, so it is this package that meets the limit.
        self.assert_failed(self.build("--jobs", "1"), NO_SPACE, "zzz-1-x86_64-P1", self.cache)
        self.go_on([*small, many], "nr_inodes=2000")

    def test_small_ext4(self):
        """As on a tmpfs, on a file system with blocks allocated late."""
        image = os.path.join(self.folder, "image")
        with open(image, "wb") as f:
            f.truncate(4 << 20)
        os.makedirs(self.cache)
        made = subprocess.run(["mkfs.ext4", "-q", "-m", "0", "-O", "^has_journal", image], capture_output=True)
        if made.returncode or subprocess.run(["mount", "-o", "loop", image, self.cache], capture_output=True).returncode:
            self.skipTest("no ext4 on a loop device")
        self.addCleanup(subprocess.run, ["umount", self.cache], check=False)
        self.put_some("aaa", "bbb")
        self.put(noise_package("zzz", 6_000_000))
        self.assert_failed(self.build(), NO_SPACE, "zzz-1-x86_64-P1.tgz", self.cache)

    def test_target_full(self):
        """The root's file system is full: the cached root stays, ROOT is emptied."""
        paths = self.put_some("aaa", "bbb")
        paths.append(self.put(noise_package("zzz", 3_000_000)))
        small = os.path.join(self.folder, "small")
        self.mount(small, "size=1m")
        for name, root in (("below", os.path.join(small, "root")), ("mount point itself", small)):
            with self.subTest(name):
                self.root = root
                result = self.build()
                self.assertEqual((result.status, len(result.errors)), (NO_SPACE, 1), str(result))
                self.assertIn(root, result.errors[0], str(result))
                self.assertEqual(os.listdir(small), [], str(result))
                self.assertEqual(len(os.listdir(self.cache_folder("rootfs") + "/var/log/packages")), 3)
        self.root = os.path.join(self.folder, "root")
        self.server.clear()
        self.assert_done(self.build())
        self.assertEqual(self.server.asked(), [])
        self.assert_installed(*paths)


class Privilege(NetTest):
    def setUp(self):
        super().setUp()
        self.put_some("aaa")
        # Where nobody can reach them.
        self.programs = os.path.join(self.folder, "bin")
        shutil.copytree(settings.bin, self.programs)
        self.own = os.path.join(self.folder, "own")
        os.mkdir(self.own)
        os.chown(self.own, NOBODY, NOBODY)
        self.cache, self.root = f"{self.own}/cache", f"{self.own}/root"

    def as_nobody(self, program, *arguments):
        command = [os.path.join(self.programs, program), *arguments]
        return self.wait(self.start(command, user=NOBODY, group=NOBODY, extra_groups=[]))

    def test_build(self):
        self.assert_failed(self.as_nobody("plamo-fast", *self.build_arguments()), PERMISSION, "root")
        self.assertEqual(self.server.asked(), [])

    def test_template(self):
        self.assert_failed(self.as_nobody("lxc-plamo-fast", f"--path={self.own}", "--name=c1", f"--rootfs={self.root}"),
                           PERMISSION, "root")

    def test_plan_needs_none(self):
        result = self.as_nobody("plamo-fast", "plan", "-r", RELEASE, "-a", ARCH, "-m", self.url)
        self.assert_done(result)
        self.assertIn("aaa-1-x86_64-P1.tgz", result.out)

    def test_clean_of_anothers_cache(self):
        folder = os.path.join(self.folder, "roots")
        os.makedirs(os.path.join(folder, f"cache-plamo-{RELEASE}-{ARCH}"))
        result = self.as_nobody("plamo-fast", "clean", "-r", RELEASE, "-a", ARCH, "--cache", folder)
        self.assert_failed(result, PERMISSION, folder)


class Usage(NetTest):
    def check(self, arguments, *names, program="plamo-fast", env=None, status=USAGE):
        with self.subTest(" ".join([program, *arguments, *(f"{k}={v}" for k, v in (env or {}).items())])):
            result = self.run_program(*arguments, program=program, env=env)
            self.assert_failed(result, status, *names)
            self.assertEqual(self.server.asked(), [], "the mirror was asked")
            self.assertTrue(result.errors[0].startswith(f"{program}: error: "), str(result))

    def test_values(self):
        for option, value in (("--jobs", "0"), ("--jobs", "x"), ("--jobs", "-1"), ("--jobs", "2x"), ("--jobs", "9999"),
                              ("--jobs", ""), ("--jobs", "99999999999999999999"), ("--connections", "0"),
                              ("--connections", "1000"), ("--lock-timeout", "-1"), ("--lock-timeout", "soon"),
                              ("--release", "9"), ("--release", "../8.x"), ("--release", "8.x/../x"), ("--release", ""),
                              ("--arch", "sparc"), ("--arch", ""), ("--mirror", "ftps://x/"),
                              ("--mirror", "gopher://x/"), ("--mirror", "nonsense"), ("--mirror", ""),
                              ("--mirror", "http://x/?y"), ("--mirror", "http://a b/")):
            # What the message must have: the option's name, or the value it was given.
            named = value if option in ("--release", "--arch", "--mirror") else option
            self.check(self.build_arguments(option, value), named)

    def test_container_names(self):
        for name in ("", ".", "..", "../x", "a/b", "a b", "a\nb", "x" * 65):
            self.check([*self.build_arguments()[:2], "--name", name, *self.build_arguments()[3:]], "name")

    def test_password_in_a_url(self):
        arguments = self.build_arguments("--mirror", "http://me:secret@x/")
        self.check(arguments, "password", "netrc")
        self.assertNotIn("secret", self.run_program(*arguments).err)

    def test_folders(self):
        for option, value in (("--categories", "../x"), ("--categories", "a/../b"), ("--contrib", ".."),
                              ("--add", "sqlite"), ("--add", "contrib/DB/"), ("--add", "../x/y")):
            self.check(self.build_arguments(option, value), value.rsplit("/", 1)[0])

    def test_unknown_option(self):
        for command in ("build", "plan", "clean"):
            self.check([command, "--no-such-option"], "no-such-option")
            self.check([command, "-Z"], "Z")
            self.check([command, "--mirror"], "mirror")
            self.check([command, "--json=1"] if command == "plan" else [command, "--quiet=1"],
                       "json" if command == "plan" else "quiet")

    def test_operands(self):
        self.check(["build"], "ROOT")
        self.check(self.build_arguments("another"), "ROOT")
        self.check(["plan", "operand"], "operand")
        self.check(["clean", "operand"], "operand")
        self.check(["no-such-command"], "no-such-command")

    def test_names(self):
        for name in ("../x", "a/b", "..", ".", "", "a b", "a\nb"):
            self.check(self.build_arguments("--name", name)[:2] + self.build_arguments("--name", name)[3:],
                       name.replace("\n", "\\x0a"))

    def test_environment(self):
        for name, value in (("release", "zzz"), ("DLSCHEME", "gopher"), ("CATEGORIES", "../x"), ("ADDONPKGS", "x")):
            arguments = ["build", self.root, "--cache", self.cache]
            mirror = {"DLSCHEME": "http", "MIRRORSRV": self.url[7:], "MIRRORPATH": "/", "release": RELEASE}
            self.check(arguments, value, env={**mirror, name: value})

    def test_template(self):
        given = [f"--path={self.folder}", "--name=c1", f"--rootfs={self.root}"]
        where = {"LXC_CACHE_PATH": self.cache, "DLSCHEME": "http", "MIRRORSRV": self.url[7:], "MIRRORPATH": "/"}
        for arguments, name in ((given[1:], "--path"), ([given[0], given[2]], "--name"), ([*given, "-r", "zzz"], "zzz"),
                                ([*given, "-a", "sparc"], "sparc"), ([*given, "--no-such"], "no-such"),
                                ([*given, "extra"], "extra"), ([*given, "-r"], "r"),
                                ([given[0], "--name=../x", given[2]], "../x")):
            self.check(arguments, name, program="lxc-plamo-fast", env=where)

    def test_template_without_config(self):
        """No --rootfs, and no config that could tell."""
        result = self.run_program(f"--path={self.folder}/none", "--name=c1", program="lxc-plamo-fast",
                                  env={"LXC_CACHE_PATH": self.cache})
        self.assertNotEqual(result.status, 0)
        self.assertEqual(len(result.errors), 1, str(result))
        self.assertIn(f"{self.folder}/none", result.errors[0])

    def test_bindhome_of_nobody_known(self):
        self.put_some("aaa")
        path = os.path.join(self.folder, "c1")
        os.mkdir(path)
        with open(f"{path}/config", "w"):
            pass
        where = {"LXC_CACHE_PATH": self.cache, "DLSCHEME": "http", "MIRRORSRV": self.url[7:], "MIRRORPATH": "/"}
        result = self.run_program(f"--path={path}", "--name=c1", "-r", RELEASE, "-b", "no-such-user", program="lxc-plamo-fast",
                                  env=where)
        self.assertEqual(len(result.errors), 1, str(result))
        self.assertIn("no-such-user", result.errors[0])
        self.assertEqual(result.status, USAGE, str(result))
        self.assertFalse(os.path.exists(f"{path}/rootfs/var"), "a root is left of a container that was refused")


class Target(NetTest):
    def setUp(self):
        super().setUp()
        self.put_some("aaa")

    def check(self, status, *names, **more):
        result = self.build(**more)
        self.assertEqual(len(result.errors), 1, str(result))
        for name in names:
            self.assertIn(name, result.errors[0])
        self.assertEqual(self.server.asked(), [], "the mirror was asked")
        self.assertEqual(result.status, status, str(result))

    def test_not_empty(self):
        os.mkdir(self.root)
        with open(f"{self.root}/mine", "w") as f:
            f.write("mine\n")
        self.check(USAGE, self.root)
        self.assertEqual(os.listdir(self.root), ["mine"])

    def test_is_a_file(self):
        with open(self.root, "w") as f:
            f.write("mine\n")
        self.check(1, self.root)
        self.assertEqual(self.read(self.root), b"mine\n")

    def test_parent_is_not_there(self):
        self.root += "/a/b"
        self.check(1, self.root)

    def test_parent_is_a_file(self):
        with open(self.root, "w") as f:
            f.write("mine\n")
        self.root += "/b"
        self.check(1, self.root)

    def test_the_host_itself(self):
        os.mkdir(f"{self.folder}/here")
        for root in ("/", "/.", self.folder + "/..", "", "."):
            with self.subTest(root):
                self.root = root
                self.check(USAGE, cwd=f"{self.folder}/here")

    def test_empty_folder_is_filled(self):
        os.mkdir(self.root)
        self.assert_done(self.build())
        self.assertTrue(os.path.exists(f"{self.root}/usr/share/aaa"))

    def test_cache_is_no_folder(self):
        with open(self.cache, "w") as f:
            f.write("mine\n")
        self.check(1, self.cache)

    def test_a_link_where_the_cached_root_should_be(self):
        """Never followed: in a world-writable cache it may lead anywhere."""
        host = os.path.join(self.folder, "host")
        os.mkdir(host)
        for kind in ("rootfs", "cache", "partial"):
            with self.subTest(kind):
                os.makedirs(self.cache)
                os.symlink(host, self.cache_folder(kind))
                result = self.build()
                self.assertEqual(len(result.errors), 1, str(result))
                self.assertIn(self.cache_folder(kind), result.errors[0])
                self.assertNotEqual(result.status, 0)
                self.assertEqual(os.listdir(host), [])
                self.assertFalse(os.path.exists(self.root))
                shutil.rmtree(self.cache)


class Lock(NetTest):
    def setUp(self):
        super().setUp()
        if not settings.private_mounts:
            self.skipTest("the machine's lock would be taken")
        self.paths = self.put_some("aaa")
        self.lock = open(LOCK_FILE, "w")
        self.addCleanup(self.lock.close)

    def test_held(self):
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        for timeout in ("1", "0"):
            with self.subTest(timeout):
                result = self.assert_failed(self.build("--lock-timeout", timeout), BUSY, LOCK_FILE)
                self.assertEqual("waiting" in result.err, timeout != "0", str(result))
        self.assertEqual(self.server.asked(), [])

    def cache_lock(self):
        """The cache's own lock file: readers of it share that one, lxc-plamo's only keeps lxc-plamo out."""
        os.makedirs(self.cache, exist_ok=True)
        lock = open(os.path.join(self.cache, ".plamo-fast.lock"), "w")
        os.fchmod(lock.fileno(), 0o600)
        self.addCleanup(lock.close)
        return lock

    def test_held_for_reading(self):
        """Somebody copies from the cache: that is no reason to fail where a root is there, but a build has to wait."""
        lock = self.cache_lock()
        fcntl.flock(lock, fcntl.LOCK_SH)
        self.assert_failed(self.build("--lock-timeout", "0"), BUSY, lock.name)
        fcntl.flock(lock, fcntl.LOCK_UN)
        self.assert_done(self.build())
        shutil.rmtree(self.root)
        fcntl.flock(lock, fcntl.LOCK_SH)
        self.assert_done(self.build("--lock-timeout", "0"))

    def test_let_go(self):
        """Waits, says so once, and goes on."""
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        process = self.start_build("--lock-timeout", "30")
        time.sleep(1)
        self.assertIsNone(process.poll())
        fcntl.flock(self.lock, fcntl.LOCK_UN)
        result = self.assert_done(self.wait(process))
        self.assertEqual(result.err.count("waiting"), 1)
        self.assert_installed(*self.paths)

    def test_clean_waits_too(self):
        self.assert_done(self.build())
        fcntl.flock(self.cache_lock(), fcntl.LOCK_SH)
        result = self.run_program("clean", "-r", RELEASE, "-a", ARCH, "--cache", self.cache, "--lock-timeout", "0")
        self.assertEqual((result.status, len(result.errors)), (BUSY, 1), str(result))
        self.assertTrue(os.path.exists(self.cache_folder("rootfs")))

    def test_signal_while_waiting(self):
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        process = self.start_build("--lock-timeout", "30")
        said = b""
        while b"waiting" not in said:
            piece = os.read(process.stderr.fileno(), 4096)
            self.assertTrue(piece, f"it ended: {said}")
            said += piece
        process.send_signal(signal.SIGTERM)
        result = self.wait(process, 5)
        self.assert_failed(result, 143)

    def test_lock_is_a_link(self):
        """Not followed and not written through."""
        victim = os.path.join(self.folder, "victim")
        os.unlink(LOCK_FILE)
        os.symlink(victim, LOCK_FILE)
        self.addCleanup(os.unlink, LOCK_FILE)
        self.build("--lock-timeout", "0")
        self.assertFalse(os.path.exists(victim))


class Signals(NetTest):
    def check_download(self, number):
        paths = self.put_some("aaa", "bbb")
        big = self.put(noise_package("zzz", 400_000))
        self.server.add(big, Fault(stall=200_000))
        process = self.start_build()
        self.eventually(lambda: self.size(self.partial("zzz-1-x86_64-P1.tgz.part")) >= 200_000, "half of zzz")
        self.eventually(lambda: all(os.path.exists(self.partial(os.path.basename(p))) for p in paths), "aaa, bbb")
        time.sleep(0.3)
        process.send_signal(number)
        result = self.wait(process, 10)
        self.assert_failed(result, 128 + number)
        self.assertEqual(self.size(self.partial("zzz-1-x86_64-P1.tgz.part")), 200_000)
        self.server.clear()
        self.assert_done(self.build())
        self.assertEqual(self.sent(), {"zzz-1-x86_64-P1.tgz"})
        self.assertEqual(self.server.asked("zzz-1-x86_64-P1.tgz")[0].range_start, 200_000)
        self.assert_installed(*paths, big)

    def test_sigint_while_downloading(self):
        self.check_download(signal.SIGINT)

    def test_sigterm_while_downloading(self):
        self.check_download(signal.SIGTERM)

    def test_sighup_while_downloading(self):
        self.check_download(signal.SIGHUP)

    def pids_of(self, command):
        return subprocess.run(["pgrep", "-fx", command], capture_output=True, text=True).stdout.split()

    def check_script(self, number):
        """A script is running: it is ended too, and with it what it started."""
        paths = self.put_some("aaa")
        # A time that nobody else sleeps.
        sleep = f"sleep {100 + os.getpid() / 1e7 + number / 1e9:.9f}"
        self.put(package("zzz-1-x86_64-P1", [file("usr/share/zzz", b"")],
                         script=f"echo > script-runs\n{sleep} &\nwait\n"))
        process = self.start_build()
        note = os.path.join(self.cache, f".plamo-fast-work-{RELEASE}-{ARCH}", "root", "script-runs")
        self.eventually(lambda: self.size(note) > 0 and self.pids_of(sleep), "the script runs")
        # Its own number is of a sandbox, and says nothing here.
        with open(f"/proc/{self.pids_of(sleep)[0]}/stat") as stream:
            pid = int(stream.read().rsplit(")", 1)[1].split()[1])
        process.send_signal(number)
        result = self.wait(process, 10)
        self.assert_failed(result, 128 + number)
        self.assertFalse(os.path.exists(f"/proc/{pid}"), "the script still runs")
        self.assertEqual(self.pids_of(sleep), [], "what the script started still runs")
        self.assertEqual(len(paths), 1)

    def test_sigint_while_a_script_runs(self):
        self.check_script(signal.SIGINT)

    def test_sigterm_while_a_script_runs(self):
        self.check_script(signal.SIGTERM)

    def test_while_waiting_for_the_index(self):
        self.put_some("aaa")
        self.server.add(f"{BASE}/", Fault(stall=10))
        process = self.start_build()
        self.assertTrue(self.server.stalled.wait(10))
        process.send_signal(signal.SIGINT)
        self.assert_failed(self.wait(process, 5), 130)

    def test_plan(self):
        self.put_some("aaa")
        self.server.add(f"{BASE}/", Fault(stall=10))
        process = self.start(self.command("plan", "-r", RELEASE, "-a", ARCH, "-m", self.url))
        self.assertTrue(self.server.stalled.wait(10))
        process.send_signal(signal.SIGTERM)
        result = self.assert_failed(self.wait(process, 5), 143)
        self.assertEqual(result.out, "")

    def test_second_signal_ends_at_once(self):
        """The first one's clean stop may take its time; the second does not wait for it."""
        self.put_some("aaa")
        self.server.add(f"{BASE}/", Fault(stall=10))
        process = self.start_build()
        self.assertTrue(self.server.stalled.wait(10))
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        self.assertEqual(self.wait(process, 5).status, 130)


if __name__ == "__main__":
    netkit.main()
