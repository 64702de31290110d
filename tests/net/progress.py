#!/usr/bin/env python3
"""Bars on a real pseudo-terminal, plain lines without one, JSON lines as docs/progress-schema.md has them."""

import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import struct
import sys
import termios
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import netkit
from faulty_server import Fault
from netkit import DONE, USAGE, NetTest, clean_environment, noise_package, package
from tarball import file

SCHEMA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "progress-schema.md")
TYPES = {"integer": int, "number": (int, float), "string": str, "boolean": bool, "null": type(None), "object": dict}
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class Screen:
    """As much of a terminal as the bars use: rows of characters, a cursor, erasing."""

    def __init__(self, columns, rows=24):
        self.columns, self.rows = columns, rows
        self.cells, self.row, self.column = [""] * rows, 0, 0
        self.wraps, self.cursor_shown, self.wrapped = True, True, 0

    def feed(self, text):
        for token in re.findall(r"\x1b\[[?0-9;]*[A-Za-z]|.|\n|\r", text):
            if token.startswith("\x1b["):
                self.control(token[2:-1], token[-1])
            elif token == "\n":
                self.line_feed()
            elif token == "\r":
                self.column = 0
            else:
                self.put(token)

    def line_feed(self):
        self.row += 1
        if self.row == self.rows:
            self.cells = [*self.cells[1:], ""]
            self.row -= 1

    def put(self, character):
        if self.column == self.columns:
            if not self.wraps:
                self.column -= 1
            else:
                self.column, self.wrapped = 0, self.wrapped + 1
                self.line_feed()
        line = self.cells[self.row].ljust(self.column)
        self.cells[self.row] = line[:self.column] + character + line[self.column + 1:]
        self.column += 1

    def control(self, arguments, letter):
        if letter == "A":
            self.row = max(0, self.row - int(arguments or 1))
        elif letter in "KJ":
            self.cells[self.row] = self.cells[self.row][:self.column]
            if letter == "J":
                self.cells[self.row + 1:] = [""] * (self.rows - self.row - 1)
        elif arguments == "?7":
            self.wraps = letter == "h"
        elif arguments == "?25":
            self.cursor_shown = letter == "h"
        elif letter != "m":
            raise AssertionError(f"the terminal is asked for {arguments}{letter}")

    @property
    def text(self):
        return "\n".join(line.rstrip() for line in self.cells).rstrip()


