#!/usr/bin/env python3
"""The plan is the same from every server's pages, and has the order in which the shell template's wget fetches."""

import gzip
import html
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.parse
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import netkit
from apache import STYLES, Apache
from faulty_server import Fault
from netkit import ARCH, MIRROR, RELEASE, TREE, NetTest
from nginx import Nginx
from pythonserver import PythonServer
from server import MIRROR_PATH

IGNORE = "grub kernel lilo linux_firmware microcode_ctl linux_firmwares cpufreqd cpufrequtils gpm ntp kmod kmscon".split()
SUFFIXES = (".tgz", ".txz", ".tzst")

# What a mirror's folders hold, beside packages: the same name in several places, folders named like packages, names that
# have to be percent-encoded, names that are dropped and names that nearly are.
FILES = """
plamo/00_base/aaa_base-8.0-noarch-B1.txz
plamo/00_base/Zeta-1.0-x86_64-B1.txz
plamo/00_base/bash-5.2-x86_64-B2.tzst
plamo/00_base/libstdc++-12.2-x86_64-B1.tgz
plamo/00_base/name with space-1-x86_64-B1.tgz
plamo/00_base/amp&ersand-1-x86_64-B1.tgz
plamo/00_base/a~b,c;d=e-1-x86_64-B1.txz
plamo/00_base/hash#tag-1-x86_64-B1.txz
plamo/00_base/quote'd-1-x86_64-B1.txz
plamo/00_base/kernel-6.1-x86_64-B1.txz
plamo/00_base/kernel-headers-6.1-x86_64-B1.txz
plamo/00_base/kernel_headers-6.1-x86_64-B1.txz
plamo/00_base/grub-2-x86_64-B1.txz
plamo/00_base/grub2-2-x86_64-B1.txz
plamo/00_base/ntp-4-x86_64-B1.txz
plamo/00_base/two-1.0-x86_64-B1.txz
plamo/00_base/two-2.0-x86_64-B1.txz
plamo/00_base/short.txz
plamo/00_base/a_very_long_package_name_that_index_pages_like_to_cut_off_in_the_middle-1.0-x86_64-B1.txz
plamo/00_base/bzip-1-x86_64-B1.tbz
plamo/00_base/disk1
plamo/00_base/install.list
plamo/00_base/bash.txt
plamo/00_base/tagfile
plamo/00_base/x.txz.sig
plamo/00_base/devel.txz/gcc-12-x86_64-B1.txz
plamo/00_base/devel.txz/kernel-source-6-x86_64-B1.txz
plamo/00_base/devel.txz/aaa_base-8.0-noarch-B1.txz
plamo/00_base/old/ancient-1-x86_64-B1.txz
plamo/00_base/alpha/inside-1-x86_64-B1.txz
plamo/00_base/alpha/deeper/too_deep-1-x86_64-B1.txz
plamo/00_base/alpha/old/too_deep_too-1-x86_64-B1.txz
plamo/00_base/older/not_old-1-x86_64-B1.txz
plamo/00_base/empty/README
plamo/02_devel/make-4-x86_64-B1.txz
plamo/02_devel/bash-5.2-x86_64-B2.tzst
plamo/02_devel/sub+folder/cmake-3-x86_64-B1.txz
contrib/DB/sqlite-3-x86_64-B1.txz
contrib/DB/sqlite-3-x86_64-B1.txt
contrib/DB/sqlite_tools-3-x86_64-B1.txz
contrib/DB/gpm-1-x86_64-B1.txz
contrib/DB/sub/sqlite-doc-3-noarch-B1.txz
contrib/DB/old/sqlite-2-x86_64-B1.txz
contrib/Emacs/emacs-28-x86_64-B1.txz
contrib/Emacs/kernel-mode-1-x86_64-B1.txz
""".strip().split("\n")

CATEGORIES, CONTRIB, ADDONS = ["00_base", "02_devel"], ["Emacs"], ["contrib/DB/sqlite", "contrib/DB/gpm"]

