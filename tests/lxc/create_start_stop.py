#!/usr/bin/env python3
"""A container's life with the real tools: lxc-create, lxc-start, lxc-attach, lxc-console, lxc-stop, lxc-destroy."""

import collections
import os
import pty
import select
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from nginx import Nginx
from report import Report
from server import MIRROR_PATH
from skip import need_programs, need_root, skip
from template import VARIABLES
from workspace import arguments, temporary_folder

RELEASE = "7.x"
BOOT_TIMEOUT_S = 30
LOGIN_TIMEOUT_S = 15
# lxc-stop would kill the container after this; one whose inittab handles SIGPWR is gone long before.
STOP_TIMEOUT_S = 20
REACHED = "var/run/runlevel-3-reached"

# What of a release's boot scripts runs in a container until runlevel 3 and when it stops, the packages whose scripts
# run at the first boot, and root's password ("" is none).
Life = collections.namedtuple("Life", "boot stop first_boot password")

OLD_BOOT = ["rc.M begin", "rc.M before-screen", "rc.M ip6tables", "rc.inet1 wire", "dhclient eth0", "rc.M services"]
LIVES = {
    "5.x": Life(
        ["rc.S begin", "rc.S hotplug", "rc.S null", "rc.S before-mtab", "rc.S mtab", "rc.S hostname", "rc.S tmp",
         "rc.S end", *OLD_BOOT, "rc.inet2 services", "rc.inet2 end", "crond start", "open-iscsi start",
         "postfix start", "saslauthd start", "rc.M before-sync", "rc.M end"],
        ["rc.0 begin", "crond stop", "open-iscsi stop", "postfix stop", "saslauthd stop", "rc.0 localtime",
         "rc.0 system-time", "rc.0 before-remote", "rc.0 remote", "rc.0 before-swap", "rc.0 swap", "rc.0 unmount",
         "rc.0 end"],
        ["aaa_base", "shadow", "tzdata"], "root"),
    "6.x": Life(
        ["rc.S begin", "rc.S shm", "rc.S hotplug", "rc.S before-mtab", "rc.S mtab", "rc.S hostname", "rc.S tmp",
         "rc.S end", *OLD_BOOT, "rc.inet2 services", "rc.inet2 end", "crond start", "rc.M before-sync", "rc.M end"],
        ["rc.0 begin", "crond stop", "rc.0 localtime", "rc.0 remote", "rc.0 before-swap", "rc.0 end"],
        ["aaa_base", "tzdata"], ""),
    "7.x": Life(["mountfs start", "localnet start", "firstboot start", "reached start"], ["localnet start"],
                ["aaa_base", "tzdata"], ""),
}


