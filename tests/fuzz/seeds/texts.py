"""Seeds of the targets that take texts: index pages, FTP listings, names, lists, headers, configurations."""

import json
import os

from cases import case_packages, files_beside

FOLDER = "/pub/Plamo-8.x/x86_64/plamo/00_base/"
HOST = "http://mirror.example"
NAMES = ("devel.txz/", "old/", "libstdc%2B%2B-13-x86_64-B1.txz", "a&amp;b-1-x86-1.tgz", "%E6%97%A5-1-x86-1.tzst")
# At least as many as all releases together edit by line.
EDITED_FILES = 20
FIXTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "fixtures")

HEAD = "<!DOCTYPE HTML PUBLIC \"-//W3C//DTD HTML 3.2 Final//EN\">\n<html><head><title>Index of " + FOLDER + \
    "</title></head><body><h1>Index</h1>\n"


def _links(form, names=NAMES):
    return "".join(form.format(name) for name in names)


def _pages():
    return {
        "nginx": HEAD + "<hr><pre><a href=\"../\">../</a>\r\n" +
        _links("<a href=\"{0}\">{0}</a>  01-Jan-2024 00:00  12\r\n") + "</pre><hr></body></html>",
        "apache-plain": HEAD + "<ul><li><a href=\"" + FOLDER[:-8] + "\"> Parent Directory</a></li>\n" +
        _links("<li><a href=\"{0}\"> {0}</a></li>\n") + "</ul></body></html>",
        "apache-fancy": HEAD + "<pre><a href=\"?C=N;O=D\">Name</a> <a href=\"?C=M;O=A\">Last modified</a><hr>" +
        _links("<img src=\"/icons/unknown.gif\" alt=\"[ ]\"> <a href=\"{0}\">{0}</a> 2024-01-01 2K\n") + "<hr></pre>",
        "apache-table": HEAD + "<table><tr><th><a href=\"?C=N;O=D\">Name</a></th></tr>" +
        _links("<tr><td valign=\"top\">&nbsp;</td><td><a href=\"{0}\">{0}</a></td><td> 1K</td></tr>\n") + "</table>",
        "lighttpd": HEAD + "<div class=\"list\"><table><tbody>\n<tr class=\"d\"><td class=\"n\"><a href=\"../\">..</a>/"
        "</td></tr>" + _links("<tr><td class=\"n\"><a href=\"{0}\">{0}</a></td></tr>\n") + "</tbody></table></div>",
        "caddy": HEAD + "<table><tbody>" + _links("<tr class=\"file\"><td><a href=\"./{0}\"><svg><use xlink:href="
                                                  "\"#file\"></use></svg><span>{0}</span></a></td></tr>\n") +
        "</tbody></table><script>var x = '<a href=\"no\">';</script>",
        "python": "<!DOCTYPE HTML>\n<ul>\n" + _links("<li><a href=\"{0}\">{0}</a></li>\n") + "</ul>",
        "absolute": _links("<a href=\"" + FOLDER + "{0}\">{0}</a>\n") + _links("<a href=" + HOST + FOLDER + "{0}>\n"),
        "based": "<base href=\"" + HOST + "/pub/Plamo-8.x/\"><a href=\"x86_64/plamo/00_base/x.txz\">"
        "<base href=http://other.example/><a href=y.txz>",
        "escapes": "<a href=\"..%2fx.txz\"><a href=\"%2e%2e/x.txz\"><a href=\"../x.txz\"><a href=\"a%2fb\">"
        "<a href=\"a/b\"><a href=\"%2e\"><a href=\"%00\"><a href=\"a%0ab\"><a href=\"a%2F\">"
        "<a href=\"%252e%252e%252f\">",
        "elsewhere": "<a href=\"//other.example" + FOLDER + "x\"><a href=\"ftp://mirror.example" + FOLDER + "x\">"
        "<a href=\"http://mirror.example:81" + FOLDER + "x\"><a href=\"http://mirror.example@evil.example" + FOLDER +
        "x\"><a href=\"http://user:pw@mirror.example" + FOLDER + "x\"><a href=\"https://mirror.example" + FOLDER +
        "s\"><a href=\"http:\\\\mirror.example" + FOLDER + "x\">",
        "schemes": "<a href=\"file:///etc/passwd\"><a href=\"javascript:alert(1)\"><a href=\"data:,x\">"
        "<a href=\"mailto:x\"><a href=\"HTTP:x.txz\"><a href=\"http:x.txz\"><a href=\"\"><a href=\"#x\"><a href=\"?x\">"
        "<a href=\"x?\"><a href=\"x#y?z\"><a href=\";x\"><a>",
        "broken": "<a href='x<a href=y><a href=\"z\" href=w><A HREF=q></a </a<p/><table><a href=r><tr><!-- <a href=s>",
        "nested": "<b>" * 400 + "<a href=x>" + "</b>" * 400,
        "too-deep": "<div><font>" * 600,
        "entities": "<a href=\"&#97;&#x2e;txz\"><a href=\"&colon;&NewLine;x\"><a href=\"java&Tab;script:x\">",
        "twins": "<a href=x><a href=x/><a href=x><a href=x//><a href=./><a href=.>",
        "template": "<template><a href=t></template><frameset><frame src=f></frameset><plaintext><a href=p>",
        "nothing": "",
    }