# What has to come out, whatever the order.
DROPPED = ["kernel-6.1", "kernel-headers", "grub-2", "ntp-4", "bzip-1", "disk1", "install.list", "bash.txt", "tagfile", ".sig",
           "kernel-source", "ancient", "too_deep", "README", "sqlite_tools", "sqlite-2", "kernel-mode"]


class ListingTest(NetTest):
    def setUp(self):
        super().setUp()
        for path in FILES:
            whole = f"{self.mirror}{TREE}/{path}"
            os.makedirs(os.path.dirname(whole), exist_ok=True)
            with open(whole, "w") as f:
                f.write(path)

    def plan(self, url, *more):
        result = self.run_program("plan", "--json", "-r", RELEASE, "-a", ARCH, "--mirror", url, "--categories",
                                  " ".join(CATEGORIES), "--contrib", " ".join(CONTRIB), "--add", " ".join(ADDONS), *more)
        self.assert_done(result)
        plan = json.loads(result.out)
        self.assertEqual((plan["release"], plan["arch"], plan["mirror"]), (RELEASE, ARCH, url))
        return plan["files"]


def below_tree(url):
    """The decoded path below Plamo-RELEASE/ARCH/."""
    return urllib.parse.unquote(urllib.parse.urlsplit(url).path).split(f"{TREE}/", 1)[1]


class Servers(ListingTest):
    def wget(self, url, folder, accept):
        """One of the shell template's runs: the paths that were fetched, in order."""
        kept = os.path.join(self.folder, "wget")
        os.makedirs(kept, exist_ok=True)
        wgetrc = os.path.join(self.folder, "wgetrc")
        with open(wgetrc, "w"):
            pass
        path = urllib.parse.urlsplit(url).path + f"{TREE}/{folder}"
        ran = subprocess.run(["wget", "-nv", "-e", "robots=off", "-r", "-l", "2", "-nd", *accept, "-I", path, "-X", f"{path}/old",
                              f"{url}{TREE}/{folder}"], cwd=kept, env=netkit.clean_environment(WGETRC=wgetrc),
                             stdin=subprocess.DEVNULL, capture_output=True)
        log = ran.stderr.decode(errors="surrogateescape")
        self.assertEqual(ran.returncode, 0, log)
        urls = re.findall(r"URL:(\S+) \[", log)
        return [below_tree(u) for u in urls if not u.endswith("/") and "?" not in u]

    def wget_all(self, url):
        """All of its runs. A name that comes again is the same file: its first place counts."""
        rejected = ",".join(f"{name}-*" for name in IGNORE)
        packages = ["-A", ",".join(SUFFIXES), "-R", rejected]
        found = []
        for category in CATEGORIES:
            found += self.wget(url, f"plamo/{category}", packages)
        for group in CONTRIB:
            found += self.wget(url, f"contrib/{group}", packages)
        for addon in ADDONS:
            where, name = os.path.split(addon)
            found += self.wget(url, where, ["-A", f"{name}-*"])
        first = {}
        for path in found:
            first.setdefault(os.path.basename(path), path)
        return list(first.values())

    def check(self, server):
        if not shutil.which("wget"):
            self.skipTest("needs wget")
        if not shutil.which(server.program, path="/usr/sbin:" + os.environ["PATH"]):
            self.skipTest(f"needs {server.program}")
        with server:
            files = self.plan(server.url)
            asked = [urllib.parse.unquote(p) for p in server.requests()]
            ours = [below_tree(f["url"]) for f in files]
            self.assertEqual(ours, self.wget_all(server.url))
        self.check_plan(files)
        # HEAD, for the sizes, is in some servers' logs.
        if server.program == "python3":
            self.assertEqual([p for p in asked if not p.endswith(("/", "/CHECKSUMS.md5"))], [], "a package was downloaded")
        return files

    def check_plan(self, files):
        paths = [below_tree(f["url"]) for f in files]
        for path, entry in zip(paths, files):
            self.assertEqual(entry["file"], os.path.basename(path))
            self.assertIn(path, FILES)
            self.assertEqual(entry["size"], len(path.encode()))
            self.assertEqual(entry["package"], path.endswith(SUFFIXES))
        dropped = [p for p in FILES if any(d in p for d in DROPPED)]
        wanted = {os.path.basename(p) for p in FILES} - {os.path.basename(p) for p in dropped}
        # contrib/DB is only there for its add-ons.
        self.assertEqual({os.path.basename(p) for p in paths}, wanted)
        self.assertEqual(len(paths), len(set(os.path.basename(p) for p in paths)), "a name twice")

    def test_nginx(self):
        self.check(Nginx(self.mirror))

    def test_python(self):
        self.check(PythonServer(self.mirror))

    def test_names_that_wget_cannot_fetch(self):
        """Not in ASCII, or with a percent sign of their own: from every server the same names."""
        names = ["日本語-1-x86_64-B1.txz", "per%cent%2f-1-x86_64-B1.tgz", "%41-1-x86_64-B1.tgz", "new\u00a0space-1-x86_64-B1.tgz"]
        shutil.rmtree(self.mirror)
        os.makedirs(self.mirror + netkit.BASE)
        for name in names:
            with open(f"{self.mirror}{netkit.BASE}/{name}", "w") as f:
                f.write(name)
        for server in (PythonServer(self.mirror), Nginx(self.mirror), *(Apache(self.mirror, style) for style in STYLES)):
            if not shutil.which(server.program, path="/usr/sbin:" + os.environ["PATH"]):
                continue
            with self.subTest(server.program, style=getattr(server, "style", "")), server:
                files = self.plan(server.url, "--categories", "00_base", "--contrib", "", "--add", "")
                self.assertEqual(sorted(f["file"] for f in files), sorted(names))
                self.assertEqual({f["file"]: f["size"] for f in files}, {n: len(n.encode()) for n in names})

    def test_same_from_all(self):
        """Where pages list in the same order the plans are the same, but for the place."""
        with Nginx(self.mirror) as server:
            nginx = self.plan(server.url)
        python = self.plan(self.url)
        self.assertEqual({below_tree(f["url"]) for f in nginx}, {below_tree(f["url"]) for f in python})


