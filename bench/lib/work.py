# SPDX-License-Identifier: LGPL-2.1-or-later
"""The work: the list of packages → .debs by apt → a mirror of Plamo's shape, a pacman repository, an apt repository."""

import concurrent.futures
import dataclasses
import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "fixtures"))

import repack  # noqa: E402 (found by the line above)
from base_system import base_packages  # noqa: E402
from package import archive as fixture_archive  # noqa: E402

DEFAULT_FOLDER = "/var/cache/plamo-fast-bench"
PROFILES = ("small", "full")
PACKAGE_LIST = os.path.join(HERE, "..", "packages")
RELEASES = {"7.x": "txz", "8.x": "tzst"}
ARCH = "x86_64"
# As Plamo's makepkg calls them: the whole tar by a pipe, so an .xz has one block and no sizes in its header.
COMPRESSORS = {"txz": ["xz", "-6", "-T1", "-c"], "tzst": ["zstd", "-3", "-q", "-c"]}
# Debian's sections → the categories of a Plamo mirror; any other section is 05_ext.
CATEGORIES = {"admin": "00_base", "base": "00_base", "shells": "00_base", "utils": "01_minimum", "text": "01_minimum",
              "devel": "02_devel", "libdevel": "02_devel", "libs": "03_libs", "oldlibs": "03_libs"}
ALL_CATEGORIES = ("00_base", "01_minimum", "02_devel", "03_libs", "05_ext")

class NoPackages(Exception):
    """The packages cannot be had, and why."""


@dataclasses.dataclass
class Work:
    folder: str
    facts: dict

    @property
    def mirror(self):
        return os.path.join(self.folder, "mirror")

    @property
    def pacman(self):
        return os.path.join(self.folder, "pacman")

    @property
    def debs(self):
        return os.path.join(self.folder, "debs")

    def packages(self, release):
        """Every package file of a release."""
        top = os.path.join(self.mirror, f"Plamo-{release}", ARCH, "plamo")
        return [os.path.join(where, name) for where, _, names in os.walk(top) for name in names]

    def packed_bytes(self, release):
        return sum(os.path.getsize(path) for path in self.packages(release))

    def summary(self):
        sizes = ", ".join(f"{self.packed_bytes(r) / 1e6:.0f} MB as .{RELEASES[r]}" for r in RELEASES)
        return (f"{self.facts['packages']} packages, {self.facts['entries']} entries, "
                f"{self.facts['bytes'] / 1e6:.0f} MB installed, {sizes}, {self.facts['scripts']} scripts of which "
                f"{self.facts['shells']} need a shell; made in {self.facts['seconds']:.0f} s")


def _wanted(profile):
    """(name, needs a shell) of each package of the profile."""
    found = []
    with open(PACKAGE_LIST) as stream:
        for line in stream:
            words = line.split("#")[0].split()
            if words and (profile == "full" or "small" in words):
                found.append((words[0], "shell" in words))
    return found


def _download(names, folder):
    """The newest .debs that apt knows; a name that this Debian has not is left out. apt fetches none that is there."""
    os.makedirs(folder, exist_ok=True)
    shown = subprocess.run(["apt-cache", "show", "--no-all-versions", *names], stdout=subprocess.PIPE,
                           stderr=subprocess.DEVNULL, text=True).stdout
    known = {line.split(": ", 1)[1] for line in shown.splitlines() if line.startswith("Package: ")}
    missing = [name for name in names if name not in known]
    if len(missing) > len(names) // 2:
        raise NoPackages("apt knows too few of the packages (is there a mirror? apt-get update)")
    if missing:
        print(f"not in this Debian, left out: {' '.join(missing)}", flush=True)
    got = subprocess.run(["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=2",
                          *(name for name in names if name in known)], cwd=folder, stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if got.returncode:
        last = (got.stdout.strip().splitlines() or ["no reason given"])[-1]
        raise NoPackages(f"apt-get download failed: {last}")
    debs = [repack.read_deb(os.path.join(folder, name)) for name in sorted(os.listdir(folder)) if name.endswith(".deb")]
    for deb in debs:
        if deb.name not in known:
            os.unlink(deb.path)
    return [deb for deb in debs if deb.name in known]


def _compress(suffix, data, path):
    """The same .deb gives the same bytes: what is there is not made again."""
    if os.path.exists(path):
        return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + ".part", "wb") as stream:
        subprocess.run(COMPRESSORS[suffix], input=data, stdout=stream, check=True)
    os.rename(path + ".part", path)
    os.utime(path, (1_500_000_000, 1_500_000_000))


def _keep_only(top, stems):
    """What an earlier list of packages left is removed."""
    for where, _, names in os.walk(top):
        for name in names:
            if name.rpartition(".")[0] not in stems:
                os.unlink(os.path.join(where, name))


def _place(mirror, release, category, stem):
    return os.path.join(mirror, f"Plamo-{release}", ARCH, "plamo", category, f"{stem}.{RELEASES[release]}")


def _pack_plamo(mirror, deb, needs_shell):
    """Both releases' files of one package; what it adds to the facts."""
    members = repack.plamo_members(deb, repack.members_of(deb), needs_shell)
    data = repack.archive(members)
    category = CATEGORIES.get(deb.section.rsplit("/", 1)[-1], "05_ext")
    for release, suffix in RELEASES.items():
        _compress(suffix, data, _place(mirror, release, category, deb.stem()))
    script = next((m.data for m in members if m.name == "install/doinst.sh"), b"")
    return {"entries": len(members), "bytes": sum(len(m.data) for m in members), "scripts": int(bool(script)),
            "shells": int(b"config()" in script)}


