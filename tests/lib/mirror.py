"""The test mirror for the script tests: the one given, or one made on the spot."""

import atexit
import fcntl
import hashlib
import os
import shutil
import sys
import tempfile

FIXTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "fixtures")
sys.path.insert(0, FIXTURES)

import make_mirror  # noqa: E402 (found by the line above)
import selection  # noqa: E402
from package import package_name  # noqa: E402

ARCHS = ("x86_64", "x86")


def _sources():
    """What decides the mirror's bytes, as one checksum."""
    digest = hashlib.sha256()
    for where, folders, files in os.walk(FIXTURES):
        folders.sort()
        for name in sorted(files):
            if not name.endswith(".pyc"):
                with open(os.path.join(where, name), "rb") as stream:
                    digest.update(stream.read())
    return digest.hexdigest()


def _made_from(folder):
    """The checksum that a mirror made here was made from; None for one that somebody else made."""
    try:
        with open(f"{folder}.made-from") as stream:
            return stream.read()
    except FileNotFoundError:
        return None


def mirror_folder(given):
    """The folder `given`, made when it is not there or is an old one of ours; without one a folder for this run."""
    if not given:
        given = tempfile.mkdtemp(prefix="plamo-mirror-")
        os.chmod(given, 0o755)
        atexit.register(shutil.rmtree, given)
        make_mirror.make_mirror(given, archs=ARCHS, with_bad=True)
        return given
    given = os.path.abspath(given)
    with open(f"{given}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _make_where_needed(given)


def _make_where_needed(given):
    if os.path.isdir(given) and _made_from(given) in (None, _sources()):
        return given
    # Under another name first: a test that is stopped half-way must not leave half a mirror for the next one.
    unfinished = tempfile.mkdtemp(prefix="plamo-mirror-", dir=os.path.dirname(given))
    os.chmod(unfinished, 0o755)
    make_mirror.make_mirror(unfinished, archs=ARCHS, with_bad=True)
    shutil.rmtree(given, ignore_errors=True)
    os.rename(unfinished, given)
    with open(f"{given}.made-from", "w") as stream:
        stream.write(_sources())
    return given


def everything(release="8.x"):
    """The environment in which a template takes every case of the mirror."""
    return {"CATEGORIES": " ".join(selection.categories(release)), "EXTRACTGRS": " ".join(selection.CONTRIB),
            "ADDONPKGS": " ".join(selection.ADDONS)}


def a_few(release):
    """The same of fewer categories, from every kind of place."""
    return {**everything(release), "CATEGORIES": " ".join(selection.categories(release, selection.FEW_CATEGORIES))}


def base_addons(release):
    """The packages that a container cannot do without, as a template's add-ons."""
    return [f"{package.place}/{package_name(package.stem)}" for package in make_mirror.base_packages_of(release)]
