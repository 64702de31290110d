#!/usr/bin/env python3
"""Hostile surroundings: what a user, or another user of the machine, prepares before our programs start."""

import fcntl
import os
import shutil
import stat
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import attackkit
import netkit
from attackkit import GOOD, AttackTest, gz
from hostile import END, file, folder, header, octal
from netkit import ARCH, BUSY, FAILED, NOBODY, PACKAGE, PERMISSION, RELEASE, USAGE

FILE = f"{GOOD}.tgz"

# Holds a lock on all that can be opened below the folders given, until its input ends.
HOLD = """
import fcntl, os, sys
held = []
for top in sys.argv[1:]:
    for place, folders, files in os.walk(top):
        for path in (place, *(os.path.join(place, name) for name in files)):
            try:
                fd = os.open(path, os.O_RDONLY)
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                held.append(fd)
            except OSError:
                pass
print("held", flush=True)
sys.stdin.read()
"""


class Process(AttackTest):
    """The process as the programs find it."""

    def setUp(self):
        super().setUp()
        modes = folder("d", mode=octal(0o777, 8)) + file("d/f", "x", mode=octal(0o666, 8))
        self.put(("modes-1-x86_64-P1.tgz", gz(modes + END)))

    def assert_modes(self, result):
        self.assert_done(result)
        self.assert_host_untouched(result)
        for path, mode in (("d", 0o777), ("d/f", 0o666), ("var/log/packages", 0o755), ("var/log/setup/tmp", 0o700),
                           ("", 0o755)):
            self.assertEqual(stat.S_IMODE(os.stat(os.path.join(self.root, path)).st_mode), mode, path)

    def test_umask(self):
        """hostile umask"""
        for mask in (0o777, 0o077, 0):
            with self.subTest(oct(mask)):
                self.start_anew()
                self.assert_modes(self.build(umask=mask))
                for place, _, files in os.walk(self.cache_folder("cache")):
                    for path in (place, *(os.path.join(place, n) for n in files)):
                        self.assertFalse(os.stat(path).st_mode & 0o022, f"{path} can be written by others")

    def test_closed_descriptors(self):
        """closed fds 0–2: no file of ours gets their numbers and then the program's messages"""
        for closed in ((0,), (1,), (2,), (0, 1, 2)):
            with self.subTest(closed):
                self.start_anew()
                shut = " ".join(f"{n}{'<' if n == 0 else '>'}&-" for n in closed)
                self.prefix = ["sh", "-c", f'exec "$@" {shut}', "sh"]
                self.assert_modes(self.build("-v"))
                for path in ("var/log/install.log", "var/log/packages/aaa", "usr/share/aaa", "d/f"):
                    self.assertNotIn(b"plamo-fast:", self.read(self.root, path))
                with open(f"{self.cache_folder('cache')}/{FILE}", "rb") as stream:
                    self.assertEqual(stream.read(), self.good(GOOD))

    def test_environment(self):
        """`LD_*`, `IFS`, odd `PATH`"""
        trap = f"{self.folder}/mirror/trap"
        os.mkdir(trap)
        for name in ("sh", "tar", "xz", "zstd", "ldconfig", "rm", "ln", "mkdir", "chroot", "mount"):
            with open(f"{trap}/{name}", "w") as stream:
                stream.write(f"#!/bin/sh\necho trapped > {self.host}/open/new\n")
            os.chmod(f"{trap}/{name}", 0o755)
        # With a LOCPATH, glibc leaks a little of its own.
        for env in ({"PATH": trap}, {"PATH": f"{trap}:."}, {"PATH": ""}, {"PATH": "."}, {"IFS": "/ \t\nabcdefg"},
                    {"LD_LIBRARY_PATH": trap}, {"LD_BIND_NOW": "1", "LD_ORIGIN_PATH": trap},
                    {"TMPDIR": f"{self.host}/open"},
                    {"ENV": f"{trap}/sh", "BASH_ENV": f"{trap}/sh"}, {"TAPE": "/dev/null", "TAR_OPTIONS": "-P"},
                    {"XZ_DEFAULTS": "--memlimit=1", "GZIP": "-1", "ZSTD_CLEVEL": "99"},
                    {"HOME": "", "LC_ALL": "xx_YY.nonsense"},
                    {"TZ": f":{self.host}/secret"},
                    {"LOCPATH": trap, "LC_ALL": "de_DE.UTF-8", "ASAN_OPTIONS": "detect_leaks=0"}):
            with self.subTest(env):
                self.start_anew()
                self.assert_modes(self.build(env=env))

    def test_relative_paths(self):
        """relative paths"""
        work = f"{self.folder}/mirror/work"
        os.mkdir(work)
        for root, cache in (("root", "cache"), ("./x/../root", "./cache/"), ("../work/root", "../work//cache"),
                            ("root/", "cache")):
            with self.subTest(root):
                shutil.rmtree(work)
                os.makedirs(f"{work}/x")
                result = self.build_with(root, cache, cwd=work)
                self.assert_done(result)
                self.assert_host_untouched(result)
                self.assertEqual(sorted(os.listdir(work)), ["cache", "root", "x"])
                self.assertIn("usr", os.listdir(f"{work}/root"))

    def build_with(self, root, cache, **more):
        self.root, self.cache, before = root, cache, (self.root, self.cache)
        command = self.command(*self.build_arguments())
        self.root, self.cache = before
        return self.wait(self.start(command, **more))

    def test_names(self):
        """a container name like ../x"""
        for name in ("../x", "..", ".", "", "a/b", "/abs", "x\n", "a" * 300, "x y"):
            with self.subTest(name):
                self.start_anew()
                arguments = [a for a in self.build_arguments("--name", name) if a != "--no-configure"]
                result = self.run_program(*arguments)
                self.assertEqual((result.status, len(result.errors)), (USAGE, 1), str(result))
                self.assert_host_untouched(result)
                self.assertFalse(os.path.lexists(self.root))
                path = f"{self.folder}/cache"
                where = {"LXC_CACHE_PATH": self.cache, "DLSCHEME": "file", "MIRRORSRV": "", "MIRRORPATH": self.mirror}
                result = self.run_program(f"--path={path}", f"--name={name}", f"--rootfs={self.root}", "-r", RELEASE,
                                          program="lxc-plamo-fast", env=where)
                self.assertEqual((result.status, len(result.errors)), (USAGE, 1), str(result))
                self.assert_host_untouched(result)

    def test_releases(self):
        """a container name like ../x, and a release or architecture like that: they become parts of paths"""
        for option, value in (("--release", "../8.x"), ("--release", "8.x/../../host"), ("--arch", "../x86_64"),
                              ("--arch", "")):
            self.start_anew()
            result = self.build(option, value)
            self.assertEqual((result.status, len(result.errors)), (USAGE, 1), str(result))
            self.assert_host_untouched(result)


