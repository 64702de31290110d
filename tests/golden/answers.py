#!/usr/bin/env python3
"""owners, overlaps, diff, verify, doctor and plan --tree, on the fixture mirror, against what Python makes of the same
packages, and on roots and caches that are damaged in one thing each."""

import contextlib
import fcntl
import io
import json
import os
import re
import shutil
import stat

import subprocess
import sys
import tarfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from skip import need_root
from scan import scan
from template import cache_paths, cached_in_order, installed_in_order
from tool import everything_options, plamo_fast
from workspace import arguments, temporary_folder

RELEASE = "8.x"
DONE, FAILED, USAGE, MIRROR, PACKAGE = range(5)
PAIR = re.compile(r"\( cd (\S+) ; (?:rm -rf|ln -sf (\S+)) (\S+) \)$")
DECODERS = {"tgz": "gzip", "txz": "xz", "tzst": "zstd", "tbz": "bzip2"}
given = None    # the arguments
folder = None   # of the whole run: "cache" and "root", which no test changes


class Model:
    """The install once more, in a dictionary: path -> kind ("folder", "file" or a link's target in a tuple)."""

    def __init__(self, root):
        self.root, self.there, self.claims = root, {(): "folder"}, {}

    def resolve(self, path, follow=True):
        """The path without links, as a tuple; ".." stops at the root. A link nobody knows of is looked up in the root."""
        done, todo, steps = [], [p for p in path.split("/") if p not in ("", ".")], 0
        while todo:
            name = todo.pop(0)
            if name == "..":
                done = done[:-1]
                continue
            here = (*done, name)
            kind = self.there.get(here)
            if kind in (None, "file") and todo and os.path.islink(os.path.join(self.root, *here)):
                kind = (os.readlink(os.path.join(self.root, *here)),)
            if isinstance(kind, tuple) and (todo or follow) and steps < 40:
                steps += 1
                done = [] if kind[0].startswith("/") else done
                todo = [p for p in kind[0].split("/") if p not in ("", ".")] + todo
                continue
            done.append(name)
        return tuple(done)

    def claim(self, where, package, kind):
        claims = self.claims.setdefault(where, [])
        if kind != "folder":
            claims[:] = [(p, k, True) for p, k, _ in claims if (p, k) != (package, kind)]
        if (package, kind, False) not in claims:
            claims.append((package, kind, False))

    def remove(self, where):
        for path in list(self.there):
            if path[:len(where)] == where:
                del self.there[path]
        for path, claims in self.claims.items():
            if path[:len(where)] == where:
                claims[:] = [(p, k, True) for p, k, _ in claims]

    def member(self, package, name):
        if re.fullmatch(r"install/?|install/(doinst\.sh|slack-.*)", name):
            return
        where = self.resolve(name, follow=name.endswith("/"))
        for depth in range(1, len(where)):
            self.there.setdefault(where[:depth], "folder")
        kind = "folder" if name.endswith("/") or not where else "file"
        self.there[where] = kind
        self.claim(where, package, kind)

    def pair(self, package, cd, target, name, sure):
        into = self.resolve(cd)
        if self.there.get(into) != "folder" and not os.path.isdir(os.path.join(self.root, *into)):
            into = ()
        where = self.resolve("/".join((*into, name)), follow=False)
        if not sure:
            path = os.path.join(self.root, *where)
            if not target or not os.path.islink(path) or os.readlink(path) != target:
                return
        if target is None or not sure:
            self.remove(where)
        if target is None:
            return
        if isinstance(self.there.get(where), tuple) and self.there.get(self.resolve("/".join(where))) == "folder":
            where = self.resolve("/".join(where))
        if self.there.get(where) == "folder":
            where = (*where, os.path.basename(target))
        self.there[where] = (target,)
        self.claim(where, package, "link")

    def install(self, package, members, script):
        for name in members:
            self.member(package, name)
        pairs = [pair_of(line) for line in script.splitlines() if line.strip() and not line.lstrip().startswith("#")]
        for pair in filter(None, pairs):
            self.pair(package, *pair, all(pairs))


