#!/usr/bin/env python3
"""--bindhome against lxc-plamo on the same cached root, and the home as a started container sees it.

Runs in a mount namespace of its own, where etc/passwd and etc/shadow have users of the test besides the host's."""

import os
import shutil
import stat
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from create_start_stop import BOOT_TIMEOUT_S, REACHED, Containers, wait_for, why_none_starts
from installed_template import enter_namespace
from nginx import Nginx
from report import Report
from skip import need_programs, need_root, skip
from template import CONFIG_BEFORE, ORACLE, create
from workspace import arguments, temporary_folder

RELEASE = "7.x"
# passwd (%s stands for the homes' folder) and shadow; a user without a shadow line has None.
USERS = {
    "plain": ("plain:x:5001:5001:Plain User,,,:%s/plain:/bin/sh", "plain:$6$salt$hash/.:19000:0:99999:7:::"),
    "empty": ("empty:x:5002:5002::%s/empty:", "empty::::::::"),
    "machine$": ("machine$:*:4294967294:100:no-blank:%s/machine:/bin/false", "machine$:!:0:1:2:3:4:5:6"),
    "in.passwd": ("in.passwd:$6$a$b:5003:0:a&b\\n$(id)`id`:%s/deep/er/home:/bin/sh", "in.passwd:*:19000::::::"),
    "utf8": ("utf8:x:5004:5004:größe\udcff:%s/größe:/bin/sh", "utf8:x:19000::::::"),
    "blanks": ("blanks:x:5005:5005:Two  blanks\tand a tab:%s/blanks:/bin/sh", "blanks:!!:19000::::::"),
    "star": ("star:x:5006:5006:a * b:%s/star:/bin/sh", "star:!:19000::::::"),
    "hashless": ("hashless:x:5007:5007:no shadow line:%s/hashless:/bin/sh", None),
    "homeblank": ("homeblank:x:5008:5008::%s/home with blanks\\:/bin/sh", "homeblank:!:19000::::::"),
}
# What lxc-plamo writes otherwise, and the flaw that it comes from.
PASSWD, SHADOW, CONFIG, FOLDER = "etc/passwd", "etc/shadow", "config", "home"
FLAWS = {
    "blanks": {PASSWD: "an unquoted echo makes one blank of many and of tabs"},
    "star": {PASSWD: "an unquoted echo takes a star for a pattern of file names"},
    "hashless": {SHADOW: "a user without a shadow line gives an empty line"},
    "homeblank": {CONFIG: "the entry has the blanks as they are, which part its fields",
                  FOLDER: "an unquoted mkdir makes a folder of each word"},
}
REFUSED = {"unknown": None, "rootly": "rootly:x:6001:6001::/:/bin/sh", "slashes": "slashes:x:6002:6002:://.//:/bin/sh",
           "homeless": "homeless:x:6003:6003:::/bin/sh", "relative": "relative:x:6004:6004::home/x:/bin/sh"}


def home_of(user, homes):
    return (USERS[user][0] % homes).split(":")[5]


def add_users(folder, homes):
    """Puts the users behind the host's, for this mount namespace."""
    lines = {"passwd": [line % homes for line, _ in USERS.values()] + [line for line in REFUSED.values() if line],
             "shadow": [line for _, line in USERS.values() if line]}
    for name, added in lines.items():
        copy = shutil.copy2(f"/etc/{name}", folder)
        with open(copy, "a", errors="surrogateescape") as stream:
            stream.write("".join(line + "\n" for line in added))
        subprocess.run(["mount", "--bind", copy, f"/etc/{name}"], check=True)
    for user in USERS:
        home = home_of(user, homes)
        os.makedirs(home, exist_ok=True)
        with open(os.path.join(home, "mine"), "w") as stream:
            stream.write(f"of {user}\n")


def read(path):
    with open(path, errors="surrogateescape") as stream:
        return stream.read()


def folders_to(root, path):
    """Owner and mode of each folder from the root down to the path in it."""
    found = []
    for name in path.strip("/").split("/"):
        root = os.path.join(root, name)
        status = os.lstat(root) if os.path.lexists(root) else None
        found.append(status and (stat.filemode(status.st_mode), status.st_uid, status.st_gid))
    return found


def effects(container, home):
    """What --bindhome wrote: the ends of the files, and the home's folder. The container's own paths as ROOT."""
    def added(path, before):
        text = read(path)
        return text[len(before):] if text.startswith(before) else f"not at the end: {text!r}"
    return {
        PASSWD: added(os.path.join(container.rootfs, PASSWD), read(os.path.join(container.cached_root, PASSWD))),
        SHADOW: added(os.path.join(container.rootfs, SHADOW), read(os.path.join(container.cached_root, SHADOW))),
        CONFIG: "".join(line for line in read(container.config).replace(container.rootfs, "ROOT").splitlines(True)
                        if line.startswith("lxc.mount.entry")),
        FOLDER: folders_to(container.rootfs, home),
    }


def escaped(path):
    return path.replace("\\", "\\134").replace(" ", "\\040")


def wanted_effects(user, homes):
    line, shadow = USERS[user]
    home = escaped(home_of(user, homes))
    folders = home_of(user, homes).strip("/").count("/") + 1
    return {PASSWD: line % homes + "\n", SHADOW: shadow + "\n" if shadow else "",
            CONFIG: f"lxc.mount.entry = {home} ROOT/{home} none bind 0 0\n",
            FOLDER: [("drwxr-xr-x", 0, 0)] * folders}


