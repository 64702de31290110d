#!/usr/bin/env python3
"""Every option and variable: which test covers it, what a wrong value gives, and what no other test has of them."""

import glob
import json
import os
import pwd
import re
import shutil
import socket
import stat
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import netkit
from compare import is_hash_of
from faulty_server import Fault, FaultyServer
from netkit import ARCH, BASE, DONE, FAILED, MIRROR, RELEASE, TREE, USAGE, NetTest, noise_package, package, settings
from tarball import file, folder

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAMS = {"build": ("plamo-fast", "build"), "plan": ("plamo-fast", "plan"), "clean": ("plamo-fast", "clean"),
            "lock": ("plamo-fast", "lock"), "owners": ("plamo-fast", "owners"),
            "overlaps": ("plamo-fast", "overlaps"), "diff": ("plamo-fast", "diff"),
            "verify": ("plamo-fast", "verify"), "doctor": ("plamo-fast", "doctor"),
            "create": ("plamo-fast", "create"),
            "warm": ("plamo-fast", "warm"), "gc": ("plamo-fast", "gc"),
            "digest": ("plamo-fast", "digest"),
            "plamo-fast": ("plamo-fast",), "template": ("lxc-plamo-fast",)}

# Where each option is tested: a file below tests/ and a test (or, without one, the file as a whole uses it).
OPTIONS = {
    "--release": "net/warm.py test_other_release_and_arch_are_apart", "-r": "net/warm.py test_cleaned",
    "--arch": "net/warm.py test_other_release_and_arch_are_apart", "-a": "net/warm.py test_cleaned",
    "--categories": "net/options.py test_lists", "--contrib": "net/options.py test_lists",
    "--ignore": "net/options.py test_lists", "--add": "net/options.py test_lists",
    "--mirror": "net/mirrors.py test_option_in_place_of_the_environment", "-m": "net/errors.py test_plan_needs_none",
    "--ca-file": "net/failover.py test_unknown_and_then_trusted",
    "--ipv4": "net/options.py test_versions_of_ip", "-4": "net/options.py test_versions_of_ip",
    "--ipv6": "net/options.py test_versions_of_ip", "-6": "net/options.py test_versions_of_ip",
    "--limit-rate": "net/options.py test_limit_of_all_together",
    "--connections": "net/resume_retry.py test_connections_are_used_again",
    "--min-rate": "net/failover.py test_first_is_slow", "--stall-timeout": "net/failover.py test_first_stalls",
    "--fetch-timeout": "net/failover.py test_time_for_all_is_over",
    "--digest": "net/digest.py test_printed", "--no-digest": "net/lock.py test_without_a_tree",
    "--lock": "net/lock.py test_asks_for_the_files_alone", "--keyring": "net/lock.py test_good",
    "--limit": "net/options.py test_limits", "--no-sandbox": "attack/scripts.py",
    "--no-checksums": "net/checksums.py test_option", "--skip-corrupt": "net/errors.py test_skip_corrupt",
    "--offline": "net/offline.py test_packages_cached", "--update": "net/update.py test_in_place",
    "--cache": "net/warm.py test_second_build", "--lock-timeout": "net/errors.py test_held",
    "--jobs": "golden/workers.py", "-j": "net/options.py test_short_jobs",
    "--quiet": "net/options.py test_verbosity", "-q": "net/options.py test_verbosity",
    "--verbose": "net/options.py test_verbosity", "-v": "net/options.py test_verbosity",
    "--progress": "net/progress.py test_no_bars", "-vv": "net/progress.py test_very_verbose",
    "--help": "net/options.py test_shape", "-h": "net/options.py test_shape",
    "--version": "net/options.py test_version",
    "--name": "net/options.py test_name", "--no-configure": "net/options.py test_name",
    "--trace": "net/options.py test_trace",
    "--timezone": "net/options.py test_timezone", "--network": "net/options.py test_network",
    "--root-password": "net/options.py test_root_password",
    "--json": "net/mirrors.py test_plan", "--tree": "golden/answers.py test_plan",
    "--root": "golden/answers.py test_every_path", "--lxc-path": "golden/answers.py test_here",
    "--names-from": "lxc/bulk.py test_names", "--count": "lxc/bulk.py test_names", "--prefix": "lxc/bulk.py test_names",
    "--lxcpath": "net/options.py test_create", "-P": "lxc/bulk.py test_names",
    "--config": "net/options.py test_create", "-f": "net/options.py test_create",
    "--settings": "lxc/bulk.py test_failures", "--start": "lxc/bulk.py test_starts",
    "--backing": "lxc/bulk.py test_overlays", "-B": "lxc/bulk.py test_names",
    "--max-age": "net/warmer.py test_max_age",
    "--keep": "net/warmer.py test_keep", "--max-size": "net/warmer.py test_by_size",
    "--dry-run": "net/warmer.py test_by_age",
    "--path": "net/warm.py test_second_container", "-p": "net/options.py test_short_of_the_template",
    "-n": "net/options.py test_short_of_the_template", "--rootfs": "net/warm.py test_second_container",
    "--bindhome": "net/options.py test_bindhome", "-b": "net/errors.py test_bindhome_of_nobody_known",
    "--clean": "net/options.py test_clean_of_the_template", "-c": "net/options.py test_clean_of_the_template",
}
# lxc-create passes these; no user does.
OF_LXC = {"mapped-uid", "mapped-gid"}
VARIABLES = {
    **dict.fromkeys(("CATEGORIES", "EXTRACTGRS", "IGNOREPKGS", "ADDONPKGS", "LXC_CACHE_PATH"),
                    "net/options.py test_lists_by_the_environment"),
    "release": "net/options.py test_release_by_the_environment",
    "DLSCHEME": "net/mirrors.py test_mirrorsrv", "MIRRORSRV": "net/mirrors.py test_mirrorsrv",
    "MIRRORPATH": "net/options.py test_mirrorpath",
}
PROXY_VARIABLES = ("http_proxy", "https_proxy", "no_proxy")


