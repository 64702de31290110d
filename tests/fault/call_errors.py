#!/usr/bin/env python3
"""A system call fails: the same root all the same, or one clear line, a documented status, nothing half-built, and a
next run that goes on. What older kernels and container hosts lack, or forbid, is done without."""

import errno
import itertools
import json
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import netkit
from faultkit import FaultTest, OnBtrfs, sampled, share
from filesystems import mounted
from netkit import NO_SPACE

# What makes things, and so what a full file system refuses.
NEEDS_SPACE = ("create", "write", "pwrite64", "renameat", "linkat", "symlinkat", "mkdirat", "mknodat",
               "copy_file_range")
# Those that a build makes only where its root and its cached root are on different file systems, or a file has
# attributes, are met there: OtherFileSystem.
AMONG_FILE_SYSTEMS = ("sendfile", "fsetxattr")
CHANGES = (*NEEDS_SPACE, "renameat2", "unlinkat", "fchown", "fchownat", "fchmod", "fchmodat", "utimensat", "ftruncate",
           "syncfs", "fremovexattr")
LOOKS = ("openat", "openat2", "read", "newfstatat", "statx", "getdents64", "lseek", "flistxattr", "flock", "close")
SNAPSHOTS = ("subvol_create", "snap_create", "snap_destroy")
# Calls that taking leftovers away consists of: where one of them fails, what it was to take away may stay.
REMOVAL = ("unlinkat", "newfstatat", "openat", "getdents64", "close", "renameat", "fchmod", "fchmodat")
# Not made by this program or by the C library for it. One that comes into use belongs into the lists above.
NOT_USED = ("fchmodat2", "fdatasync", "link", "writev")


def is_removal(hits):
    return any(hit.split()[0] in REMOVAL for hit in hits)


class ErrnoTest(FaultTest):
    def setUp(self):
        super().setUp()
        if not netkit.settings.private_mounts:
            self.skipTest("needs mounts of its own")
        self.make_good()
        self.build_command = self.command(*self.build_arguments())

    def fresh(self):
        self.remove(self.root, self.cache, f"{os.path.dirname(self.root)}/.root.plamo-fast")

    def run_with(self, calls, when, error, command=None, own=True):
        self.fresh()
        injected = self.inject(command or self.build_command, calls, when, error=error, own=own)
        hits = sorted(set(injected.hits))
        return injected, f"{errno.errorcode[error]} at {when} of {','.join(hits) or calls}\n{injected.result}"

    def assert_well(self, what, result, hits=()):
        self.assertEqual((result.status, result.errors), (0, []), what)
        self.assert_equal_root(self.root, what)
        self.assert_equal_root(self.cache_folder("rootfs"), what)
        if is_removal(hits):
            # What stays is the next run's to take away.
            self.remove(self.root)
            self.assert_done(self.build())
        self.assert_no_leftovers(what)

    def assert_clean_failure(self, what, result, statuses, hits=()):
        self.assertIn(result.status, statuses, what)
        self.assertEqual(len(result.errors), 1, f"one error line is wanted: {what}")
        self.assert_whole_or_absent(what)
        if not is_removal(hits):
            self.assertEqual(self.leftovers(), [], what)
        self.remove(self.root)
        again = self.build()
        self.assert_well(f"the run after {what}", again)

    def either(self, calls, when, error, statuses=range(1, 8), command=None, own=True):
        """Done well, or failed cleanly. Tells whether the fault was met at all."""
        injected, what = self.run_with(calls, when, error, command, own)
        if injected.result.status == 0:
            self.assert_well(what, injected.result, injected.hits)
        else:
            self.assert_clean_failure(what, injected.result, statuses, injected.hits)
        return bool(injected.hits)

    def calls_at_start(self, call):
        """So many of them the loader makes, before the program can do anything about their failures."""
        return self.count_calls(self.command("--version"), [call])

    def done_without(self, call, *errors):
        """Always answered so: by an older kernel, or by a host that forbids it."""
        for error in errors:
            with self.subTest(call, error=errno.errorcode[error]):
                injected, what = self.run_with([call], "1+", error)
                self.assert_met(injected.hits, call)
                self.assert_well(what, injected.result)

    def assert_met(self, met, call):
        """A fault that nothing met has tested nothing."""
        self.assertTrue(met, f"{call} was never called: take it off the list, or find what calls it")

    def refused_for_good(self, call, error, **keywords):
        """Done well or failed cleanly with a call that always fails."""
        with self.subTest(call, error=errno.errorcode[error]):
            self.assert_met(self.either([call], "1+", error, **keywords), call)

    def each(self, call, error, most, statuses=range(1, 8), command=None):
        """One call fails, each in turn."""
        self.fresh()
        skipped = self.calls_at_start(call) if call in LOOKS else 0
        count = self.count_calls(command or self.build_command, [call]) - skipped
        met = 0
        for when in sampled(max(count, 0), most):
            with self.subTest(f"{call} {skipped + when}", error=errno.errorcode[error]):
                met += self.either([call], skipped + when, error, statuses, command)
        with self.subTest(call):
            self.assert_met(met, call)
        return met

    def interrupted(self, call):
        skipped, met = self.calls_at_start(call) if call in LOOKS else 0, 0
        for when in (f"{skipped + 1}+2", f"{skipped + 2}+2", f"{skipped + 1}+3"):
            with self.subTest(call, when=when):
                injected, what = self.run_with([call], when, errno.EINTR)
                met += len(injected.hits)
                self.assert_well(what, injected.result)
        with self.subTest(call):
            self.assert_met(met, call)


