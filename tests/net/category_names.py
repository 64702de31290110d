#!/usr/bin/env python3
"""Every category and contrib group that a release has can be asked for by its name."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import netkit
from netkit import ARCH, MIRROR, NetTest, noise_package

OLD = """00_base 01_minimum 02_x11 03_xclassics 04_xapps 05_ext 06_xfce 07_kde 08_tex 09_kernel 10_lof""".split()
NEW = """00_base 01_minimum 02_devel 03_libs 04_x11 05_ext 06_xapps 07_multimedia 08_daemons 09_printings 10_xfce 11_lxqt
         12_mate 13_tex 14_libreoffice 15_kernelsrc 16_virtualization""".split()
CONTRIB = """AVtool DB Devel Education Emacs Hamradio Haskell Kernel Library MUA Network Python Texlive2010 Texttool
             Utilities VLC Virtualization X11""".split()


class CategoryNames(NetTest):
    def setUp(self):
        super().setUp()
        self.assertEqual((len(OLD), len(NEW), len(CONTRIB)), (11, 17, 18))
        self.url = f"file://{self.mirror}"

    def serve(self, release, categories):
        for place in [f"plamo/{name}" for name in categories] + [f"contrib/{name}" for name in CONTRIB]:
            folder = f"{self.mirror}/Plamo-{release}/{ARCH}/{place}"
            os.makedirs(folder, exist_ok=True)
            name, data = noise_package(f"in_{os.path.basename(place)}", 10, suffix="txz")
            with open(f"{folder}/{name}", "wb") as stream:
                stream.write(data)

    def plan(self, release, *more):
        return self.run_program("plan", "--json", "-r", release, "-a", ARCH, "--mirror", self.url, "--add", "", *more)

    def check(self, release, categories):
        self.serve(release, categories)
        result = self.assert_done(self.plan(release, "--categories", " ".join(categories), "--contrib", " ".join(CONTRIB)))
        planned = [file["file"] for file in json.loads(result.out)["files"]]
        self.assertEqual(planned, [f"in_{name}-1-x86_64-P1.txz" for name in categories + CONTRIB])

    def test_of_5(self):
        self.check("5.x", OLD)

    def test_of_6(self):
        self.check("6.x", OLD)

    def test_of_7(self):
        self.check("7.x", NEW)

    def test_of_8(self):
        self.check("8.x", NEW)

    def test_mistyped(self):
        """Each name with a letter too few is answered with the name."""
        self.serve("8.x", NEW)
        for option, names in (("--categories", NEW), ("--contrib", CONTRIB)):
            for name in names:
                if len(name) < 4:  # "DB" less a letter may be anything
                    continue
                with self.subTest(name):
                    result = self.plan("8.x", option, name[:-1])
                    self.assertEqual(result.status, MIRROR, str(result))
                    self.assertRegex(result.err, rf'has no folder "{name[:-1]}"; did you mean .*\b{name}\b')


if __name__ == "__main__":
    netkit.main()
