"""What the network tests share: small mirrors, runs of the programs, and what must hold after a failure."""

import argparse
import html
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.parse

from compare import BY_OURSELVES, Roots
from alone import LOCK_FOLDER, private_mounts
from faulty_server import FaultyServer
from scan import describe, differences, scan
from skip import need_root, skip

FIXTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "fixtures")
sys.path.insert(0, FIXTURES)

from package import Package, archive  # noqa: E402 (found by the line above)
from tarball import file  # noqa: E402

RELEASE, ARCH = "8.x", "x86_64"
TREE = f"/Plamo-{RELEASE}/{ARCH}"
BASE = f"{TREE}/plamo/00_base"
LOCK_FILE = f"{LOCK_FOLDER}/lxc-plamo"
NOBODY = 65534

# Exit statuses of both programs, as lxc-plamo-fast --help documents them.
DONE, FAILED, USAGE, MIRROR, PACKAGE, BUSY, PERMISSION, NO_SPACE = range(8)

settings = argparse.Namespace(bin="build/release/bin", slow=False, mirror=None)


def noise(size_bytes, seed=1):
    """Bytes that no compressor makes smaller, the same on each run."""
    return random.Random(seed).randbytes(size_bytes)


def package(stem, members=(), script="", suffix="tgz", place="plamo/00_base"):
    """A package's file name and bytes."""
    made = Package(stem, place, tuple(members), script=script, suffix=suffix)
    return made.file_name(RELEASE, ARCH), archive(made, RELEASE, ARCH)


def noise_package(name, size_bytes, seed=1, suffix="tgz", version="1"):
    """A package of about that many bytes."""
    return package(f"{name}-{version}-x86_64-P1", [file(f"usr/share/{name}", noise(size_bytes, seed))], suffix=suffix)


class Result:
    def __init__(self, command, status, out, err, seconds):
        self.command, self.status, self.out, self.err, self.seconds = command, status, out, err, seconds

    @property
    def errors(self):
        """The lines "PROGRAM: error: …"; a line on another attempt may quote a library's word "error" too."""
        return [line for line in self.err.splitlines() if re.match(r"[\w-]+: error: ", line)]

    @property
    def summary(self):
        """The closing line's numbers."""
        found = re.search(r"done: (\d+) requests, (\d+) bytes received, (\d+) packages decoded, (\d+) installed, "
                          r"(\d+) scripts", self.err)
        names = ("requests", "bytes", "decoded", "installed", "shells")
        return dict(zip(names, map(int, found.groups()))) if found else None

    def __str__(self):
        return f"{' '.join(self.command)}\nstatus {self.status} after {self.seconds:.1f} s\n{self.err}{self.out[:2000]}"