for _style in STYLES:
    def _test(self, style=_style):
        self.check(Apache(self.mirror, style))
    setattr(Servers, f"test_apache_{_style}", _test)


class Pages(ListingTest):
    """What servers may answer, from the scripted one."""

    def names(self, files):
        return [f["file"] for f in files]

    def page(self, *links, path="plamo/00_base", base=""):
        rows = "".join(f'<li><a href="{html.escape(link)}">x</a></li>' for link in links)
        self.server.contents[f"{TREE}/{path}/"] = f"<html><head>{base}</head><ul>{rows}</ul></html>".encode()

    def plan_base(self, *more):
        return self.plan(self.url, "--contrib", "", "--add", "", "--categories", "00_base", *more)

    def test_compressed_unasked(self):
        """Some servers send a page gzipped to whoever did not ask for it, with a header that says so, or without."""
        path = f"{TREE}/plamo/00_base/"
        plain = self.plan_base()
        self.assertEqual([r for r in self.server.asked() if r.path == path][-1].headers.get("accept-encoding"), "identity")
        with urllib.request.urlopen(self.url + path) as stream:
            packed = gzip.compress(stream.read())
        for headers in ({"Content-Encoding": "gzip"}, {"Content-Encoding": "x-gzip"}, {}):
            with self.subTest(headers):
                self.server.clear()
                self.server.add(path, Fault(content=packed, headers=headers, repeat=True))
                self.assertEqual(self.plan_base(), plain)
        for content, headers, words in ((packed[:-20], {}, "gzip"), (b"x", {"Content-Encoding": "sdch"}, "sdch")):
            self.server.clear()
            self.server.add(path, Fault(content=content, headers=headers, repeat=True))
            result = self.run_program("plan", "-r", RELEASE, "-a", ARCH, "--mirror", self.url, "--categories", "00_base",
                                      "--contrib", "", "--add", "")
            self.assertEqual(result.status, MIRROR, str(result))
            self.assertIn(words, result.errors[0])

    def test_plan_downloads_nothing(self):
        files = self.plan(self.url)
        self.assertEqual(self.fetched(), [])
        self.assertEqual(len(self.server.asked(method="HEAD")), len(files))
        pages = [r.path for r in self.server.asked()]
        self.assertEqual(len([p for p in pages if "/alpha/" in p]), 1, "too deep")
        self.assertEqual([p for p in pages if p.endswith("00_base/old/")], [])
        self.assertEqual(os.listdir(self.folder), ["mirror"])

    def test_plain_output(self):
        result = self.assert_done(self.run_program("plan", "-r", RELEASE, "-a", ARCH, "-m", self.url))
        lines = result.out.splitlines()
        first = next(line.split() for line in lines if "bash-5.2" in line)
        self.assertEqual(first, [str(len("plamo/00_base/bash-5.2-x86_64-B2.tzst")), "bash-5.2-x86_64-B2.tzst",
                                 f"{self.url}{TREE}/plamo/00_base/bash-5.2-x86_64-B2.tzst"])

    def test_order_of_the_page(self):
        """Not by name: as the page has it; own packages before those of sub-folders."""
        self.page("alpha/", "short.txz", "bash-5.2-x86_64-B2.tzst", "devel.txz/", "aaa_base-8.0-noarch-B1.txz")
        self.assertEqual(self.names(self.plan_base()),
                         ["short.txz", "bash-5.2-x86_64-B2.tzst", "aaa_base-8.0-noarch-B1.txz", "inside-1-x86_64-B1.txz",
                          "gcc-12-x86_64-B1.txz"])

    def test_sub_folders_that_answer_out_of_order(self):
        """The plan is fixed by the pages, whatever comes first."""
        usual = self.plan_base()
        self.server.random_delay = (0, 0.3)
        for _ in range(3):
            self.assertEqual(self.plan_base(), usual)

    def test_kinds_of_links(self):
        """Relative, absolute path, absolute URL; encoded and not."""
        here = f"{TREE}/plamo/00_base"
        self.page("short.txz", "./Zeta-1.0-x86_64-B1.txz", f"{here}/bash-5.2-x86_64-B2.tzst",
                  f"{self.url}{here}/aaa_base-8.0-noarch-B1.txz", "libstdc%2B%2B-12.2-x86_64-B1.tgz",
                  "name%20with%20space-1-x86_64-B1.tgz", f"//127.0.0.1:{self.server.port}{here}/two-1.0-x86_64-B1.txz")
        self.assertEqual(self.names(self.plan_base()),
                         ["short.txz", "Zeta-1.0-x86_64-B1.txz", "bash-5.2-x86_64-B2.tzst", "aaa_base-8.0-noarch-B1.txz",
                          "libstdc++-12.2-x86_64-B1.tgz", "name with space-1-x86_64-B1.tgz", "two-1.0-x86_64-B1.txz"])

    def test_links_that_are_dropped(self):
        """They lead elsewhere, or are no files: parents, sorting, other hosts and schemes, slashes in disguise."""
        self.page("short.txz", "../", "../02_devel/make-4-x86_64-B1.txz", "?C=N;O=D", "?C=M&O=A", "/", "#top", "", ".", "./", "..",
                  "..%2f..%2fetc%2fx-1-x86_64-B1.txz", "%2e%2e/x-1-x86_64-B1.txz", "a%2fb-1-x86_64-B1.txz",
                  "javascript:alert(1)//x-1-x86_64-B1.txz", "mailto:x-1-x86_64-B1.txz", "file:///etc/x-1-x86_64-B1.txz",
                  "http://example.invalid/x-1-x86_64-B1.txz", f"http://127.0.0.1:1{TREE}/plamo/00_base/y-1-x86_64-B1.txz",
                  "ftp://127.0.0.1/x-1-x86_64-B1.txz", "x%00-1-x86_64-B1.txz", "x%0a-1-x86_64-B1.txz", "x%1b[31m-1-x86_64-B1.txz",
                  "x-1-x86_64-B1.txz?download=1", "a" * 300 + ".txz", "alpha/inside-1-x86_64-B1.txz")
        self.assertEqual(self.names(self.plan_base()), ["short.txz"])

    def test_base_element(self):
        self.page("short.txz", base=f'<base href="{self.url}{TREE}/plamo/00_base/">')
        self.assertEqual(self.names(self.plan_base()), ["short.txz"])
        self.page("short.txz", base='<base href="http://example.invalid/">')
        result = self.run_program("plan", "-r", RELEASE, "-a", ARCH, "-m", self.url)
        self.assert_failed(result, MIRROR)

    def test_folder_and_package_of_one_name(self):
        """Only the slash tells."""
        self.page("devel.txz", "devel.txz/", "devel.txz/")
        self.server.contents[f"{TREE}/plamo/00_base/devel.txz"] = b"package"
        self.assertEqual(self.names(self.plan_base()),
                         ["devel.txz", "aaa_base-8.0-noarch-B1.txz", "gcc-12-x86_64-B1.txz"])

    def test_redirected_mirror(self):
        """The mirror's folder is elsewhere: the page's real place is what its links start from."""
        os.makedirs(f"{self.mirror}/real")
        os.rename(self.mirror + TREE.rsplit("/", 1)[0], f"{self.mirror}/real" + TREE.rsplit("/", 1)[0])
        self.server.add(f"{TREE}/plamo/00_base/", Fault(redirect=f"/real{TREE}/plamo/00_base"))
        files = self.plan_base()
        self.assertIn("short.txz", self.names(files))
        self.assertTrue(all(f["url"].startswith(f"{self.url}/real{TREE}/") for f in files))

    def test_slash_at_the_end_of_the_mirror(self):
        plain = self.plan_base()
        with_slash = self.run_program("plan", "--json", "-r", RELEASE, "-a", ARCH, "--mirror", self.url + "//")
        self.assertEqual(json.loads(with_slash.out)["files"], plain)

    def test_missing_sub_folder(self):
        """wget fails when any page fails, and so does the plan."""
        self.server.add(f"{TREE}/plamo/00_base/alpha/", Fault(status=404, repeat=True))
        result = self.run_program("plan", "-r", RELEASE, "-a", ARCH, "-m", self.url)
        self.assert_failed(result, MIRROR, "/alpha/", "404")
        self.assertEqual(result.out, "")

    def test_loop_of_folders(self):
        """Pages that list themselves: two levels and an end."""
        for where in ("plamo/00_base", "plamo/00_base/alpha", "plamo/00_base/alpha/alpha"):
            self.page("alpha/", "./", "short.txz", path=where)
        self.assertEqual(self.names(self.plan_base()), ["short.txz"])
        self.assertLess(len(self.server.asked()), 5)

    def test_size_that_is_not_told(self):
        """No Content-Length on HEAD: null in JSON, "-" in the text."""
        self.page("short.txz")
        self.server.head_has_length = False
        [entry] = self.plan_base()
        self.assertIsNone(entry["size"])

    def test_endless_page(self):
        """A page without end is left at a limit."""
        self.server.contents[f"{TREE}/plamo/00_base/"] = b"<a href=\"short.txz\">x</a>\n" + b" " * (40 << 20)
        result = self.run_program("plan", "-r", RELEASE, "-a", ARCH, "-m", self.url)
        self.assert_failed(result, MIRROR, "00_base/")

    def test_a_million_links(self):
        rows = b"".join(b'<a href="p%d-1-x86_64-B1.txz">x</a>\n' % i for i in range(300_000))
        self.server.contents[f"{TREE}/plamo/00_base/"] = rows
        result = self.run_program("plan", "-r", RELEASE, "-a", ARCH, "-m", self.url)
        self.assert_failed(result, MIRROR, "00_base/")

    def test_deep_html(self):
        """Nesting that would end a recursive reader."""
        self.server.contents[f"{TREE}/plamo/00_base/"] = b"<b>" * 60_000 + b'<a href="short.txz">x</a>'
        result = self.run_program("plan", "-r", RELEASE, "-a", ARCH, "-m", self.url, timeout_s=15)
        self.assertIn(result.status, (0, MIRROR), str(result))


if __name__ == "__main__":
    netkit.main()
