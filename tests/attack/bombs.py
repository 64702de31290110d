#!/usr/bin/env python3
"""Archives that are bombs by what they hold, of small members: refused at a cap, in bounded time and memory."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import attackkit
from attackkit import AttackTest, gz
from hostile import END, file, folder, gnu_long, header, pax

# The limit that each of them must meet: refused by another one it has shown nothing of this one.
DEPTH = "nested deeper than 128 "
MEMBERS = "it has more than 500000 members"
IMPLIED = "its names imply more than 100000 "
NAMES = "its member names take more than 67108864 bytes"


class Bombs(AttackTest):
    def test_depth(self):
        """depth 10,000 (R at the cap)"""
        self.refused_tar(gnu_long(b"L", "d/" * 10000 + "f") + file("x", "x") + END, "d/d/d", DEPTH)
        self.refused_tar(pax(("path", "d/" * 10000 + "f")) + file("x", "x") + END, "d/d/d", DEPTH)
        self.refused_tar(b"".join(gnu_long(b"L", "d/" * n) + folder("x") for n in range(1, 200)) + END, "d/d/d", DEPTH)

    def test_ten_million_entries(self):
        """ten million entries (R at the cap)"""
        many = b"".join(folder(f"{i:x}") for i in range(4000))
        self.refused(lambda path: attackkit.write_gz(path, (many, 2500), END), MEMBERS, unprivileged=False)

    def test_empty_files(self):
        """ten million entries (R at the cap), of files"""
        many = b"".join(file(f"{i:x}") for i in range(4000))
        self.refused(lambda path: attackkit.write_gz(path, (many, 2500), END), MEMBERS, unprivileged=False)

    def test_entries_that_names_imply(self):
        """ten million entries (R at the cap): names that imply ninety folders each"""
        def write(path):
            names = (b"%05x/" % i + b"d/" * 90 + b"f" for i in range(12_000))
            with open(path, "wb") as stream:
                stream.write(gz(b"".join(header(name[-100:], prefix=name[:-101]) for name in names) + END))
        self.refused(write, IMPLIED, unprivileged=False)

    def test_names_that_take_memory(self):
        """ten million entries, gigabyte names (R, bounded RAM): names of four thousand bytes, over and over"""
        many = b"".join(gnu_long(b"L", f"{i}/" + "/".join(["n" * 200] * 19)) + folder("x") for i in range(500))
        self.refused(lambda path: attackkit.write_gz(path, (many, 400), END), NAMES, unprivileged=False)


if __name__ == "__main__":
    attackkit.main()
