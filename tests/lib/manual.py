"""The manual's sources and the programs' help, as the tests of both read them."""

import argparse
import os
import re
import subprocess
import sys
import unittest

from skip import skip

SOURCES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
PAGES = os.path.join(SOURCES, "docs", "man")
PROGRAMS = ("plamo-fast", "lxc-plamo-fast")
# lxc-create passes these; no user does, and no help names them.
OF_LXC = {"--mapped-uid", "--mapped-gid"}

settings = argparse.Namespace(bin="build/release/bin")


def run(*command, **keywords):
    """Standard output and status of a program that speaks English."""
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "LANGUAGE": "", **keywords.pop("env", {})}
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment,
                          timeout=120, **keywords)
    return done.stdout, done.returncode


def program(name, *arguments):
    return run(os.path.join(settings.bin, name), *arguments)[0]


def commands():
    """The sub-commands that plamo-fast itself lists."""
    listed = program("plamo-fast", "--help").partition("Commands:\n")[2]
    return re.findall(r"(?m)^  ([a-z]+) ", listed.partition("\n\n")[0] + "\n")


def options_of_help(text):
    """The options that a help text lists: those at a line's start, behind two blanks, a comma, or another's value."""
    found = set()
    for line in text.splitlines():
        if line.startswith("  "):
            found.update(re.findall(r"(?:^ +|  |, |(?<=[A-Z]) )(--?[A-Za-z0-9][\w-]*)", line))
    return found - {"-vv"}  # -v twice


def page(name):
    """A page's source, with what it includes."""
    out, status = run(os.path.join(PAGES, "compose"), os.path.join(PAGES, f"{name}.scd"))
    assert status == 0, out
    return out


def options_of_page(text):
    """{scope: {option: its paragraph}}: a scope is a command, a group of shared options, "root", "own" (the template's)."""
    found, heading, scope, last = {}, "", None, []
    headings = {"ROOT OPTIONS": "root", "TEMPLATE OPTIONS": "own"}
    for line in text.splitlines():
        if line.startswith("# "):
            heading, last = line[2:], []
            scope = headings.get(heading)
        elif line.startswith("## ") and heading == "SHARED OPTIONS":
            scope, last = line[3:].lower().removesuffix(" options"), []
            found.setdefault(scope, {})
        elif line.startswith("## ") and heading == "COMMANDS":
            scope, last = line[3:], []
            found.setdefault(scope, {})
        elif scope and line.startswith("*-"):
            last = re.findall(r"(?:^|, )\*(--?[A-Za-z0-9][\w-]*)\*", line)
            found.setdefault(scope, {}).update({option: line for option in last})
        elif scope and line.startswith("\t"):
            for option in last:
                found[scope][option] += "\n" + line[1:]
        elif line:
            last = []
    return found


def shared(text):
    """The groups of shared options."""
    return [scope.lower() for scope in re.findall(r"(?m)^## ([A-Z][a-z]+) options$", text)]


def prose_of(text, command):
    """A command's section without its options."""
    section = re.search(rf"(?ms)^## {command}\n(.*?)(?=^#)", text).group(1)
    return " ".join(line for line in section.splitlines() if line and not line.startswith(("\t", "*-")))


def taken(text, command):
    """The scopes of a command's options, as its section says."""
    prose = prose_of(text, command)
    groups = shared(text)
    named = [scope for scope in groups if f"the {scope} options" in prose]
    root = ["root"] if "the root options" in prose else []
    return [command] + (groups if "the shared options" in prose else named) + root


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", default=settings.bin, help="the folder with our programs")
    parser.add_argument("tests", nargs="*", help="CLASS.TEST (default: all)")
    arguments = parser.parse_args()
    settings.bin = os.path.abspath(arguments.bin)
    runner = unittest.TextTestRunner(sys.stdout, verbosity=2)
    result = unittest.main(module="__main__", argv=[sys.argv[0], *arguments.tests], testRunner=runner, exit=False).result
    if not result.wasSuccessful():
        sys.exit(1)
    if result.testsRun == len(result.skipped):
        skip("; ".join(sorted({reason for _, reason in result.skipped})) or "no tests")