class Missing(ErrnoTest):
    def test_openat2(self):
        self.done_without("openat2", errno.ENOSYS, errno.EPERM)

    def test_renameat2(self):
        self.done_without("renameat2", errno.ENOSYS, errno.EINVAL)

    def test_renameat2_in_an_update(self):
        """Without an exchange of names the old packages go before the new ones get their name."""
        for error in (errno.ENOSYS, errno.EINVAL):
            self.fresh()
            self.assert_done(self.build())
            name, data = netkit.noise_package("eee", 3000, seed=error)
            path = self.put((name, data))
            self.remove(self.root)
            injected = self.inject(self.command(*self.build_arguments("--update")), ["renameat2"], "1+", error=error)
            self.assert_done(injected.result)
            self.assertTrue(injected.hits)
            self.assert_sound_cache("update")
            self.assert_no_leftovers("update")
            self.assertEqual(self.read(self.root, "usr/share/eee"),
                             self.read(self.cache_folder("rootfs"), "usr/share/eee"))
            os.unlink(self.mirror + path)

    def test_copying(self):
        self.done_without("copy_file_range", errno.ENOSYS, errno.EPERM, errno.EXDEV, errno.EOPNOTSUPP, errno.EINVAL)

    def test_reflink(self):
        self.done_without("ficlone", errno.ENOSYS, errno.EPERM, errno.EOPNOTSUPP, errno.ENOTTY, errno.EXDEV,
                          errno.EINVAL)

    def test_others(self):
        for call in ("statx", "faccessat2", "memfd_create", "getrandom", "clone3", "flistxattr", "fremovexattr"):
            error = errno.EOPNOTSUPP if "xattr" in call else errno.ENOSYS
            self.done_without(call, error)

    def test_landlock(self):
        """Older kernels have none, and some hosts switch it off: said, and done without."""
        for error in (errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM):
            with self.subTest(error=errno.errorcode[error]):
                injected, what = self.run_with(["landlock_create_ruleset"], "1+", error)
                self.assert_well(what, injected.result)
                self.assertIn("the transfers are not confined", injected.result.err)

    def test_landlock_that_refuses(self):
        """Where it is there, nothing is fetched without it."""
        for call in ("landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self"):
            # Others only ask for the version: these are the crawl's and the download's.
            for when in (3, 6) if call == "landlock_create_ruleset" else (1, 2):
                with self.subTest(call, when=when):
                    self.either([call], when, errno.EINVAL, [netkit.PERMISSION])

    def test_namespaces(self):
        """No sandbox can be had: the build stops, and says with which option it would go on without one."""
        for error in (errno.ENOSYS, errno.EPERM, errno.ENOSPC, errno.EINVAL):
            with self.subTest(error=errno.errorcode[error]):
                self.fresh()
                # The sandbox's process makes the call.
                result = self.inject(self.build_command, ["unshare"], "1+", error=error).result
                self.assertEqual((result.status, len(result.errors)), (netkit.PERMISSION, 1), str(result))
                self.assertIn("--no-sandbox", result.errors[0])
                self.assertFalse(os.path.lexists(self.root))
                self.assertEqual(self.leftovers(), [])

    def test_what_nothing_can_replace(self):
        for error in (errno.ENOSYS, errno.EPERM):
            for call in ("syncfs", "flock", "socketpair", "pipe2"):
                self.refused_for_good(call, error)
            # The sandbox's process makes the one call, and only who goes without a sandbox makes the other.
            self.refused_for_good("close_range", error, own=False)
            self.refused_for_good("pidfd_open", error, command=[*self.build_command, "--no-sandbox"])

    def test_privileges(self):
        """As a host that maps few users has it."""
        for call in ("fchown", "fchownat", "fchmod", "fchmodat", "mknodat", "utimensat"):
            self.refused_for_good(call, errno.EPERM)

    def test_not_used(self):
        for call in NOT_USED:
            self.fresh()
            with self.subTest(call):
                self.assertEqual(self.count_calls(self.build_command, [call], own=True), 0, "it is used: test it")


