"""Running a template: Debian's lxc-plamo, the oracle, or ours. Both know the same options and variables."""

import collections
import fcntl
import os
import re
import subprocess

from server import MIRROR_PATH

ORACLE = "/usr/share/lxc/templates/lxc-plamo"
LOCK = "/var/lock/subsys/lxc-plamo"
SUFFIXES = (".tgz", ".txz", ".tzst", ".tbz")
# `i DATE: STEM` with the C locale's date.
INSTALLED = re.compile(r"i \w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \S+ \d{4}: (\S+)$")
VARIABLES = {"CATEGORIES", "EXTRACTGRS", "IGNOREPKGS", "ADDONPKGS", "DLSCHEME", "MIRRORSRV", "MIRRORPATH", "release",
             "LXC_CACHE_PATH"}

# What lxc-create has written to the configuration before it runs a template.
CONFIG_BEFORE = "# as lxc-create leaves it\nlxc.net.0.type = empty\n"

Container = collections.namedtuple("Container", "status log config rootfs cached_root cached_packages")


def cache_paths(cache, release, arch="x86_64"):
    """The two folders that templates share: packages and installed root."""
    return os.path.join(cache, f"cache-plamo-{release}-{arch}"), os.path.join(cache, f"rootfs-plamo-{release}-{arch}")


def mirror_variables(server):
    """What tells a template of the server; without one a port where nobody listens."""
    return {"DLSCHEME": server.scheme if server else "http", "MIRRORSRV": server.address if server else "127.0.0.1:9",
            "MIRRORPATH": MIRROR_PATH}


def create(program, where, cache, release, server=None, variables=None, arguments=(), name="c1", arch=None):
    """Makes a container in the folder `where` as lxc-create would have it made, and returns what there is then.

    Without an arch it is the host's."""
    os.makedirs(where)
    with open(os.path.join(where, "wgetrc"), "w") as stream:
        # The kernel's clock for file times ticks in milliseconds: without the pause two small downloads get the same
        # ctime and lxc-plamo, which installs in ctime order, turns them round.
        stream.write("wait = 0.02\nuse_proxy = off\n")
    with open(os.path.join(where, "config"), "w") as stream:
        stream.write(CONFIG_BEFORE)
    packages, root = cache_paths(cache, release, arch or "x86_64")
    if arch:
        arguments = ("-a", arch, *arguments)
    rootfs = os.path.join(where, "rootfs")
    environment = {k: v for k, v in os.environ.items() if k not in VARIABLES and not k.lower().endswith("_proxy")}
    environment.update({"WGETRC": os.path.join(where, "wgetrc"), "LXC_CACHE_PATH": cache,
                        **mirror_variables(server), **(variables or {})})
    _wait_for_other_builds()
    result = subprocess.run(
        [program, f"--path={where}", f"--name={name}", f"--rootfs={rootfs}", "-r", release, *arguments],
        env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return Container(result.returncode, result.stdout.decode("utf-8", "backslashreplace"),
                     os.path.join(where, "config"), rootfs, root, packages)


def _wait_for_other_builds():
    """lxc-plamo gives up at once where another build holds the lock."""
    os.makedirs(os.path.dirname(LOCK), exist_ok=True)
    with open(LOCK, "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)


def read(root, path):
    """The text of a file below a root; bytes that are not UTF-8 as surrogate escapes."""
    with open(os.path.join(root, path), errors="surrogateescape") as stream:
        return stream.read()


def download(where, cache, release, server, variables):
    """lxc-plamo's download alone: it is ended as soon as the cache folder has its name."""
    programs = f"{where}-programs"
    os.makedirs(programs)
    with open(os.path.join(programs, "mv"), "w") as stream:
        stream.write('#!/bin/sh\n/bin/mv "$@" && kill "$PPID"\n')
    os.chmod(stream.name, 0o755)
    return create(ORACLE, where, cache, release, server,
                  {**variables, "PATH": f"{programs}:{os.environ.get('PATH', os.defpath)}"})


def cached_in_order(folder):
    """The package files of a cache folder, oldest ctime first, as (name, ctime in nanoseconds)."""
    names = [name for name in os.listdir(folder) if name.endswith(SUFFIXES)]
    times = ((name, os.lstat(os.path.join(folder, name)).st_ctime_ns) for name in names)
    return sorted(times, key=lambda pair: pair[1])


def installed_in_order(root):
    """The stems that install.log names, in its order."""
    with open(os.path.join(root, "var/log/install.log"), errors="surrogateescape") as stream:
        # A script's output may lack its newline, so the line of a package need not start one.
        return [found.group(1) for found in map(INSTALLED.search, stream) if found]


def initpkg_in_order(root):
    """The names in var/log/initpkg, oldest first, as (name, mtime in nanoseconds)."""
    folder = os.path.join(root, "var/log/initpkg")
    times = ((name, os.lstat(os.path.join(folder, name)).st_mtime_ns) for name in os.listdir(folder))
    return sorted(times, key=lambda pair: pair[1])
