#!/usr/bin/env python3
"""The programs in Japanese: every text has its translation, the lines fit, and nothing else changes."""

import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import unicodedata
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import netkit
from netkit import (BUSY, FAILED, LOCK_FILE, MIRROR, NO_SPACE, NOBODY, PACKAGE, PERMISSION, RELEASE, TREE, USAGE, NetTest,
                    noise_package, settings)

PO = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "po")
LOCALE = "ja_JP.UTF-8"
# A line of an error may be as long as two of a terminal; what a program prints as a page may not.
LONGEST_MESSAGE, LONGEST_LINE, LONGEST_HELP = 160, 100, 30


def columns(text):
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else not unicodedata.combining(c) for c in text)


def is_japanese(text):
    return bool(re.search("[\u3041-\u30ff\u4e00-\u9fff]", text))


def entries(text):
    """(flags, msgid, [msgstr…]) of a catalogue's text, obsolete ones and the header aside."""
    for block in re.split(r"\n\s*\n", text):
        fields, current, flags = {}, None, ""
        for line in block.splitlines():
            if line.startswith("#,"):
                flags += line[2:]
            match = re.match(r'(?:(msgid|msgid_plural|msgstr(?:\[\d\])?) )?"(.*)"$', line)
            if match:
                current = match[1] or current
                fields[current] = fields.get(current, "") + match[2]
        if fields.get("msgid"):
            yield flags, fields["msgid"], [fields[k] for k in sorted(fields) if k.startswith("msgstr")]


def unescaped(text):
    return text.replace("\\n", "\n").replace('\\"', '"')


class Catalogue(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not shutil.which("xgettext"):
            raise unittest.SkipTest("needs gettext")
        done = subprocess.run([f"{PO}/extract"], capture_output=True, text=True)
        assert done.returncode == 0 and not done.stderr, done.stderr
        cls.wanted = [msgid for _, msgid, _ in entries(done.stdout)]
        with open(f"{PO}/plamo-fast.pot") as f:
            cls.template = {msgid for _, msgid, _ in entries(f.read())}
        with open(f"{PO}/ja.po") as f:
            cls.catalogue = list(entries(f.read()))

    def test_nothing_is_missing(self):
        """po/README.md says what to do about those listed here."""
        good = {msgid for flags, msgid, texts in self.catalogue if all(texts) and "fuzzy" not in flags}
        missing = [msgid for msgid in self.wanted if msgid not in good]
        self.assertEqual(missing, [], f"{len(missing)} texts without a translation:\n" + "\n".join(missing))

    def test_template_is_current(self):
        missing = [msgid for msgid in self.wanted if msgid not in self.template]
        self.assertEqual(missing, [], "run `cmake --build … --target po-update`, and commit")

    def test_one_line_each(self):
        for _, msgid, texts in self.catalogue:
            for text in texts:
                with self.subTest(unescaped(msgid)):
                    if "\\n" in msgid:
                        self.assertEqual(text.startswith("\\n"), msgid.startswith("\\n"))
                        self.assertLessEqual(max(map(columns, unescaped(text).split("\n"))), LONGEST_LINE)
                    else:
                        self.assertNotIn("\\n", text)
                        self.assertLessEqual(columns(unescaped(text)), LONGEST_MESSAGE)

    def test_words(self):
        """The glossary's words, and no other for the same thing."""
        for _, msgid, texts in self.catalogue:
            for text in texts:
                with self.subTest(unescaped(text)):
                    self.assertNotRegex(text, "フォルダ|サーバ(?!ー)|ユーザ(?!ー)|ディレクトリー|カテゴリー|フィルタ(?!ー)|[。、] ")
                    self.assertFalse(re.search(r"\bmirror|\bpackage", msgid) and is_japanese(text) and
                                     not re.search("ミラー|パッケージ", text), msgid)

    def test_is_checked(self):
        done = subprocess.run(["msgfmt", "--check", "-o", "/dev/null", f"{PO}/ja.po"], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))