class Once(ErrnoTest):
    def test_input_output_error_changing(self):
        met = sum(self.each(call, errno.EIO, 7) for call in CHANGES)
        self.assertGreater(met, 60 // share())

    def test_input_output_error_looking(self):
        met = sum(self.each(call, errno.EIO, 10) for call in LOOKS)
        self.assertGreater(met, 40 // share())

    def test_no_space(self):
        """Whatever is being written: the status says that it is space that lacks."""
        met = sum(self.each(call, errno.ENOSPC, 12, [NO_SPACE]) for call in NEEDS_SPACE)
        self.assertGreater(met, 50 // share())

    def test_quota(self):
        met = sum(self.each(call, errno.EDQUOT, 3, [NO_SPACE]) for call in NEEDS_SPACE)
        self.assertGreaterEqual(met, 13 // share())

    def test_permission(self):
        met = sum(self.each(call, errno.EACCES, 3) for call in ("create", "mkdirat", "renameat", "unlinkat", "openat2"))
        self.assertGreater(met, 10 // share())

    def test_no_more_files(self):
        calls = ("openat", "openat2", "create", "socket", "pipe2", "socketpair")
        met = sum(self.each(call, error, 10) for call in calls for error in (errno.EMFILE, errno.ENFILE))
        self.assertGreater(met, 30 // share())

    def test_no_thread(self):
        """Fewer threads are slower; none at all is said."""
        self.each("clone3", errno.EAGAIN, 10)


class Interrupted(ErrnoTest):
    """A signal that is handled breaks calls off; that is nobody's failure."""

    # Not opening: no file system of this machine breaks that off, and what a handled signal interrupts the kernel
    # begins anew. Not waiting: the network library asks with no time to wait, which no signal can interrupt.
    CALLS = ("write", "pwrite64", "read", "copy_file_range", "openat2", "flock", "close", "syncfs", "ftruncate",
             "renameat", "renameat2")

    def test_interrupted(self):
        for call in self.CALLS:
            self.interrupted(call)


class OtherFileSystem(ErrnoTest):
    """A cached root with a file that has a capability, and a root on another file system than that: the kernel refuses
    to copy a range from one to the other."""

    CAPABILITY = struct.pack("<5I", 0x02000001, 1 << 10, 0, 0, 0)

    def make_good(self):
        self.root = f"{self.enterContext(mounted('tmpfs', self.folder))}/root"
        self.assert_done(self.build())
        try:
            os.setxattr(f"{self.cache_folder('rootfs')}/usr/share/aaa", "security.capability", self.CAPABILITY)
        except OSError as error:
            self.skipTest(f"no file can have a capability here: {error}")
        self.full = f"{self.folder}/full"
        self.copy(self.cache, self.full)
        self.copy(self.cache_folder("rootfs"), f"{self.good}-cached")
        root, self.root = self.root, self.good
        self.assert_done(self.build())
        self.root = root
        self.server.clear()

    def fresh(self):
        super().fresh()
        self.copy(self.full, self.cache)

    def test_capability(self):
        """The comparison of roots sees it, so the other tests do."""
        self.fresh()
        self.assert_well("no fault", self.build())
        self.assertEqual(os.getxattr(f"{self.root}/usr/share/aaa", "security.capability"), self.CAPABILITY)

    def test_faults(self):
        for call in AMONG_FILE_SYSTEMS:
            self.each(call, errno.EIO, 7)
            self.each(call, errno.ENOSPC, 7, [NO_SPACE])
            self.each(call, errno.EDQUOT, 3, [NO_SPACE])
        self.refused_for_good("sendfile", errno.EPERM)
        self.interrupted("sendfile")

    def test_forbidden_capability(self):
        """As where a user namespace may set none: the file goes without, and nothing else."""
        injected, what = self.run_with(["fsetxattr"], "1+", errno.EPERM)
        self.assert_met(injected.hits, "fsetxattr")
        self.assert_done(injected.result)
        self.assertEqual(os.listxattr(f"{self.root}/usr/share/aaa"), [])
        os.removexattr(f"{self.good}/usr/share/aaa", "security.capability")
        self.assert_equal_root(self.root, what)


class Lockfile(ErrnoTest):
    """The one file that is not below a root or a cache: it comes whole, and an old one stays until then."""

    CALLS = ("create", "write", "fchmod", "fsync", "close", "rename")

    def begin(self):
        self.fresh()
        with open(self.file, "wb") as stream:
            stream.write(self.old)

    def setUp(self):
        super().setUp()
        os.mkdir(f"{self.folder}/locks")
        self.file = f"{self.folder}/locks/plamo.lock"
        # With all packages there: what is met is the writing.
        self.assert_done(self.build())
        self.lock = ["lock", self.file, *self.build_arguments()[2:], "--offline", "--no-digest"]
        self.lock.remove("--no-configure")
        self.assert_done(self.run_program(*self.lock))
        self.whole = self.read(self.file)
        # The same in another layout: an old one is read.
        self.old = json.dumps(json.loads(self.whole)).encode()
        self.assertNotEqual(self.old, self.whole)

    def fresh(self):
        """Nothing is written but the lockfile."""

    def test_writing(self):
        for call in self.CALLS:
            met = 0
            self.begin()
            count = self.count_calls(self.command(*self.lock), [call])
            for when, error in itertools.product(range(max(count - 5, 1), count + 1), (errno.EIO, errno.ENOSPC)):
                with self.subTest(call, when=when, error=errno.errorcode[error]):
                    self.begin()
                    injected = self.inject(self.command(*self.lock), [call], when, error=error)
                    met += len(injected.hits)
                    done = injected.result.status == 0
                    self.assertEqual(len(injected.result.errors), 0 if done else 1, str(injected.result))
                    self.assertEqual(self.read(self.file), self.whole if done else self.old, str(injected.result))
                    self.assertEqual(os.listdir(os.path.dirname(self.file)), [os.path.basename(self.file)])
            self.assert_met(met, call)


class FewFiles(ErrnoTest):
    def test_limit_on_open_files(self):
        done = failed = 0
        for limit in [*range(4, 40, 1 if netkit.settings.slow else 3), 48, 64, 100]:
            with self.subTest(limit=limit):
                self.fresh()
                result = self.wait(self.start(["prlimit", f"--nofile={limit}", *self.build_command]))
                what = f"with {limit} files open at most\n{result}"
                if result.status == 0:
                    done += 1
                    self.assert_well(what, result)
                elif "error while loading shared libraries" not in result.err:
                    failed += 1
                    self.assert_clean_failure(what, result, range(1, 8))
        self.assertGreater(done, 0)
        self.assertGreater(failed, 0)


class SnapshotsMissing(OnBtrfs, ErrnoTest):
    """Without them a root is copied."""

    def test_snapshots(self):
        for call in SNAPSHOTS:
            self.done_without(call, errno.ENOTTY, errno.EPERM)


class SnapshotsOnce(OnBtrfs, ErrnoTest):
    def test_input_output_error(self):
        met = sum(self.each(call, errno.EIO, 4) for call in (*SNAPSHOTS, "renameat", "renameat2", "unlinkat", "fchown",
                                                             "fchmod", "fchmodat", "utimensat", "fremovexattr"))
        self.assertGreater(met, 24 // share())

    def test_no_space(self):
        met = sum(self.each(call, errno.ENOSPC, 4) for call in (*SNAPSHOTS, "renameat", "mkdirat"))
        self.assertGreater(met, 10 // share())


if __name__ == "__main__":
    netkit.main()
