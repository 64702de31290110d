#!/usr/bin/env python3
"""plamo-fast warm brings caches up to date by a configuration file, while containers are made of them; gc takes away
what is old or too much, and nothing that is in use."""

import fcntl
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import netkit
from faulty_server import FaultyServer
from mirror import mirror_folder
from netkit import ARCH, BUSY, LOCK_FILE, MIRROR, RELEASE, TREE, USAGE, NetTest, noise_package, package, settings
from server import MIRROR_PATH
from tarball import file
from template import ORACLE, create

LATER = 1_600_000_000


class WarmerTest(NetTest):
    def setUp(self):
        super().setUp()
        self.config = os.path.join(self.folder, "plamo-fast.conf")
        self.paths = self.put_some("aaa", "bbb", "ccc")

    def configure(self, text="", **sections):
        """Writes the file: text, and sections of keys and values, of the usual release, mirror and cache."""
        usual = {"release": RELEASE, "arch": ARCH, "mirror": self.url, "cache": self.cache}
        for name, keys in (sections or {"web": {}}).items():
            text += f"[{name}]\n" + "".join(f"{k.replace('_', '-')} = {v}\n" for k, v in {**usual, **keys}.items())
        with open(self.config, "w") as stream:
            stream.write(text)

    def warm_command(self, *more):
        return self.command("warm", "--config", self.config, *more)

    def warm(self, *more):
        return self.wait(self.start(self.warm_command(*more)))

    def gc(self, *more):
        return self.assert_done(self.run_program("gc", "--cache", self.cache, *more))

    def change(self, name="bbb", seed=1):
        return self.put(noise_package(name, 21_000 + seed, seed=seed), moment=LATER + seed)

    def another_root(self):
        self.root += "+"
        self.server.clear()

    def trash(self):
        return [n for n in os.listdir(self.cache) if "trash" in n]

    def kept(self):
        return sorted(n for n in os.listdir(self.cache) if n.startswith("kept-"))

    def build_here(self):
        """A root of what is cached."""
        self.another_root()
        self.assert_done(self.build("--offline"))