LIST_LINES = {
    "vsftpd": "drwxr-xr-x    2 0        0            4096 Jan 05 12:30 devel.txz\r\n"
    "-rw-r--r--    1 0        0             640 Mar 01  2024 libstdc++-13-x86_64-B1.txz\r\n"
    "lrwxrwxrwx    1 ftp      ftp             9 Jan 05 12:30 latest -> devel.txz\r\n",
    "pure-ftpd": "drwxr-xr-x    4 0          0                4096 Jan  5 12:30 .\r\n"
    "drwxr-xr-x    4 0          0                4096 Jan  5 12:30 ..\r\n"
    "-rw-r--r--    1 0          0                 640 Mar  1  2024 a-1-x86-1.txz\r\n",
    "proftpd": "-rw-r--r--   1 ftp      ftp           640 Mar  1  2024 a-1-x86-1.txz\r\n",
    "ls": "total 12\ndrwxr-xr-x+ 2 root root  4096 Jan  5 12:30 acl\n-rw-r--r-- 1 root 17 Jan 5 12:30:59 no_group\n"
    "-rw-r--r-- 1 Domain Users All Staff 19 Jan 5 12:30 words\n"
    "-rw-r--r-- 1 root root 22 2024-03-01 12:30:31.000000000 +0900 full-iso\n",
    "iis": "01-02-26  03:04PM       <DIR>          devel.txz\r\n"
    "12-31-2024  11:59AM                 1234 a-1-x86-1.txz\r\n",
    "hostile": "-rw-r--r-- 1 0 0 1 Jan 5 12:30 ../x\n-rw-r--r-- 1 0 0 1 Jan 5 12:30 /etc/passwd\n"
    "-rw-r--r-- 1 0 0 99999999999999999999 Jan 5 12:30 large\nlrwxrwxrwx 1 0 0 1 Jan 5 12:30 no arrow\n"
    "lrwxrwxrwx 1 0 0 1 Jan 5 12:30  -> \ndrwxr-xr-x 1 0 0 1 Jan 5 12:30 /\n-rw-r--r-- 1 0 0 -1 Jan 5 12:30 neg\n"
    "-rw-r--r-- 1 0 0 1 Jan 5 12:30\n-rw-r--r-- 1 0 0 1 Jan 5 12:30 a\rb\nx\n",
    "odd-dates": "-rw-r--r-- 1 0 0 1 Feb 99 99:99 a\n-rw-r--r-- 1 0 0 1 0000-00-00 00:00 b\n",
}