def pair_of(line):
    """(folder, target or None, name) of a plain pair. What a shell expands, and a folder with "..", which a shell takes
    back by the text, is the shell's: what it makes is asked of the root."""
    found = PAIR.match(line)
    if not found or re.search(r"""[*?$\\"'[]""", line) or ".." in found[1].split("/"):
        return None
    return found.groups()


def members_of(path):
    """The names in a package, folders with a slash behind them, and its script without first-boot sections."""
    data = subprocess.run([DECODERS[path.rsplit(".", 1)[1]], "-dc", path], check=True, stdout=subprocess.PIPE).stdout
    names, script = [], ""
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        for member in tar:
            name = re.sub(r"^(\./+)+", "", re.sub("/+", "/", member.name))
            names.append("" if name == "." else name + "/" * member.isdir())
            if name == "install/doinst.sh":
                script = tar.extractfile(member).read().decode("utf-8", "surrogateescape")
    return names, re.sub(r"(?ms)^#%% begin.*?(^#%% end[^\n]*\n|\Z)", "", script)


def text_of(value):
    """What JSON has for a text: itself, or the bytes of what is no UTF-8."""
    return bytes.fromhex(value["hex"]).decode("utf-8", "surrogateescape") if isinstance(value, dict) else value


# Mounts what a running container has mounted, as the process's own, and waits in that root.
RUN_ROOT = """
import os, subprocess, sys
root = sys.argv[1]
for kind, place in (("proc", "proc"), ("sysfs", "sys"), ("tmpfs", "run"), ("tmpfs", "tmp"), ("tmpfs", "dev")):
    subprocess.run(["mount", "-t", kind, kind, os.path.join(root, place)], check=True)
os.mkdir(os.path.join(root, "run/lock"))
os.chroot(root)
print("runs", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def running(root):
    """The root as a process sees it that runs in it: a path."""
    with subprocess.Popen(["unshare", "--mount", "--propagation", "private", sys.executable, "-c", RUN_ROOT, root],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        if process.stdout.readline() != b"runs\n":
            raise unittest.SkipTest("nothing can be mounted here")
        yield f"/proc/{process.pid}/root"
        process.stdin.close()


class AnswersTest(unittest.TestCase):
    maxDiff = None

    def run_tool(self, command, *more, status=DONE):
        run = plamo_fast(given.bin, command, *more)
        self.assertEqual(run.status, status, f"{command} {more}\n{run.log}{run.output[-2000:]}")
        self.assertNotIn("Sanitizer", run.log)
        return run

    def of_release(self, command, *more, cache=None, status=DONE):
        return self.run_tool(command, "--release", RELEASE, "--cache", cache or f"{folder}/cache", *more, status=status)

    def copy(self, what):
        """A copy of the root, or of the cache, that the test may damage."""
        path = f"{folder}/copy-{self.id().rsplit('.', 1)[1]}-{what}"
        self.addCleanup(shutil.rmtree, path)
        subprocess.run(["cp", "-a", f"{folder}/{what}", path], check=True)
        return path


class Ownership(AnswersTest):
    @classmethod
    def setUpClass(cls):
        packages, _ = cache_paths(f"{folder}/cache", RELEASE)
        files = {name.rsplit(".", 1)[0]: name for name, _ in cached_in_order(packages)}
        cls.model = Model(f"{folder}/root")
        for stem in installed_in_order(f"{folder}/root"):
            cls.model.install(stem, *members_of(os.path.join(packages, files[stem])))

    def check(self, found, where):
        claims = self.model.claims[where]
        mine = [(text_of(c["package"]), c["kind"], c["replaced"]) for c in found["claims"]]
        self.assertEqual(mine, claims, where)
        standing = [package for package, _, replaced in claims if not replaced]
        self.assertEqual(text_of(found["owner"]), standing[-1] if standing else None, where)
        self.assertEqual(found["present"], os.path.lexists(os.path.join(f"{folder}/root", *where)), where)

    def test_every_path(self):
        # What is behind a folder that became a link cannot be asked for by its name any more.
        paths = sorted(path for path in self.model.claims if self.model.resolve("/".join(path), follow=False) == path)
        run = plamo_fast(given.bin, "owners", "--root", f"{folder}/root", "--json",
                         *("/" + "/".join(path) for path in paths))
        found = json.loads(run.output)["paths"]
        self.assertEqual(len(found), len(paths))
        self.assertGreater(len(paths), 900)
        for answer, where in zip(found, paths):
            self.assertEqual(text_of(answer["path"]), "/".join(where))
            self.check(answer, where)

    def test_overlaps(self):
        found = json.loads(self.of_release("overlaps", "--json").output)["paths"]
        wanted = {path for path, claims in self.model.claims.items()
                  if len({p for p, _, _ in claims}) > 1 and any(kind != "folder" for _, kind, _ in claims)}
        self.assertEqual([text_of(answer["path"]) for answer in found], sorted("/".join(path) for path in wanted))
        self.assertGreater(len(wanted), 10)
        for answer in found:
            self.check(answer, tuple(text_of(answer["path"]).split("/")))
        same = self.of_release("overlaps", "--root", f"{folder}/root", "--json")
        self.assertEqual(json.loads(same.output)["paths"], found)

    def test_lines(self):
        text = self.of_release("overlaps").output
        self.assertIn("usr/share/overlap/file: overlap-b-1.0-noarch-B1 (file)\n"
                      "  replaced: overlap-a-1.0-noarch-B1 (file)\n", text)
        text = self.of_release("owners", "/usr/lib64/linked/through-two", "usr/lib/linked").output
        self.assertEqual(text, "usr/lib/real/through-two: folderlink-b-1.0-x86_64-B1 (file)\n"
                               "usr/lib/linked: folderlink-a-1.0-x86_64-B1 (its script links it to real)\n")

    def test_nobody(self):
        run = self.of_release("owners", "etc/config/x", "no/such", "usr/share/remover/gone", "etc/localtime", status=FAILED)
        self.assertRegex(run.output, r"etc/config/x: no package's; the script of config-b-\S+ names it\n"
                                     r"no/such: no package's, and it is not there\n"
                                     r"usr/share/remover/gone: remover-1-keep-\S+ \(file\)\n"
                                     r"  it is not there; the script of remover-2-remove-\S+ names it\n"
                                     r"etc/localtime: .*configuring a container makes or changes it")

    def test_hostile(self):
        root = self.copy("root")
        os.symlink("/loop/x", f"{root}/loop")
        run = self.run_tool("owners", "loop/x/y", "--root", root, status=USAGE)
        self.assertIn("a loop of links", run.log)
        # Out of the root: the records' folder is a link to the host's, and a record is a fifo.
        os.mkfifo(f"{root}/var/log/packages/aaa_fifo")
        self.run_tool("owners", "usr/bin/perl", "--root", root)
        os.rename(f"{root}/var/log/packages", f"{root}/kept")
        os.symlink(f"{root}/kept", f"{root}/var/log/packages")
        run = self.run_tool("overlaps", "--root", root, status=USAGE)
        self.assertIn("there is no var/log/packages", run.log)
        os.unlink(f"{root}/var/log/packages")
        os.symlink("../../kept", f"{root}/var/log/packages")
        self.run_tool("overlaps", "--root", root)
        for text in ("no record", "PACKAGE NAME:     x-1-1-1\nFILE LIST:\n/etc/passwd\n",
                     "PACKAGE NAME:     x-1-1-1\nFILE LIST:\na/../../b\n"):
            with open(f"{root}/kept/bad", "w") as record:
                record.write(text)
            self.assertIn("var/log/packages/bad", self.run_tool("overlaps", "--root", root, status=PACKAGE).log)
        with open(f"{root}/kept/bad", "wb") as record:
            record.write(b"PACKAGE NAME:     \x1b[31m-1-1-1\nFILE LIST:\nodd/\xff\x1b\n")
        run = self.run_tool("owners", b"odd/\xff\x1b", "--root", root)
        self.assertEqual(run.output.splitlines()[0], "odd/\\xff\\x1b: \\x1b[31m-1-1-1 (file)")
        answer = json.loads(self.run_tool("owners", b"odd/\xff\x1b", "--root", root, "--json").output)
        self.assertEqual(answer["paths"][0]["path"], {"hex": "6f64642fff1b"})

    def test_nothing_there(self):
        run = self.of_release("owners", "x", cache=f"{folder}/none", status=MIRROR)
        self.assertIn("has no root of Plamo 8.x", run.log)
        self.assertFalse(os.path.exists(f"{folder}/none"))
        for command in (("overlaps", "--root"), ("owners", "x", "--root"), ("verify",)):
            run = self.of_release(*command, f"{folder}/none", status=USAGE)
            self.assertIn("is not the folder of a root; check the path", run.log)
        self.of_release("verify", cache=f"{folder}/none", status=MIRROR)


class Diff(AnswersTest):
    def differences(self, a, b):
        run = self.run_tool("diff", a, b, "--json", status=1)
        return {text_of(d["path"]): d["what"] for d in json.loads(run.output)["differences"]}

    def test_same(self):
        self.assertEqual(self.run_tool("diff", f"{folder}/root", self.copy("root")).output, "")

    def test_every_field(self):
        root = self.copy("root")
        before = scan(root)
        with open(f"{root}/usr/share/overlap/file", "r+") as f:
            f.write("F")
        with open(f"{root}/usr/share/overlap/only-a", "a") as f:
            f.write("more")
        os.chmod(f"{root}/usr/share/overlap/only-b", 0o600)
        os.chown(f"{root}/usr/share/hard/fourth", 3, 4)
        os.unlink(f"{root}/usr/lib/linked")
        os.symlink("els\x1bewhere", f"{root}/usr/lib/linked")
        os.unlink(f"{root}/etc/linkfile/pair")
        os.mkfifo(f"{root}/etc/linkfile/pair", 0o644)
        shutil.rmtree(f"{root}/usr/share/filelink")
        os.mkdir(f"{root}/new")
        with open(f"{root}/new/below", "w"):
            pass
        node = next(path.decode() for path, entry in before.items() if entry.kind == "char device")
        st = os.lstat(f"{root}/{node}")
        os.unlink(f"{root}/{node}")
        os.mknod(f"{root}/{node}", st.st_mode, os.makedev(1, 9))
        os.chown(f"{root}/{node}", st.st_uid, st.st_gid)
        os.chmod(f"{root}/{node}", stat.S_IMODE(st.st_mode))
        self.assertEqual(self.differences(f"{folder}/root", root), {
            "usr/share/overlap/file": ["content"], "usr/share/overlap/only-a": ["size"],
            "usr/share/overlap/only-b": ["mode"], "usr/share/hard/fourth": ["owner"],
            # Of one inode.
            **{name.decode(): ["owner"] for name in before[b"usr/share/hard/fourth"].hard_links},
            "usr/lib/linked": ["target"], "etc/linkfile/pair": ["type"], "usr/share/filelink": ["removed"],
            "new": ["added"], node: ["device"]})
        lines = self.run_tool("diff", f"{folder}/root", root, status=1).output.splitlines()
        self.assertEqual(lines, sorted(lines, key=lambda line: line[2:].split(": ")[0].split("/")))
        for line in ("+ new: folder", "- usr/share/filelink: folder", "! usr/share/overlap/only-a: size 2 -> 6",
                     "! usr/lib/linked: target real -> els\\x1bewhere", "! usr/share/overlap/file: content",
                     "! etc/linkfile/pair: type file -> fifo"):
            self.assertIn(line, lines)

    def test_running(self):
        """Of a root that runs all is compared but what is mounted over it, and that is said."""
        root = self.copy("root")
        with open(f"{root}/usr/share/overlap/file", "r+") as f:
            f.write("F")
        with running(root) as path:
            for a, b in ((f"{folder}/root", path), (path, f"{folder}/root"), (path, path)):
                run = self.run_tool("diff", a, b, "--json", status=int(a != b))
                answer = json.loads(run.output)
                self.assertEqual({text_of(d["path"]): d["what"] for d in answer["differences"]},
                                 {"usr/share/overlap/file": ["content"]} if a != b else {})
                self.assertEqual(sorted(map(text_of, answer["mounted"])), ["dev", "proc", "run", "sys", "tmp"])
            lines = self.run_tool("diff", f"{folder}/root", path, status=1).output.splitlines()
            self.assertIn("? proc: not compared: a pseudo file system is mounted there", lines)
            self.assertIn("! usr/share/overlap/file: content", lines)

    def test_lockfiles(self):
        def lock(name, files, release="8.x"):
            data = {"plamo-fast-lock": 1, "release": release, "arch": "x86_64", "categories": ["00_base"],
                    "contrib": [], "addons": [], "ignore": [],
                    "files": [{"file": f, "url": f"http://x/{f}", "size": 1, "sha256": s * 64} for f, s in files]}
            with open(f"{folder}/{name}", "w") as f:
                json.dump(data, f)
            return f"{folder}/{name}"
        a = lock("a.lock", [("a-1-x86_64-P1.txz", "a"), ("b-1-x86_64-P1.txz", "b"), ("c-1-x86_64-P1.txz", "c")])
        b = lock("b.lock", [("a-2-x86_64-P1.txz", "a"), ("b-1-x86_64-P1.txz", "d"), ("d-1-x86_64-P1.txz", "c")], "7.x")
        self.run_tool("diff", a, a)
        self.assertEqual(sorted(self.run_tool("diff", a, b, status=1).output.splitlines()), [
            "! a-1-x86_64-P1.txz -> a-2-x86_64-P1.txz", "! b-1-x86_64-P1.txz: content",
            "! release 8.x -> release 7.x", "+ d-1-x86_64-P1.txz", "- c-1-x86_64-P1.txz"])
        other = lock("c.lock", [("b-1-x86_64-P1.txz", "b"), ("a-1-x86_64-P1.txz", "a"), ("c-1-x86_64-P1.txz", "c")])
        found = json.loads(self.run_tool("diff", a, other, "--json", status=1).output)["differences"]
        self.assertEqual(found, [{"what": "reordered", "a": None, "b": None}])

    def test_trouble_is_not_different(self):
        with open(f"{folder}/file", "w") as f:
            f.write("no lockfile")
        for a, b in ((f"{folder}/none", f"{folder}/root"), (f"{folder}/file", f"{folder}/root"),
                     (f"{folder}/file", f"{folder}/file")):
            self.run_tool("diff", a, b, status=2)
        self.run_tool("diff", f"{folder}/root", status=2)


class Verify(AnswersTest):
    def findings(self, *more, status=PACKAGE, cache=None):
        answer = json.loads(self.of_release("verify", "--json", *more, cache=cache, status=status).output)
        self.assertEqual(answer["damaged"], sum(f["damaged"] for f in answer["findings"]))
        return answer, {text_of(f["subject"]): f["text"] for f in answer["findings"] if f["damaged"]}

    def test_sound(self):
        answer, damaged = self.findings(status=DONE)
        packages, _ = cache_paths(f"{folder}/cache", RELEASE)
        self.assertEqual(damaged, {})
        self.assertEqual(answer["packages"], len(cached_in_order(packages)))
        self.assertGreater(answer["compared"], 200)
        run = self.of_release("verify", f"{folder}/root")
        self.assertRegex(run.output, r"^101 packages read, \d+ paths looked at, \d+ compared with their packages: "
                                     r"0 damaged, \d+ changed by scripts or configuration\n$")
        self.assertEqual(self.of_release("verify", f"{folder}/root", "-q").output, "")
        # The same with one worker as with many.
        self.assertEqual(self.of_release("verify", "-v", "-j", "1").output,
                         self.of_release("verify", "-v", "-j", "8").output)

    def test_configured(self):
        """A container is no damaged root, and without its packages only the records tell."""
        root = f"{folder}/container"
        self.addCleanup(shutil.rmtree, root)
        self.of_release("build", root, "--name", "c1", "--offline", *everything_options())
        answer, _ = self.findings(root, status=DONE)
        self.assertIn("configuring a container changes it", {f["reason"] for f in answer["findings"]})
        answer, _ = self.findings(root, status=DONE, cache=f"{folder}/none")
        self.assertEqual((answer["packages"], answer["compared"]), (0, 0))

    def test_configured_and_damaged(self):
        """Configuring edits files; it does not take them away, nor give them to anybody."""
        root = f"{folder}/damaged-container"
        self.addCleanup(shutil.rmtree, root)
        self.of_release("build", root, "--name", "c1", "--offline", *everything_options())
        _, damaged = self.findings(root, status=DONE)
        self.assertEqual(damaged, {})
        os.chmod(f"{root}/etc/inittab", 0o666)
        os.unlink(f"{root}/etc/pam.d/login")
        link = next(name for name in ("S05modules", "S10eudev") if os.path.lexists(f"{folder}/root/etc/rc.d/rcS.d/{name}"))
        os.symlink("../elsewhere", f"{root}/etc/rc.d/rcS.d/{link}")
        _, damaged = self.findings(root)
        self.assertEqual(damaged.pop("etc/inittab").split(",")[0], "mode 0666 instead of 0644")
        self.assertEqual(damaged.pop("etc/pam.d/login"), "missing")
        self.assertEqual(damaged.pop(f"etc/rc.d/rcS.d/{link}"), "a link that leads elsewhere")
        self.assertEqual(damaged, {})
        os.unlink(f"{root}/etc/inittab")
        _, damaged = self.findings(root)
        self.assertEqual(damaged["etc/inittab"], "missing")
        os.mkdir(f"{root}/etc/inittab")
        _, damaged = self.findings(root, cache=f"{folder}/none")
        self.assertEqual(damaged["etc/inittab"], "a folder instead of a file")

    def test_running(self):
        """What is mounted in a running container is not its root's, and hides no damage elsewhere."""
        root = self.copy("root")
        os.unlink(f"{root}/usr/share/overlap/only-b")
        with running(root) as path:
            answer, damaged = self.findings(path)
            self.assertEqual(damaged, {"usr/share/overlap/only-b": "missing"})
            reasons = {text_of(f["subject"]): f["reason"] for f in answer["findings"]}
            self.assertEqual(reasons["proc"], "a pseudo file system is mounted there")

    def test_damaged_root(self):
        root = self.copy("root")
        with open(f"{root}/usr/share/overlap/file", "r+") as f:
            f.write("F")
        with open(f"{root}/usr/share/overlap/only-a", "w") as f:
            f.write("longer")
        os.chmod(f"{root}/usr/share/overlap/setuid", 0o4755)
        os.chown(f"{root}/var/lib/foldermode", 5, 5)
        os.unlink(f"{root}/usr/share/overlap/only-b")
        os.unlink(f"{root}/usr/lib/linked")
        os.symlink("usr", f"{root}/usr/lib/linked")
        os.unlink(f"{root}/usr/share/filelink/file")
        os.mkdir(f"{root}/usr/share/filelink/file")
        os.unlink(f"{root}/etc/linkfile/pair")
        os.symlink("/etc/passwd", f"{root}/etc/linkfile/pair")
        _, damaged = self.findings(root)
        for path, text in {"usr/share/overlap/file": "other content",
                           "usr/share/overlap/only-a": "6 bytes instead of 2",
                           "usr/share/overlap/setuid": "mode 4755 instead of 0755",
                           "var/lib/foldermode": "owner 5:5 instead of 6:7",
                           "usr/share/overlap/only-b": "missing",
                           "usr/lib/linked": "a link that leads elsewhere",
                           "usr/share/filelink/file": "something else instead of a link",
                           "etc/linkfile/pair": "a link instead of a file"}.items():
            self.assertEqual(damaged.pop(path, None), text, path)
        self.assertEqual(damaged, {})
        run = self.of_release("verify", root, status=PACKAGE)
        self.assertIn("usr/share/overlap/only-b: missing (of overlap-b-1.0-noarch-B1)\n", run.output)

    def test_damaged_cache(self):
        cache = self.copy("cache")
        packages, _ = cache_paths(cache, RELEASE)
        names = [name for name, _ in cached_in_order(packages)]
        flipped, cut, gone, linked, other = names[3:8]
        with open(f"{packages}/{flipped}", "r+b") as f:
            middle = os.path.getsize(f.name) // 2
            f.seek(middle)
            byte = f.read(1)
            f.seek(middle)
            f.write(bytes([byte[0] ^ 1]))
        os.truncate(f"{packages}/{cut}", 100)
        os.unlink(f"{packages}/{gone}")
        os.rename(f"{packages}/{linked}", f"{cache}/elsewhere")
        os.symlink("../elsewhere", f"{packages}/{linked}")
        with open(f"{packages}/extra-1-x86_64-P1.txz", "w"):
            pass
        # Whole, of the same size, and not the file that was downloaded: the trailing zero bytes of a zstd frame apart.
        manifest = f"{packages}/.plamo-fast.manifest.json"
        with open(manifest) as f:
            text = f.read()
        noted = next(f["xxh3"] for f in json.loads(text)["files"] if f["file"] == other)
        with open(manifest, "w") as f:
            f.write(text.replace(noted, "0" * len(noted)))
        _, damaged = self.findings(cache=cache)
        self.assertEqual(damaged.pop(gone), "it is missing")
        self.assertEqual(damaged.pop(linked), "it is not a regular file")
        self.assertRegex(damaged.pop(cut), "^100 bytes instead of ")
        self.assertEqual(damaged.pop(other), "it is whole, but not the file that was downloaded")
        self.assertEqual(damaged.pop("extra-1-x86_64-P1.txz"), "nobody noted it when the cache was filled")
        self.assertTrue(damaged.pop(flipped))
        self.assertEqual(damaged, {})
        # A root is not damaged by that: it was only compared with what is whole.
        answer, damaged = self.findings(f"{folder}/root", cache=cache, status=DONE)
        self.assertEqual(damaged, {})
        self.assertIn("the root was not compared with it", {f["reason"] for f in answer["findings"]})
        os.unlink(manifest)
        run = self.of_release("verify", "-v", cache=cache, status=PACKAGE)
        self.assertIn("it has no manifest", run.output)