class Sections(WarmerTest):
    def test_warms_and_nothing_is_left_to_do(self):
        self.configure()
        self.assert_done(self.warm())
        self.server.clear()
        result = self.assert_done(self.build())
        self.assertEqual(result.summary["requests"], 0, str(result))
        self.assert_installed(*self.paths)

    def test_fetches_only_what_has_changed(self):
        self.configure()
        self.assert_done(self.warm())
        self.server.clear()
        self.assert_done(self.warm())
        self.assertEqual([r for r in self.server.asked() if r.path.endswith(".tgz") and r.sent], [])
        self.paths[1] = self.change()
        self.server.clear()
        self.assert_done(self.warm())
        self.assertEqual({r.path for r in self.server.asked() if r.path.endswith(".tgz") and r.sent}, {self.paths[1]})
        self.build_here()
        self.assert_installed(*self.paths)

    def test_several(self):
        """Each with a cache, a set and limits of its own; what stands above is of all."""
        self.put(noise_package("ddd", 5000), place="contrib/Net")
        self.configure("# all of them\nignore = aaa\n\tbbb   ; no comment\n", web={}, desk={
            "cache": f"{self.folder}/desk", "contrib": "Net", "ignore": "aaa", "categories": "00_base"})
        self.assert_done(self.warm())
        packages = {where: sorted(os.listdir(f"{where}/rootfs-plamo-{RELEASE}-{ARCH}/var/log/packages"))
                    for where in (self.cache, f"{self.folder}/desk")}
        self.assertEqual(packages, {self.cache: ["ccc"], f"{self.folder}/desk": ["bbb", "ccc", "ddd"]})

    def test_named_sections_alone(self):
        self.configure(web={}, desk={"cache": f"{self.folder}/desk"})
        self.assert_done(self.warm("desk"))
        self.assertFalse(os.path.exists(self.cache))
        self.assertTrue(os.path.exists(f"{self.folder}/desk"))
        self.assert_failed(self.warm("dsk"), USAGE, "[dsk]", self.config)

    def test_options_count_before_the_file(self):
        self.configure(web={"mirror": "http://mirror.invalid/"})
        self.assert_done(self.warm("--mirror", self.url))

    def test_a_failure_keeps_no_other_from_its_turn(self):
        self.configure(web={"mirror": "http://127.0.0.1:9/"}, desk={"cache": f"{self.folder}/desk"})
        result = self.warm()
        self.assertEqual((result.status, len(result.errors)), (MIRROR, 1), str(result))
        self.assertIn(f"{self.config}:1: section [web]", result.errors[0])
        self.assertTrue(os.path.isdir(f"{self.folder}/desk/rootfs-plamo-{RELEASE}-{ARCH}"))

    def test_refuses_two_for_one_cache(self):
        """However the two are written."""
        os.makedirs(self.cache)
        self.configure(web={}, desk={"categories": "01_minimum", "cache": f"{self.folder}/./cache/"})
        self.assert_failed(self.warm(), USAGE, f"{self.config}:6:", "[web]", "[desk]", "line 1")
        self.assertEqual(self.server.requests, [])
        self.configure(web={}, old={"release": "7.x", "cache": self.cache, "mirror": "http://127.0.0.1:9/"})
        self.assertEqual(self.warm().status, MIRROR)

    def test_errors_of_the_file(self):
        for line, words in (("relaese = 8.x", ("relaese", "did you mean", '"release"')), ("what", ("KEY = VALUE",)),
                            ("[web", ("[NAME]",)), ("[]", ("name",)), ("[a]\n[a]", ("[a]", "already")),
                            ("jobs = many", ("--jobs", "many")), ("arch = x86\narch = x86_64", ("arch", "line 2")),
                            ("max-age = soon", ("--max-age",)), ("keep = -1", ("--keep",)),
                            ("mirror =", ("URL",)), ("\x00", ("NUL",))):
            with self.subTest(line):
                with open(self.config, "w") as stream:
                    stream.write(f"[one]\n{line}\n")
                number = 1 + len(line.splitlines())
                self.assert_failed(self.warm(), USAGE, f"{self.config}:{number}: ", *words)
        self.configure(web={"release": "9.9"})
        self.assert_failed(self.warm(), USAGE, f"{self.config}:1: section [web]", "9.9")
        for text, word in (("", "section"), ("release = 8.x\n", "section"), (" x\n", "blank")):
            with open(self.config, "w") as stream:
                stream.write(text)
            self.assert_failed(self.warm(), USAGE, self.config, word)
        os.unlink(self.config)
        self.assert_failed(self.warm(), USAGE, self.config, "No such file")

    def test_example(self):
        """The file that is installed: its sections, also those in comments, are what the program takes."""
        with open(os.path.join(netkit.FIXTURES, "..", "cmd", "plamo-fast.conf")) as stream:
            text = stream.read()
        plain = re.sub(r"(?m)^#((?:[a-z-]+ *=|\[).*)$", r"\1", text)
        self.assertNotEqual(plain, text)
        for example in (text, plain):
            with open(self.config, "w") as stream:
                stream.write(example)
            result = self.warm("no such section")
            self.assert_failed(result, USAGE, "[no such section]")


class Age(WarmerTest):
    def test_max_age(self):
        self.configure()
        self.assert_done(self.warm())
        self.server.clear()
        result = self.assert_done(self.warm("--max-age", "1h"))
        self.assertEqual(self.server.requests, [], str(result))
        self.assertIn("asked lately", result.err)
        time.sleep(1.1)
        self.assert_done(self.warm("--max-age", "1s"))
        self.assertNotEqual(self.server.requests, [])

    def test_ask_now(self):
        """An age of nothing, and --update, are more than what the file says."""
        self.configure(web={"max_age": "1h"})
        self.assert_done(self.warm())
        for options in (("--max-age", "0"), ("--max-age", "0s"), ("--update",)):
            with self.subTest(" ".join(options)):
                self.server.clear()
                self.assert_done(self.warm(*options))
                self.assertNotEqual(self.server.requests, [])

    def test_age_does_not_count(self):
        """Where the root is missing, or something else is wanted."""
        self.configure(web={"max_age": "1h"})
        self.assert_done(self.warm())
        for what, change in (("no root", lambda: self.run_program("clean", "-r", RELEASE, "-a", ARCH, "--cache",
                                                                  self.cache)),
                             ("another set", lambda: self.configure(web={"max_age": "1h", "ignore": "aaa"}))):
            with self.subTest(what):
                change()
                self.server.clear()
                self.assert_done(self.warm())
                self.assertNotEqual(self.server.requests, [])
        self.assertEqual(len(os.listdir(f"{self.cache_folder('rootfs')}/var/log/packages")), 2)


