#!/usr/bin/env python3
"""From each server the plan has the files that the shell template's wget fetches, in its order."""

import ftplib
import html.parser
import json
import os
import re
import shutil
import sys
import types
import urllib.parse
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden"))

import apache
import article_5x
import caddy
import lighttpd
import netkit
import nginx
import proftpd
import pureftpd
import pythonserver
import vsftpd
from faulty_server import Fault
from mirror import everything, mirror_folder
from netkit import ARCH, RELEASE, TREE, NetTest, settings
from server import MIRROR_PATH, MOVED_PATH
from template import ORACLE, download, mirror_variables

CATEGORY = f"{MIRROR_PATH}{TREE}/plamo/00_base"
PACKAGES = (".tgz", ".txz", ".tzst")
END = "-1-x86_64-B1.txz"
ONE_CATEGORY = {"CATEGORIES": "00_base", "EXTRACTGRS": "", "ADDONPKGS": ""}

# Stems of packages that every server serves and wget fetches. Upper and lower case, so that kinds of sorting show.
STEMS = ["lib+plus", "amp&er", "name with space", "two  spaces", "a~b", "hash#tag", "semi;colon", "quote'd", 'dquote"x',
         "less<than>", "quest?ion", "col:on", "eq=al", "at@x", "br[x]", "star*", "com,ma", "dollar$x", "(paren)", "{b}",
         "-dash", "!bang", "a -> b", "a|b", "`x`", "^c", "_under", "1st", "Upper", "Zed", "zlast", "aab", "AAB"]
OTHERS = ["123-4-5-6.txz", "007.txz", "42", "tagfile", "disk1", "x.txz.sig", "2017/inside-2017" + END, "Zeta/z" + END,
          "devel.txz/gcc" + END, "devel.txz/aab" + END, "beta+x y/b" + END, "alpha/inside" + END, "old/ancient" + END,
          "alpha/deeper/too_deep" + END, "alpha/old/too_deep_too" + END, "../02_devel/out" + END]
DOT_FILES = [".hidden" + END, ".folder/inside" + END]
EUC_TEXT = "説明.txt".encode("euc-jp")
EUC_PACKAGE = "日本語".encode("euc-jp") + END.encode()
TITLES = "<title>プラモ</title><h1>日本語の題 &amp; <a href='http://127.0.0.1:1/x" + END + "'>他</a></h1>"


class PlanTest(NetTest):
    """`place` makes files below the test's mirror; a server serves all of it below MIRROR_PATH."""

    def category(self):
        return os.path.join(self.mirror, TREE.lstrip("/"), "plamo", "00_base")

    def place(self, *names):
        for name in names:
            path = os.path.join(os.fsencode(self.category()), os.fsencode(name))
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as stream:
                stream.write(b"x" * len(name))

    def shell_order(self, server, variables, release=RELEASE):
        """The files that lxc-plamo has fetched, oldest ctime first: the order it installs in."""
        if not os.path.exists(ORACLE) or not shutil.which("wget"):
            self.skipTest(f"needs {ORACLE} and wget")
        where = os.path.join(self.folder, f"shell-{len(os.listdir(self.folder))}")
        got = download(where, f"{where}-cache", release, server, variables)
        self.assertTrue(os.path.isdir(got.cached_packages), got.log)
        names = os.listdir(os.fsencode(got.cached_packages))
        # What wget fetches again it calls NAME.1, which nothing installs.
        names = [n for n in names if not (re.search(rb"\.\d+$", n) and n.rsplit(b".", 1)[0] in names)]
        names.sort(key=lambda n: os.lstat(os.path.join(os.fsencode(got.cached_packages), n)).st_ctime_ns)
        return [os.fsdecode(name) for name in names]

    def run_plan(self, server, variables, *more):
        env = {"release": RELEASE, **mirror_variables(server), **variables}
        return self.assert_done(self.run_program("plan", "--arch", ARCH, *more, env=env))

    def plan_order(self, server, variables):
        return [entry["file"] for entry in json.loads(self.run_plan(server, variables, "--json").out)["files"]]

    def plan_order_in_bytes(self, server, variables):
        """For names that JSON cannot hold."""
        lines = self.run_plan(server, variables).out.splitlines()
        return [re.fullmatch(r" *\S+  (.*)  \w+://\S+", line)[1] for line in lines]

    def assert_same_order(self, server, variables, least):
        shell = self.shell_order(server, variables)
        self.assertGreaterEqual(len(shell), least, "the shell template fetched too little to compare")
        self.assertEqual(self.plan_order(server, variables), shell)
        return shell