class EscapedRecords(AnswersTest):
    """Before 7.x records have names as GNU tar prints them in the C locale."""

    NAMES = {"usr/share/doc/日本語/はじめに.txt": "utf8names", "usr/share/odd names/back\\slash": "oddnames",
             "usr/share/raw/\x1b[31mred\x7f": "rawnames", "usr/share/raw/\\101 is no A": "rawnames",
             "usr/share/raw/a\tfolder\\/日本語": "rawnames",
             "usr/share/raw/high-" + bytes(range(128, 256)).decode("utf-8", "surrogateescape"): "rawnames"}

    def test_old_release(self):
        cache, root = f"{folder}/cache-6", f"{folder}/root-6"
        for path in (cache, root):
            self.addCleanup(shutil.rmtree, path, ignore_errors=True)
        of_old = ("--release", "6.x", "--cache", cache)
        self.run_tool("build", root, "--no-configure", "--mirror", f"file://{given.mirror}", *of_old, "--categories", "01_minimum", "--add", "")
        found = json.loads(self.run_tool("owners", "--root", root, *of_old, "--json", *self.NAMES).output)["paths"]
        self.assertEqual([(text_of(answer["path"]), text_of(answer["owner"]), answer["present"]) for answer in found],
                         [(path, f"{package}-1.0-noarch-B1", True) for path, package in self.NAMES.items()])
        answer = json.loads(self.run_tool("verify", root, *of_old, "--json").output)
        self.assertEqual(answer["damaged"], 0)
        with open(f"{root}/{next(iter(self.NAMES))}", "a") as stream:
            stream.write("more\n")
        answer = json.loads(self.run_tool("verify", root, *of_old, "--json", status=PACKAGE).output)
        self.assertEqual([text_of(f["subject"]) for f in answer["findings"] if f["damaged"]], [next(iter(self.NAMES))])


