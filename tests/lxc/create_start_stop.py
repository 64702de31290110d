#!/usr/bin/env python3
"""A container's life with the real tools: lxc-create, lxc-start, lxc-attach, lxc-stop, lxc-destroy."""

import os
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
# lxc-stop would kill the container after this; one whose inittab handles SIGPWR is gone long before.
STOP_TIMEOUT_S = 20
REACHED = "var/run/runlevel-3-reached"


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

    def create(self, name):
        return self.run("lxc-create", name, "-f", self.config, "-t", self.template, "--", "-r", RELEASE)

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


def live(report, containers, name):
    """Boots the container, looks into it, and stops it."""
    status, output = containers.start(name)
    if not report.equal(status, 0, f"status of lxc-start ({output.strip()})"):
        return
    if not report.check(wait_for(os.path.join(containers.rootfs(name), REACHED), BOOT_TIMEOUT_S),
                        f"{name} did not reach runlevel 3 in {BOOT_TIMEOUT_S} s"):
        return
    status, output = containers.attach(name, "/bin/sh", "-c", "hostname; cat /proc/1/comm; cat /etc/HOSTNAME")
    report.equal((status, output.split()), (0, [name, "init", name]), "what lxc-attach says")
    _, output = containers.attach(name, "/bin/cat", "/var/log/boot.order")
    report.equal(output.split("\n"), ["mountfs start", "localnet start", "firstboot start", "reached start", ""],
                 "boot scripts")
    _, output = containers.attach(name, "/bin/cat", "/var/log/initpkg.order")
    report.equal(output.split(), ["aaa_base", "tzdata"], "packages' scripts of the first boot")

    begun = time.monotonic()
    status, output = containers.run("lxc-stop", name, "--timeout", str(STOP_TIMEOUT_S), "--nokill")
    took = time.monotonic() - begun
    report.equal(status, 0, f"status of lxc-stop ({output.strip()})")
    report.check(took < STOP_TIMEOUT_S, f"lxc-stop took {took:.1f} s")
    _, output = containers.run("lxc-info", name, "-s")
    report.equal(output.split(), ["State:", "STOPPED"], "state after lxc-stop")


def main():
    wanted = arguments(__doc__)
    need_root()
    need_programs("lxc-create", "lxc-start", "lxc-attach", Nginx.program)
    report = Report()
    with temporary_folder() as (folder, _), Nginx(wanted.mirror) as server:
        containers = Containers(folder, os.path.join(wanted.bin, "lxc-plamo-fast"), server)
        try:
            status, output = containers.create("first")
            if not report.equal(status, 0, "status of lxc-create"):
                report.note(output)
                report.exit()
            asked = len(server.requests())
            status, output = containers.create("second")
            report.equal(status, 0, "status of lxc-create with a warm cache")
            report.equal(len(server.requests()) - asked, 0, "requests with a warm cache")
            for said in ("0 requests", "0 bytes received", "0 packages decoded"):
                report.check(said in output, f"the summary with a warm cache does not say {said!r}:\n{output}")
            reason = why_none_starts(containers)
            if not reason:
                live(report, containers, "first")
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