class Variables(PlanTest):
    """What each release takes by default, and that set but empty is none, not the default."""

    def setUp(self):
        super().setUp()
        self.nginx = self.enterContext(nginx.Nginx(mirror_folder(settings.mirror)))

    def same(self, release, variables):
        # Debian's template has other defaults for 5.x than a template of its time.
        of_time = {"IGNOREPKGS": article_5x.IGNOREPKGS, **variables} if release == "5.x" else variables
        shell = self.shell_order(self.nginx, of_time, release)
        self.assertGreaterEqual(len(shell), 13, "the shell template fetched too little to compare")
        self.assertEqual(self.plan_order(self.nginx, {"release": release, **variables}), shell)
        return shell

    def test_defaults(self):
        """Facts 2. The default add-ons come last of all."""
        for release in ("5.x", "6.x", "7.x", "8.x"):
            with self.subTest(release):
                order = self.same(release, {})
                taken = {name.rsplit(".", 1)[0].split("-")[0] for name in order}
                for name, old_only in (("aaa_base", False), ("plain", True), ("morse", True), ("qrq", True)):
                    self.assertEqual(name in taken, release < "7" or not old_only, name)
                self.assertEqual("kmod" in taken, release == "5.x")
                self.assertFalse(taken & {"kernel", "grub", "ntp", "qrqtools", "unwanted", "aardvark"})
                if release < "7":
                    last = [name.rsplit(".", 1)[0] for name in order if not name.endswith(".txt")][-3:]
                    self.assertEqual(last, ["morse-2.5-x86_64-B1", "morse-keys-1.0-noarch-B1", "qrq-0.3-x86_64-B1"])

    def test_empty(self):
        for release, variables in (("5.x", {"ADDONPKGS": ""}), ("6.x", {"ADDONPKGS": "", "EXTRACTGRS": ""}),
                                   ("5.x", {"IGNOREPKGS": ""}), ("6.x", {"IGNOREPKGS": ""}),
                                   ("7.x", {"IGNOREPKGS": ""})):
            with self.subTest(release=release, **variables):
                self.same(release, variables)