class Cache(AttackTest):
    """A cache that everybody may write to, prepared by another user."""

    def setUp(self):
        super().setUp()
        self.open_cache()

    def open_cache(self):
        self.start_anew()
        # The partial folder is ours: what is planted in it came while it could be written to.
        os.makedirs(self.partial())
        os.chmod(self.cache, 0o777)

    def build_with(self, what, *more):
        """A build that leaves the host as it was."""
        attackkit.tried["variants"] += 1
        result = self.build("--lock-timeout", "2", *more)
        self.assertEqual(attackkit.inodes(self.host), self.before[1], f"{what}: {result}")
        return result

    def works(self, what, *more):
        with self.subTest(what):
            result = self.assert_done(self.build_with(what, *more))
            self.assertEqual(self.read(self.root, "usr/share/aaa"), netkit.noise(3000, 1), str(result))
            self.assertFalse(os.path.islink(f"{self.cache_folder('cache')}/{FILE}"))

    def is_refused(self, what, status, said, *more):
        with self.subTest(what):
            result = self.build_with(what, *more)
            self.assertEqual((result.status, len(result.errors)), (status, 1), str(result))
            self.assertIn(said, result.errors[0])
            self.assertFalse(os.path.lexists(self.root), str(result))

    def test_planted_parts(self):
        """planted `.part` …: a link, a fifo, a hard link to the host's file, another's file, a folder"""
        part = self.partial(f"{FILE}.part")
        for what in ("link", "dangling", "fifo", "folder", "another's", "content"):
            self.open_cache()
            if what == "link":
                os.symlink(f"{self.host}/secret", part)
            elif what == "dangling":
                os.symlink(f"{self.host}/open/new", part)
            elif what == "fifo":
                os.mkfifo(part)
            elif what == "folder":
                os.mkdir(part)
            else:
                with open(part, "wb") as stream:
                    stream.write(b"evil" if what == "content" else self.good(GOOD)[:100] + b"evil")
                os.chown(part, *(NOBODY, NOBODY) if what == "another's" else (0, 0))
            self.works(what)

    def test_planted_hard_link(self):
        """planted `.part` …: a second name of a host's file is not written to"""
        secret = f"{self.mirror}/victim"
        with open(secret, "w") as stream:
            stream.write("host\n")
        os.link(secret, self.partial(f"{FILE}.part"))
        self.works("hard link")
        self.assertEqual(self.read(secret), b"host\n")

    def test_planted_packages(self):
        """planted `.part` and … links: a package's name in the partial folder that leads to the host"""
        for what, make in (("link", lambda p: os.symlink(f"{self.host}/secret", p)), ("fifo", os.mkfifo),
                           ("folder", os.mkdir)):
            for name in (FILE, ".plamo-fast.manifest.json", ".plamo-fast.journal", ".plamo-fast.journal.json"):
                self.open_cache()
                make(self.partial(name))
                if (what, name) == ("folder", ".plamo-fast.journal"):
                    self.is_refused(f"{what} {name}", FAILED, f"{name}: Is a directory")
                else:
                    self.works(f"{what} {name}")

    def test_planted_links_of_folders(self):
        """planted … links in a world-writable cache: in the place of the folders"""
        for name in (f"partial-plamo-{RELEASE}-{ARCH}", f"cache-plamo-{RELEASE}-{ARCH}",
                     f"rootfs-plamo-{RELEASE}-{ARCH}",
                     f".plamo-fast-work-{RELEASE}-{ARCH}", ".plamo-fast-trash"):
            for target in (f"{self.host}/open", self.host, f"{self.host}/new"):
                self.open_cache()
                path = os.path.join(self.cache, name)
                shutil.rmtree(path, ignore_errors=True)
                os.symlink(target, path)
                if name == ".plamo-fast-trash":
                    self.works(f"{name} {target}")
                    shutil.rmtree(self.root)
                else:
                    self.is_refused(f"{name} {target}", PACKAGE, f"{name} is not a folder")
                self.clean()

    def clean(self):
        result = self.run_program("clean", "-r", RELEASE, "-a", ARCH, "--cache", self.cache)
        self.assertIn(len(result.errors), (0, 1), str(result))
        self.assertEqual(attackkit.inodes(self.host), self.before[1], str(result))

    def test_planted_work(self):
        """planted … links in a world-writable cache: inside what a killed run left"""
        for place in ("root", "stage", "root/etc", "stage/0"):
            self.open_cache()
            work = os.path.join(self.cache, f".plamo-fast-work-{RELEASE}-{ARCH}")
            os.makedirs(os.path.dirname(f"{work}/{place}"))
            os.symlink(self.host, f"{work}/{place}")
            self.works(place)

    def test_planted_lock(self):
        """planted … lock files: a link, a fifo, a folder; and one that another user holds"""
        lock = os.path.join(self.cache, ".plamo-fast.lock")
        for what, make in (("link", lambda: os.symlink(f"{self.host}/secret", lock)),
                           ("folder", lambda: os.mkdir(lock)),
                           ("dangling", lambda: os.symlink(f"{self.host}/open/new", lock)),
                           ("fifo", lambda: os.mkfifo(lock))):
            self.open_cache()
            self.as_mapped_root()
            os.chmod(self.cache, 0o777)
            os.chown(self.partial(), NOBODY, NOBODY)
            make()
            if what == "folder":
                self.is_refused(what, FAILED, "Is a directory")
            else:
                self.works(what)
        # Another user's makes way; only what is this user's own is waited for.
        for owner, waits in ((0, False), (NOBODY, True)):
            self.open_cache()
            self.as_mapped_root()
            os.chmod(self.cache, 0o777)
            os.chown(self.partial(), NOBODY, NOBODY)
            with open(lock, "w") as stream:
                os.chmod(lock, 0o666)
                os.chown(lock, owner, owner)
                fcntl.flock(stream, fcntl.LOCK_EX)
                if waits:
                    self.is_refused(f"held by {owner}", BUSY, "another build goes on")
                else:
                    self.works(f"held by {owner}")
            shutil.rmtree(self.root, ignore_errors=True)

    def test_planted_locks_of_ours(self):
        """planted … lock files: those beside the cache's; what they lead to is not even touched"""
        self.assert_done(self.build())
        secret = f"{self.mirror}/victim"
        with open(secret, "w") as stream:
            stream.write("host\n")
        for name in (f".plamo-fast-{RELEASE}-{ARCH}.builder.lock", f".plamo-fast-{RELEASE}-{ARCH}.names.lock"):
            for what, make in (("link", lambda p: os.symlink(secret, p)), ("hard link", lambda p: os.link(secret, p)),
                               ("dangling", lambda p: os.symlink(f"{self.host}/open/new", p)),
                               ("folder", os.mkdir), ("fifo", os.mkfifo)):
                path = os.path.join(self.cache, name)
                self.clear_name(path)
                make(path)
                shutil.rmtree(self.root, ignore_errors=True)
                before = os.stat(secret).st_mtime_ns
                if what == "folder":
                    self.is_refused(f"{what} {name}", FAILED, "Is a directory", "--update")
                else:
                    self.works(f"{what} {name}", "--update")
                self.assertEqual((os.stat(secret).st_mtime_ns, self.read(secret)), (before, b"host\n"), what)
                self.clear_name(path)

    def clear_name(self, path):
        if os.path.isdir(path) and not os.path.islink(path):
            os.rmdir(path)
        elif os.path.lexists(path):
            os.unlink(path)

    def test_cached_root_of_another(self):
        """planted … in a world-writable cache: links inside the cached root that lead out, when it is copied"""
        # It is ours, or it would not be believed at all: a script has made these.
        self.assert_done(self.build())
        shutil.rmtree(self.root)
        rootfs = self.cache_folder("rootfs")
        for n, target in enumerate(self.ways_out("secret")):
            os.symlink(target, f"{rootfs}/usr/share/l{n}")
        os.rename(f"{rootfs}/var/log", f"{rootfs}/var/log2")
        os.symlink(f"{self.host}/open", f"{rootfs}/var/log")
        self.works("cached root")
        for n, target in enumerate(self.ways_out("secret")):
            self.assertEqual(os.readlink(f"{self.root}/usr/share/l{n}"), target)