class Terminal:
    """A program on a pseudo-terminal of its own, in the foreground."""

    def __init__(self, command, columns=80, **environment):
        self.screen = Screen(columns)
        self.output = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(command[0], command, clean_environment(**{"TERM": "xterm", "LC_ALL": "C.UTF-8", **environment}))
        self.resize(columns)

    def resize(self, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.screen.columns = columns

    def read(self, seconds):
        """What comes within so long. False: the program has ended."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if not select.select([self.fd], [], [], left)[0]:
                break
            try:
                data = os.read(self.fd, 65536)
            except OSError:
                return False
            text = data.decode()
            self.output += text
            self.screen.feed(text)
        return True

    def read_until(self, pattern, timeout_s=20):
        end = time.monotonic() + timeout_s
        while not re.search(pattern, self.screen.text):
            alive = self.read(0.05)
            if not alive or time.monotonic() > end:
                raise AssertionError(f"{pattern} is not on the screen:\n{self.screen.text}\n{self.output!r}")

    def wait(self, timeout_s=30):
        end = time.monotonic() + timeout_s
        while self.read(0.1):
            if time.monotonic() > end:
                os.kill(self.pid, signal.SIGKILL)
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


class ProgressTest(NetTest):
    def setUp(self):
        super().setUp()
        self.paths = self.put_some("aaa", "bbb")
        self.paths.append(self.put(noise_package("zzz", 900_000)))

    def terminal(self, *more, columns=80, **environment):
        return Terminal(self.command(*self.build_arguments(*more)), columns, **environment)

    def forget(self):
        shutil.rmtree(self.root, ignore_errors=True)
        shutil.rmtree(self.cache, ignore_errors=True)

    def slow(self):
        """Until the server is released, two seconds' worth of the largest file drips."""
        self.server.add(self.paths[-1], Fault(drip=(40_000, 0.1)))


class Bars(ProgressTest):
    def test_whole_build(self):
        self.slow()
        terminal = self.terminal()
        terminal.read_until(r"(?m)^  zzz-1-x86_64-P1.tgz .*%.*kB.*kB/s")
        self.assertRegex(terminal.screen.text, r"(?m)^fetch +\[=*>? *\] +\d+% 2/3 .* left$")
        self.assertRegex(terminal.screen.text, r"(?m)^install ")
        self.assertTrue(terminal.screen.cursor_shown)
        self.assertEqual(terminal.wait(), DONE, terminal.output)
        # Nothing of the bars is left; the lines are where they belong.
        lines = terminal.screen.text.splitlines()
        self.assertNotRegex(terminal.screen.text, r"(?m)^(fetch|install|copy) ")
        self.assertRegex(COLOUR.sub("", lines[0]), "^plamo-fast: done: ")
        self.assertIn("3 fetched", terminal.screen.text)
        self.assertTrue(terminal.screen.wraps)
        self.assertNotIn("fetched 1 of 3", terminal.output)
        self.assertRegex(terminal.output, COLOUR)
        self.assert_installed(*self.paths)

    def test_narrow_and_resized(self):
        self.slow()
        terminal = self.terminal("--connections", "1", columns=40)
        # Whether there is room for the bar hangs on how far it is.
        terminal.read_until(r"(?m)^fetch +(\[[=> ]*\] +)?\d+%")
        for columns in (100, 25, 7, 60):
            terminal.resize(columns)
            # The next drawing has the new size.
            self.eventually(lambda: terminal.read(0.1) and len(terminal.screen.text) > 0, "a drawing")
            terminal.read(0.15)
            for line in terminal.screen.text.splitlines():
                self.assertLess(len(line), columns, terminal.screen.text)
        self.assertEqual(terminal.wait(), DONE, terminal.output)
        self.assertNotRegex(terminal.screen.text, r"(?m)^fetch ")

    def test_warnings_stand_above(self):
        self.put(package("wrn-1-x86_64-P1", [file("etc/x", b"x")], script="echo from the script\nexit 3\n"))
        self.slow()
        terminal = self.terminal("-v")
        terminal.read_until("its script ended with status 3|fetch")
        self.assertEqual(terminal.wait(), DONE, terminal.output)
        text = COLOUR.sub("", terminal.output)
        self.assertIn("plamo-fast: script of wrn-1-x86_64-P1: from the script", text)
        self.assertIn("plamo-fast: warning: wrn-1-x86_64-P1: its script ended with status 3", text)

    def test_interrupted(self):
        """The terminal's own Ctrl-C: 130, one error, a clean screen."""
        self.slow()
        terminal = self.terminal()
        terminal.read_until(r"(?m)^fetch ")
        os.write(terminal.fd, b"\x03")
        self.assertEqual(terminal.wait(), 130, terminal.output)
        self.assertRegex(COLOUR.sub("", terminal.screen.text), r"^(\^C)?plamo-fast: error: .*$")
        self.assertTrue(terminal.screen.wraps and terminal.screen.cursor_shown)
        self.assert_nothing_half_built()

    def test_interrupted_twice(self):
        self.slow()
        terminal = self.terminal()
        terminal.read_until(r"(?m)^fetch ")
        # Both at once: the first one has no time to end the run.
        os.kill(terminal.pid, signal.SIGSTOP)
        os.kill(terminal.pid, signal.SIGTERM)
        os.kill(terminal.pid, signal.SIGINT)
        os.kill(terminal.pid, signal.SIGCONT)
        self.assertIn(terminal.wait(), (130, 143), terminal.output)
        self.assertNotRegex(terminal.screen.text, r"(?m)^(fetch|install) ")
        self.assertTrue(terminal.screen.wraps and terminal.screen.cursor_shown)

    def test_no_color(self):
        for value, coloured in (("1", False), ("", True)):
            self.server.clear()
            terminal = self.terminal(NO_COLOR=value)
            self.assertEqual(terminal.wait(), DONE, terminal.output)
            self.assertEqual(bool(COLOUR.search(terminal.output)), coloured, terminal.output)
            self.forget()

    def test_no_bars(self):
        """A dumb terminal, and whoever wants other progress, gets nothing but text."""
        for options, term, wanted in (((), "dumb", "installed 3 of 3"), (("--progress=bar",), "dumb", "installed 3 of 3"),
                                      (("--progress=plain",), "xterm", "installed 3 of 3"),
                                      (("--progress=none",), "xterm", "done: ")):
            with self.subTest(f"{options} {term}"):
                terminal = self.terminal(*options, TERM=term, NO_COLOR="1")
                self.assertEqual(terminal.wait(), DONE, terminal.output)
                self.assertIn(wanted, terminal.output)
                self.assertNotIn("\x1b", terminal.output)
                self.forget()

    def test_quiet(self):
        terminal = self.terminal("-q")
        self.assertEqual(terminal.wait(), DONE)
        self.assertEqual(terminal.output, "")


class Lines(ProgressTest):
    def test_plain(self):
        result = self.assert_done(self.build())
        self.assertRegex(result.err, r"(?m)^plamo-fast: 3 files planned$")
        self.assertRegex(result.err, r"(?m)^plamo-fast: fetched 3 of 3$")
        self.assertRegex(result.err, r"(?m)^plamo-fast: installed 3 of 3$")
        self.assertEqual(result.summary["installed"], 3)
        self.assertRegex(result.err, r"(?m)^plamo-fast: cache: 0 of 3 files were there, 3 fetched: .* [kM]B, .*/s$")
        self.assertRegex(result.err, r"(?m)^plamo-fast: time: plan .* s, fetch .* s, install .* s")
        self.assertNotIn("\x1b", result.err)

    def test_bar_where_there_is_no_terminal(self):
        result = self.assert_done(self.build("--progress=bar", env={"TERM": "xterm"}))
        self.assertIn("installed 3 of 3", result.err)
        self.assertNotIn("\x1b", result.err)

    def test_none(self):
        result = self.assert_done(self.build("--progress", "none"))
        self.assertEqual([line.split(": ")[1] for line in result.err.splitlines()], ["done", "cache", "time"])

    def test_very_verbose(self):
        for options in (("-vv",), ("-v", "--verbose")):
            result = self.assert_done(self.build(*options))
            self.assertRegex(result.err, r"(?m)^plamo-fast: decoding zzz-1-x86_64-P1.tgz: 0.9 MB$")
            self.assertRegex(result.err, r"(?m)^plamo-fast: decoded zzz-1-x86_64-P1.tgz: 0.9 MB became 0.9 MB$")
            self.forget()
        self.assertNotIn("decoded", self.assert_done(self.build("-v")).err.split("done:")[0])

    def test_cached(self):
        self.assert_done(self.build())
        self.root += "2"
        self.assertIn("the cached root was used", self.assert_done(self.build()).err)

    def test_no_such_way(self):
        self.assert_failed(self.build("--progress=fancy"), USAGE, "fancy", "json")


class Json(ProgressTest):
    """Every line is as the schema's tables have it."""

    @staticmethod
    def schema():
        events, current = {"": {}}, ""
        for line in open(SCHEMA):
            if heading := re.match(r"### ([\w-]+)$", line):
                current = heading.group(1)
                events[current] = {}
            elif row := re.match(r"\| `(\w+)` \| ([\w ]+) \|", line):
                events[current][row.group(1)] = tuple(row.group(2).split(" or "))
        common = events.pop("")
        return {name: {**common, **fields} for name, fields in events.items()}

    def objects(self, text):
        schema, objects = self.schema(), [json.loads(line) for line in text.splitlines()]
        for item in objects:
            fields = schema[item["event"]]
            self.assertEqual(set(item), set(fields), item)
            for name, types in fields.items():
                self.assertTrue(any(isinstance(item[name], TYPES[t]) and (t == "boolean" or item[name] is not True)
                                    for t in types), f"{name} of {item}")
        self.assertEqual({o["v"] for o in objects}, {1})
        times = [o["t"] for o in objects]
        self.assertEqual(times, sorted(times))
        self.assertEqual([o["event"] for o in (objects[0], objects[-1])], ["start", "end"])
        return objects

    def test_whole_build(self):
        self.put(package("wrn-1-x86_64-P1", [file("etc/x", b"x")], script="printf 'a\\377b\\n'\nexit 3\n"))
        self.slow()
        result = self.build("--progress=json")
        self.assertEqual(result.status, DONE)
        objects = self.objects(result.err)
        events = [o["event"] for o in objects]
        for name in ("phase", "planned", "fetching", "transfer", "fetched", "installing", "decoding", "decoded", "installed",
                     "script", "warning", "copied", "summary"):
            self.assertIn(name, events)
        by_name = {o["event"]: o for o in objects}
        self.assertEqual(by_name["script"]["text"], "a\ufffdb")
        self.assertEqual((by_name["fetching"]["files"], by_name["fetching"]["bytes"]),
                         (4, by_name["fetching"]["bytes_total"]))
        self.assertEqual(by_name["summary"]["packages"], 4)
        self.assertTrue(by_name["end"]["ok"])
        # A slow file grows before our eyes.
        grown = [o["bytes"] for o in objects if o["event"] == "transfer" and o["file"].startswith("zzz")]
        self.assertGreater(len(set(grown)), 3, grown)
        self.assertEqual(grown, sorted(grown))

    def test_failure(self):
        self.server.add(self.paths[0], Fault(status=404, repeat=True))
        result = self.build("--progress=json")
        objects = self.objects(result.err)
        [error] = [o for o in objects if o["event"] == "error"]
        self.assertEqual((error["code"], error["status"], result.status), ("absent", 3, 3))
        self.assertIn("--mirror", error["hint"])
        self.assertFalse(objects[-1]["ok"])

    def test_usage(self):
        for arguments in (("--progress=json", "--nonsense"), ("--progress=json", "a", "b")):
            result = self.run_program("build", *arguments)
            self.assertEqual(result.status, USAGE)
            [error] = [o for o in self.objects(result.err) if o["event"] == "error"]
            self.assertEqual((error["code"], error["status"]), (None, None))

    def test_quiet(self):
        result = self.build("--progress=json", "-q")
        self.assertEqual(result.err, "")

    def test_clock_of_a_quiet_run(self):
        """It runs from the beginning, though nothing is said before the failure."""
        self.server.add(self.paths[0], Fault(status=503, repeat=True, headers={"Retry-After": "1"}))
        result = self.build("--progress=json", "-q")
        self.assertEqual(result.status, 3)
        [error] = [o for o in self.objects(result.err) if o["event"] == "error"]
        self.assertGreater(error["t"], 1)

    def test_of_a_listing(self):
        """Standard output is as ever."""
        result = self.run_program("plan", "--progress=json", "--json", *self.build_arguments()[3:])
        self.assertEqual(len(json.loads(result.out)["files"]), 3)
        self.assertIn("planned", [o["event"] for o in self.objects(result.err)])


if __name__ == "__main__":
    netkit.main()
