"""Leaving a test that cannot run here: exit status 77 with the reason, which CTest shows as skipped."""

import os
import shutil
import stat
import sys

SKIPPED = 77


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(SKIPPED)


def need_root():
    if os.geteuid() != 0:
        skip("needs root: owners and devices are part of what is tested")


def need_programs(*names):
    """Programs by name or by path. /usr/sbin counts although it may not be in PATH."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    for name in names:
        if not shutil.which(name, path=path):
            skip(f"needs {name}")


def need_way_for_others(path):
    """For what another user runs: each directory that leads to it lets him through."""
    path = os.path.realpath(path)
    while path != "/":
        path = os.path.dirname(path)
        if not os.stat(path).st_mode & stat.S_IXOTH:
            skip(f"needs a temporary directory that other users may enter: {path} is closed to them (set TMPDIR)")