def compare_user(report, make, user, homes):
    """Ours writes what it must; lxc-plamo the same but for its flaws, which must show."""
    home = home_of(user, homes)
    ours, theirs = make("lxc-plamo-fast", user), make(ORACLE, user)
    if not report.equal((ours.status, theirs.status), (0, 0), f"{user}: status of ours, of lxc-plamo"):
        report.note(ours.log + theirs.log)
        return
    found, wanted, shell = effects(ours, home), wanted_effects(user, homes), effects(theirs, home)
    # /var/tmp, where the homes are, is no new folder in the root.
    new = slice(home.strip("/").split("/").index(os.path.basename(homes)), None)
    for part in (found, wanted, shell):
        part[FOLDER] = part[FOLDER][new]
    for part, value in wanted.items():
        report.equal(found[part], value, f"{user}: {part}")
        flaw = FLAWS.get(user, {}).get(part)
        if flaw:
            report.check(shell[part] != value, f"{user}: {part}: lxc-plamo has lost its flaw: {flaw}")
        else:
            report.equal(shell[part], value, f"{user}: {part} of lxc-plamo")


def refuse(report, make, user, cache):
    """Nobody's home, or one that is the host's root: said at once, with nothing done."""
    empty = f"{cache}-for-{user}"
    run = make("lxc-plamo-fast", user, cache=empty)
    report.equal(run.status, 2, f"{user}: status")
    report.check(run.log.count("\n") == 1 and f'"{user}"' in run.log, f"{user}: one line with the name: {run.log!r}")
    report.check(not os.path.exists(run.rootfs), f"{user}: a root was made")
    report.check(not os.path.exists(empty), f"{user}: work was done in the cache")
    report.equal(read(run.config), CONFIG_BEFORE, f"{user}: config")


def start(report, containers, store, user, homes):
    """The home in a running container, on this kind of storage."""
    name, home = f"{store}-{user}", home_of(user, homes)
    size = ["--fssize", "256M"] if store == "loop" else []
    status, output = containers.run("lxc-create", name, "-f", containers.config, "-B", store, *size, "-t",
                                    containers.template, "--", "-r", RELEASE, "-b", user)
    if not report.equal(status, 0, f"{name}: status of lxc-create"):
        report.note(output)
        return
    # The folder is on the host, so this sees the boot reach its end without looking into the container's root.
    flag = os.path.join(home, "reached")
    status, output = containers.start(name)
    report.equal(status, 0, f"{name}: status of lxc-start ({output.strip()})")
    booted = ["/bin/sh", "-c", f"while [ ! -e /{REACHED} ]; do sleep 0.2; done; echo yes > \"$1\"", "sh", flag]
    subprocess.run(["lxc-attach", "-P", containers.path, "-n", name, "--", *booted], timeout=BOOT_TIMEOUT_S,
                   stdin=subprocess.DEVNULL)
    report.check(wait_for(flag, 1), f"{name}: what is written into the home in the container is not on the host")
    status, output = containers.attach(name, "/bin/cat", os.path.join(home, "mine"))
    report.equal((status, output), (0, f"of {user}\n"), f"{name}: a file of the home in the container")
    status, output = containers.attach(name, "/bin/sh", "-c", f"grep '^{user}:' /etc/passwd")
    report.equal(output.strip(), USERS[user][0] % homes, f"{name}: the user in the container")
    containers.run("lxc-stop", name, "--timeout", "20")
    report.equal(containers.run("lxc-destroy", name)[0], 0, f"{name}: status of lxc-destroy")
    report.equal(read(os.path.join(home, "mine")), f"of {user}\n", f"{name}: the home after lxc-destroy")
    if os.path.exists(flag):
        os.unlink(flag)


def has_loop_devices():
    return subprocess.run(["losetup", "-f"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


def main():
    wanted = arguments(__doc__)
    need_root()
    need_programs(ORACLE, "unshare", "losetup", "lxc-create", "lxc-start", "lxc-attach", Nginx.program)
    enter_namespace()
    report, missing = Report(), ""
    # A container mounts its own /tmp and /run: there a home would not be seen.
    with temporary_folder() as (folder, _), Nginx(wanted.mirror) as server, \
            tempfile.TemporaryDirectory(prefix="plamo-homes-", dir="/var/tmp") as homes:
        os.chmod(homes, 0o755)
        # lxc-plamo makes folders here of the words of a home with blanks.
        os.chdir(folder)
        add_users(folder, homes)
        containers = Containers(folder, os.path.join(wanted.bin, "lxc-plamo-fast"), server)
        made = iter(range(100))

        def make(program, user, cache=containers.environment["LXC_CACHE_PATH"]):
            return create(os.path.join(wanted.bin, program), os.path.join(folder, f"container-{next(made)}"), cache,
                          RELEASE, server, arguments=("--bindhome", user))

        for user in REFUSED:
            refuse(report, make, user, os.path.join(folder, "unused"))
        for user in USERS:
            compare_user(report, make, user, homes)
        try:
            missing = why_none_starts(containers)
            if not missing:
                start(report, containers, "dir", "plain", homes)
                start(report, containers, "dir", "homeblank", homes)
            if not missing and has_loop_devices():
                start(report, containers, "loop", "homeblank", homes)
            elif not missing:
                missing = "no loop devices"
        finally:
            containers.remove_all()
    if missing and not report.failures:
        skip(f"homes are bound as they must, but not all could be seen in a running container: {missing}")
    report.exit()


if __name__ == "__main__":
    main()