class Neighbours(AttackTest):
    """Another user of the machine, and a cache that everybody may write to. What he prepares are real folders."""

    AS_NOBODY = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
    KINDS = ("rootfs", "cache", "partial", ".work", "bases")

    def setUp(self):
        super().setUp()
        self.open_cache()

    def open_cache(self):
        self.start_anew()
        os.makedirs(self.cache)
        os.chmod(self.cache, 0o1777)

    def place(self, kind):
        return {".work": os.path.join(self.cache, f".plamo-fast-work-{RELEASE}-{ARCH}"),
                "bases": os.path.join(self.cache, "bases-plamo")}.get(kind) or self.cache_folder(kind)

    def as_nobody(self, script, *arguments):
        """sh changes user before it looks for anything: setpriv itself still has root's rights then."""
        return subprocess.run([*self.AS_NOBODY, "sh", "-c", script, "sh", *arguments], capture_output=True, text=True)

    def assert_refused(self, result, place, before):
        attackkit.tried["variants"] += 1
        self.assertEqual((result.status, len(result.errors)), (PERMISSION, 1), str(result))
        self.assertIn(place, result.errors[0])
        self.assertFalse(os.path.lexists(self.root), str(result))
        self.assertEqual(attackkit.inodes(place), before, f"{place} was changed\n{result}")
        self.assertEqual(attackkit.inodes(self.host), self.before[1], str(result))

    def test_real_folders_of_another(self):
        """real folders of another user in the places of cached root, packages, partial and work folders"""
        evil = f"{self.folder}/evil.tgz"
        with open(evil, "wb") as stream:
            stream.write(gz(file("usr/share/aaa", "evil") + END))
        for kind in self.KINDS[:4]:
            for command in ("build", "clean"):
                self.open_cache()
                place = self.place(kind)
                made = self.as_nobody('umask 022; mkdir -p "$1/usr/share" && echo evil > "$1/usr/share/aaa" && cp "$2" "$1/$3"',
                                      place, evil, FILE)
                self.assertEqual(made.returncode, 0, made.stderr)
                before = attackkit.inodes(place)
                if command == "clean" and kind == "partial":
                    continue
                with self.subTest(kind, command=command):
                    result = self.build() if command == "build" else self.clean()
                    self.assert_refused(result, place, before)

    def test_folders_that_others_may_write_to(self):
        """folders that are ours, but were made with a hostile umask"""
        for kind in self.KINDS[:4]:
            self.open_cache()
            place = self.place(kind)
            os.mkdir(place)
            os.chmod(place, 0o777)
            with self.subTest(kind):
                self.assert_refused(self.build(), place, attackkit.inodes(place))

    def test_bases_of_another(self):
        """a real folder of another user in the place of the bases"""
        place = self.place("bases")
        lxcpath = os.path.join(self.folder, "lxc")
        self.assertEqual(self.as_nobody('mkdir "$1"', place).returncode, 0)
        before = attackkit.inodes(place)
        result = self.run_program("create", "c1", "--lxcpath", lxcpath, "--backing", "overlay", "--release", RELEASE,
                                  "--arch", ARCH, "--mirror", self.url, "--cache", self.cache)
        self.assert_refused(result, place, before)
        self.assertEqual(os.listdir(lxcpath), [])
        shutil.rmtree(lxcpath)

    def test_scratch_folders_of_another(self):
        """a real folder of another user in the place where a root is made"""
        os.chmod(self.folder, 0o1777)
        place = os.path.join(self.folder, ".root.plamo-fast")
        self.assertEqual(self.as_nobody('mkdir -m 777 "$1" && : > "$1/kept"', place).returncode, 0)
        before = attackkit.inodes(place)
        result = self.build()
        self.assertEqual(len(result.errors), 1, str(result))
        self.assertIn(os.path.basename(place), result.errors[0])
        self.assertEqual(attackkit.inodes(place), before, str(result))
        shutil.rmtree(place)
        os.chmod(self.folder, 0o755)

    def test_trash_and_kept_folders_of_another(self):
        """what another user has under the names of what is removed in passing stays"""
        places = [os.path.join(self.cache, name) for name in
                  (".plamo-fast-trash", f"kept-plamo-{RELEASE}-{ARCH}-20200101T000000Z")]
        for place in places:
            self.assertEqual(self.as_nobody('mkdir "$1" && : > "$1/his"', place).returncode, 0)
        self.assert_done(self.build())
        self.assert_done(self.run_program("gc", "--max-age", "1s", "--cache", self.cache))
        for place in places:
            self.assertEqual(os.listdir(place), ["his"])
            shutil.rmtree(place)

    def test_locks(self):
        """locks held by another user on whatever he can open"""
        self.assert_done(self.build())
        shutil.rmtree(self.root)
        holder = subprocess.Popen([*self.AS_NOBODY, sys.executable, "-c", HOLD, self.folder, "/var/lock/subsys"],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(holder.communicate)
        self.assertEqual(holder.stdout.readline(), "held\n")
        for more in ((), ("--update",)):
            attackkit.tried["variants"] += 1
            shutil.rmtree(self.root, ignore_errors=True)
            self.assert_done(self.build("--lock-timeout", "2", *more))
        self.assert_done(self.clean())

    def test_nobody_enters_what_is_published(self):
        """setuid files and device nodes in published roots, and what is on its way out"""
        node = header("dev/disk", kind=b"3", mode=octal(0o666, 8), major=octal(1, 8), minor=octal(3, 8))
        members = folder("bin") + file("bin/suid", "#!/bin/sh\n", mode=octal(0o4755, 8)) + folder("dev") + node
        self.put(("suid-1-x86_64-P1.tgz", gz(members + END)))
        self.assert_done(self.build())
        self.assert_closed("rootfs", "bin/suid", "dev/disk")
        self.assert_closed("cache", FILE)
        # A root that lxc-plamo has made, or an earlier version: from its first use on.
        for kind in ("rootfs", "cache"):
            os.chmod(self.cache_folder(kind), 0o755)
        shutil.rmtree(self.root)
        self.assert_done(self.build())
        self.assert_closed("rootfs", "bin/suid", "dev/disk")
        self.put(("new-1-x86_64-P1.tgz", gz(folder("new") + END)))
        shutil.rmtree(self.root)
        self.assert_done(self.build("--update"))
        self.assert_closed("rootfs", "bin/suid", "dev/disk", "new")
        self.assert_closed("cache", FILE)

    def assert_closed(self, kind, *names):
        for name in names:
            path = os.path.join(self.cache_folder(kind), name)
            self.assertTrue(os.path.lexists(path), path)
            self.assertNotEqual(self.as_nobody('test -e "$1"', path).returncode, 0, f"{path} can be reached")
            self.assertNotEqual(self.as_nobody('"$1"', path).returncode, 0, f"{path} can be run")

    def clean(self):
        return self.run_program("clean", "-r", RELEASE, "-a", ARCH, "--cache", self.cache)


class Rootfs(AttackTest):
    def test_root_is_a_link(self):
        """a rootfs path that is a link"""
        inside = f"{self.mirror}/inside"
        os.mkdir(inside)
        os.symlink(inside, self.root)
        self.assert_done(self.build())
        self.assertTrue(os.path.islink(self.root))
        self.assertIn("usr", os.listdir(inside))
        self.assert_host_untouched()

    def test_root_is_a_link_out(self):
        """a rootfs path that is a link: to a folder that has something, to nothing, to a file, to itself"""
        for target in (self.host, f"{self.host}/new", f"{self.host}/secret", self.root, "/", "."):
            self.start_anew()
            if os.path.lexists(self.root):
                os.unlink(self.root)
            os.symlink(target, self.root)
            attackkit.tried["variants"] += 1
            with self.subTest(target):
                result = self.build()
                self.assertNotEqual(result.status, 0, str(result))
                self.assertEqual(len(result.errors), 1, str(result))
                self.assert_host_untouched(result)
                self.assertEqual(os.readlink(self.root), target)

    def test_temporary_folder_is_planted(self):
        """a rootfs path that is a link: the folder beside it that a root is made in"""
        beside = os.path.join(self.folder, ".root.plamo-fast")
        for target in (self.host, f"{self.host}/open", f"{self.host}/new"):
            self.start_anew()
            os.symlink(target, beside)
            attackkit.tried["variants"] += 1
            with self.subTest(target):
                result = self.build()
                self.assertEqual(len(result.errors), 1, str(result))
                os.unlink(beside)
                self.assert_host_untouched(result)


if __name__ == "__main__":
    attackkit.main()