MLSD_LINES = {
    "usual": "type=cdir;modify=20240101000000; .\r\ntype=pdir; ..\r\ntype=dir;size=4096; devel.txz\r\n"
    "type=file;size=640;modify=20240301000000;UNIX.mode=0644; libstdc++-13-x86_64-B1.txz\r\n",
    "links": "type=OS.unix=slink:/etc/passwd; latest\r\nType=OS.unix=symlink; other\r\n",
    "hostile": "type=file; ../x\ntype=file;size=-1; neg\ntype=file;size=99999999999999999999; large\ntype=; x\n"
    ";;; y\n y\ntype=dir; a/\ntype=file\n",
}


def _ftp():
    inputs = [(f"list-{name}", text.encode()) for name, text in LIST_LINES.items()]
    inputs += [(f"mlsd-{name}", b"\0" + text.encode()) for name, text in MLSD_LINES.items()]
    for name, text in LIST_LINES.items():
        inputs.append((f"both-{name}", text.encode() + b"\0" + MLSD_LINES["usual"].encode() +
                       MLSD_LINES["links"].encode()))
    inputs.append(("twins", b"drwxr-xr-x 1 0 0 1 Jan 5 12:30 a\n-rw-r--r-- 1 0 0 1 Jan 5 12:30 a\n\0type=file; a\n"))
    return inputs


def _package_names():
    names = [package.file_name("8.x", "x86_64") for package in case_packages()]
    names += ["a.tgz", "a-1.tgz", "a-1-2.tbz", "a-1-2-3.txz", "a-b-1-2-3.tzst", "---.tgz", "-1-2-3.tgz", "..-1-2-3.tgz",
              ".-1-2-3.tgz", "..tgz", ".tgz", "tgz", "a/b-1-2-3.tgz", "../a-1-2-3.tgz", "a----.tgz", "a-1-2-3.tgz.part",
              "n" * 251 + ".tgz", "n" * 255 + ".tgz", "n" * 256 + ".tgz", "", "a.TGZ",
              "\x1b-1-2-3.txz", "-rf-1-2-3.txz"]
    return [(f"{i:03}", name.encode()) for i, name in enumerate(names)]


def _manifests():
    entry = {"file": "a-1-x86-1.txz", "url": HOST + "/a-1-x86-1.txz", "size": 5, "xxh3": "0" * 32, "etag": "\"x\""}
    other = {"file": "b-1-x86-1.txz", "url": None, "size": 0, "xxh3": ""}

    def text(*entries, **more):
        return json.dumps({"plamo-fast-manifest": 1, "files": list(entries), **more}).encode()

    return [
        ("whole", text(entry, other)), ("empty", text()), ("twice", text(entry, entry)),
        ("more", text(entry, x=[1, {}])),
        ("slash", text({**entry, "file": "../x"})), ("dots", text({**entry, "file": ".."})),
        ("negative", text({**entry, "size": -1})), ("huge", text({**entry, "size": 2**63})),
        ("real", text({**entry, "size": 1.5})), ("long-digest", text({**entry, "xxh3": "0" * 33})),
        ("no-file", text({k: v for k, v in entry.items() if k != "file"})), ("url-number", text({**entry, "url": 1})),
        ("etag-null", text({**entry, "etag": None})), ("nul", text({**entry, "file": "a\0b"})),
        ("version", b'{"plamo-fast-manifest": 2, "files": []}'),
        ("not-list", b'{"plamo-fast-manifest": 1, "files": {}}'),
        ("list", b"[]"), ("deep", b"[" * 3000), ("cut", text(entry)[:40]), ("not-utf8", b'{"\xff": 1}'),
        ("twice-key", b'{"plamo-fast-manifest": 1, "plamo-fast-manifest": 1, "files": []}'), ("nothing", b""),
    ]


