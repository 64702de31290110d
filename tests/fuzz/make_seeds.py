#!/usr/bin/env python3
"""Writes the inputs of all fuzz targets into OUT/TARGET: seeds, the same on every run, and the findings.

Usage: make_seeds.py OUT. A finding is a file below findings/TARGET: as it is, or, where its name ends in .hex, as
hexadecimal digits with "#" comments.
"""

import os
import shutil
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "fixtures"))
sys.path.insert(0, os.path.join(HERE, "seeds"))

import packages
import texts


def all_seeds():
    """{target: [(name, bytes)]}"""
    seeds = {}
    for module in (texts, packages):
        for target, inputs in module.seeds().items():
            seeds.setdefault(target, []).extend(inputs)
    return seeds


def read_finding(path):
    with open(path, "rb") as file:
        data = file.read()
    if not path.endswith(".hex"):
        return data
    digits = "".join(line.split("#")[0] for line in data.decode().splitlines())
    return bytes.fromhex(digits)


def findings():
    """(target, name, bytes)"""
    top = os.path.join(HERE, "findings")
    for folder, _, names in sorted(os.walk(top)):
        for name in sorted(names):
            if folder != top:
                yield os.path.basename(folder), name, read_finding(os.path.join(folder, name))


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    out = sys.argv[1]
    shutil.rmtree(out, ignore_errors=True)
    seeds = all_seeds()
    for target, name, data in findings():
        seeds.setdefault(target, []).append((f"finding-{name}", data))
    for target, inputs in sorted(seeds.items()):
        folder = os.path.join(out, target)
        os.makedirs(folder)
        for name, data in inputs:
            path = os.path.join(folder, name.replace("/", "_"))
            assert not os.path.exists(path), path
            with open(path, "wb") as file:
                file.write(data)
        print(f"{target}: {len(inputs)} inputs")


if __name__ == "__main__":
    main()