def clean_environment(**more):
    """Nothing of the caller's that could choose another mirror, proxy, cache or language."""
    sanitizers = {k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS")}
    return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/nonexistent", "LC_ALL": "C", **sanitizers, **more}


class NetTest(unittest.TestCase):
    """Each test has a folder with `mirror`, `cache` and `root`, and a faulty server on the mirror."""

    longMessage = True

    def setUp(self):
        # Files' times are those of a clock that ticks coarsely.
        self.started_ns = time.time_ns() - 20_000_000
        self.folder = tempfile.mkdtemp(prefix="plamo-net-")
        os.chmod(self.folder, 0o755)
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.mirror = os.path.join(self.folder, "mirror")
        self.cache = os.path.join(self.folder, "cache")
        self.root = os.path.join(self.folder, "root")
        os.makedirs(self.mirror + BASE)
        self.server = FaultyServer(self.mirror).start()
        self.addCleanup(self.server.stop)
        self.url = self.server.url

    # The mirror.

    def put(self, package_file, place="plamo/00_base", mirror=None, moment=1_500_000_000):
        """Places (file name, bytes) on the mirror; returns its path on the server."""
        name, data = package_file
        path = f"{TREE}/{place}/{name}"
        on_disk = (mirror or self.mirror) + path
        os.makedirs(os.path.dirname(on_disk), exist_ok=True)
        with open(on_disk, "wb") as f:
            f.write(data)
        os.utime(on_disk, (moment, moment))
        return path

    def another_mirror(self, **server):
        """A second server, with a copy of what the first one's mirror has now."""
        folder = tempfile.mkdtemp(prefix="mirror-", dir=self.folder)
        shutil.copytree(self.mirror, folder, dirs_exist_ok=True)
        other = FaultyServer(folder, **server).start()
        self.addCleanup(other.stop)
        return other

    def list_in_order(self, *names, place="plamo/00_base", server=None):
        """From now on a folder's page has these names, in this order."""
        page = "".join(f'<a href="{urllib.parse.quote(name)}">{html.escape(name)}</a>\n' for name in names)
        (server or self.server).contents[f"{TREE}/{place}/"] = page.encode()

    def put_some(self, *names, size_bytes=20_000):
        """Small packages, so that there is something besides the one a test is about."""
        return [self.put(noise_package(name, size_bytes, seed)) for seed, name in enumerate(names, 100)]

    # Runs.

    def command(self, *arguments, program="plamo-fast"):
        return [os.path.join(settings.bin, program), *arguments]

    def build_arguments(self, *more):
        return ["build", self.root, "--no-configure", "--release", RELEASE, "--arch", ARCH, "--mirror", self.url,
                "--cache", self.cache, *more]

    def start(self, command, env=None, **more):
        process = subprocess.Popen(command, env=clean_environment(**(env or {})), stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)
        process.started = time.monotonic()
        self.addCleanup(self._end, process)
        return process

    def _end(self, process):
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()

    def wait(self, process, timeout_s=50):
        try:
            out, err = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            self.fail(f"{process.args} did not end within {timeout_s} s:\n{err.decode(errors='replace')}")
        result = Result(process.args, process.returncode, out.decode(errors="surrogateescape"),
                        err.decode(errors="surrogateescape"), time.monotonic() - process.started)
        self.assertNotRegex(result.err, "Sanitizer|runtime error: ", str(result))
        return result

    def run_program(self, *arguments, program="plamo-fast", env=None, timeout_s=50, **more):
        return self.wait(self.start(self.command(*arguments, program=program), env, **more), timeout_s)

    def build(self, *more, **keywords):
        return self.run_program(*self.build_arguments(*more), **keywords)

    def start_build(self, *more):
        return self.start(self.command(*self.build_arguments(*more)))

    def eventually(self, holds, what, timeout_s=20):
        limit = time.monotonic() + timeout_s
        while not holds():
            if time.monotonic() > limit:
                self.fail(f"did not happen within {timeout_s} s: {what}")
            time.sleep(0.02)

    # Folders of the cache.

    def cache_folder(self, kind):
        return os.path.join(self.cache, f"{kind}-plamo-{RELEASE}-{ARCH}")

    def partial(self, name=""):
        return os.path.join(self.cache_folder("partial"), name)

    def read(self, *parts):
        with open(os.path.join(*parts), "rb") as f:
            return f.read()

    def size(self, path):
        return os.path.getsize(path) if os.path.exists(path) else -1

    # What must hold.

    def assert_done(self, result):
        self.assertEqual(result.status, DONE, str(result))
        self.assertEqual(result.errors, [], str(result))
        return result

    def assert_failed(self, result, status, *names):
        """One line that names the things, the documented status, nothing half-built."""
        self.assertEqual(len(result.errors), 1, f"one error line is wanted\n{result}")
        for name in names:
            self.assertIn(name, result.errors[0], str(result))
        self.assertEqual(result.status, status, str(result))
        self.assert_nothing_half_built(result)
        return result

    def assert_nothing_half_built(self, result=None):
        above, name = os.path.split(self.root)
        self.assertFalse(os.path.lexists(self.root) and os.listdir(self.root), f"something is in ROOT\n{result}")
        self.assertNotIn(f".{name}.plamo-fast", os.listdir(above), f"a leftover beside ROOT\n{result}")
        if os.path.isdir(self.cache):
            left = [n for n in os.listdir(self.cache) if n.startswith("rootfs-") or "work" in n or "trash" in n]
            self.assertEqual(left, [], f"leftovers in the cache folder\n{result}")

    def assert_installed(self, *paths):
        """The files of noise packages are in ROOT and in the cached root, with the content the mirror has."""
        names = [re.match(r"(.*)-[^-]*-[^-]*-[^-]*$", os.path.basename(p)).group(1) for p in paths]
        for name in names:
            self.assertTrue(os.path.isfile(f"{self.root}/usr/share/{name}"), f"{name} is not in ROOT")
            self.assertEqual(self.read(self.root, "usr/share", name),
                             self.read(self.cache_folder("rootfs"), "usr/share", name))
        self.assertEqual(sorted(os.listdir(self.root + "/var/log/packages")), sorted(names))
        for path in paths:
            name = os.path.basename(path)
            wanted = self.server.contents.get(path) or self.read(self.mirror + path)
            self.assertEqual(self.read(self.cache_folder("cache"), name), wanted, f"{name} in the cache")

    def assert_same_root(self, left, right):
        """Equal but for what the compare module allows: what both wrote during this test."""
        roots = Roots(left, right, self.started_ns)
        bad = [describe(d) for d in differences(scan(left), scan(right))
               if d.field == "presence" or not any(a.holds(d, roots) for a in BY_OURSELVES)]
        self.assertEqual(bad, [], f"{left} and {right} differ")

    def assert_same_tree(self, before, after, what):
        """Two scans of what should not have been touched."""
        self.assertEqual([describe(d) for d in differences(before, after)], [], what)

    def fetched(self):
        """The names of the files asked for since the requests were last cleared, lists of checksums aside."""
        names = (r.path.rsplit("/", 1)[-1] for r in self.server.asked())
        return sorted(name for name in names if name and name != "CHECKSUMS.md5")

    def sent(self):
        """The packages that the server has sent since then, at least in part."""
        names = {r.path.rsplit("/", 1)[-1] for r in self.server.asked() if r.sent and r.status in (200, 206)}
        return {name for name in names if name.endswith(".tgz")}


class _Result(unittest.TextTestResult):
    def startTest(self, test):
        super().startTest(test)
        self.began = time.monotonic()

    def stopTest(self, test):
        if self.showAll:
            self.stream.writeln(f"    {time.monotonic() - self.began:.1f} s")
        super().stopTest(test)


def main():
    """Runs the tests of the calling file. --slow: also those that wait for a long limit."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", default=settings.bin, help="the folder with our programs")
    parser.add_argument("--slow", action="store_true")
    parser.add_argument("--mirror", help="the test mirror, for the tests that use it; made there when absent")
    parser.add_argument("tests", nargs="*", help="CLASS.TEST (default: all)")
    arguments = parser.parse_args()
    settings.bin, settings.slow, settings.mirror = os.path.abspath(arguments.bin), arguments.slow, arguments.mirror
    if not os.access(os.path.join(settings.bin, "plamo-fast"), os.X_OK):
        sys.exit(f"{settings.bin} has no plamo-fast")
    need_root()
    settings.private_mounts = private_mounts()
    # A signal that ends the test lets its servers and folders go.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    runner = unittest.TextTestRunner(sys.stdout, verbosity=2, resultclass=_Result)
    program = unittest.main(module="__main__", argv=[sys.argv[0], *arguments.tests], testRunner=runner, exit=False)
    result = program.result
    if not result.wasSuccessful():
        sys.exit(1)
    if result.testsRun == len(result.skipped):
        skip("; ".join(sorted({reason for _, reason in result.skipped})) or "no tests")