def _lockfiles():
    digest = "0123456789abcdef" * 4
    entry = {"file": "a-1-x86-1.txz", "url": HOST + "/a-1-x86-1.txz", "size": 5, "sha256": digest}

    def text(*entries, **more):
        head = {"plamo-fast-lock": 1, "release": "8.x", "arch": "x86_64", "categories": ["00_base"], "contrib": [],
                "addons": [], "ignore": []}
        return json.dumps({**head, "files": list(entries), **more}).encode()

    return [
        ("whole", text(entry, {**entry, "file": "b-1-x86-1.txz"})), ("tree", text(entry, tree="sha256:" + digest)),
        ("tree-short", text(entry, tree="sha256:" + digest[1:])), ("tree-other", text(entry, tree="md5:" + digest)),
        ("tree-empty", text(entry, tree="")), ("tree-number", text(entry, tree=1)), ("tree-null", text(entry, tree=None)),
        ("empty", text()), ("twice", text(entry, entry)), ("more", text(entry, x=1)),
        ("slash", text({**entry, "file": "../x"})), ("dots", text({**entry, "file": ".."})),
        ("negative", text({**entry, "size": -1})), ("digest", text({**entry, "sha256": digest.upper()})),
        ("url-null", text({**entry, "url": None})), ("list", b"[]"), ("deep", b"[" * 3000), ("cut", text(entry)[:60]),
        ("nothing", b""),
    ]


def _checksums():
    md5, sha = "0123456789abcdefABCDEF0123456789", "0" * 63 + "1"
    lists = {
        "coreutils": f"{md5}  a-1-x86-1.txz\n{md5} *b-1-x86-1.txz\n{md5} c\n", "sha": f"{sha}  a\n{sha} *./b\n",
        "bsd": f"MD5 (a (1).txz) = {md5}\nSHA256(b)= {sha}\nSHA2-256 (c) = {sha}\n", "alone": f"{md5}\n",
        "alone-sha": f"{sha}\n", "escaped": f"\\{md5}  a\\nb\\\\c\n\\{md5}  a\\x\n\\{md5}  a\\",
        "hostile": f"{md5}  ../x\n{md5}  /etc/passwd\n{md5}  a/../b\n{md5}  a/\n{md5}  \n{md5}  .\nMD5 () = {md5}\n"
        f"MD5 (a = {md5}\n(a) = {md5}\nMD5 ) = {md5}\n", "conflict": f"{md5}  a\n{md5[::-1]}  a\n",
        "prose": "These are the MD5 sums of the packages.\n\nTo test: tail +13 CHECKSUMS.md5 | md5sum --check -\n",
        "folders": f"{md5}  ./plamo/00_base/a\n{md5}  a//b/./c\r\n", "long": f"{md5}  " + "a/" * 2050 + "b\n",
    }
    return [(f"{name}-{mode}", bytes([mode]) + text.encode()) for name, text in lists.items() for mode in (0, 1, 5, 7)]


def _edited_texts():
    inputs = []
    for folder in ("system", "system_old"):
        for name in sorted(os.listdir(os.path.join(FIXTURES, folder))):
            with open(os.path.join(FIXTURES, folder, name), "rb") as file:
                inputs.append((f"{folder}-{name}", file.read()))
    inputs += [("nothing", b""), ("newline", b"\n"), ("unended", b"mount -w -n -t proc\nx\nmkdir /dev/shm"),
               ("only-begin", b"mount -w -n -t proc\n"), ("only-end", b"mkdir /dev/shm\n"), ("nul", b"c5:\0c5:\nc6:"),
               ("carriage-return", b"c5:x\r\nc6:y\r\n"), ("twice", b"sync\nsync\n# All done\nsync\n# All done\n")]
    # The first byte chooses one of the edited files: each text is tried with each.
    return [(f"{name}-{number}", bytes([number]) + text) for name, text in inputs for number in range(EDITED_FILES)]