class Generations(WarmerTest):
    def test_keep(self):
        """Two older sets stay. One that gets the name of the cache back is what the next root is made of."""
        self.configure()
        for seed in range(1, 5):
            path = self.change(seed=seed)
            self.assert_done(self.warm("--keep", "2"))
        self.assertEqual(len(self.kept()), 2)
        self.build_here()
        self.assert_installed(self.paths[0], path, self.paths[2])
        self.assert_done(self.run_program("clean", "-r", RELEASE, "-a", ARCH, "--cache", self.cache))
        self.assertEqual(len(self.kept()), 2)
        os.rename(f"{self.cache}/{self.kept()[1]}", self.cache_folder("cache"))
        self.change(seed=3)
        self.build_here()
        self.assert_installed(*self.paths)

    def test_without_keep(self):
        self.configure()
        self.assert_done(self.warm())
        self.change()
        self.assert_done(self.warm())
        self.assertEqual(self.kept(), [])


class Meanwhile(WarmerTest):
    def setUp(self):
        super().setUp()
        # Takes a while to copy, so that a copy can be stopped.
        self.put(package("many-1-x86_64-P1", [file(f"usr/share/many.{i}", b"x") for i in range(600)]))
        self.configure()
        self.assert_done(self.warm())
        self.old = dict(zip(self.paths, (self.read(self.mirror + p) for p in self.paths)))

    def start_slow_clone(self):
        """A build that has been stopped as it copies the cached root. One that was faster than the signal is no use."""
        for _ in range(50):
            self.another_root()
            process = self.start_build("--jobs", "1")
            for line in process.stderr:
                if b"copying the cached root" in line:
                    break
            process.send_signal(signal.SIGSTOP)
            if os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT).si_code == os.CLD_STOPPED:
                return process
            self.assert_done(self.wait(process))
        self.fail("no copy could be stopped")

    def assert_content(self, root, state):
        for path, data in state.items():
            name = os.path.basename(path).split("-")[0]
            self.assertEqual(self.read(root, "usr/share", name), self.content(data, name))

    def content(self, data, name):
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            return archive.extractfile(f"usr/share/{name}").read()

    def test_slow_clone(self):
        """Packages and root are exchanged under it; it ends with the old root, which then goes."""
        process = self.start_slow_clone()
        inode = os.stat(self.cache_folder("rootfs")).st_ino
        self.change()
        self.assert_done(self.warm("--lock-timeout", "5"))
        self.assertNotEqual(os.stat(self.cache_folder("rootfs")).st_ino, inode)
        self.assertEqual(len(self.trash()), 1, "the old root stays while it is read")
        # Neither a collection nor another container takes it away.
        self.assertIn("in use", self.gc("--max-age", "1s").err)
        slow, self.root = self.root, self.root + "-new"
        self.assert_done(self.build())
        self.assertEqual(len(self.trash()), 1)
        process.send_signal(signal.SIGCONT)
        self.assert_done(self.wait(process))
        self.assert_content(slow, self.old)
        self.assertEqual(self.trash(), [])
        now = {p: self.read(self.mirror + p) for p in self.paths}
        self.assertNotEqual(now, self.old)
        self.assert_content(self.root, now)

    def test_killed_slow_clone(self):
        """What it read goes with the next run."""
        process = self.start_slow_clone()
        self.change()
        self.assert_done(self.warm())
        process.kill()
        self.wait(process)
        self.assertEqual(len(self.trash()), 1)
        self.another_root()
        self.assert_done(self.build())
        self.assertEqual(self.trash(), [])

    def start_slow_update(self):
        """A warmer at work: a script of the new root waits until go_on."""
        script = "echo > script-runs\nuntil [ -e go-on ]; do sleep 0.1; done\n"
        self.put(package("slow-1-x86_64-P1", [file("usr/share/slow", b"")], script=script))
        self.work = f"{self.cache}/.plamo-fast-work-{RELEASE}-{ARCH}/root"
        process = self.start(self.warm_command())
        self.eventually(lambda: os.path.exists(f"{self.work}/script-runs"), "the script runs")
        return process

    def go_on(self):
        with open(f"{self.work}/go-on", "w"):
            pass

    def test_clones_during_an_update(self):
        """They wait for nothing and get the old root; lxc-plamo, which would change it, finds the cache busy."""
        process = self.start_slow_update()
        self.another_root()
        self.assert_done(self.build("--lock-timeout", "0"))
        self.assertIsNone(process.poll())
        self.assert_content(self.root, self.old)
        self.assertFalse(os.path.exists(f"{self.root}/usr/share/slow"))
        with open(LOCK_FILE) as stream, self.assertRaises(BlockingIOError):
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        result = self.run_program("clean", "-r", RELEASE, "-a", ARCH, "--cache", self.cache, "--lock-timeout", "0")
        self.assert_failed_busy(result)
        # At work: what is being made is no leftover.
        self.assertIn("in use", self.gc().err)
        self.go_on()
        self.assert_done(self.wait(process))
        self.another_root()
        self.assert_done(self.build())
        self.assertTrue(os.path.exists(f"{self.root}/usr/share/slow"))

    def assert_failed_busy(self, result):
        self.assertEqual((result.status, len(result.errors)), (BUSY, 1), str(result))

    def test_two_warmers(self):
        """The second waits for the first; with --max-age it has nothing left to ask."""
        first = self.start_slow_update()
        self.assert_failed_busy(self.warm("--lock-timeout", "0"))
        self.server.clear()
        second = self.start(self.warm_command("--max-age", "1h"))
        # It says that it waits; the line is read as it comes.
        self.assertTrue(any(b"waiting" in line for line in second.stderr))
        self.go_on()
        for process in (first, second):
            result = self.assert_done(self.wait(process))
        self.assertIn("asked lately", result.err)
        self.assertEqual(self.server.requests, [])

    def test_stopped_between_sections(self):
        self.configure(web={}, desk={"cache": f"{self.folder}/desk"})
        process = self.start_slow_update()
        process.send_signal(signal.SIGTERM)
        result = self.wait(process)
        self.assertEqual((result.status, len(result.errors)), (143, 1), str(result))
        self.assertFalse(os.path.exists(f"{self.folder}/desk"))


