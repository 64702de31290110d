"""Arguments and the temporary folder of a script test."""

import argparse
import os
import shutil
import tempfile
from contextlib import contextmanager

from mirror import mirror_folder


def arguments(description, **choices):
    """--bin and --mirror, and for each of `choices` a positional argument that may be left out."""
    parser = argparse.ArgumentParser(description=description)
    for name, values in choices.items():
        parser.add_argument(name, nargs="?", choices=values)
    parser.add_argument("--bin", default="build/release/bin", help="the folder with our programs")
    parser.add_argument("--mirror", help="the test mirror; made there when absent")
    found = parser.parse_args()
    found.bin = os.path.abspath(found.bin)
    found.mirror = mirror_folder(found.mirror)
    return found


@contextmanager
def temporary_folder():
    """A folder that is removed at the end, and the time it was made in nanoseconds.

    Kernel file times lag behind the clock by up to a tick, so the time is that of the folder itself."""
    path = tempfile.mkdtemp(prefix="plamo-test-")
    # A package may leave what only root can read, and a container's root is looked into by other users.
    os.chmod(path, 0o755)
    try:
        yield path, os.lstat(path).st_ctime_ns
    finally:
        shutil.rmtree(path)