def words_of(text):
    """The options that a help text names in its lists."""
    return set(re.findall(r"(?<![\w/-])(--?[A-Za-z0-9][\w-]*)", text))


class Help(NetTest):
    def help_of(self, name):
        program, *rest = PROGRAMS[name]
        result = self.run_program(*rest, "--help", program=program)
        self.assert_done(result)
        self.assertEqual(result.err, "")
        return result.out

    def test_shape(self):
        """30 lines of 100 columns; -h is the same; it comes although other words make no sense."""
        for name, (program, *rest) in PROGRAMS.items():
            with self.subTest(name):
                text = self.help_of(name)
                lines = text.splitlines()
                self.assertLessEqual(len(lines), 30)
                self.assertLessEqual(max(map(len, lines)), 100)
                self.assertTrue(text.startswith("Usage: "))
                self.assertIn("Example: ", text)
                self.assertEqual(self.run_program(*rest, "-h", program=program).out, text)

    def test_version(self):
        for name, (program, *rest) in PROGRAMS.items():
            with self.subTest(name):
                result = self.assert_done(self.run_program(*rest, "--version", program=program))
                self.assertRegex(result.out, rf"^{program} \d+\.\d+\S*\n$")

    def test_every_option_has_a_test(self):
        for name in PROGRAMS:
            for word in words_of(self.help_of(name)) - {"-t", "--"}:
                with self.subTest(f"{name} {word}"):
                    self.assertIn(word, OPTIONS, "no test is named for it")

    def test_every_option_is_in_the_help(self):
        """What the programs take is what their help says. A shared option that a command makes no use of is refused."""
        sources = os.path.join(HERE, "..", "..", "cmd")
        texts = {os.path.basename(p): open(p).read() for p in glob.glob(f"{sources}/*.[ch]")}
        entry = r'"([a-z0-9-]+)", (no|required)_argument'
        of_all, of_root = texts["options.h"].split("#define OPTIONS_LONG_ROOT")
        self.assertGreater(len(re.findall(entry, of_all)), 25)
        for name, (program, *rest) in PROGRAMS.items():
            source = "lxc-plamo-fast.c" if name == "template" else f"command_{name}.c"
            if source not in texts:
                continue
            own = texts[source] + (of_root if "OPTIONS_LONG_ROOT" in texts[source] else "")
            known = {word[2:] for word in words_of(self.help_of(name)) if word.startswith("--")} - {"", "alone", "else"}
            shared = {option: f"--{option}" if value == "no" else f"--{option}=1" for option, value in re.findall(entry, of_all)}
            used = [word for option, word in shared.items() if option in known - {"help", "version"}]
            # The last is refused in any case, before anything is done.
            result = self.run_program(*rest, *(w for w in used if "=" not in w), "--no-such-option", program=program)
            self.assertIn("--no-such-option", result.err)
            for option, word in shared.items():
                if option in known and ("=" not in word or option in ("progress", "min-rate")):
                    continue
                result = self.run_program(*rest, word, "--no-such-option", program=program)
                self.assertEqual((result.status, len(result.errors)), (USAGE, 1), str(result))
                self.assertEqual("makes no use of" in result.err, option not in known, str(result))
            used = known & set(shared)
            with self.subTest(name):
                self.assertEqual(known, (used | {option for option, _ in re.findall(entry, own)}) - OF_LXC)

    def test_options_that_go_together(self):
        """What could not be honoured beside another option is refused, too."""
        lock = os.path.join(self.folder, "a.lock")
        for command, words in ((("build", self.root, "--keyring", "/k"), "--keyring is of no use without --lock"),
                               (("build", self.root, "--lock", lock, "--categories", "00_base"), "--categories is of no use"),
                               (("create", "c", "--lock", lock, "--add", "contrib/DB/x"), "--add is of no use"),
                               (("plan", "--lock", lock, "--ignore", "x"), "--ignore is of no use"),
                               (("plan", "--json", "--tree"), "--json and --tree"),
                               (("build", self.root, "--no-configure", "--name", "x"), "--name is of no use")):
            with self.subTest(" ".join(command)):
                self.assert_failed(self.run_program(*command), USAGE, words)

    def test_named_tests_are_there(self):
        for what, where in [*OPTIONS.items(), *VARIABLES.items()]:
            with self.subTest(what):
                path, _, test = where.partition(" ")
                with open(os.path.join(HERE, "..", path)) as f:
                    text = f.read()
                self.assertTrue((f"def {test}(" if test else what) in text, where)

    def test_variables(self):
        """Both programs take them, so both say so, plamo-fast in its own help or that of a command."""
        texts = {"lxc-plamo-fast": self.help_of("template"),
                 "plamo-fast": "".join(self.help_of(name) for name in PROGRAMS if name != "template")}
        for program, text in texts.items():
            for variable in VARIABLES:
                with self.subTest(f"{program} {variable}"):
                    self.assertTrue(re.search(rf"\b{variable}\b", text), "not in the help")

    def test_proxy_variables(self):
        text = "".join(self.help_of(name) for name in PROGRAMS)
        for variable in PROXY_VARIABLES:
            with self.subTest(variable):
                self.assertTrue(variable in text, "not in any help")


