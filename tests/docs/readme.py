#!/usr/bin/env python3
"""What the READMEs repeat of other files is what stands there."""

import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import manual
from manual import SOURCES


class Readme(unittest.TestCase):
    def test_packages_for_building(self):
        listed = subprocess.run([f"{SOURCES}/tests/install-packages", "--list", "build"], check=True,
                                stdout=subprocess.PIPE, text=True).stdout.split()
        self.assertGreater(len(listed), 15)
        for name in ("README.md", "README.ja.md"):
            with open(os.path.join(SOURCES, name)) as stream:
                text = stream.read().replace("\\\n", " ")
            lines = [line.split() for line in text.splitlines() if line.startswith("apt-get install gcc ")]
            self.assertEqual(lines, [["apt-get", "install", *listed]], name)


if __name__ == "__main__":
    manual.main()