class Doctor(AnswersTest):
    def checks(self, *more, status=DONE, command=()):
        run = subprocess.run([*command, os.path.join(given.bin, "plamo-fast"), "doctor", "--json", *more],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(run.returncode, status, run.stderr)
        return {check["name"]: check for check in json.loads(run.stdout)["checks"]}

    def inject(self, calls, error=38):
        tool = os.path.join(given.bin, "..", "tests", "fault", "inject")
        return [tool, "--calls", calls, "--when", "1+", "--error", str(error), "--report", f"{folder}/report", "--"]

    def test_here(self):
        checks = self.checks("--cache", f"{folder}/cache", "--lxc-path", folder)
        self.assertEqual({c["group"] for c in checks.values()},
                         {"kernel", "tools", "limits", "permissions", "libraries"})
        self.assertEqual(checks["openat2"]["state"], "ok")
        self.assertTrue(all(c["advice"] for c in checks.values() if c["state"] != "ok"))
        self.assertRegex(checks["liblzma"]["found"], r"^5\.")
        self.assertEqual(sorted(os.listdir(f"{folder}/cache")), self.listed)
        text = self.run_tool("doctor", "--cache", f"{folder}/cache").output
        self.assertRegex(text, r"^kernel\n  ok      openat2: works\n")

    def setUp(self):
        self.listed = sorted(os.listdir(f"{folder}/cache"))

    def test_lacking_calls(self):
        checks = self.checks("--cache", f"{folder}/cache", command=self.inject("openat2"))
        self.assertEqual((checks["openat2"]["state"], checks["openat2"]["found"]),
                         ("slower", "Function not implemented"))
        checks = self.checks("--cache", f"{folder}/cache", command=self.inject("renameat2,copy_file_range,ficlone"))
        for name in ("renameat2", "copy_file_range", "reflink in the cache"):
            self.assertEqual(checks[name]["state"], "slower", name)
        self.assertEqual(checks["openat2"]["state"], "ok")

    def test_needed(self):
        """An ordinary user can build nothing here; a cache folder that is not there is not made."""
        checks = self.checks("--cache", "/root/none", status=FAILED,
                             command=("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"))
        for name in ("user", "cache folder", "sandbox"):
            self.assertEqual((checks[name]["state"], checks[name]["needed"]), ("refused", True), name)
        self.assertFalse(os.path.exists("/root/none"))
        self.assertNotIn("sandbox", self.checks("--no-sandbox", "--cache", f"{folder}/cache"))

    def test_limits(self):
        small = f"{folder}/small"
        os.mkdir(small)
        self.addCleanup(os.rmdir, small)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m,nr_inodes=100", "small", small], check=True)
        self.addCleanup(subprocess.run, ["umount", small], check=True)
        checks = self.checks("--cache", f"{small}/below/cache", command=("prlimit", "--nofile=100"))
        for name in ("open files", "free space", "free inodes"):
            self.assertEqual(checks[name]["state"], "refused", name)
        self.assertIn("not made yet", checks["cache folder"]["found"])
        self.assertEqual(os.listdir(small), [])

    def test_lock_is_held(self):
        with open("/var/lock/subsys/lxc-plamo", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.assertIn("held by process", self.checks()["lock"]["found"])


class Tree(AnswersTest):
    def test_plan(self):
        mirror = f"file://{given.mirror}"
        tree = self.of_release("plan", "--tree", "--mirror", mirror, *everything_options()).output.splitlines()
        plan = json.loads(self.of_release("plan", "--json", "--mirror", mirror, *everything_options()).output)["files"]
        total = sum(f["size"] for f in plan)
        self.assertEqual(tree[-1].split(), [str(total), str(len(plan)), "files", "in", "all"])
        self.assertEqual(tree[0].split(), [str(total), "Plamo-8.x/", str(len(plan)), "files"])
        folders, found = [], {}
        for line in tree[:-1]:
            size, name = line[:14].strip(), line[16:]
            depth = (len(name) - len(name.lstrip())) // 2
            folders[depth:] = [name.strip().split("/  ")[0]]
            found["/".join(folders)] = int(size)
        for f in plan:
            place = "/".join(f["url"].split("/Plamo-")[1].split("/")[:-1])
            self.assertEqual(found[f"Plamo-{place}/{f['file']}"], f["size"])
        base = [f["size"] for f in plan if "/00_base/" in f["url"]]
        self.assertEqual(found["Plamo-8.x/x86_64/plamo/00_base"], sum(base))


def main():
    global given, folder
    given = arguments(__doc__)
    need_root()
    with temporary_folder() as (path, _):
        folder = path
        run = plamo_fast(given.bin, "build", f"{folder}/root", "--no-configure", "--mirror", f"file://{given.mirror}",
                         "--release", RELEASE, "--cache", f"{folder}/cache", *everything_options())
        if run.status:
            sys.exit(run.log)
        result = unittest.main(argv=[sys.argv[0]], exit=False, verbosity=2).result
    sys.exit(not result.wasSuccessful())


if __name__ == "__main__":
    main()