class Limits(NetTest):
    def test_limits(self):
        """Each one stops a package that is beyond it, and lets it pass where it is raised."""
        path = self.put(package("deep-1-x86_64-P1", [file("a/b/c/d/e/f", b"x" * 50_000), file("usr/share/deep", b"")]))
        for name, low, high in (("entries", 1, 50), ("depth", 3, 10), ("names", 5, 500), ("bytes", "20k", "1M")):
            with self.subTest(name):
                result = self.build("--limit", f"{name}={low}")
                self.assert_failed(result, netkit.PACKAGE, "deep-1-x86_64-P1.tgz")
                self.assert_done(self.build("--limit", f"{name}={high}"))
                self.assert_installed(path)
                shutil.rmtree(self.root)
                shutil.rmtree(self.cache)

    def check_raised(self, made, name, low, high):
        """Refused with the one, or by itself where there is none, and installed with the other."""
        path = self.put(made)
        self.assert_failed(self.build(*(["--limit", f"{name}={low}"] if low else [])), netkit.PACKAGE, made[0])
        self.assert_done(self.build("--limit", f"{name}={high}"))
        self.assert_installed(path)

    def test_ratio(self):
        """80 MB of zeros are a thousandth as .tgz; 250 is what may be without a word."""
        made = package("zeros-1-x86_64-P1", [file("usr/share/zeros", bytes(80_000_000))])
        self.check_raised(made, "ratio", None, 2000)

    def test_memory(self):
        """xz -6 has a window of 8 MiB."""
        made = package("window-1-x86_64-P1", [file("usr/share/window", b"x" * 50_000)], suffix="txz")
        self.check_raised(made, "memory", "1M", "64M")


class BadValues(NetTest):
    """One line that names the option or the value, status 2, no request."""

    def setUp(self):
        super().setUp()
        self.put_some("aaa")

    def check(self, option, value, *more, configure=False, program=None):
        with self.subTest(f"{option} {value}"):
            arguments = program or self.build_arguments(option, value, *more)
            if configure:
                arguments.remove("--no-configure")
            result = self.run_program(*arguments, program="lxc-plamo-fast" if program else "plamo-fast",
                                      env={"LXC_CACHE_PATH": self.cache, "DLSCHEME": "http", "MIRRORSRV": self.url[7:]})
            self.assert_failed(result, USAGE)
            # "--root-password", "the root password" and "root-password" all say which one it is.
            said = re.sub("[ -]", "", result.errors[0]).lower()
            self.assertTrue(option.replace("-", "") in said or value and value in result.errors[0], str(result))
            self.assertEqual(self.server.requests, [], str(result))
            return result

    def test_rates(self):
        for value in ("", "x", "-1", "1x", "1kk", "0x10", "1e6", " 1k", "1 k", "k", "99999999999999999999T", "0.1", "nan",
                      "inf"):
            self.check("--limit-rate", value)
            self.check("--min-rate", value)
        self.check("--min-rate", "0")
        self.check("--min-rate", "5G")

    def test_times(self):
        for value in ("", "0", "-1", "x", "1.5", "1s", "99999999999999999999"):
            self.check("--stall-timeout", value)
            self.check("--fetch-timeout", value)

    def test_limit(self):
        for value in ("", "ratio", "ratio=", "ratio=0", "ratio=x", "ratio=-1", "ratio=1.5", "nonsense=1", "=1"):
            self.check("--limit", value)

    def test_ca_file(self):
        for value in (f"{self.folder}/nothing", ""):
            self.check("--ca-file", value)

    def test_ca_file_that_is_none(self):
        """A file without a certificate: said, before anybody is asked, or as the reason why https fails."""
        path = os.path.join(self.folder, "junk.pem")
        with open(path, "w") as f:
            f.write("junk\n")
        self.url = self.url.replace("http:", "https:")
        result = self.build("--ca-file", path)
        self.assertEqual(len(result.errors), 1, str(result))
        self.assertIn(path, result.errors[0])
        self.assertIn(result.status, (USAGE, MIRROR), str(result))

    def test_timezone(self):
        for value in ("", "/etc/passwd", "../../etc/passwd", "Asia/../Tokyo", "a b", "Asia//Tokyo", "Asia/", "x\ny"):
            self.check("--timezone", value, configure=True)

    def test_network(self):
        for value in ("", "wifi", "DHCP", "none ", "dhcp,none"):
            self.check("--network", value, configure=True)

    def test_root_password(self):
        for value in ("", "secret", "password", "password:", "hash:", "hash:a:b", "hash:x\ny", "locked:x", "file:",
                      f"file:{self.folder}/nothing"):
            self.check("--root-password", value, configure=True)

    def test_password_is_not_told(self):
        result = self.check("--root-password", "sesame", configure=True)
        self.assertNotIn("sesame", result.err if result else "")

    def test_without_configuration(self):
        """What would have no effect is refused."""
        for option, value in (("--timezone", "Asia/Tokyo"), ("--network", "none"), ("--root-password", "locked")):
            result = self.build(option, value)
            self.assert_failed(result, USAGE)
            self.assertEqual(self.server.requests, [])

    def test_template(self):
        path = os.path.join(self.folder, "c1")
        os.mkdir(path)
        with open(f"{path}/config", "w"):
            pass
        for option, value in (("--timezone", "../x"), ("--network", "wifi"), ("--root-password", "x")):
            self.check(option, value,
                       program=[f"--path={path}", "--name=c1", f"--rootfs={self.root}", f"{option}={value}"])

    def test_both_versions_of_ip(self):
        """Two that cannot both hold: the last one counts, as with curl and wget, or it is refused."""
        result = self.build("-6", "-4")
        if result.status != DONE:
            self.assert_failed(result, USAGE)


