#!/usr/bin/env python3
"""The systemd units of the warmer: systemd accepts them, and what they leave it is enough to build."""

import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import netkit
from netkit import ARCH, RELEASE, NetTest, package, settings
from tarball import file

SERVICE, TIMER = "plamo-fast-warm.service", "plamo-fast-warm.timer"
# Of 100, as `systemd-analyze security` counts: an unconfined service has 96.
MOST_EXPOSURE = "50"


class Units(NetTest):
    def setUp(self):
        super().setUp()
        self.need("systemd-analyze")
        self.units = os.path.join(self.folder, "units")
        os.mkdir(self.units)
        for name in (SERVICE, TIMER):
            shutil.copy(os.path.join(settings.bin, "..", "systemd", name), self.units)
        with open(f"{self.units}/{SERVICE}") as stream:
            self.service = stream.read()

    def need(self, program):
        if not shutil.which(program):
            self.skipTest(f"needs {program}")

    def analyze(self, *arguments):
        return subprocess.run(["systemd-analyze", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def values(self, key):
        return " ".join(re.findall(rf"(?m)^{key}=(.*)$", self.service)).split()

    def configure(self):
        """A mirror whose packages do what installing needs: owners, devices, a script in the sandbox."""
        members = [file("usr/bin/su", b"x", mode=0o4755), file("usr/share/aaa", b"x", uid=5, gid=6)]
        self.put(package("aaa-1-x86_64-P1", members, script="mkdir -p etc/made\nmknod dev-null c 1 3\n: > etc/made/x\n"))
        config = os.path.join(self.folder, "plamo-fast.conf")
        with open(config, "w") as stream:
            stream.write(f"[one]\nrelease = {RELEASE}\narch = {ARCH}\nmirror = {self.url}\ncache = {self.cache}\n")
        return self.command("warm", "--config", config)

    def assert_warmed(self):
        root = self.cache_folder("rootfs")
        self.assertEqual(os.stat(f"{root}/usr/bin/su").st_mode & 0o7777, 0o4755)
        self.assertEqual(os.stat(f"{root}/usr/share/aaa").st_uid, 5)
        self.assertTrue(os.path.exists(f"{root}/etc/made/x"))

    def test_verify(self):
        """With the program where it has just been built."""
        with open(f"{self.units}/{SERVICE}", "w") as stream:
            stream.write(re.sub(r"(?m)^ExecStart=\S+", f"ExecStart={settings.bin}/plamo-fast", self.service))
        for name in (SERVICE, TIMER):
            result = self.analyze("verify", "--man=no", f"{self.units}/{name}")
            self.assertEqual((result.returncode, result.stdout), (0, ""), name)

    def test_security(self):
        result = self.analyze("security", "--offline=true", "--no-pager", f"--threshold={MOST_EXPOSURE}",
                              f"{self.units}/{SERVICE}")
        self.assertEqual(result.returncode, 0, result.stdout)

    def test_capabilities(self):
        """With no more than the unit leaves, and no new privileges."""
        self.need("setpriv")
        left = [name.removeprefix("CAP_").lower() for name in self.values("CapabilityBoundingSet")]
        limits = ["setpriv", "--no-new-privs", f"--bounding-set=-all,{','.join('+' + n for n in left)}",
                  "--inh-caps=-all"]
        self.assert_done(self.wait(self.start([*limits, *self.configure()])))
        self.assert_warmed()

    def test_read_only_system(self):
        """As ProtectSystem=strict leaves it: nothing can be written but the cache and the lock."""
        if not settings.private_mounts:
            self.skipTest("needs mounts of its own")
        os.makedirs(self.cache)
        prepare = 'mount --make-rprivate / && mount --bind "$0" "$0" && mount -o remount,bind,ro / && exec "$@"'
        self.assert_done(self.wait(self.start(["unshare", "-m", "sh", "-c", prepare, self.cache, *self.configure()])))
        self.assert_warmed()

    def calls_of(self, name):
        """The system calls that a word of a filter stands for."""
        if not name.startswith("@"):
            return {name}
        lines = self.analyze("syscall-filter", "--no-pager", name).stdout.splitlines()[1:]
        words = [line.strip() for line in lines if line.strip() and not line.strip().startswith("#")]
        return set().union(*map(self.calls_of, words))

    def test_calls(self):
        """Every system call that a warmer and what it runs makes is one of the filter's."""
        self.need("strace")
        allowed = set()
        for line in re.findall(r"(?m)^SystemCallFilter=(.*)$", self.service):
            named = set().union(*map(self.calls_of, line.lstrip("~").split()))
            allowed = allowed - named if line.startswith("~") else allowed | named
        trace = os.path.join(self.folder, "trace")
        self.assert_done(self.wait(self.start(["strace", "-f", "-qq", "-o", trace, *self.configure()])))
        self.assert_warmed()
        with open(trace, errors="replace") as stream:
            called = {found.group(1) for found in map(re.compile(r"\d+ +(\w+)\(").match, stream) if found}
        self.assertEqual(called - allowed, set())


if __name__ == "__main__":
    netkit.main()
