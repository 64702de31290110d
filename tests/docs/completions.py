#!/usr/bin/env python3
"""The completions in real shells: every option of both programs, and the values that the shells are to know."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import manual
from manual import PROGRAMS, commands, options_of_help, program, settings

# A line up to the cursor, and words that must be offered there, and words that must not.
CASES = [
    ("plamo-fast ", {"build", "plan", "lock", "clean"}, {"--release"}),
    ("plamo-fast bui", {"build"}, {"plan"}),
    ("plamo-fast build --release ", {"5.x", "6.x", "7.x", "8.x"}, {"x86"}),
    ("plamo-fast build -r 7", {"7.x"}, {"8.x"}),
    ("plamo-fast plan --arch ", {"x86", "x86_64"}, set()),
    ("plamo-fast build --network ", {"dhcp", "none"}, set()),
    ("plamo-fast build --root-password ", {"keep", "locked"}, set()),
    ("plamo-fast build --timezone Europe/Ber", {"Europe/Berlin"}, {"Asia/Tokyo"}),
    ("plamo-fast build --limit ra", {"ratio="}, {"bytes="}),
    ("plamo-fast lock ", {"one.lock"}, set()),
    ("plamo-fast build --cache ", {"folder"}, {"one.lock"}),
    ("plamo-fast build --lock one", {"one.lock"}, set()),
    ("lxc-plamo-fast --release ", {"8.x"}, set()),
    ("lxc-plamo-fast --bindhome daem", {"daemon"}, set()),
    ("lxc-plamo-fast -n c1 --network d", {"dhcp"}, {"none"}),
]


class Shell:
    """shell: its name; script(file, line): the command that prints what is offered at the end of a line."""

    shell = None

    @classmethod
    def setUpClass(cls):
        if not shutil.which(cls.shell):
            raise unittest.SkipTest(f"needs {cls.shell}")
        cls.folder = tempfile.mkdtemp(prefix="plamo-test-")
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        os.mkdir(os.path.join(cls.folder, "folder"))
        open(os.path.join(cls.folder, "one.lock"), "w").close()
        cls.calls = [("plamo-fast", command) for command in commands()] + [("lxc-plamo-fast",)]
        lines = [" ".join(call) + " -" for call in cls.calls] + [line for line, _, _ in CASES] + list(cls.more)
        cls.offered = dict(zip(lines, cls.ask(lines)))

    more = ()

    @classmethod
    def file(cls, name):
        return os.path.join(settings.bin, "..", "docs", cls.shell, cls.names.format(name))

    @classmethod
    def ask(cls, lines):
        """For each line, the set of words that the shell offers: all from one shell, which is slow to start."""
        command = cls.command({name: cls.file(name) for name in PROGRAMS}, lines)
        environment = {"PATH": f"{settings.bin}:/usr/bin:/bin", "HOME": cls.folder, "LC_ALL": "C.UTF-8", "TERM": "dumb"}
        done = subprocess.run(command, cwd=cls.folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=100)
        parts = done.stdout.split("== end of a line\n")
        assert len(parts) == len(lines) + 1, done.stdout
        return [{cls.word(text) for text in part.splitlines() if text} for part in parts[:-1]]

    @staticmethod
    def word(text):
        return text.strip().rstrip("/")

    def test_options(self):
        """Each option that a --help names is offered, and no other."""
        for call in self.calls:
            with self.subTest(" ".join(call)):
                wanted = options_of_help(program(*call, "--help"))
                found = self.offered[" ".join(call) + " -"]
                self.assertEqual({word for word in found if word.startswith("-")}, wanted)

    def test_values(self):
        for line, wanted, unwanted in CASES:
            with self.subTest(line):
                words = self.offered[line]
                # zsh completes a name with slashes part by part.
                missing = {word for word in wanted if word not in words and word.rpartition("/")[2] not in words}
                self.assertFalse(missing or unwanted & words, words)

    def test_all_commands(self):
        self.assertLessEqual(set(commands()), self.offered["plamo-fast "])


class Bash(Shell, unittest.TestCase):
    shell, names = "bash", "{}"

    @classmethod
    def command(cls, files, lines):
        """As readline calls it: the words split at = and :, too, and the one that the cursor is on last."""
        script = [f"source '{path}'" for path in files.values()]
        for line in lines:
            words = re.findall(r"[=:]+|[^\s=:]+", line) + ([""] if line.endswith(" ") else [])
            quoted = " ".join(f"'{word}'" for word in words)
            script.append(f"COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; COMPREPLY=()")
            script.append(f"_{words[0].replace('-', '_')}; printf '%s\\n' \"${{COMPREPLY[@]}}\"; echo '== end of a line'")
        return ["bash", "--norc", "-c", "\n".join(script)]

    more = ("plamo-fast build --release=", "plamo-fast build --release=8", "plamo-fast build --lock=one")

    def test_with_an_equals_sign(self):
        self.assertEqual([self.offered[line] for line in self.more], [{"5.x", "6.x", "7.x", "8.x"}, {"8.x"}, {"one.lock"}])

    def test_interactive(self):
        """In a shell at a terminal, by its own completion: the one possible word is put in."""
        if not shutil.which("script"):
            self.skipTest("needs script(1)")
        keys = f"source '{self.file('plamo-fast')}'\nset +o history\necho plamo-fast; plamo-fast pla\t--jso\t--release=6\t\nexit\n"
        done = subprocess.run(["script", "-qc", "bash --norc -i", "/dev/null"], input=keys, cwd=self.folder, text=True,
                              stdout=subprocess.PIPE, timeout=60,
                              env={"PATH": "/usr/bin:/bin", "HOME": self.folder, "TERM": "dumb", "PS1": "$ "})
        self.assertIn("plamo-fast plan --json --release=6.x", done.stdout.replace("\a", ""))


class Fish(Shell, unittest.TestCase):
    shell, names = "fish", "{}.fish"

    @classmethod
    def command(cls, files, lines):
        script = [f"source '{path}'" for path in files.values()]
        for line in lines:
            # Short options come where there is no word yet, long ones behind two dashes.
            for asked in ([line, line + "-"] if line.endswith(" -") else [line]):
                script.append(f"complete -C '{asked}'")
            script.append("echo '== end of a line'")
        return ["fish", "--no-config", "-c", "\n".join(script)]

    @staticmethod
    def word(text):
        return text.partition("\t")[0].rstrip("/")


class Zsh(Shell, unittest.TestCase):
    shell, names = "zsh", "_{}"

    @classmethod
    def command(cls, files, lines):
        """Runs zsh at a pseudo-terminal of its own (zsh/zpty), and lists what it would add."""
        driver = os.path.join(cls.folder, "driver")
        with open(driver, "w") as f:
            f.write(ZSH_DRIVER)
        os.mkdir(os.path.join(cls.folder, "functions"))
        for name, path in files.items():
            shutil.copy(path, os.path.join(cls.folder, "functions", f"_{name}"))
        return ["zsh", "-f", driver, os.path.join(cls.folder, "functions"), *lines]

    @staticmethod
    def word(text):
        return text.strip().rstrip("/")


# compadd is what every completion function ends in: here it prints the words that match, and adds none.
ZSH_DRIVER = r"""
zmodload zsh/zpty
made=$1; shift
zpty shell zsh -f -i
zpty -w shell "PS1= PS2=; unsetopt zle_bracketed_paste beep; stty -echo -onlcr; fpath=($made \$fpath); autoload -Uz compinit; compinit -u -D"
zpty -w shell '
compadd() {
    if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then
        builtin compadd "$@"
        return
    fi
    local -a found
    builtin compadd -A found "$@"
    (( ${#found} )) && print -l -- "word:"${^found}
    builtin compadd "$@"
}
zstyle ":completion:*" list-grouped false
bindkey "^I" complete-word
finish() { print; print "line-done"; zle kill-whole-line; zle redisplay }
zle -N finish
bindkey "^G" finish
print ready'
zpty -r shell output '*ready*'
for line; do
    zpty -w -n shell "$line"$'\t\x07'
    zpty -r shell output '*line-done*'
    print -r -- $output | tr -d '\r' | sed -n 's/^.*word://p' | sort -u
    print "== end of a line"
done
zpty -d shell
"""


if __name__ == "__main__":
    manual.main()