class Choice(NetTest):
    """The lists, by options and by variables."""

    def setUp(self):
        super().setUp()
        for i, place in enumerate(("plamo/00_base", "plamo/01_minimum", "contrib/DB", "contrib/Emacs")):
            for name in ("one", "two"):
                label = place.split("/")[1].replace("_", "")
                self.put(noise_package(f"{name}.{label}", 1000 + i), place)

    def names(self, *more, env=None):
        result = self.assert_done(self.run_program("plan", "-a", ARCH, *more, env=env))
        return [line.split()[1].split("-")[0] for line in result.out.splitlines()]

    def given(self, *more):
        return self.names("-r", RELEASE, "-m", self.url, *more)

    def test_lists(self):
        self.assertEqual(self.given(), ["one.00base", "two.00base"])
        self.assertEqual(self.given("--categories", "01_minimum 00_base"),
                         ["one.01minimum", "two.01minimum", "one.00base", "two.00base"])
        self.assertEqual(self.given("--contrib", "Emacs DB"),
                         ["one.00base", "two.00base", "one.Emacs", "two.Emacs", "one.DB", "two.DB"])
        self.assertEqual(self.given("--ignore", "one.00base"), ["two.00base"])
        self.assertEqual(self.given("--add", "contrib/DB/two.DB"), ["one.00base", "two.00base", "two.DB"])
        self.assertEqual(self.given("--add", "contrib/DB/{two.DB,one.DB}"), ["one.00base", "two.00base", "two.DB", "one.DB"])
        self.assertEqual(self.given("--contrib", "{Emacs,DB}", "--add", "contrib/DB/one.DB"),
                         ["one.00base", "two.00base", "one.Emacs", "two.Emacs", "one.DB", "two.DB"])
        self.assertEqual(self.given("--categories", "", "--contrib", "DB", "--ignore", "", "--add", ""),
                         ["one.DB", "two.DB"])

    def environment(self, **more):
        return {"DLSCHEME": "http", "MIRRORSRV": self.url[7:], "MIRRORPATH": "/", "release": RELEASE,
                "LXC_CACHE_PATH": self.cache, **more}

    def test_lists_by_the_environment(self):
        chosen = self.environment(CATEGORIES="01_minimum", EXTRACTGRS="DB", IGNOREPKGS="one.01minimum one.DB",
                                  ADDONPKGS="contrib/Emacs/one.Emacs")
        self.assertEqual(self.names(env=chosen), ["two.01minimum", "two.DB", "one.Emacs"])
        braces = self.environment(ADDONPKGS="contrib/{Emacs/one.Emacs,DB/two.DB}")
        self.assertEqual(self.names(env=braces), ["one.00base", "two.00base", "one.Emacs", "two.DB"])
        options = ("--contrib", "", "--ignore", "x", "--add", "", "--categories", "00_base")
        self.assertEqual(self.names(*options, env=chosen), ["one.00base", "two.00base"], "options count more")
        self.assert_done(self.run_program("build", self.root, "--no-configure", "-a", ARCH, env=chosen))
        self.assertTrue(os.path.isdir(self.cache_folder("rootfs")))

    def defaults(self, text):
        """What /etc/default/lxc says until the test ends. The mounts are this test's own (alone.py)."""
        place = os.path.join(self.folder, "defaults")
        with open(place, "w") as stream:
            stream.write(text)
        subprocess.run(["mount", "--bind", place, "/etc/default/lxc"], check=True)
        self.addCleanup(subprocess.run, ["umount", "/etc/default/lxc"], check=True)

    @unittest.skipUnless(os.geteuid() == 0 and os.path.exists("/etc/default/lxc"), "only root may mount, over a file")
    def test_defaults_of_lxc(self):
        """lxc-plamo sources that file: the environment, and options, come before it."""
        self.defaults(f'# ours\nDLSCHEME=http\nMIRRORSRV="{self.url[7:]}"\nexport MIRRORPATH=/\nrelease={RELEASE}\n'
                      f"LXC_CACHE_PATH='{self.cache}'\nEXTRACTGRS=DB\n[ ! -f /nonexistent ] || . /nonexistent\n")
        self.assertEqual(self.names(env={}), ["one.00base", "two.00base", "one.DB", "two.DB"])
        self.assertEqual(self.names(env={"EXTRACTGRS": ""}), ["one.00base", "two.00base"])
        self.assertEqual(self.names("--contrib", "Emacs", env={}), ["one.00base", "two.00base", "one.Emacs", "two.Emacs"])
        self.assert_done(self.run_program("build", self.root, "--no-configure", "-a", ARCH, env={}))
        self.assertTrue(os.path.isdir(self.cache_folder("rootfs")))
        container = os.path.join(self.folder, "container")
        os.mkdir(container)
        self.assert_done(self.run_program("--path", container, "--name", "c", "-a", ARCH, program="lxc-plamo-fast", env={}))

    @unittest.skipUnless(os.geteuid() == 0 and os.path.exists("/etc/default/lxc"), "only root may mount, over a file")
    def test_defaults_that_take_a_shell(self):
        self.defaults("release=8.x\nMIRRORSRV=$(hostname)\n")
        result = self.run_program("plan", env={})
        self.assert_failed(result, USAGE, "/etc/default/lxc:2: MIRRORSRV is set there in a way that takes a shell to read")
        self.assertEqual(self.given(), ["one.00base", "two.00base"])
        self.assertEqual(self.names(env=self.environment()), ["one.00base", "two.00base"])

    def test_nobody_reads_on(self):
        """As with `plan | head`: not a word, and the status that SIGPIPE gives."""
        for options in ((), ("--json",), ("--tree",)):
            with self.subTest(options):
                reader, writer = os.pipe()
                os.close(reader)
                process = subprocess.Popen(self.command("plan", "-q", "-r", RELEASE, "-a", ARCH, "-m", self.url, *options),
                                           env=netkit.clean_environment(), stdout=writer, stderr=subprocess.PIPE)
                os.close(writer)
                said = process.communicate(timeout=60)[1].decode()
                self.assertEqual((process.returncode, said), (141, ""))

    def test_release_by_the_environment(self):
        os.rename(f"{self.mirror}/Plamo-8.x", f"{self.mirror}/Plamo-7.x")
        self.assertEqual(self.names(env=self.environment(release="7.x")), ["one.00base", "two.00base"])
        self.assertEqual(self.names("-r", "7.x", env=self.environment()), ["one.00base", "two.00base"])

    def test_mirrorpath(self):
        os.mkdir(f"{self.mirror}/deep")
        os.rename(f"{self.mirror}/Plamo-8.x", f"{self.mirror}/deep/Plamo-8.x")
        self.assertEqual(self.names(env=self.environment(MIRRORPATH="/deep")), ["one.00base", "two.00base"])

    def test_short_jobs(self):
        self.assert_done(self.build("-j", "2"))
        self.assertTrue(os.path.isfile(self.root + "/usr/share/one.00base"))

    def test_verbosity(self):
        self.assertEqual(self.assert_done(self.build("-q")).err, "")
        for option, more in (("--quiet", False), ("-v", True), ("--verbose", True)):
            shutil.rmtree(self.root)
            shutil.rmtree(self.cache)
            result = self.assert_done(self.build(option))
            self.assertEqual("one.00base-1-x86_64-P1" in result.err, more, str(result))