class Template(NetTest):
    def setUp(self):
        """The fixtures' mirror, which has the tools that Debian's template needs; a copy, to change it."""
        super().setUp()
        if not all(map(shutil.which, (ORACLE, "wget", "ed", "patch"))) or not settings.mirror:
            self.skipTest(f"needs {ORACLE} with wget, ed and patch, and the mirror of the fixtures")
        self.server.stop()
        served = os.path.join(self.folder, "served")
        shutil.copytree(mirror_folder(settings.mirror), served + MIRROR_PATH, symlinks=True)
        self.tree = served + MIRROR_PATH + TREE
        self.server = FaultyServer(served).start()
        self.addCleanup(self.server.stop)

    def warm(self):
        config = os.path.join(self.folder, "plamo-fast.conf")
        with open(config, "w") as stream:
            stream.write(f"[one]\nrelease = {RELEASE}\narch = {ARCH}\nmirror = {self.server.url}{MIRROR_PATH}\n"
                         f"cache = {self.cache}\n")
        self.assert_done(self.run_program("warm", "--config", config))
        self.server.clear()

    def container(self, number):
        class Address:
            scheme, address = "http", self.server.url.removeprefix("http://")
        container = create(ORACLE, f"{self.folder}/shell{number}", self.cache, RELEASE, Address)
        self.assertEqual(container.status, 0, container.log)
        self.assertEqual(self.server.requests, [])
        return sorted(os.listdir(f"{container.rootfs}/var/log/packages"))

    def test_lxc_plamo_uses_what_was_warmed(self):
        """It asks the mirror nothing, before and after an update."""
        self.warm()
        before = self.container(1)
        base = f"{self.tree}/plamo/00_base"
        gone = next(n for n in sorted(os.listdir(base)) if n.endswith(".tzst") and not n.startswith("pkgtools") and
                    n.split("-")[0] in before)
        os.unlink(f"{base}/{gone}")
        self.warm()
        self.assertEqual(self.container(2), [n for n in before if n != gone.split("-")[0]])


