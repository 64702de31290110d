"""Places that a build is put into, each of which allows another rung of the sandbox for package scripts."""

import collections
import os
import subprocess

# What docker and podman leave to root of a container by default.
CONTAINER = ("chown", "dac_override", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap", "net_bind_service",
             "net_raw", "sys_chroot", "mknod", "audit_write", "setfcap")

# `prefix`: the words before a command. `said`: what a build says of its sandbox there. `ids`: has a root of its own any
# owner and device that it wants?
Place = collections.namedtuple("Place", "name prefix said ids")

NAMESPACES, CHROOTED, CONFINED = "in namespaces of their own", "outside of this chroot", "without namespaces"

# chroot NEW PATH… -- COMMAND…: with those paths of the host at the same places. All mounts go with the command.
ENTER = """
new=$1; shift
while [ "$1" != -- ]; do
    mkdir -p "$new$1" && mount --rbind "$1" "$new$1" || exit 99
    shift
done
shift
exec chroot "$new" "$@"
"""


def _drop(kept):
    return ("setpriv", "--inh-caps=-all", "--bounding-set=-all," + ",".join(f"+{name}" for name in kept))


def _make_chroot(folder):
    """A root beside the tests' folder that is no mount point, as debootstrap and sbuild make it; returns what is to be
    mounted into it."""
    os.makedirs(os.path.join(folder, "var/lock/subsys"))
    os.makedirs(os.path.join(folder, "tmp"))
    shown = []
    for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32", "usr", "etc", "dev", "proc", "sys"):
        path = f"/{name}"
        if os.path.islink(path):
            os.symlink(os.readlink(path), folder + path)
        elif os.path.isdir(path):
            shown.append(path)
    return shown


def place(name, spare, *shown):
    """The place of this name. spare: where to make a folder for a chroot; shown: what a build in it has to see. None
    where it cannot be had here."""
    if name == "chroot":
        new = os.path.join(spare, "chroot")
        enter = ("unshare", "--mount", "sh", "-c", ENTER, "sh", new, *_make_chroot(new), *shown, "--")
        return Place("in a plain chroot", enter, CHROOTED, True)
    found = PLACES[name]
    # A namespace may be refused, or a capability be gone already.
    if subprocess.run([*found.prefix, "true"], stderr=subprocess.DEVNULL).returncode:
        return None
    return found


def without_any():
    """The words before a command that has no rung at all."""
    return _drop([name for name in CONTAINER if name != "sys_chroot"])


PLACES = {
    "root": Place("as root", (), NAMESPACES, True),
    "chroot": None,
    "confined": Place("with a container's capabilities", _drop(CONTAINER), CONFINED, True),
    "namespace": Place("as root of a user namespace", ("unshare", "--user", "--map-root-user"), NAMESPACES, False),
}