class Nearest(NetTest):
    """A folder that is not there: the error names the nearest ones that are."""

    def setUp(self):
        super().setUp()
        for place in ("plamo/00_base", "plamo/01_minimum", "plamo/10_xfce", "plamo/11_lxqt", "contrib/Emacs",
                      "contrib/DB"):
            self.put(noise_package("aaa", 1000), place)

    def check(self, options, wrong, *near, far=()):
        with self.subTest(wrong):
            result = self.assert_failed(self.build(*options), MIRROR, wrong, *near)
            for name in far:
                self.assertNotIn(name, result.errors[0])
            self.assertEqual(self.fetched(), [])

    def test_categories(self):
        self.check(("--categories", "00_bas"), '"00_bas"', "00_base", far=("lxqt", "Emacs"))
        self.check(("--categories", "00_base xfce"), '"xfce"', "10_xfce", far=("lxqt",))
        self.check(("--categories", "06_xfce"), '"06_xfce"', "10_xfce")
        self.check(("--categories", "00_Base"), '"00_Base"', "00_base")
        self.check(("--categories", "10_xcfe"), '"10_xcfe"', "10_xfce")

    def test_contrib(self):
        self.check(("--contrib", "emacs"), '"emacs"', "Emacs", far=("xfce",))
        self.check(("--contrib", "Db"), '"Db"', "DB")

    def test_addons(self):
        self.check(("--add", "contrib/emcas/mew"), '"emcas"', "Emacs")
        self.check(("--add", "plamo/00_bse/bash"), '"00_bse"', "00_base")

    def test_packages(self):
        """An add-on that its folder does not have, the others being there, too."""
        for name in ("morse", "qrq", "qrq2"):
            self.put(noise_package(name, 1000), "contrib/Hamradio")
        self.check(("--add", "contrib/Hamradio/morse contrib/Hamradio/qqr"), '"qqr"', "did you mean qrq", far=("morse",))
        self.check(("--add", "contrib/Hamradio/nosuchthing"), '"nosuchthing"', far=("did you mean",))
        self.check(("--add", "contrib/Hamradio/{morse,qqr}"), '"qqr"', "qrq")

    def test_nothing_near(self):
        self.check(("--categories", "qqqqqqqq"), '"qqqqqqqq"', far=("did you mean",))

    def test_page_above_is_not_shown(self):
        """403 for the parent: by the names that the release is known to have."""
        for place in ("plamo", "contrib"):
            self.server.add(f"{TREE}/{place}/", Fault(status=403, repeat=True))
        self.check(("--categories", "12_mat"), '"12_mat"', "12_mate")
        self.check(("--contrib", "Tetool"), '"Tetool"', "Texttool")

    def test_name_that_the_release_has(self):
        """Spelt right, but not on this mirror, whose page above is not shown: no other name is offered."""
        self.server.add(f"{TREE}/plamo/", Fault(status=403, repeat=True))
        self.check(("--categories", "12_mate"), "12_mate", far=("did you mean",))

    def test_environment(self):
        result = self.run_program("build", self.root, "-r", RELEASE, "-a", ARCH, "-m", self.url, "--cache", self.cache,
                                  env={"CATEGORIES": "00_bas"})
        self.assert_failed(result, MIRROR, '"00_bas"', "00_base")


