#!/usr/bin/env python3
"""The packages that are made of a build: the .debs by what they hold, and Plamo's by installing it with our own engine."""

import glob
import os
import re
import shutil
import stat
import subprocess
import sys
import tarfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import netkit
from netkit import NetTest, settings
from workspace import temporary_folder

SOURCES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


def run(*command, **keywords):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300, **keywords)
    assert done.returncode == 0, f"{command}: {done.stdout}"
    return done.stdout


def build_folder():
    return os.path.dirname(settings.bin)


class Prefix(unittest.TestCase):
    def test_below_it_alone(self):
        """cmake --install --prefix: all of it is below the prefix, the template too."""
        with temporary_folder() as (prefix, _):
            said = run("cmake", "--install", build_folder(), "--prefix", prefix)
            paths = re.findall(r"^-- (?:Installing|Up-to-date): (.*)$", said, re.MULTILINE)
            self.assertGreater(len(paths), 10, said)
            self.assertEqual([path for path in paths if not path.startswith(f"{prefix}/")], [])
            for name in ("bin/plamo-fast", "share/lxc/templates/lxc-plamo-fast"):
                self.assertTrue(os.access(os.path.join(prefix, name), os.X_OK), name)


@unittest.skipUnless(shutil.which("dpkg-deb") and shutil.which("dpkg-shlibdeps"), "needs dpkg-dev")
class Debs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        context = temporary_folder()
        cls.folder, _ = context.__enter__()
        cls.addClassCleanup(context.__exit__, None, None, None)
        # As it is run for a release, but of the build at hand.
        run("cpack", "-G", "DEB", "-B", cls.folder, cwd=build_folder())
        cls.program, = glob.glob(f"{cls.folder}/plamo-fast_*.deb")
        cls.library, = glob.glob(f"{cls.folder}/libplamo-fast-dev_*.deb")

    def field(self, deb, name):
        return run("dpkg-deb", "-f", deb, name).strip()

    def names(self, deb):
        """{name: (mode, owner)}"""
        lines = (line.split(None, 5) for line in run("dpkg-deb", "-c", deb).splitlines())
        return {parts[5][2:]: (parts[0], parts[1]) for parts in lines}

    def test_control(self):
        self.assertEqual(self.field(self.program, "Section"), "admin")
        self.assertIn("lxc", self.field(self.program, "Recommends"))
        depends = self.field(self.program, "Depends")
        for library in ("libc6", "libcurl", "libarchive", "liblzma5", "libzstd1", "libssl3", "libseccomp2"):
            self.assertIn(library, depends)
        self.assertRegex(self.field(self.program, "Maintainer"), r"^[^<>]+ <\S+@\S+>$")
        self.assertIn("libcurl4-openssl-dev", self.field(self.library, "Depends"))

    def test_contents(self):
        names = self.names(self.program)
        for name in ("usr/bin/plamo-fast", "usr/share/lxc/templates/lxc-plamo-fast",
                     "usr/share/bash-completion/completions/plamo-fast", "usr/share/doc/plamo-fast/copyright",
                     "usr/share/doc/plamo-fast/changelog.gz", "usr/share/doc/plamo-fast/changelog.Debian.gz",
                     "usr/share/fish/vendor_completions.d/plamo-fast.fish"):
            self.assertIn(name, names)
        if glob.glob(f"{build_folder()}/docs/*.1"):
            self.assertIn("usr/share/man/man1/lxc-plamo-fast.1.gz", names)
        self.assertEqual({owner for _, owner in names.values()}, {"root/root"})
        self.assertEqual([name for name, (mode, _) in names.items() if mode[8] == "w" and mode[0] != "l"], [])
        self.assertEqual([name for name in names if not re.match(r"(usr|etc|lib)/", name)], [])
        library = self.names(self.library)
        for name in ("usr/include/plamo-fast/engine.h", "plamo-fast.pc", "plamo-fast-config.cmake", "libplamo-fast.a"):
            self.assertTrue(any(found.endswith(name) for found in library), name)
        self.assertEqual([name for name in set(names) & set(library) if not name.endswith("/")], [])

    def test_sums_and_configuration(self):
        control = os.path.join(self.folder, "control")
        run("dpkg-deb", "-e", self.program, control)
        root = os.path.join(self.folder, "unpacked")
        run("dpkg-deb", "-x", self.program, root)
        run("md5sum", "-c", "--quiet", os.path.join(control, "md5sums"), cwd=root)
        found = run("find", ".", "-path", "./etc/*", "-type", "f", "-printf", "/%P\n", cwd=root).split()
        named = open(os.path.join(control, "conffiles")).read().split()
        self.assertEqual(sorted(named), sorted(found))

    def test_install_and_remove(self):
        """By dpkg, in a root of its own where what it depends on is not looked at."""
        if os.geteuid() != 0:
            self.skipTest("needs root")
        root = os.path.join(self.folder, "root")
        os.makedirs(f"{root}/var/lib/dpkg/info")
        os.makedirs(f"{root}/var/lib/dpkg/updates")
        for name in ("status", "available"):
            open(f"{root}/var/lib/dpkg/{name}", "w").close()
        dpkg = ("dpkg", f"--root={root}", "--force-depends", "--force-script-chrootless")
        run(*dpkg, "--install", self.program)
        self.assertIn("plamo-fast", run(f"{root}/usr/bin/plamo-fast", "--version"))
        self.assertIn("plamo-fast", run(f"{root}/usr/share/lxc/templates/lxc-plamo-fast", "--version"))
        run(*dpkg, "--purge", "plamo-fast")
        self.assertFalse(os.path.exists(f"{root}/usr/bin/plamo-fast"))