class Collection(WarmerTest):
    def setUp(self):
        super().setUp()
        self.configure(web={"keep": "3"})
        for seed in (1, 2):
            self.change(seed=seed)
            self.assert_done(self.warm())

    def names(self):
        return {n for n in os.listdir(self.cache) if not n.endswith(".lock")}

    def leave_things(self):
        """What killed runs leave, and somebody else's folder."""
        for name in (f".plamo-fast-work-{RELEASE}-{ARCH}", ".plamo-fast-trash", ".plamo-fast-trash.1",
                     "rootfs-debian-sid", "kept-plamo-nonsense"):
            os.makedirs(f"{self.cache}/{name}/a")
        os.makedirs(self.partial())

    def test_leftovers_alone(self):
        before = self.names()
        self.leave_things()
        self.gc("--dry-run")
        self.assertIn(".plamo-fast-trash", self.names())
        self.gc()
        self.assertEqual(self.names(),
                         before | {"rootfs-debian-sid", "kept-plamo-nonsense", os.path.basename(self.partial()[:-1])})

    def test_by_age(self):
        (old,) = self.kept()
        os.rename(f"{self.cache}/{old}", f"{self.cache}/kept-plamo-{RELEASE}-{ARCH}-20200101T000000Z")
        self.leave_things()
        result = self.gc("--max-age", "2d")
        self.assertEqual(self.kept(), ["kept-plamo-nonsense"], str(result))
        self.assertTrue(os.path.exists(self.cache_folder("rootfs")))
        lock = f"{self.cache}/.plamo-fast-{RELEASE}-{ARCH}.names.lock"
        os.utime(lock, (1_500_000_000, 1_500_000_000))
        self.gc("--max-age", "2d", "--dry-run")
        self.assertTrue(os.path.exists(self.cache_folder("rootfs")))
        self.gc("--max-age", "2d")
        self.assertFalse(os.path.exists(self.cache_folder("rootfs")) or os.path.exists(self.cache_folder("cache")))
        self.assert_done(self.warm())

    def test_use_makes_young(self):
        lock = f"{self.cache}/.plamo-fast-{RELEASE}-{ARCH}.names.lock"
        os.utime(lock, (1_500_000_000, 1_500_000_000))
        self.build_here()
        self.gc("--max-age", "2d")
        self.assertTrue(os.path.exists(self.cache_folder("rootfs")))

    def test_by_size(self):
        """The kept set first, then the release."""
        folders = [self.cache_folder("rootfs"), self.cache_folder("cache"), f"{self.cache}/{self.kept()[0]}"]
        sizes = subprocess.run(["du", "-sB1", *folders], capture_output=True, check=True).stdout.splitlines()
        self.gc("--max-size", str(sum(int(line.split()[0]) for line in sizes) - 1))
        self.assertEqual(self.kept(), [])
        self.assertTrue(os.path.exists(self.cache_folder("rootfs")))
        self.gc("--max-size", "1k")
        self.assertFalse(os.path.exists(self.cache_folder("rootfs")))

    def test_nothing_there(self):
        self.cache += "-none"
        self.gc("--max-size", "1")
        self.assertFalse(os.path.exists(self.cache))

    def test_arguments(self):
        for arguments, word in ((("--max-size", "much"), "much"), (("--max-age", "0"), "--max-age"), (("x",), "x")):
            result = self.run_program("gc", "--cache", self.cache, *arguments)
            self.assertEqual((result.status, len(result.errors)), (USAGE, 1), str(result))
            self.assertIn(word, result.errors[0])


if __name__ == "__main__":
    netkit.main()