class ServerTest:
    """What holds for every server; the class of a server adds itself and NetTest."""

    make = None             # mirror → server
    dot_files = True        # wget can fetch them where it sees them
    euc_package = EUC_PACKAGE

    def setUp(self):
        super().setUp()
        why_not = self.serve().why_not()
        if why_not:
            self.skipTest(why_not)

    def serve(self, mirror=None, **more):
        return type(self).make(mirror or self.mirror, **more)

    def test_test_mirror(self):
        with self.serve(mirror_folder(settings.mirror)) as server:
            self.assert_same_order(server, everything(), 90)

    def test_names(self):
        """Names that pages and listings have to encode, quote or cut, folders that look like something else."""
        self.place(*(stem + END for stem in STEMS), *OTHERS, EUC_TEXT)
        os.mkdir(f"{self.category()}/empty")
        os.symlink("lib+plus" + END, f"{self.category()}/link{END}")
        os.symlink("alpha", f"{self.category()}/folderlink")
        os.symlink("../02_devel", f"{self.category()}/outside")
        with self.serve() as server:
            shell = self.assert_same_order(server, ONE_CATEGORY, len(STEMS) + 6)
            self.assertEqual(self.order_of_pages(server), shell, "this test reads the pages in another order than wget")

    def test_dot_files(self):
        """Hidden ones are taken from the servers that show them, which FTP servers do when wget asks: `LIST -a`."""
        if not self.dot_files:
            self.skipTest("this server lists them on demand and gives them to nobody: wget goes on without them")
        self.place("plain" + END, *DOT_FILES)
        with self.serve() as server:
            self.assert_same_order(server, ONE_CATEGORY, 1)

    def test_names_that_wget_cannot_fetch(self):
        """wget decodes names with a percent sign once too often, recodes those not in ASCII by the page's charset, and
        loses the blank before a name in an FTP listing. There the order of the server's own pages counts: the folder's
        files first, then those of each sub-folder."""
        self.place("%41" + END, "per%cent" + END, "back\\slash" + END, "日本語" + END, "plain" + END, "Upper" + END,
                   "sub%20folder/inside" + END, "日本/inside2" + END, " leading" + END)
        with self.serve() as server:
            self.assertEqual(self.plan_order(server, ONE_CATEGORY), self.order_of_pages(server))

    def test_names_in_other_encodings(self):
        """Bytes that are no UTF-8 stay what they are; the plan as JSON cannot hold them."""
        self.place("plain" + END, EUC_PACKAGE, "zlast" + END)
        with self.serve() as server:
            found = self.plan_order_in_bytes(server, ONE_CATEGORY)
            self.assertEqual([os.fsencode(name) for name in found],
                             [os.fsencode(name) for name in self.order_of_pages(server)])
            self.assertIn(os.fsdecode(self.euc_package), found)

    def test_two_folders_at_once(self):
        """All of one category comes before the next, whatever the names."""
        self.place("../01_minimum/aaa" + END, "../01_minimum/sub/bbb" + END, "zzz" + END, "sub/yyy" + END,
                   "sub/aaa" + END)
        with self.serve() as server:
            self.assertEqual(self.plan_order(server, {**ONE_CATEGORY, "CATEGORIES": "00_base 01_minimum"}),
                             ["zzz" + END, "aaa" + END, "yyy" + END, "bbb" + END])

    def order_of_pages(self, server):
        """The order that facts about wget give, from this test's own reading of the server's pages."""
        found = []
        files, folders = self.read_folder(server, "")
        for part in (files, *(self.read_folder(server, f"{folder}/")[0] for folder in folders if folder != "old")):
            found += [name for name in part if name.endswith(PACKAGES) and name not in found]
        return found


