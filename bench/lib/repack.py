# SPDX-License-Identifier: LGPL-2.1-or-later
"""One .deb → the tar of a Plamo package, and that of a pacman package. The same .deb gives the same bytes."""

import dataclasses
import io
import os
import re
import subprocess
import sys
import tarfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "fixtures"))

from package import link_pair  # noqa: E402 (found by the line above)
from tarball import Member, file, folder, tar_bytes  # noqa: E402

# A word that a shell leaves as it is: a link whose name has another stays in the archive, where makepkg's pair would
# not make it.
PLAIN = re.compile(r"[A-Za-z0-9_@%+=:,./~-]+")
ARCHS = {"amd64": "x86_64", "all": "noarch"}

# What many packages of Slackware's kind do with a file that the user may have changed.
KEEP_CHANGED = """\
config() {
  new=$1
  old=$(dirname $new)/$(basename $new .new)
  if [ ! -r $old ]; then
    mv $new $old
  elif [ "$(cat $old | md5sum)" = "$(cat $new | md5sum)" ]; then
    rm $new
  fi
}
"""


@dataclasses.dataclass(frozen=True)
class Deb:
    path: str
    name: str
    version: str
    arch: str
    section: str

    @property
    def plain_version(self):
        """Without what the other formats keep for themselves."""
        return re.sub(r"[-:]", "_", self.version)

    def stem(self):
        """As Plamo names it."""
        return f"{self.name}-{self.plain_version}-{ARCHS[self.arch]}-B1"

    def pacman_stem(self):
        return f"{self.name}-{self.plain_version}-1-{'any' if self.arch == 'all' else 'x86_64'}"


def read_deb(path):
    fields = subprocess.run(["dpkg-deb", "-f", path, "Package", "Version", "Architecture", "Section"],
                            stdout=subprocess.PIPE, check=True, text=True).stdout
    found = dict(line.split(": ", 1) for line in fields.splitlines() if ": " in line)
    return Deb(path, found["Package"], found["Version"], found["Architecture"], found.get("Section", "misc"))


def members_of(deb):
    """The members below the root folder itself, in the archive's order; links and hard links as such."""
    data = subprocess.run(["dpkg-deb", "--fsys-tarfile", deb.path], stdout=subprocess.PIPE, check=True).stdout
    members = []
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        for info in tar:
            name = info.name[2:] if info.name.startswith("./") else info.name
            if name in ("", "."):
                continue
            target = info.linkname
            if info.islnk() and target.startswith("./"):
                target = target[2:]
            members.append(Member(name + "/" if info.isdir() else name, info.type,
                                  tar.extractfile(info).read() if info.isreg() else b"", info.mode, info.uid, info.gid,
                                  int(info.mtime), target))
    return members


def _is_pair(member):
    return member.kind == tarfile.SYMTYPE and PLAIN.fullmatch(member.name) and PLAIN.fullmatch(member.target)


def _put_aside(members):
    """The members with the first file of etc/ under the name of a new one, and the script that moves it."""
    first = next((m for m in members if m.name.startswith("etc/") and m.kind == tarfile.REGTYPE), None)
    if not first:
        return members, ""
    new = dataclasses.replace(first, name=first.name + ".new")
    return [new if m is first else m for m in members], f"{KEEP_CHANGED}config {new.name}\n"


def plamo_members(deb, members, needs_shell):
    """As makepkg would leave it: links as pairs of a script, install/ at the end."""
    script = ""
    if needs_shell:
        members, script = _put_aside(members)
    pairs = "".join(link_pair(os.path.dirname(m.name) or ".", os.path.basename(m.name), m.target)
                    for m in members if _is_pair(m))
    kept = [m for m in members if not _is_pair(m)]
    kept.append(folder("install"))
    if pairs or script:
        kept.append(file("install/doinst.sh", pairs + script, 0o755))
    kept.append(file("install/slack-desc", f"{deb.name}: {deb.name} (of the Debian package)\n{deb.name}:\n"))
    return kept


def pacman_members(deb, members):
    size = sum(len(m.data) for m in members)
    arch = "any" if deb.arch == "all" else "x86_64"
    info = (f"pkgname = {deb.name}\npkgver = {deb.plain_version}-1\npkgdesc = of the Debian package\n"
            f"builddate = 1500000000\npackager = nobody\nsize = {size}\narch = {arch}\n")
    return [file(".PKGINFO", info), *members]


def archive(members):
    return tar_bytes(members)