def _pack_base(mirror):
    """What a container needs and Debian does not have: Plamo's base folders, boot scripts, and the package with the
    tools that lxc-plamo runs. They are the test mirror's."""
    count = 0
    for release in RELEASES:
        for package in base_packages(release):
            path = _place(mirror, release, "00_base", package.stem_for(ARCH))
            path = f"{os.path.dirname(path)}/{package.file_name(release, ARCH)}"
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as stream:
                stream.write(fixture_archive(package, release, ARCH))
            count += release == "7.x"
    return count


def _pack_pacman(folder, deb):
    """The package, and its entry of the database."""
    members = repack.pacman_members(deb, repack.members_of(deb))
    path = os.path.join(folder, f"{deb.pacman_stem()}.pkg.tar.xz")
    _compress("txz", repack.archive(members), path)
    with open(path, "rb") as stream:
        sha256 = hashlib.sha256(stream.read()).hexdigest()
    fields = {"FILENAME": os.path.basename(path), "NAME": deb.name, "VERSION": f"{deb.plain_version}-1",
              "CSIZE": os.path.getsize(path), "ISIZE": sum(len(m.data) for m in members), "SHA256SUM": sha256,
              "ARCH": "any" if deb.arch == "all" else "x86_64"}
    return f"{deb.name}-{deb.plain_version}-1/desc", "".join(f"%{k}%\n{v}\n\n" for k, v in fields.items())


def _write_pacman_database(folder, entries):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, text in sorted(entries):
            info = tarfile.TarInfo(name)
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    with open(os.path.join(folder, "bench.db"), "wb") as stream:
        stream.write(gzip.compress(out.getvalue(), mtime=0))


def _write_apt_index(folder, debs):
    """Without dependencies and conflicts: every package is asked for by name, and nothing else is."""
    stanzas = []
    for deb in debs:
        with open(deb.path, "rb") as stream:
            data = stream.read()
        stanzas.append(f"Package: {deb.name}\nVersion: {deb.version}\nArchitecture: {deb.arch}\n"
                       f"Maintainer: nobody <nobody@localhost>\nDescription: of the work\n"
                       f"Filename: ./{os.path.basename(deb.path)}\nSize: {len(data)}\n"
                       f"SHA256: {hashlib.sha256(data).hexdigest()}\n")
    with open(os.path.join(folder, "Packages"), "w") as stream:
        stream.write("\n".join(stanzas))


def _in_parallel(function, items):
    """The largest first, so that no processor ends with a long one."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(function, items))


def _made_from():
    """The list of packages, as one checksum."""
    with open(PACKAGE_LIST, "rb") as stream:
        return hashlib.sha256(stream.read()).hexdigest()


def _facts(folder):
    try:
        with open(os.path.join(folder, "work.json")) as stream:
            facts = json.load(stream)
    except FileNotFoundError:
        return None
    return facts if facts.get("made_from") == _made_from() else None


def _write_facts(folder, facts):
    with open(os.path.join(folder, "work.json.part"), "w") as stream:
        json.dump(facts, stream, indent=1)
    os.rename(stream.name, os.path.join(folder, "work.json"))


def _make_mirror(folder, profile):
    start = time.monotonic()
    work = Work(folder, {})
    wanted = _wanted(profile)
    debs = _download([name for name, _ in wanted], work.debs)
    fetched_s = time.monotonic() - start
    _keep_only(work.mirror, {deb.stem() for deb in debs})
    debs.sort(key=lambda deb: -os.path.getsize(deb.path))
    shells = {name for name, needs_shell in wanted if needs_shell}
    parts = _in_parallel(lambda deb: _pack_plamo(work.mirror, deb, deb.name in shells), debs)
    base = _pack_base(work.mirror)
    _write_apt_index(work.debs, debs)
    facts = {key: sum(part[key] for part in parts) for key in ("entries", "bytes", "scripts", "shells")}
    facts.update(made_from=_made_from(), packages=len(debs) + base, debs={deb.name: deb.version for deb in debs},
                 download_seconds=fetched_s, seconds=time.monotonic() - start, pacman=False)
    _write_facts(folder, facts)
    return facts


def _make_pacman(folder, facts):
    start = time.monotonic()
    work = Work(folder, facts)
    debs = [repack.read_deb(os.path.join(work.debs, name)) for name in sorted(os.listdir(work.debs))
            if name.endswith(".deb")]
    _keep_only(work.pacman, {f"{deb.pacman_stem()}.pkg.tar" for deb in debs})
    debs.sort(key=lambda deb: -os.path.getsize(deb.path))
    entries = _in_parallel(lambda deb: _pack_pacman(work.pacman, deb), debs)
    _write_pacman_database(work.pacman, entries)
    facts.update(pacman=True, pacman_seconds=time.monotonic() - start)
    _write_facts(folder, facts)


def make_work(top, profile, with_pacman=True):
    """The work of a profile below `top`, made where it is not there. NoPackages where apt has none."""
    folder = os.path.join(os.path.abspath(top), profile)
    facts = _facts(folder)
    if not facts:
        os.makedirs(top, exist_ok=True)
        facts = _make_mirror(folder, profile)
    if with_pacman and not facts["pacman"]:
        _make_pacman(folder, facts)
    return Work(folder, facts)