class Japanese(NetTest):
    @classmethod
    def setUpClass(cls):
        catalogues = os.path.join(settings.bin, "..", "locale")
        if not os.path.exists(f"{catalogues}/ja/LC_MESSAGES/plamo-fast.mo"):
            raise unittest.SkipTest("the catalogue was not built: needs msgfmt")
        if not shutil.which("localedef") or not os.path.exists("/usr/share/i18n/locales/ja_JP"):
            raise unittest.SkipTest("needs localedef and the locale's source (Debian's package locales)")
        folder = tempfile.mkdtemp(prefix="plamo-locale-")
        cls.addClassCleanup(shutil.rmtree, folder)
        os.chmod(folder, 0o755)
        subprocess.run(["localedef", "-i", "ja_JP", "-f", "UTF-8", f"{folder}/{LOCALE}"], check=True)
        # With a LOCPATH, glibc leaks a little of its own.
        cls.environment = {"LC_ALL": LOCALE, "LOCPATH": folder, "TEXTDOMAINDIR": catalogues,
                           "ASAN_OPTIONS": "detect_leaks=0"}

    def start(self, command, env=None, **more):
        return super().start(command, env={**self.environment, **(env or {})}, **more)

    def english(self, *arguments, program="plamo-fast"):
        return self.run_program(*arguments, program=program, env={"LC_ALL": "C"})

    def check_text(self, text, line_of=str.isprintable):
        text.encode()  # UTF-8 all through: nothing else was decoded
        for line in text.splitlines():
            self.assertTrue(line_of(line), line)
            self.assertNotRegex(line, r"�|\?\?|\\x")

    def errors(self, result):
        return [line for line in result.err.splitlines() if re.match(r"[\w-]+: エラー: ", line)]

    def check_error(self, result, status, *names):
        self.assertEqual(result.status, status, str(result))
        found = self.errors(result)
        self.assertEqual(len(found), 1, str(result))
        self.check_text(result.err)
        for name in names:
            self.assertIn(name, found[0], str(result))
        for line in result.err.splitlines():
            self.assertTrue(is_japanese(line), f"not translated: {line}")

    def commands(self):
        return re.findall(r"^  ([a-z-]+) +\S", self.english("--help").out.split("Commands:")[1].split("\n\n")[0], re.M)

    def test_help(self):
        """As long and as wide as the English one may be, with the same options, and the same lines of example."""
        self.assertIn("build", self.commands())
        pages = [("plamo-fast",), ("lxc-plamo-fast",)] + [("plamo-fast", name) for name in self.commands()]
        for program, *words in pages:
            with self.subTest(" ".join((program, *words))):
                ours = self.assert_done(self.run_program(*words, "--help", program=program)).out
                theirs = self.english(*words, "--help", program=program).out
                self.check_text(ours)
                self.assertTrue(ours.startswith("使い方: "), ours)
                self.assertLessEqual(len(ours.splitlines()), LONGEST_HELP)
                self.assertLessEqual(max(map(columns, ours.splitlines())), LONGEST_LINE)
                self.assertEqual(ours.splitlines()[0].split(": ")[1], theirs.splitlines()[0].split(": ")[1])
                options = r"(?<![\w/-])--?[A-Za-z0-9][\w-]*"
                self.assertEqual(set(re.findall(options, ours)), set(re.findall(options, theirs)))
                self.assertEqual(re.findall(r"^例: (.*)", ours, re.M), re.findall(r"^Example: (.*)", theirs, re.M))

    def test_build(self):
        """Its lines, with the same numbers as in English."""
        self.put_some("aaa", "bbb")
        result = self.build("-v")
        self.assertEqual((result.status, self.errors(result)), (0, []), str(result))
        self.check_text(result.err)
        for line in result.err.splitlines():
            self.assertTrue(is_japanese(line), f"not translated: {line}")
        for text in ("ミラーのインデックスを読み込み中", "予定 2 ファイル", "取得 2/2", "インストール 2/2", "完了: "):
            self.assertIn(text, result.err)
        # Records are for programs: they stay as they are.
        self.assertTrue(self.read(self.root, "var/log/packages/aaa").isascii())
        self.assertTrue(self.read(self.root, "var/log/install.log").isascii())

    def test_same_root(self):
        """The language is the messages' only."""
        self.put_some("aaa", "bbb")
        self.assertEqual(self.build().status, 0)
        ours = f"{self.folder}/japanese"
        os.rename(self.root, ours)
        shutil.rmtree(self.cache)  # a record tells its path
        self.assertEqual(self.build(env={"LC_ALL": "C"}).status, 0)
        self.assert_same_root(ours, self.root)

    def test_failed(self):
        self.put_some("aaa")
        target = f"{self.folder}/nowhere/web.lock"
        result = self.run_program("lock", target, "-r", RELEASE, "-a", netkit.ARCH, "-m", self.url, "--cache", self.cache)
        self.check_error(result, FAILED, target)

    def test_usage(self):
        self.check_error(self.run_program("build"), USAGE, "plamo-fast build ROOT")
        self.check_error(self.build("--jobs", "many"), USAGE, "--jobs", "「many」", "256")
        self.check_error(self.build("--release", "9"), USAGE, "「9」")
        self.check_error(self.run_program("frobnicate"), USAGE, "「frobnicate」")

    def test_mirror(self):
        self.put_some("aaa")
        self.check_error(self.build("--categories", "00_bse"), MIRROR, "「00_bse」", "00_base")

    def test_package(self):
        """Said by a worker, on whose thread names are read in a locale of its own."""
        name, data = noise_package("aaa", 20_000)
        self.put((name, data[:-100] + b"\0" * 100))
        self.check_error(self.build(), PACKAGE, name, "gzip データが壊れています")

    def test_busy(self):
        self.put_some("aaa")
        with open(LOCK_FILE, "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.check_error(self.build("--lock-timeout", "0"), BUSY, LOCK_FILE)

    def test_permission(self):
        bin_folder = tempfile.mkdtemp(prefix="bin-", dir=self.folder)
        os.chmod(bin_folder, 0o755)
        shutil.copy(os.path.join(settings.bin, "plamo-fast"), bin_folder)
        catalogues = shutil.copytree(self.environment["TEXTDOMAINDIR"], f"{bin_folder}/locale")
        result = self.wait(self.start([f"{bin_folder}/plamo-fast", *self.build_arguments()], user=NOBODY, group=NOBODY,
                                      extra_groups=[], env={"TEXTDOMAINDIR": catalogues}))
        self.check_error(result, PERMISSION, "root")

    def test_no_space(self):
        self.put_some("aaa", size_bytes=400_000)
        if not settings.private_mounts:
            self.skipTest("needs mounts of its own")
        os.mkdir(self.cache)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "plamo-small", self.cache], check=True)
        self.addCleanup(subprocess.run, ["umount", self.cache])
        self.check_error(self.build(), NO_SPACE, self.cache)

    def test_stopped(self):
        self.put_some("aaa")
        with open(LOCK_FILE, "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            process = self.start_build("--lock-timeout", "30")
            process.stderr.read1()
            process.send_signal(signal.SIGINT)
            result = self.wait(process)
        self.assertEqual(result.status, 130, str(result))
        self.assertEqual(len(self.errors(result)), 1, str(result))

    def test_without_a_catalogue(self):
        """English, as before, for whom no catalogue was made or found."""
        wanted = self.english("frobnicate").err
        for env in ({"TEXTDOMAINDIR": self.folder}, {"LC_ALL": "C.UTF-8"}, {"LC_ALL": "xx_YY.nonsense"}):
            with self.subTest(env):
                self.assertEqual(self.run_program("frobnicate", env=env).err, wanted)


if __name__ == "__main__":
    netkit.main()