class Plamo(NetTest):
    def test_installed_by_our_engine(self):
        """The package is as makepkg makes them, an add-on of a mirror, and its program runs in the root."""
        if not shutil.which("zstd"):
            self.skipTest("needs zstd")
        path = run(os.path.join(SOURCES, "packaging", "plamo-package"), build_folder(), f"{self.folder}/made").strip()
        name = os.path.basename(path)
        self.assertRegex(name, r"^plamo-fast-[\d.]+-\w+-P1\.tzst$")
        run("zstd", "-qdf", path, "-o", f"{self.folder}/package.tar")
        with tarfile.open(f"{self.folder}/package.tar") as tar:
            members = tar.getmembers()
        self.assertEqual({(m.uid, m.gid, m.uname, m.gname) for m in members}, {(0, 0, "", "")})
        self.assertEqual([m.name for m in members if m.issym() or m.name.startswith((".", "/"))], [])
        self.assertIn("install/slack-desc", [m.name for m in members])
        self.assertEqual([m.name for m in members if m.mode & 0o022], [])

        self.put_some("aaa")
        self.put((name, self.read(path)), place="contrib/Virtualization")
        self.assert_done(self.build("--add", "contrib/Virtualization/plamo-fast"))
        record = self.read(self.root, "var/log/packages/plamo-fast").decode()
        self.assertIn("plamo-fast: plamo-fast (builds Plamo Linux roots from a mirror)", record)
        self.assertEqual(stat.S_IMODE(os.stat(f"{self.root}/usr/bin/plamo-fast").st_mode), 0o755)
        self.assertTrue(os.path.isfile(f"{self.root}/usr/share/lxc/templates/lxc-plamo-fast"))
        self.check_runs()

    def check_runs(self):
        """In the root, with this machine's libraries put in: those of a Plamo Linux have other versions."""
        program = f"{self.root}/usr/bin/plamo-fast"
        for library in re.findall(r"(/\S+) \(0x", run("ldd", program)):
            os.makedirs(self.root + os.path.dirname(library), exist_ok=True)
            shutil.copy(library, self.root + library)
        self.assertIn("plamo-fast ", run("chroot", self.root, "/usr/bin/plamo-fast", "--version"))
        self.assertIn("Example: ", run("chroot", self.root, "/usr/bin/plamo-fast", "build", "--help"))


if __name__ == "__main__":
    netkit.main()