def _headers():
    lines = ["Content-Range: bytes 5-9/10\r\n", "content-range:bytes 5-9/*", "Content-Range: bytes */10",
             "ETag: \"a b\"\r\n",
             "ETag: W/\"x\"", "Last-Modified: Mon, 01 Jan 2024 00:00:00 GMT\r\n", "ETag:", "ETag", "\r\n", "",
             "bytes 5-9/10", "bytes -5-9/10", "bytes 5--9/-10", "bytes 99999999999999999999-1/2", "bytes 9-5/10",
             "bytes 0-0/0", "bytes */-1", "bytes 5-9/", "bytes 5-9/x", "bytes  5-9/10", "bytes 5 - 9 / 10",
             "bytes +5-9/10",
             "Content-Range: bytes 10-10/10", "ETag: \0x\r\n"]
    return [(f"{i:02}", line.encode()) for i, line in enumerate(lines)]


def _journals():
    a, b, url = "a-1-x86-1.txz", "b-1-x86-1.txz", HOST + "/b-1-x86-1.txz"
    begun, done = f"begun\t{b}\t{url}\t\"v\"\n", f"done\t{a}\t5\n"
    return [(name, text.encode()) for name, text in {
        "usual": begun + done, "cut": begun + done[:-3], "cut-begun": begun[:-3], "other-size": f"done\t{a}\t6\n",
        "done-part": f"done\t{b}\t3\n", "begun-again": f"done\t{a}\t5\nbegun\t{a}\tx\ty\n", "nothing": "",
        "sizes": f"done\t{a}\t-1\ndone\t{a}\t99999999999999999999\ndone\t{a}\t\ndone\t{a}\t5x\ndone\t{a}\t 5\n",
        "names": "done\t../sentinel\t5\ndone\t\t5\ndone\t/etc/passwd\t5\nbegun\t\t\t\n",
        "void": f"done\t{a}\t5\t\t\t\t\n",
        "fields": "done\ndone\t\nbegun\tx\ty\nx\n\t\t\t\n\n", "carriage-return": f"done\t{a}\t5\r\n",
    }.items()]


def _configs():
    return [(name, text.encode()) for name, text in {
        "usual": "# Template\nlxc.include = /usr/share/lxc/config/common.conf\n"
        "lxc.rootfs.path = dir:/var/lib/lxc/c/rootfs\n"
        "lxc.net.0.type = empty\n", "legacy": "lxc.rootfs = /var/lib/lxc/c/rootfs\nlxc.network.type = veth\n",
        "loop": "lxc.rootfs.path = loop:/x\n", "none": "lxc.net.0.type = veth\n", "nothing": "",
        "key-alone": "lxc.rootfs.path\n",
        "empty": "lxc.rootfs.path =\nlxc.rootfs.path = dir:\nlxc.rootfs.path = btrfs:/b\n",
        "comment": "#lxc.rootfs.path = /x\n",
        "unended": "lxc.rootfs.path = /x", "spaces": " \tlxc.rootfs.path\t =\t /a b \t\r\n",
        "equals": "lxc.rootfs.path=a=b\n=\n= x\n",
        "similar": "lxc.rootfs.pathx = /x\nlxc.rootfs.options = ro\n",
    }.items()]


def _defaults():
    return _configs() + [(name, text.encode()) for name, text in {
        "addresses": "lxc.net.0.hwaddr = 00:16:3e:xx:xx:xX\nlxc.net.1.hwaddr=xx:x\nlxc.net.hwaddr = xx\n \t\n\n# xx\n",
        "unended-address": "\n\nlxc.net.0.hwaddr = x", "no-address": "lxc.net.0.hwaddr =\nlxc.net.0.hwaddr\n",
    }.items()]


def _asked():
    texts = ["asked ~ @\n", "asked ~ @", "asked 9 @\n", "asked -9223372036854775808 @\n", "asked 99999999999999999999 @\n",
             "asked ~\n@", "asked  +~ @x", "asked 0x7fffffff @", "asked ~ \0@", "asked @ ~\n", "asked", "", "12345\n"]
    return [(f"{i:02}", text.encode()) for i, text in enumerate(texts)]