class Rates(NetTest):
    def check(self, least_s, *more):
        result = self.assert_done(self.build(*more))
        self.assertGreater(result.seconds, least_s)
        self.assert_installed(*self.paths)

    def test_limit(self):
        """600 kB at 200 kB/s."""
        self.paths = [self.put(noise_package("zzz", 600_000))]
        self.check(2, "--limit-rate", "200k")

    def test_limit_of_all_together(self):
        """Six at once are not six times as fast."""
        self.paths = [self.put(noise_package(f"p{i}", 100_000, i)) for i in range(6)]
        self.check(2, "--limit-rate", "200k", "--connections", "6")
        self.assertGreater(self.server.peak, 1)

    def test_limit_starves_nobody(self):
        """What the limit allows is shared: when the first of four is there, each has a good part of its own."""
        names = [f"p{i}-1-x86_64-P1.tgz" for i in range(4)]
        for i in range(4):
            self.put(noise_package(f"p{i}", 400_000, i))
        for self.url in (self.url, f"file://{self.mirror}"):
            with self.subTest(self.url):
                process = self.start_build("--limit-rate", "800k", "--connections", "4")
                self.eventually(lambda: any(os.path.exists(self.partial(name)) for name in names), "one of the four")
                sizes = [max(self.size(self.partial(name)), self.size(self.partial(name + ".part"))) for name in names]
                self.assert_done(self.wait(process))
                self.assertGreater(min(sizes), 100_000, sizes)
                shutil.rmtree(self.root)
                shutil.rmtree(self.cache)

    def test_limit_below_the_least_rate(self):
        """Slow because we want it so is not slow: nothing is broken off."""
        self.paths = [self.put(noise_package("zzz", 100_000))]
        self.check(2, "--limit-rate", "30k", "--min-rate", "60k", "--stall-timeout", "1")
        self.assertEqual(len(self.server.asked("zzz-1-x86_64-P1.tgz")), 1)

    def test_no_limit(self):
        self.paths = [self.put(noise_package("zzz", 600_000))]
        self.assert_done(self.build("--limit-rate", "0"))


