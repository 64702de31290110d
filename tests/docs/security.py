#!/usr/bin/env python3
"""SECURITY.md names tests that exist, and each attack that there is a test of."""

import ast
import glob
import os
import re
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import manual
from manual import SOURCES, settings

TESTS = os.path.join(SOURCES, "tests")
KINDS = "attack|fault|fuzz|golden|lxc|net|unit"


def read(*path):
    with open(os.path.join(SOURCES, *path)) as stream:
        return stream.read()


def attacks_of(name):
    """The tests of a file of tests/attack: its methods, and of scripts.py what attack() goes through."""
    tree = ast.parse(read("tests", "attack", f"{name}.py"))
    found = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}
    for node in tree.body:
        if isinstance(node, ast.Assign) and node.targets[0].id in ("CONTAINED", "LIMITED"):
            found |= {key.value for key in node.value.keys}
        if isinstance(node, ast.FunctionDef) and node.name == "attack":
            called = {call.func.id for call in ast.walk(node) if isinstance(call, ast.Call) and isinstance(call.func, ast.Name)}
            found |= {f.name for f in tree.body if isinstance(f, ast.FunctionDef) and f.name in called} - {"contained", "check_effects"}
    return found


class Security(unittest.TestCase):
    text = read("SECURITY.md")

    def test_tests_exist(self):
        listed = subprocess.run(["ctest", "-N", "--test-dir", os.path.join(settings.bin, "..")], check=True,
                                stdout=subprocess.PIPE, text=True).stdout
        tests = set(re.findall(r"Test +#\d+: (\S+)", listed))
        named = set(re.findall(rf"`((?:{KINDS})-[\w.*-]+)`", self.text))
        self.assertGreater(len(named), 40)
        for name in named:
            pattern = re.compile(re.escape(name).replace(r"\*", ".+"))
            self.assertTrue(any(pattern.fullmatch(test) for test in tests), f"there is no test {name}")

    def test_parts_of_tests_exist(self):
        """What a row names beside its tests."""
        sources = "\n".join(read(path) for kind in ("py", "c") for path in glob.glob(f"{TESTS}/*/*.{kind}"))
        for name in re.findall(r"`([A-Za-z_]+)`", self.text[self.text.index("| fault |"):self.text.index("## How")]):
            known = re.search(rf"(def|class|static void) {name}\b", sources)
            self.assertTrue(known or name in ("SIGKILL", "openat2", "renameat2", "copy_file_range"), name)

    def test_each_attack_is_named(self):
        sections = re.findall(r"^### \w+ \((.*?)\).*?\n(.*?)(?=^##)", self.text, re.M | re.S)
        seen = set()
        for heading, table in sections:
            programs = re.findall(r"attack-(\w+)", heading)
            rows = [row.split("|") for row in table.splitlines() if row.startswith("| ")][1:]
            named = [name for row in rows for name in re.findall(r'`(\w+)`|"([^"]+)"', row[3])]
            named = [a or b for a, b in named]
            self.assertEqual(len(named), len(set(named)), f"{programs}: named twice")
            self.assertEqual(set(named), set().union(*map(attacks_of, programs)), programs)
            seen |= set(programs)
        self.assertEqual(seen, {os.path.basename(path)[:-3] for path in glob.glob(f"{TESTS}/attack/*.py")})


if __name__ == "__main__":
    manual.main()
