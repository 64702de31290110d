"""When two roots count as the same: everything equal but for the fields in ALLOWED, each with its reason."""

import collections
import ctypes
import difflib
import os
import re
import time

from scan import describe, differences, scan
from template import INSTALLED

Allowance = collections.namedtuple("Allowance", "reason holds")

INSTALL_LOG = b"var/log/install.log"
SHADOW = b"etc/shadow"
# What dash, bash, busybox's sh and we say of a pair whose folder is missing.
CANNOT_ENTER = re.compile(r"^(?:install/doinst\.sh: (?:(?:line )?\d+: )?)?cd: (?:line \d+: )?(?:can't cd to )?(.*?)"
                          r"(?:: No such file or directory)?$")


def _folder_time(difference, _):
    return difference.field == "mtime_ns" and difference.left_entry.kind == "folder"


def _written_now(difference, roots):
    return difference.field == "mtime_ns" and min(difference.left, difference.right) >= roots.started_ns


def _link_time(difference, _):
    return difference.field == "mtime_ns" and difference.left_entry.kind == "link"


def _initpkg_time(difference, _):
    return difference.field == "mtime_ns" and difference.path.startswith(b"var/log/initpkg/")


def _install_log(difference, roots):
    return (difference.path == INSTALL_LOG and difference.field in ("size", "sha256")
            and _plain_log(roots.left) == _plain_log(roots.right))


def _salted(difference, roots):
    return (difference.path == SHADOW and difference.field in ("size", "sha256")
            and _plain_shadow(roots.left) == _plain_shadow(roots.right))


def _closed_to_others(difference, roots):
    cached = "/rootfs-plamo-" in roots.left + roots.right
    return cached and difference.path == b"." and difference.field == "mode" and {
        difference.left, difference.right} == {0o755, 0o700}


BY_SHELL = (
    Allowance("our cached root is root's alone to enter; a container's root has the mode of one", _closed_to_others),
    Allowance("the shell's tar sets a folder's time before it fills the folder, ours sets the archive's time last",
              _folder_time),
    Allowance("busybox's tar leaves the time of a link it makes", _link_time),
    Allowance("the first boot reads the order of these times, not the times: the tests check the order", _initpkg_time),
    Allowance("written during the test on both sides: records, links, and what scripts and the configuration wrote",
              _written_now),
    Allowance("install.log holds dates, and each sh says in its own words that it cannot enter a folder", _install_log),
    Allowance("a hash of root's password has its own salt: both are of \"root\", and the rest is the same", _salted),
)

# One program against itself: folder times count as well.
BY_OURSELVES = tuple(a for a in BY_SHELL if a.holds not in (_folder_time, _link_time))

Roots = collections.namedtuple("Roots", "left right started_ns")


def _plain_log(root):
    with open(os.path.join(os.fsencode(root), INSTALL_LOG), errors="surrogateescape") as stream:
        return [CANNOT_ENTER.sub(r"cannot enter \1", INSTALLED.sub(r"i DATE: \1", line)) for line in stream]


def _plain_shadow(root):
    """The lines of etc/shadow as fields, with words for a hash of "root" and for a day since the test began."""
    with open(os.path.join(os.fsencode(root), SHADOW), "rb") as stream:
        lines = [line.split(b":") for line in stream]
    today = int(time.time()) // 86400
    for fields in lines:
        if fields[0] == b"root" and is_hash_of(fields[1], b"root"):
            fields[1] = b"a hash of root"
            # Midnight may have passed between the two roots.
            if fields[2] in (b"%d" % today, b"%d" % (today - 1)):
                fields[2] = b"today"
    return lines


def is_hash_of(hashed, password):
    """Does crypt(3) say so? Python's own module for it is gone since 3.13."""
    crypt = ctypes.CDLL("libcrypt.so.1").crypt
    crypt.argtypes, crypt.restype = (ctypes.c_char_p, ctypes.c_char_p), ctypes.c_char_p
    return bool(hashed) and crypt(password, hashed) == hashed


def compare_roots(report, left, right, started_ns, allowed=BY_SHELL, left_scan=None):
    """Reports each difference that `allowed` does not cover. `left_scan` saves reading an unchanged tree again."""
    roots = Roots(left, right, started_ns)
    found = differences(left_scan or scan(left), scan(right))
    bad = [d for d in found if d.field == "presence" or not any(a.holds(d, roots) for a in allowed)]
    for difference in bad:
        report.fail(describe(difference))
    if any(d.path == INSTALL_LOG and d.field == "sha256" for d in bad):
        report.note("".join(difflib.unified_diff(_plain_log(left), _plain_log(right), n=0)))
    report.note(f"{left} | {right}: {len(found)} differences, {len(bad)} of them not allowed")
    return not bad
