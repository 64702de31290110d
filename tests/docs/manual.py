#!/usr/bin/env python3
"""The manual pages: well-formed, and of exactly the options, commands and statuses that the programs have."""

import glob
import os
import re
import shutil
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import manual
from manual import (OF_LXC, PAGES, SOURCES, commands, options_of_help, options_of_page, page, program, run, settings, shared,
                    taken)

# What scdoc always writes: a paragraph's mark where there is none to end.
OF_SCDOC = re.compile(r"skipping paragraph macro: PP (empty|after SH|after SS)")


def takes_value(head):
    """By the line that names an option: something stands behind its spellings."""
    return bool(re.sub(r"\*-[^*]*\*(, )?", "", head).strip())


def built_pages():
    return sorted(glob.glob(os.path.join(settings.bin, "..", "docs", "*.[0-9]")))


class Form(unittest.TestCase):
    def setUp(self):
        if not built_pages():
            self.skipTest("no page was built: scdoc is not there")

    def test_all_are_built(self):
        sources = {os.path.basename(path)[:-4] for path in glob.glob(f"{PAGES}/*.[0-9].scd")}
        self.assertEqual({os.path.basename(path) for path in built_pages()}, sources)

    def test_mandoc(self):
        if not shutil.which("mandoc"):
            self.skipTest("needs mandoc")
        for path in built_pages():
            out, _ = run("mandoc", "-Tlint", "-Wwarning", path)
            self.assertEqual([line for line in out.splitlines() if not OF_SCDOC.search(line)], [], path)

    def test_man(self):
        if not shutil.which("man") or not shutil.which("groff"):
            self.skipTest("needs man-db and groff")
        for path in built_pages():
            for width in ("80", "100"):
                out, status = run("sh", "-c", 'man --warnings -l "$1" 2>&1 >/dev/null', "sh", path, env={"MANWIDTH": width})
                self.assertEqual((out, status), ("", 0), path)

    def test_no_mark_is_left(self):
        """A * or _ that was meant to make a word bold, or an include that was not done."""
        if not shutil.which("mandoc"):
            self.skipTest("needs mandoc")
        for path in built_pages():
            out, _ = run("sh", "-c", 'mandoc -Tutf8 -O width=200 "$1" | sed "s/.\\x08//g"', "sh", path)
            for line in out.splitlines():
                self.assertNotRegex(line, r"@include|\*\*|(^|\s)_[a-z]+_(\s|$)", path)


class Options(unittest.TestCase):
    def setUp(self):
        self.text = page("plamo-fast.1")
        self.found = options_of_page(self.text)

    def scopes(self, command):
        return {option: text for scope in taken(self.text, command) for option, text in self.found.get(scope, {}).items()}

    def test_commands(self):
        """Each command has a section, with a synopsis and an example; no section is of anything else."""
        self.assertEqual(set(self.found) - {*shared(self.text), "root"}, set(commands()))
        for command in commands():
            with self.subTest(command):
                section = re.search(rf"(?ms)^## {command}\n(.*?)(?=^#)", self.text).group(1)
                self.assertRegex(section, rf"\A\n\*plamo-fast {command}\*( |\n)")
                self.assertRegex(section, rf"(?m)^Example: \*plamo-fast {command}\b")

    def test_help_and_page_agree(self):
        for command in commands():
            with self.subTest(command):
                self.assertEqual(options_of_help(program("plamo-fast", command, "--help")), set(self.scopes(command)))

    def test_template(self):
        found = options_of_page(page("lxc-plamo-fast.1"))
        self.assertEqual(options_of_help(program("lxc-plamo-fast", "--help")),
                         {option for scope in found.values() for option in scope} - OF_LXC)

    def test_defaults(self):
        """Each option is told of, and what takes a value says what holds where it is not given."""
        for scope, options in self.found.items():
            for option, text in options.items():
                with self.subTest(f"{scope} {option}"):
                    head, _, rest = text.partition("\n")
                    self.assertTrue(rest, "nothing is said of it")
                    if takes_value(head):
                        self.assertRegex(rest, r"[Dd]efault|may be repeated|(Demand|Trust|Build exactly|Write)")

    def test_values(self):
        """An option takes a value by the page if it does by the program."""
        for scope, options in self.found.items():
            command = next(command for command in commands() if scope in taken(self.text, command))
            for option in filter(lambda option: option.startswith("--"), options):
                with self.subTest(f"{command} {option}"):
                    # The second is refused in any case, before anything is done.
                    out = program("plamo-fast", command, f"{option}=1", "--no-such-option")
                    self.assertEqual("takes no argument" in out, not takes_value(options[option].partition("\n")[0]), out)


class Text(unittest.TestCase):
    def test_exit_statuses(self):
        """Those of cmd/report.h, with their numbers."""
        with open(os.path.join(SOURCES, "cmd", "report.h")) as f:
            numbers = set(re.findall(r"EXIT_\w+ = (\d+)", f.read()))
        section = re.search(r"(?ms)^# EXIT STATUS\n(.*?)^# ", page("plamo-fast.1")).group(1)
        named = set(re.findall(r"\*(\d+)\*", section))
        self.assertEqual(named - {"129", "130", "143"}, numbers)

    def test_variables(self):
        """Each variable that the programs read is told of."""
        text = "".join(open(path).read() for path in glob.glob(os.path.join(SOURCES, "cmd", "*.c")))
        read = set(re.findall(r'(?:getenv\(|variable(?:_or)?\(options, )"(\w+)"', text)) | set(re.findall(r'\{"([A-Z]+)", WORDS_', text))
        for name in ("plamo-fast.1", "lxc-plamo-fast.1"):
            section = re.search(r"(?ms)^# ENVIRONMENT\n(.*?)^# ", page(name)).group(1)
            for variable in read - {"TEXTDOMAINDIR"}:
                self.assertIn(f"*{variable}*", section, name)

    def test_pages_that_are_named(self):
        """A page of ours that another one names is there."""
        for path in glob.glob(f"{PAGES}/*.[0-9].scd"):
            name = os.path.basename(path)[:-4]
            for other, section in re.findall(r"\*(plamo-fast[\w.-]*|lxc-plamo-fast)\*\((\d)\)", page(name)):
                self.assertTrue(os.path.exists(f"{PAGES}/{other}.{section}.scd"), f"{name} names {other}({section})")

    def test_schema(self):
        """The page on progress has the events and fields of the schema's document."""
        with open(os.path.join(SOURCES, "docs", "progress-schema.md")) as f:
            schema = f.read()
        text = page("plamo-fast-progress.7").replace("\\_", "_")
        self.assertEqual(set(re.findall(r"(?m)^## (.+)$", text)), set(re.findall(r"(?m)^### (.+)$", schema)))
        self.assertEqual(re.findall(r"(?m)^\*([a-z_]+)\* \(", text), re.findall(r"(?m)^\| `([a-z_]+)` \|", schema))

    def test_lines(self):
        for path in glob.glob(f"{PAGES}/*.scd"):
            for line in open(path).read().splitlines():
                self.assertLessEqual(len(line.expandtabs(4)), 145, f"{path}: {line}")


if __name__ == "__main__":
    manual.main()