class _Links(html.parser.HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.hrefs = []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        href = dict(attributes).get("href")
        if tag == "a" and href and "?" not in href:
            self.hrefs.append(href)


class HttpTest(ServerTest):
    redirects = True

    def read_folder(self, server, below):
        url = f"http://{server.address}{CATEGORY}/" + urllib.parse.quote(below, errors="surrogateescape")
        with urllib.request.urlopen(url) as answer:
            links = _Links(answer.read().decode("ascii", "surrogateescape")).hrefs
        # Below the folder, and no deeper than one name.
        paths = [urllib.parse.urljoin(url, link).removeprefix(url) for link in links]
        names = [urllib.parse.unquote(p, errors="surrogateescape") for p in paths if re.fullmatch("[^/]+/?", p)]
        return [n for n in names if not n.endswith("/")], [n[:-1] for n in names if n.endswith("/")]

    def test_folder_link_named_like_a_package(self):
        """A page shows it as what it leads to."""
        self.place("plain" + END, "alpha/inside" + END)
        os.symlink("alpha", f"{self.category()}/folder{END}")
        with self.serve() as server:
            self.assert_same_order(server, ONE_CATEGORY, 2)

    def test_redirected_mirror(self):
        """The mirror's folder has moved. wget does not follow out of the folder that -I names, so the template gets
        nothing at all; the plan is that of the place where the pages are."""
        if not self.redirects:
            self.skipTest("this server redirects nothing but folders without a slash")
        self.place("plain" + END, "Upper" + END, "lib+plus" + END, "alpha/inside" + END)
        moved = {**ONE_CATEGORY, "MIRRORPATH": MOVED_PATH}
        with self.serve() as server:
            self.assertEqual(self.shell_order(server, moved), [])
            self.assertEqual(self.plan_order(server, moved), self.plan_order(server, ONE_CATEGORY))
            files = json.loads(self.run_plan(server, moved, "--json").out)["files"]
        for entry in files:
            self.assertTrue(urllib.parse.urlsplit(entry["url"]).path.startswith(CATEGORY), entry)


class FtpTest(ServerTest):
    line = re.compile(r"([-dl])\S{9} +\d+ +\S+ +\S+ +\d+ \w{3} [ \d]\d [ \d:]{5} (.*)")

    def read_folder(self, server, below):
        """By LIST, as wget: MLSD of the same server has another order."""
        lines = []
        with ftplib.FTP(encoding="utf-8") as ftp:
            ftp.encoding = "latin-1"
            ftp.connect(server.host, server.port, 10)
            ftp.login()
            ftp.cwd(os.fsencode(f"{CATEGORY}/{below}").decode("latin-1"))
            ftp.retrlines("LIST -a", lines.append)
        found = [self.line.fullmatch(os.fsdecode(line.encode("latin-1"))).groups() for line in lines]
        return ([re.sub(" -> .*", "", name) if kind == "l" else name for kind, name in found if kind != "d"],
                [name for kind, name in found if kind == "d" and name not in (".", "..")])

    def test_nothing_is_fetched(self):
        self.place("plain" + END, "alpha/inside" + END)
        with self.serve() as server:
            self.plan_order(server, ONE_CATEGORY)
            self.assertEqual(server.requests(), [])
            self.assertEqual([v for v in server.verbs() if v in ("PORT", "EPRT", "STOR")], [])


class TitleTest:
    """For servers that can put a text of ours above their lists."""

    def test_titles(self):
        self.place("plain" + END, "lib+plus" + END, "amp&er" + END, "alpha/inside" + END)
        for charset in ("EUC-JP", "UTF-8", "Shift_JIS"):
            with self.subTest(charset), self.serve(header=TITLES.encode(charset), charset=charset) as server:
                self.assert_same_order(server, ONE_CATEGORY, 4)


class Nginx(HttpTest, PlanTest):
    make = nginx.Nginx


class ApachePlain(TitleTest, HttpTest, PlanTest):
    def make(mirror, **more):
        return apache.Apache(mirror, "plain", **more)


class ApacheFancy(TitleTest, HttpTest, PlanTest):
    def make(mirror, **more):
        return apache.Apache(mirror, "fancy", **more)


class ApacheTable(TitleTest, HttpTest, PlanTest):
    def make(mirror, **more):
        return apache.Apache(mirror, "table", **more)


class Lighttpd(TitleTest, HttpTest, PlanTest):
    make = lighttpd.Lighttpd


class Caddy(HttpTest, PlanTest):
    make = caddy.Caddy


class Python(HttpTest, PlanTest):
    make = pythonserver.PythonServer
    redirects = False
    # It takes each byte for half of a surrogate pair, and writes that in its links; asked for that, it finds the file.
    euc_package = EUC_PACKAGE.decode("utf-8", "surrogateescape").encode("utf-8", "surrogatepass")


class Vsftpd(FtpTest, PlanTest):
    make = vsftpd.Vsftpd


class Proftpd(FtpTest, PlanTest):
    make = proftpd.Proftpd


class PureFtpd(FtpTest, PlanTest):
    make = pureftpd.PureFtpd
    dot_files = False


class Pages(PlanTest):
    """Pages that no server here makes, from a server of ours."""

    NAMES = ["Zeta" + END, "bash" + END, "lib+plus" + END, "amp&er" + END, "name with space" + END, "a~b" + END]
    SUB_FOLDER = ["inside" + END, "bash" + END]

    def serve(self, make_page):
        """`make_page(folder's path, names)` gives the bytes of a page."""
        root = f"{MIRROR_PATH}{TREE}/plamo/00_base"
        self.server.contents[f"{root}/"] = make_page(root, [*self.NAMES[:3], "sub+folder/", *self.NAMES[3:]])
        self.server.contents[f"{root}/sub+folder/"] = make_page(f"{root}/sub%2Bfolder", self.SUB_FOLDER)
        for path in self.server.contents:
            self.server.add(path, Fault(headers={"Content-Type": "text/html"}, repeat=True))
        # Without the slash it redirects to where a folder is.
        for folder, names in ((root, self.NAMES), (f"{root}/sub+folder", self.SUB_FOLDER)):
            os.makedirs(self.mirror + folder, exist_ok=True)
            for name in names:
                with open(f"{self.mirror}{folder}/{name}", "w") as stream:
                    stream.write(name)
        return types.SimpleNamespace(scheme="http", address=f"127.0.0.1:{self.server.port}")

    def check(self, make_link, head="", before="<ul>", between="", after="</ul>", charset="utf-8"):
        """`make_link(folder's path, name encoded)` gives the link as it stands in the page."""
        def page(path, names):
            rows = between.join(make_link(path, urllib.parse.quote(name)) for name in names)
            head_here = head.format(folder=f"{self.url}{path}")
            return f"<html><head>{head_here}</head><body>{before}{rows}{after}</body></html>\n".encode(charset)
        server = self.serve(page)
        shell = self.shell_order(server, ONE_CATEGORY)
        self.assertEqual(shell, [*self.NAMES, self.SUB_FOLDER[0]])
        self.assertEqual(self.plan_order(server, ONE_CATEGORY), shell)

    def test_absolute_paths(self):
        self.check(lambda path, name: f'<li><a href="{path}/{name}">x</a></li>')

    def test_absolute_urls(self):
        self.check(lambda path, name: f'<li><a href="{self.url}{path}/{name}">x</a></li>')

    def test_urls_without_scheme(self):
        self.check(lambda path, name: f'<li><a href="//127.0.0.1:{self.server.port}{path}/{name}">x</a></li>')

    def test_dots_before_names(self):
        self.check(lambda path, name: f'<li><a href="./{name}">x</a></li>')

    def test_base_of_the_folder(self):
        self.check(lambda path, name: f'<li><a href="{name}">x</a></li>', head='<base href="{folder}/">')

    def test_base_above_the_folder(self):
        self.check(lambda path, name: f'<li><a href="{path.rsplit("/", 1)[1]}/{name}">x</a></li>',
                   head='<base href="{folder}">')

    def test_euc_jp(self):
        self.check(lambda path, name: f'<li><a href="{name}" title="日本語">表</a></li>', charset="euc-jp",
                   head='<meta http-equiv="Content-Type" content="text/html; charset=EUC-JP"><title>プラモの鏡</title>')

    def test_utf_8(self):
        self.check(lambda path, name: f'<li><a href="{name}" title="日本語">表</a></li>',
                   head='<meta charset="utf-8"><title>プラモの鏡</title>')

    def test_capitals_and_quotes(self):
        self.check(lambda path, name: f"<TR><TD><A CLASS=x HREF='{name}'>x</A><TD>-</TR>", before="<TABLE>",
                   after="</TABLE>")

    def test_without_quotes(self):
        self.check(lambda path, name: f"<li><a href={name}>x</a>")

    def test_characters_as_references(self):
        self.check(lambda path, name: f'<a href="{name.replace("%26", "&amp;").replace("-", "&#45;")}">x</a><br>')

    def test_sort_links_and_parents(self):
        self.check(lambda path, name: f'<img src="/icons/x.gif" alt="[ ]"> <a href="{name}">x</a>  2017-07-14 02:40\n',
                   before='<pre><a href="?C=N;O=D">Name</a> <a href="?C=M;O=A">Modified</a> <a href="?C=S&amp;O=A">Size'
                          '</a><hr><a href="/mirror/">Parent Directory</a>\n', after="<hr></pre><address>x</address>")

    def test_links_twice(self):
        """The icon is a link too."""
        self.check(lambda path, name: f'<td><a href="{name}"><img src="x.png"></a></td><td><a href="{name}">x</a></td>',
                   before="<table><tr>", between="</tr><tr>", after="</tr></table>")

    def test_links_in_comments(self):
        self.check(lambda path, name: f'<!-- <a href="comment-{name}">x</a> --><li><a href="{name}">x</a></li>')


if __name__ == "__main__":
    netkit.main()
