#!/usr/bin/env python3
"""The template for an unprivileged container: as root of a user namespace, with lxc-create's --mapped-uid."""

import os
import shutil
import stat
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from nginx import Nginx
from report import Report
from server import MIRROR_PATH
from skip import need_programs, need_root, need_way_for_others, skip
from template import VARIABLES
from workspace import arguments, temporary_folder

RELEASE = "8.x"
# A package with device nodes. The mirror's other categories have owners beyond ID_COUNT.
DEVICES = "plamo/01_minimum/special"
FIRST_ID = 100000
ID_COUNT = 65536


def in_user_namespace(command, environment):
    """Runs a command as root of a new user namespace whose ids are FIRST_ID and following here."""
    shell = "read _; exec setpriv --reuid 0 --regid 0 --clear-groups \"$@\""
    process = subprocess.Popen(["unshare", "-U", "--keep-caps", "sh", "-c", shell, "sh", *command], env=environment,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    own = os.readlink("/proc/self/ns/user")
    for _ in range(100):
        if process.poll() is not None or os.readlink(f"/proc/{process.pid}/ns/user") != own:
            break
        time.sleep(0.05)
    try:
        for kind in ("uid", "gid"):
            with open(f"/proc/{process.pid}/{kind}_map", "w") as stream:
                stream.write(f"0 {FIRST_ID} {ID_COUNT}\n")
    except OSError as error:
        process.kill()
        skip(f"no user namespace can be made here: {error}")
    output, _ = process.communicate(b"\n")
    return process.returncode, output.decode("utf-8", "backslashreplace")


def main():
    wanted = arguments(__doc__)
    need_root()
    need_programs("unshare", "setpriv", Nginx.program)
    report = Report()
    with temporary_folder() as (folder, _), Nginx(wanted.mirror) as server:
        home = os.path.join(folder, "home")
        where = os.path.join(folder, "home", "container")
        os.makedirs(where)
        for path in (home, where):
            os.chown(path, FIRST_ID, FIRST_ID)
        # The build may lie where nobody but root comes, as below /root.
        program = shutil.copy(os.path.join(wanted.bin, "lxc-plamo-fast"), folder)
        need_way_for_others(program)
        environment = {k: v for k, v in os.environ.items() if k not in VARIABLES}
        environment.update({"HOME": home, "DLSCHEME": "http", "MIRRORSRV": server.address,
                            "MIRRORPATH": MIRROR_PATH, "ADDONPKGS": DEVICES})
        rootfs = os.path.join(where, "rootfs")
        status, output = in_user_namespace(
            [program, f"--path={where}", "--name=u1", f"--rootfs={rootfs}",
             "--mapped-uid", "0", "--mapped-gid", "0", "-r", RELEASE], environment)
        if not report.equal(status, 0, "status of the template"):
            report.note(output)
            report.exit()
        info = os.lstat(os.path.join(rootfs, "etc/hosts"))
        report.equal((info.st_uid, info.st_gid), (FIRST_ID, FIRST_ID), "owner of etc/hosts as the host sees it")
        report.check(os.path.isdir(os.path.join(home, ".cache/lxc", f"rootfs-plamo-{RELEASE}-x86_64")),
                     "the cached root is not in the user's own cache")
        with open(os.path.join(where, "config")) as stream:
            report.check("lxc.uts.name = u1" in stream.read(), "the config has no lxc.uts.name")
        devices = [name for base, _, names in os.walk(rootfs) for name in names
                   if stat.S_IFMT(os.lstat(os.path.join(base, name)).st_mode) in (stat.S_IFCHR, stat.S_IFBLK)]
        report.equal(devices, [], "device nodes, which no user namespace may make")
        report.equal("device nodes left out" in output, True, "a word on the device nodes")
    report.exit()


if __name__ == "__main__":
    main()