def _releases():
    names = ["8.x", "7.x", "6.x", "5.x", "5", "5.", "9.x", "08.x", "8.0", "8./..", "-8.x", "+8.x", " 8.x", "", ".",
             "8x",
             "18446744073709551616.x", "18446744073709551624.x", "8.\n"]
    return [(f"{i:02}", name.encode()) for i, name in enumerate(names)]


def _descriptions():
    own = "a: a (a package)\na:\na-1-x86_64-B1: by stem\nb: another\n"
    inputs = [("own", own.encode()), ("unended", b"a: x"), ("nul", b"a: x\0y\na: z"), ("nothing", b""),
              ("colon", b":\na:\n"),
              ("carriage-return", b"a: x\r\n"), ("other", b"ab: x\n")]
    inputs += [(f"beside-{i}", data[:8192]) for i, (_, data) in enumerate(files_beside())]
    return inputs


def _records():
    head = "PACKAGE NAME:     bash-5.2-x86_64-P1\nCOMPRESSED PACKAGE SIZE:     4 K\nPACKAGE DESCRIPTION:\nbash: a shell\n"
    return [
        ("record", (head + "FILE LIST:\n./\nbin/\nbin/bash\ninstall/doinst.sh\nusr//share/./x\n").encode()),
        ("absolute", (head + "FILE LIST:\n/etc/passwd\n").encode()),
        ("above", (head + "FILE LIST:\na/../../b\n").encode()),
        ("no list", head.encode()),
        ("empty list", (head + "FILE LIST:\n").encode()),
        ("log", b"i Wed Nov 25 02:00:00 UTC 2026: bash-5.2-x86_64-P1\ni : \nscript said: this\n"),
    ]


def _scripts():
    return [
        ("pattern", b"var/lib/x/a.db\nfor f in var/lib/x/*.db; do chown 1:1 $f; done\n"),
        ("entered", b"sbin/new_tool\n( cd sbin\n mv new_${tool} $tool )\n"),
        ("above", b"usr/share/x/y\nrm -rf ./usr/share/x/\n"),
        ("path", b"usr/share/x"),
    ]


def _containers():
    return [(name, text.encode()) for name, text in {
        "all": "# for all\ntimezone = Europe/Berlin\nnetwork=none\nautostart = yes\nroot_password = password:a b = c\n"
               "config = lxc.cgroup2.memory.max = 512M\nconfig = lxc.start.delay = 5",
        "headings": "network = none\n[web* x]\nnetwork = dhcp\r\n [ db\\[1\\] ] \nautostart = no\n;\n[?]\nconfig = lxc.a=\n",
        "wrong-heading": "\n[web\n", "no-name": "[ ]", "no-value": "timezone = ", "no-key": " = x", "unknown": "zone = x\n",
        "no-line": "config = a = b", "nothing": "", "zero": "a\0b", "bracket": "[",
    }.items()]


def _warm_configs():
    texts = [
        "# all\nrelease = 8.x\n\n[web]\nmirror = https://h/Plamo\n  ftp://h/Plamo\ncache=/srv/x\n; end\n[ two words ]\n",
        "[a]\r\narch =\tx86 \r\nmax-age = 6h", "[a]\n[a]\n", "relaese = 8.x\n", "[]\n", "[a] b\n", " b\n", "[a]\nx\0y\n",
        "mirror =\n# no comment ends it\n c\n\n d\n",
    ]
    return [(f"config-{i}", text.encode()) for i, text in enumerate(texts)]


def seeds():
    pages = [(name, page.encode()) for name, page in _pages().items()]
    return {
        "listing": pages, "ftplisting": _ftp(), "pkgname": _package_names(), "manifest": _manifests(),
        "lockfile": _lockfiles(),
        "checksums": _checksums(), "textedit": _edited_texts(), "httpheader": _headers(), "journal": _journals(),
        "lxcconfig": _configs(), "config": _warm_configs(), "containers": _containers(), "profile": _releases(),
        "describe": _descriptions(),
        "record": _records(), "scriptwords": _scripts(), "asked": _asked(), "lxccontainer": _defaults(),
    }