class Ip(NetTest):
    """A name that has addresses of both kinds, and a server on one of them."""

    def setUp(self):
        super().setUp()
        if not settings.private_mounts:
            self.skipTest("cannot mount")
        try:
            with socket.create_server(("::1", 0), family=socket.AF_INET6):
                pass
        except OSError:
            self.skipTest("no IPv6 on the loopback")
        hosts = os.path.join(self.folder, "hosts")
        with open(hosts, "w") as f:
            f.write("127.0.0.1 both.test\n::1 both.test\n")
        subprocess.run(["mount", "--bind", hosts, "/etc/hosts"], check=True)
        self.addCleanup(subprocess.run, ["umount", "/etc/hosts"], check=True)
        self.paths = self.put_some("aaa")
        self.six = FaultyServer(self.mirror, address="::1").start()
        self.addCleanup(self.six.stop)

    def check(self, server, options, works):
        for i, option in enumerate(options):
            with self.subTest(f"{server.url} {option}"):
                server.clear()
                self.url = f"http://both.test:{server.port}"
                result = self.build(*([option] if option else []))
                if works:
                    self.assert_done(result)
                    self.assert_installed(*self.paths)
                    shutil.rmtree(self.root)
                    shutil.rmtree(self.cache)
                else:
                    self.assert_failed(result, MIRROR, "both.test")
                    self.assertEqual(server.requests, [])

    def test_versions_of_ip(self):
        self.check(self.server, ("", "--ipv4", "-4"), True)
        self.check(self.six, ("", "--ipv6", "-6"), True)
        self.check(self.server, ("--ipv6", "-6"), False)
        self.check(self.six, ("--ipv4", "-4"), False)

    def test_address_in_the_url(self):
        self.url = self.six.url
        self.assert_done(self.build())
        self.assert_installed(*self.paths)


class Configured(NetTest):
    """What the options of a root do to it."""

    def setUp(self):
        super().setUp()
        self.put(package("base-1-x86_64-P1", [
            file("etc/HOSTNAME", "darkstar\n"), file("etc/passwd", "root:x:0:0::/root:/bin/sh\n"),
            file("etc/shadow", "root:$6$old$old:17000:0:::::\nbin:*:17000:0:::::\n", 0o640),
            folder("etc/sysconfig"), file("usr/share/zoneinfo/Europe/Berlin", "TZif"), file("usr/share/zoneinfo/Asia/Tokyo", "TZif")]))

    def configured(self, *more):
        shutil.rmtree(self.root, ignore_errors=True)
        arguments = [a for a in self.build_arguments(*more) if a != "--no-configure"]
        return self.assert_done(self.run_program(*arguments))

    def hash(self):
        [line] = [line for line in self.read(self.root, "etc/shadow").decode().splitlines() if line.startswith("root:")]
        return line.split(":")[1]

    def test_name(self):
        self.configured()
        self.assertEqual(self.read(self.root, "etc/HOSTNAME"), b"root\n", "ROOT's last component")
        self.configured("--name", "web1")
        self.assertEqual(self.read(self.root, "etc/HOSTNAME"), b"web1\n")
        shutil.rmtree(self.root)
        self.assert_done(self.build())
        self.assertEqual(self.read(self.root, "etc/HOSTNAME"), b"darkstar\n")

    def test_create(self):
        """In a path of its own, with a default configuration of its own."""
        defaults, lxcpath = os.path.join(self.folder, "defaults"), os.path.join(self.folder, "lxc")
        with open(defaults, "w") as f:
            f.write("lxc.net.0.type = empty\n")
        for config, path in (("--config", "--lxcpath"), ("-f", "-P")):
            self.assert_done(self.run_program("create", "web1", *self.build_arguments()[3:],
                                              config, defaults, path, lxcpath))
            with open(f"{lxcpath}/web1/config") as f:
                text = f.read()
            self.assertIn("\nlxc.net.0.type = empty\n", text)
            self.assertIn(f"lxc.rootfs.path = dir:{lxcpath}/web1/rootfs\n", text)
            self.assertEqual(self.read(lxcpath, "web1/rootfs/etc/HOSTNAME"), b"web1\n")
            shutil.rmtree(lxcpath)

    def test_trace(self):
        """Every stage of a cold build, at times that can be; and where none can be written no build begins."""
        self.assert_failed(self.build("--trace", f"{self.root}/none"), FAILED, f"{self.root}/none")
        path = f"{self.root}.trace"
        start = time.monotonic()
        self.configured("--trace", path)
        with open(path) as stream:
            spans = json.load(stream)
        self.assertLessEqual({"crawl", "fetch", "stage", "decode", "commit", "record", "publish", "clone", "configure"},
                             {span["name"] for span in spans})
        for span in spans:
            self.assertEqual(span["ph"], "X")
            self.assertGreaterEqual(span["ts"] / 1e6, start)
            self.assertLessEqual((span["ts"] + span["dur"]) / 1e6, time.monotonic())

    def test_timezone(self):
        self.configured()
        self.assertEqual(os.readlink(self.root + "/etc/localtime"), "../usr/share/zoneinfo/Asia/Tokyo")
        self.configured("--timezone", "Europe/Berlin")
        self.assertEqual(os.readlink(self.root + "/etc/localtime"), "../usr/share/zoneinfo/Europe/Berlin")

    def test_network(self):
        interface = self.root + "/etc/sysconfig/ifconfig.eth0"
        for more in ((), ("--network", "dhcp")):
            self.configured(*more)
            self.assertIn(b'ONBOOT="yes"', self.read(interface))
        self.configured("--network", "none")
        self.assertFalse(os.path.exists(interface) and b'ONBOOT="yes"' in self.read(interface))

    def test_root_password(self):
        self.configured()
        self.assertEqual(self.hash(), "$6$old$old")
        self.configured("--root-password", "keep")
        self.assertEqual(self.hash(), "$6$old$old")
        self.configured("--root-password", "locked")
        self.assertTrue(self.hash().startswith(("!", "*")), self.hash())
        self.configured("--root-password", "hash:$6$new$new")
        self.assertEqual(self.hash(), "$6$new$new")
        result = self.configured("--root-password", "password:sesame")
        self.assertTrue(is_hash_of(self.hash().encode(), b"sesame"))
        self.assertNotIn("sesame", result.err + result.out)
        with open(f"{self.folder}/password", "w") as f:
            f.write("open sesame\nsecond line\n")
        self.configured("--root-password", f"file:{self.folder}/password")
        self.assertTrue(is_hash_of(self.hash().encode(), b"open sesame"))
        self.assertEqual(stat.S_IMODE(os.stat(self.root + "/etc/shadow").st_mode), 0o640)

    def test_password_is_not_in_the_cached_root(self):
        """Each container has its own."""
        self.configured("--root-password", "password:sesame")
        self.assertIn(b"$6$old$old", self.read(self.cache_folder("rootfs"), "etc/shadow"))


