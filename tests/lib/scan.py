"""A folder tree as data, and the differences of two of them."""

import collections
import dataclasses
import hashlib
import os
import stat

KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFLNK: "link", stat.S_IFCHR: "char device",
         stat.S_IFBLK: "block device", stat.S_IFIFO: "fifo", stat.S_IFSOCK: "socket"}

Difference = collections.namedtuple("Difference", "path field left right left_entry right_entry")


@dataclasses.dataclass(frozen=True)
class Entry:
    kind: str
    mode: int
    uid: int
    gid: int
    mtime_ns: int
    size: int = 0               # files only: a folder's size is the file system's affair
    sha256: str = ""
    target: bytes = b""
    hard_links: tuple = ()      # all names of the file inside the tree
    device: int = 0
    xattrs: tuple = ()


def scan(root):
    """All entries below root, and root itself as b".": path in bytes -> Entry."""
    root = os.fsencode(root)
    names = [b"."]
    for where, folders, files in os.walk(root):
        names += [os.path.relpath(os.path.join(where, name), root) for name in folders + files]
    status = {name: os.lstat(os.path.join(root, name)) for name in names}
    groups = collections.defaultdict(list)
    for name, st in status.items():
        if not stat.S_ISDIR(st.st_mode):
            groups[st.st_dev, st.st_ino].append(name)
    return {name: _entry(os.path.join(root, name), st, groups) for name, st in status.items()}


def _entry(path, st, groups):
    kind = KINDS[stat.S_IFMT(st.st_mode)]
    return Entry(
        kind=kind, mode=stat.S_IMODE(st.st_mode), uid=st.st_uid, gid=st.st_gid, mtime_ns=st.st_mtime_ns,
        size=st.st_size if kind == "file" else 0,
        sha256=_sha256(path) if kind == "file" else "",
        target=os.readlink(path) if kind == "link" else b"",
        hard_links=tuple(sorted(groups.get((st.st_dev, st.st_ino), ()))),
        device=st.st_rdev if "device" in kind else 0,
        xattrs=tuple((name, os.getxattr(path, name, follow_symlinks=False))
                     for name in sorted(os.listxattr(path, follow_symlinks=False))))


def _sha256(path):
    with open(path, "rb") as stream:
        return hashlib.sha256(stream.read()).hexdigest()


def differences(left, right):
    """Every field in which two scans differ; an entry that only one of them has differs in "presence"."""
    found = []
    for path in sorted(left.keys() | right.keys()):
        a, b = left.get(path), right.get(path)
        if a is None or b is None:
            found.append(Difference(path, "presence", a and a.kind, b and b.kind, a, b))
            continue
        for field in dataclasses.fields(Entry):
            values = getattr(a, field.name), getattr(b, field.name)
            if values[0] != values[1]:
                found.append(Difference(path, field.name, *values, a, b))
    return found


def describe(difference):
    path = difference.path.decode("utf-8", "backslashreplace")
    show = oct if difference.field == "mode" else repr
    return f"{path}: {difference.field}: {show(difference.left)} | {show(difference.right)}"