class Containers:
    """The lxc tools on a folder of their own."""

    def __init__(self, folder, template, server):
        self.path = os.path.join(folder, "containers")
        self.log = os.path.join(folder, "lxc.log")
        self.template = template
        self.config = os.path.join(folder, "default.conf")
        os.mkdir(self.path)
        with open(self.config, "w") as stream:
            stream.write("lxc.net.0.type = empty\n")
        self.environment = {k: v for k, v in os.environ.items() if k not in VARIABLES}
        self.environment.update({"LXC_CACHE_PATH": os.path.join(folder, "cache"), "DLSCHEME": "http",
                                 "MIRRORSRV": server.address, "MIRRORPATH": MIRROR_PATH})

    def run(self, tool, name, *more):
        """(status, standard output and error)"""
        result = subprocess.run([tool, "-P", self.path, "-n", name, *more], env=self.environment,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return result.returncode, result.stdout.decode("utf-8", "backslashreplace")

    def create(self, name, release=RELEASE):
        return self.run("lxc-create", name, "-f", self.config, "-t", self.template, "--", "-r", release)

    def start(self, name):
        return self.run("lxc-start", name, "-d", "-l", "INFO", "-o", self.log)

    def attach(self, name, *command):
        return self.run("lxc-attach", name, "--", *command)

    def rootfs(self, name):
        return os.path.join(self.path, name, "rootfs")

    def remove_all(self):
        for name in os.listdir(self.path):
            self.run("lxc-stop", name, "-k")
            self.run("lxc-destroy", name)


def wait_for(path, timeout_s):
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        if os.path.exists(path):
            return True
        time.sleep(0.1)
    return False


def why_none_starts(containers):
    """Empty when this machine can start a container that holds nothing but busybox, else what lxc says."""
    root = os.path.join(containers.path, "probe", "rootfs")
    for name in ("bin", "dev", "proc", "sys"):
        os.makedirs(os.path.join(root, name))
    with open("/bin/busybox", "rb") as source, open(os.path.join(root, "bin/busybox"), "wb") as target:
        target.write(source.read())
    os.chmod(os.path.join(root, "bin/busybox"), 0o755)
    with open(os.path.join(containers.path, "probe", "config"), "w") as stream:
        stream.write(f"lxc.include = /usr/share/lxc/config/plamo.common.conf\nlxc.net.0.type = empty\n"
                     f"lxc.rootfs.path = dir:{root}\nlxc.uts.name = probe\n")
    status, output = containers.run("lxc-execute", "probe", "--", "/bin/busybox", "true")
    containers.run("lxc-destroy", "probe")
    return "" if status == 0 else " ".join(output.split())[:500] or f"status {status}"


class Console:
    """What somebody at the container's console types and sees."""

    def __init__(self, containers, name):
        ours, theirs = pty.openpty()
        self.terminal, self.seen = ours, ""
        self.process = subprocess.Popen(["lxc-console", "-P", containers.path, "-n", name, "-t", "0"], stdin=theirs,
                                        stdout=theirs, stderr=theirs, start_new_session=True)
        os.close(theirs)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        os.close(self.terminal)

    def type(self, text):
        os.write(self.terminal, text.encode() + b"\r")

    def sees(self, wanted, again=None):
        """Waits for a text behind the one last waited for; types `again` each second meanwhile."""
        end = time.monotonic() + LOGIN_TIMEOUT_S
        while wanted not in self.seen:
            if time.monotonic() > end:
                return False
            if select.select([self.terminal], [], [], 1)[0]:
                try:
                    self.seen += os.read(self.terminal, 4096).decode("utf-8", "replace")
                except OSError:
                    return False
            elif again is not None:
                self.type(again)
        self.seen = self.seen.split(wanted, 1)[1]
        return True


def log_in(report, containers, name, password):
    with Console(containers, name) as console:
        # lxc-console shows only what comes after it has begun, so the prompt has to be asked for.
        if not report.check(console.sees("login:", again=""), f"no login prompt on the console: {console.seen!r}"):
            return
        console.type("root")
        if password:
            report.check(console.sees("assword:"), f"no question for the password: {console.seen!r}")
            console.type(password)
        # What is typed before the shell's prompt is lost; and the answer is not in what is typed.
        if report.check(console.sees("# "), f"no shell on the console: {console.seen!r}"):
            console.type("echo it is $((40 + 2))")
            report.check(console.sees("it is 42"), f"no answer on the console: {console.seen!r}")


def live(report, containers, name, release):
    """Boots the container, looks into it, logs in, and stops it."""
    life = LIVES[release]
    status, output = containers.start(name)
    if not report.equal(status, 0, f"status of lxc-start ({output.strip()})"):
        return
    if not report.check(wait_for(os.path.join(containers.rootfs(name), REACHED), BOOT_TIMEOUT_S),
                        f"{name} did not reach runlevel 3 in {BOOT_TIMEOUT_S} s"):
        return
    status, output = containers.attach(name, "/bin/sh", "-c", "hostname; cat /proc/1/comm; cat /etc/HOSTNAME")
    report.equal((status, output.split()), (0, [name, "init", name]), "what lxc-attach says")
    _, output = containers.attach(name, "/bin/cat", "/var/log/boot.order")
    report.equal(output.splitlines(), life.boot, "boot scripts")
    _, output = containers.attach(name, "/bin/cat", "/var/log/initpkg.order")
    report.equal(output.split(), life.first_boot, "packages' scripts of the first boot")
    log_in(report, containers, name, life.password)

    begun = time.monotonic()
    status, output = containers.run("lxc-stop", name, "--timeout", str(STOP_TIMEOUT_S), "--nokill")
    took = time.monotonic() - begun
    report.equal(status, 0, f"status of lxc-stop ({output.strip()})")
    report.check(took < STOP_TIMEOUT_S, f"lxc-stop took {took:.1f} s")
    _, output = containers.run("lxc-info", name, "-s")
    report.equal(output.split(), ["State:", "STOPPED"], "state after lxc-stop")
    with open(os.path.join(containers.rootfs(name), "var/log/boot.order")) as stream:
        report.equal(stream.read().splitlines()[len(life.boot):], life.stop, "scripts that ran to stop")


def main():
    wanted = arguments(__doc__, release=sorted(LIVES))
    release = wanted.release or RELEASE
    need_root()
    need_programs("lxc-create", "lxc-start", "lxc-attach", "lxc-console", Nginx.program)
    report = Report()
    with temporary_folder() as (folder, _), Nginx(wanted.mirror) as server:
        containers = Containers(folder, os.path.join(wanted.bin, "lxc-plamo-fast"), server)
        try:
            status, output = containers.create("first", release)
            if not report.equal(status, 0, "status of lxc-create"):
                report.note(output)
                report.exit()
            asked = len(server.requests())
            status, output = containers.create("second", release)
            report.equal(status, 0, "status of lxc-create with a warm cache")
            report.equal(len(server.requests()) - asked, 0, "requests with a warm cache")
            for said in ("0 requests", "0 bytes received", "0 packages decoded"):
                report.check(said in output, f"the summary with a warm cache does not say {said!r}:\n{output}")
            reason = why_none_starts(containers)
            if not reason:
                live(report, containers, "first", release)
            for name in ("first", "second"):
                status, output = containers.run("lxc-destroy", name)
                report.equal(status, 0, f"status of lxc-destroy ({output.strip()})")
                report.check(not os.path.exists(os.path.join(containers.path, name)), f"{name} is still there")
        finally:
            containers.remove_all()
    if reason and not report.failures:
        skip(f"made and removed containers, but none starts on this machine: {reason}")
    report.exit()


if __name__ == "__main__":
    main()