class Template(NetTest):
    def setUp(self):
        super().setUp()
        self.paths = self.put_some("aaa")
        self.path = os.path.join(self.folder, "c1")

    def create(self, *arguments):
        shutil.rmtree(self.path, ignore_errors=True)
        os.mkdir(self.path)
        with open(f"{self.path}/config", "w"):
            pass
        return self.run_program(*arguments, program="lxc-plamo-fast", env={
            "LXC_CACHE_PATH": self.cache, "DLSCHEME": "http", "MIRRORSRV": self.url[7:], "MIRRORPATH": "/"})

    def test_short_of_the_template(self):
        self.assert_done(self.create("-p", self.path, "-n", "c1", "-r", RELEASE, "-a", ARCH))
        self.assertTrue(os.path.isfile(f"{self.path}/rootfs/usr/share/aaa"))

    @unittest.skipUnless(shutil.which("strace"), "needs strace")
    def test_flushed_before_it_is_a_container(self):
        """The root is on the disk before the configuration says that there is one."""
        os.mkdir(self.path)
        with open(f"{self.path}/config", "w"):
            pass
        calls = os.path.join(self.folder, "calls")
        command = self.command("-p", self.path, "-n", "c1", "-r", RELEASE, "-a", ARCH, "-m", self.url, "--cache", self.cache,
                               program="lxc-plamo-fast")
        subprocess.run(["strace", "-f", "-y", "-o", calls, "-e", "trace=syncfs,openat", *command], check=True,
                       env=netkit.clean_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with open(calls) as stream:
            lines = stream.read().splitlines()
        [written] = [i for i, line in enumerate(lines) if f"{self.path}/config" in line and "O_APPEND" in line]
        flushed = [i for i, line in enumerate(lines) if "syncfs(" in line and f"<{self.path}/rootfs" in line]
        self.assertTrue(flushed and flushed[-1] < written, f"flushed at {flushed}, written at {written}")

    def test_bindhome(self):
        """A mount for the user's home, and the user's lines."""
        user = pwd.getpwnam("daemon")
        self.put(package("base-1-x86_64-P1", [file("etc/passwd", "root:x:0:0::/root:/bin/sh\n"),
                                              file("etc/shadow", "root:*:17000:0:::::\n", 0o640)]))
        self.assert_done(self.create("-p", self.path, "-n", "c1", "-r", RELEASE, "-a", ARCH, "--bindhome=daemon"))
        self.assertRegex(self.read(self.path, "config").decode(), rf"(?m)^lxc\.mount\.entry = {user.pw_dir} .*bind")
        self.assertIn(f"daemon:x:{user.pw_uid}:".encode(), self.read(self.path, "rootfs/etc/passwd"))
        self.assertIn(b"\ndaemon:", self.read(self.path, "rootfs/etc/shadow"))

    def test_clean_of_the_template(self):
        for clean in ("-c", "--clean"):
            self.assert_done(self.create(f"--path={self.path}", "--name=c1", "-r", RELEASE, "-a", ARCH, clean))
            self.assertTrue(os.path.isfile(f"{self.path}/rootfs/usr/share/aaa"))
            self.assertFalse(os.path.exists(self.cache_folder("rootfs")))
            self.assert_done(self.create(f"--path={self.path}", "--name=c1", "-r", RELEASE, "-a", ARCH))
            self.server.clear()
            self.assert_done(self.create(clean, "-r", RELEASE, "-a", ARCH))
            self.assertFalse(os.path.exists(self.cache_folder("rootfs")) or os.path.exists(self.cache_folder("cache")))
            self.assertEqual(self.server.requests, [])


if __name__ == "__main__":
    netkit.main()
