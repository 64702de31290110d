#!/usr/bin/env python3
"""Hostile archives: each is refused by name, or stays inside the root, and the host is as it was."""

import os
import stat
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import attackkit
import hostile
import tarball
from attackkit import EVIL, GOOD, AttackTest, gz
from hostile import END, base256, file, folder, gnu_long, hardlink, header, octal, pax, padded, symlink


def long_link(name, target):
    """A symbolic link to a target of any length."""
    return gnu_long(b"K", target) + symlink(name, target[:99])


class Names(AttackTest):
    def test_dot_dot(self):
        """`../x`, `a/../../x`, `/abs` (R)"""
        for name in (*self.ways_out("open/new"), *self.ways_out("secret"), "..", "a/..", "a/../b",
                     "./../../host/secret",
                     "a/../../../host/secret", ".//..//host/secret"):
            self.refused_tar((file(name, "evil") if len(name) < 100 else gnu_long(b"L", name) + file("x",
                                                                                                     "evil")) + END,
                             name[:60], what=name)

    def test_dot_dot_of_other_kinds(self):
        """`../x`, `/abs` (R), as a folder, a link, a hard link's name, a device and a fifo"""
        for name in ("../../../host/new", f"{self.host}/new"):
            for kind in (b"1", b"2", b"3", b"4", b"5", b"6"):
                tar = file("f", "x") + header(name, kind=kind, link="f" if kind in b"12" else "")
                self.refused_tar(tar + END, name, what=f"{name} {kind}")

    def test_dot_dot_in_long_names(self):
        """`../x`, `/abs` (R), in a PAX path, a prefix and GNU's long name"""
        for name in ("../../../host/new", f"{self.host}/new"):
            self.refused_tar(pax(("path", name)) + file("f", "x") + END, name, what="PAX")
            self.refused_tar(gnu_long(b"L", name) + file("f", "x") + END, name, what="GNU")
            self.refused_tar(file("new", "x", prefix=os.path.dirname(name).encode()) + END, "host/new", what="prefix")

    def test_gigabyte_names(self):
        """gigabyte names (R, bounded RAM)"""
        for size in (1 << 20, 1 << 30, (8 << 30) - 1):
            for kind in (b"L", b"K", b"x", b"g"):
                def write(path, size=size, kind=kind):
                    attackkit.write_gz(path, header("././@LongLink", size, kind=kind), (b"a" * (1 << 20), 64),
                                       file("f", "x") + END)
                self.refused(write, what=f"{size} {kind}", unprivileged=False)

    def test_names_too_long_for_a_file_system(self):
        """gigabyte names (R, bounded RAM): a component of 256 bytes, a path of 4096"""
        self.refused_tar(gnu_long(b"L", "a" * 256) + file("f", "x") + END, "a" * 60)
        self.refused_tar(gnu_long(b"L", "a/" * 2100 + "x") + file("f", "x") + END, "a/a/a")
        self.refused_tar(gnu_long(b"L", "/".join(["a" * 200] * 30)) + file("f", "x") + END, "a" * 60)
        self.refused_tar(gnu_long(b"K", "a" * 4096) + symlink("l", "x") + END, "member l")

    def test_strange_names(self):
        """newline, ESC, invalid UTF-8, `-rf`, names with spaces and quotes (kept exactly, shown escaped)"""
        names = [b"new\nline", b"esc\x1b[31mred", b"\xff\xfe invalid", b"-rf", b"--help", b"sp ace", b"qu'ote",
                 b'dq"uote',
                 b"$(touch x)", b"`id`", b"a;b", b"*", b"\xc2\x9b[2J", b"tab\t", b"\r", b"back\\slash", b" ", b"~"]
        tar = b"".join(file(b"usr/odd/" + n, b"data") for n in names) + END
        for result in self.contained((EVIL, tar)):
            for root in (self.root, self.cache_folder("rootfs")):
                self.assertEqual(sorted(os.listdir(os.fsencode(root) + b"/usr/odd")), sorted(names))
            self.assertNotRegex(result.err, "[\x00-\x09\x0b-\x1f\x7f\x9b]", "control characters reach the terminal")
            with open(f"{self.root}/var/log/packages/evil", "rb") as stream:
                listed = stream.read().split(b"FILE LIST:\n")[1].splitlines()
            self.assertEqual(len(listed), len(names), "a name forges a line of the record")

    def test_strange_names_in_messages(self):
        """newline, ESC, … (shown escaped): in the line that refuses them"""
        for name, shown in ((b"../a\nplamo-fast: error: forged", "../a\\x0aplamo-fast: error: forged"),
                            (b"../\x1b]0;x\x07", "../\\x1b]0;x\\x07")):
            result = self.refused_tar(file(name, "x") + END, shown, what=shown)
            self.assertNotRegex(result.err, "[\x00-\x09\x0b-\x1f\x7f]")

    def test_record_name(self):
        """record name with `/` or `..` (R)"""
        for stem in ("..-1-x86_64-P1", ".-1-x86_64-P1"):
            with self.subTest(stem):
                self.start_anew()
                path = self.mirror + self.put((f"{stem}.tgz", gz(file("f", "x") + END)))
                self.build_refused((f"{stem}.tgz",))
                os.unlink(path)
                self.build_works()

    def test_no_name(self):
        """record name …, member without a name (R)"""
        self.refused_tar(file("", "x") + END)
        self.refused_tar(file("./", "x") + END)
        self.refused_tar(symlink(".", "/") + END)


class Links(AttackTest):
    def test_write_through_own_link(self):
        """symlink then write through it, in one package (R)"""
        for target in (self.host, *("../" * n + "host" for n in range(1, 6)), ".", "/", "usr"):
            for inside in ("new", "secret", "open/new"):
                tar = folder("usr") + symlink("l", target) + file(f"l/{inside}", "evil") + END
                self.refused_tar(tar, f"l/{inside}", what=f"{target} {inside}", unprivileged=target[0] != "/")
        self.refused_tar(symlink("l", self.host) + folder("l/new") + END, "l/new")
        self.refused_tar(symlink("l", self.host) + folder("l", mode=octal(0o777, 8)) + END, "l/")
        self.refused_tar(symlink("l", self.host) + symlink("l/new", "x") + END, "l/new")
        self.refused_tar(symlink("l", self.host) + header("l/new", kind=b"6") + END, "l/new")

    def test_file_in_place_of_a_link(self):
        """symlink then write through it, in one package: a file of the link's own name replaces it (C)"""
        for target in self.ways_out("secret"):
            for _ in self.contained((EVIL, long_link("l", target) + file("l", "evil") + END)):
                self.assertEqual(self.read(self.root, "l"), b"evil")
                self.assertFalse(os.path.islink(f"{self.root}/l"))

    def test_write_through_anothers_link(self):
        """the same across two packages, relative and absolute link (C): nothing is made where the link leads"""
        for n, target in enumerate(self.ways_out("open")):
            with self.subTest(target):
                self.start_anew()
                self.put(("evila-1-x86_64-P1.tgz", gz(long_link(f"l{n}", target) + END)), moment=1_500_000_000 + n)
                self.put(("evilb-1-x86_64-P1.tgz", gz(file(f"l{n}/new", "evil") + END)), moment=1_500_000_000 + n)
                # Inside the root there is no such folder.
                self.build_refused(("evilb-1-x86_64-P1", f"l{n}/new"))

    def test_file_over_anothers_link(self):
        """the same across two packages (C): a file in the place of a link to a file"""
        for target in self.ways_out("secret"):
            for _ in self.contained(("evila-1-x86_64-P1", long_link("l", target) + END),
                                    ("evilb-1-x86_64-P1", file("l", "evil", mode=octal(0o4777, 8)) + END)):
                self.assertEqual(self.read(self.root, "l"), b"evil")

    def test_links_of_the_package_system(self):
        """the same across two packages (C): the folders that records, logs and scripts are written to"""
        for place in ("var", "var/log", "var/log/packages", "var/log/scripts", "var/log/install.log", "var/log/setup",
                      "var/log/initpkg", "install", "etc", "var/log/setup/tmp"):
            for target in self.ways_out("open")[:4]:
                self.start_anew()
                self.put((f"{EVIL}.tgz", gz(symlink(place, target) + END)))
                script = tarball.file("install/doinst.sh", "#%% begin\nx\n#%% end\n( cd etc ; rm -rf y )\n"
                                      "( cd etc ; ln -sf x y )\n")
                self.put(("zzz-1-x86_64-P1.tgz", gz(tarball.tar_bytes([script]))))
                with self.subTest(place=place, target=target):
                    result = self.build()
                    attackkit.tried["variants"] += 1
                    self.assertIn(len(result.errors), (0, 1), str(result))
                    self.assert_host_untouched(result)

    def test_folder_through_anothers_link(self):
        """the same across two packages, relative and absolute link (C): a folder's owner and mode"""
        for n, target in enumerate(self.ways_out("open")):
            inside = folder(f"l{n}", mode=octal(0o700, 8)) + file(f"l{n}/new", "evil")
            there = folder(target.replace("../", "").lstrip("/"))
            first = there if len(target) < 100 else gnu_long(b"L", target.replace("../", "")) + folder("x")
            for _ in self.contained((f"evila{n}-1-x86_64-P1", first + long_link(f"l{n}", target) + END),
                                    (f"evilb{n}-1-x86_64-P1", inside + END)):
                place = os.path.join(self.root, target.replace("../", "").lstrip("/"))
                self.assertEqual(os.listdir(place), ["new"])
                self.assertEqual(stat.S_IMODE(os.stat(place).st_mode), 0o700)
            for half in "ab":
                os.unlink(f"{self.mirror}{attackkit.BASE}/evil{half}{n}-1-x86_64-P1.tgz")

    def test_link_at_the_root(self):
        """link at `.` or at the root itself (R)"""
        for name in (".", "./", "./.", "/"):
            self.refused_tar(symlink(name, self.host) + file("new", "evil") + END, what=name)
            self.refused_tar(hardlink(name, "f") + file("new", "evil") + END, what=f"hard {name}")

    def test_hard_link_to_outside(self):
        """hard link to outside (R)"""
        for target in (*self.ways_out("secret"), *self.ways_out("open"), "/etc/passwd"):
            tar = hardlink("h", target) if len(target) <= 100 else gnu_long(b"K", target) + hardlink("h", "x")
            self.refused_tar(tar + file("h", "evil") + END, "h", what=target)

    def test_hard_link_to_a_missing_member(self):
        """hard link … to a missing member (R)"""
        self.refused_tar(hardlink("h", "missing") + END, "member h")
        self.refused_tar(hardlink("h", "later") + file("later", "x") + END, "member h")
        self.refused_tar(hardlink("h", "") + END, "h")
        self.refused_tar(hardlink("h", "h") + END, "member h")
        self.refused_tar(folder("h") + hardlink("h", "h") + END, "member h")
        self.refused_tar(hardlink("usr/share/aaa2", "usr/share/aaa") + END, "usr/share/aaa2")
        self.refused_tar(folder("d") + hardlink("h", "d") + END, "member h")

    def test_hard_link_through_a_link(self):
        """hard link … through a link (R)"""
        for target in (self.host, "../../../../host", "..", "d"):
            tar = file("d/secret", "x") + symlink("l", target) + hardlink("h", "l/secret") + END
            self.refused_tar(tar, "member h", what=target)

    def test_hard_link_to_a_link_out(self):
        """hard link … through a link: to the link itself, then a file in its place (C)"""
        tar = symlink("l", f"{self.host}/secret") + hardlink("h", "l") + file("l", "evil") + END
        for _ in self.contained((EVIL, tar)):
            self.assertEqual(os.readlink(f"{self.root}/h"), f"{self.host}/secret")

    def test_hard_link_with_data(self):
        """hard link … carrying data (R)"""
        link = header("h", 600, kind=b"1", link="f")
        self.refused_tar(file("f", "x") + pax(("path", "h")) + link + padded(b"e" * 600) + END, "member h", what="PAX")
        for magic in (hostile.USTAR, hostile.GNU, hostile.V7):
            for body in (b"e" * 600, bytes(600)):
                link = header("h", 600, kind=b"1", link="f", magic=magic)
                self.refused_tar(file("f", "x", magic=magic) + link + padded(body) + file("g", "y", magic=magic) + END,
                                 what=f"{magic} {body[:1]}")

    def test_folder_swapped_for_a_link(self):
        """folder swapped for a link between members (R)"""
        for target in (self.host, "../../../host"):
            self.refused_tar(folder("d") + file("d/a", "x") + symlink("d", target) + file("d/new", "evil") + END,
                             "member d",
                             what=target)
            self.refused_tar(folder("d") + symlink("d", target) + file("d/new", "evil") + END, "member d", what=target)
            self.refused_tar(folder("d") + file("f", "x") + hardlink("d", "f") + file("d/new", "evil") + END,
                             "member d",
                             what=target)

    def test_link_chain_and_loop(self):
        """over-long link chain, loop (R): in one package"""
        chain = b"".join(symlink(f"l{i}", f"l{i + 1}") for i in range(60)) + folder("l60")
        self.refused_tar(chain + file("l0/new", "evil") + END, "l0/new", what="chain")
        self.refused_tar(symlink("l", "l") + file("l/new", "evil") + END, "l/new", what="loop")
        self.refused_tar(symlink("a", "b") + symlink("b", "a") + file("a/new", "evil") + END, "a/new", what="loop")

    def test_link_chain_and_loop_of_another_package(self):
        """over-long link chain, loop (R): across two packages"""
        chain = b"".join(symlink(f"l{i}", f"l{i + 1}") for i in range(60)) + folder("l60")
        for what, first, name in (("chain", chain, "l0"), ("loop", symlink("l", "l"), "l"),
                                  ("two", symlink("a", "b") + symlink("b", "a"), "a")):
            self.put(("evila-1-x86_64-P1.tgz", gz(first + END)), moment=1_500_000_000 + len(name) + len(first))
            for inside in (file(f"{name}/new", "evil"), folder(name), folder(f"{name}/d")):
                self.refused_after(inside + END, name, what=what)

    def refused_after(self, tar, *names, what=""):
        """The second of two packages is refused, with its name and the path."""
        with self.subTest(what):
            self.start_anew()
            self.put(("evilb-1-x86_64-P1.tgz", gz(tar)))
            self.build_refused(("evilb-1-x86_64-P1", *names))
            self.put(("evilb-1-x86_64-P1.tgz", self.good("evilb")), moment=1_500_000_100)
            self.start_anew()
            self.build_works("evila", "evilb")


class Headers(AttackTest):
    def test_sizes_that_disagree(self):
        """PAX and ustar sizes that disagree (R)"""
        hidden = file("../../../host/new", "evil")
        for told, real in ((0, len(hidden)), (len(hidden), 0), (10, 1000), (1000, 10)):
            tar = pax(("size", str(told))) + header("f", real) + padded(hidden) + file("g", "x") + END
            self.refused_tar(tar, what=f"PAX {told}, ustar {real}")

    def test_size_on_long_name_headers(self):
        """PAX size on L/K headers (R)"""
        for kind in (b"L", b"K"):
            for size in (0, 5000):
                tar = pax(("size", str(size))) + gnu_long(kind, "long" * 40) + symlink("f", "x") + END
                self.refused_tar(tar, what=f"{kind} {size}")
        self.refused_tar(pax(("size", "0")) + pax(("path", "f")) + file("x", "x") + END, what="x")

    def test_sizes_negative_and_overflowing(self):
        """negative or overflowing sizes (R)"""
        for number in (-1, -512, -(1 << 62), 1 << 62, (1 << 63) - 1, 1 << 63, (1 << 64) - 1, 1 << 80):
            for kind in (b"0", b"1", b"5", b"L", b"K", b"x", b"g", b"S"):
                bad = header("h", kind=kind, link="f" if kind == b"1" else "", magic=hostile.GNU,
                             size=base256(number, 12))
                tar = file("f", "x") + bad + file("g", "x") + END
                self.refused_tar(tar, what=f"{number} {kind}", unprivileged=False)

    def test_pax_sizes_negative_and_overflowing(self):
        """negative or overflowing sizes (R), as PAX records"""
        for number in ("-1", "9223372036854775807", "9223372036854775808", "99999999999999999999999", "1e3", "0x10",
                       ""):
            self.refused_tar(pax(("size", number)) + file("f", "x") + END, what=number)

    def test_offsets_negative_and_overflowing(self):
        """negative or overflowing … offsets (R)"""
        for pairs in ([(-5, 1)], [(1 << 62, 1)], [((1 << 63) - 1, 10)], [(10, -1)], [(5, 1), (0, 1)], [(0, 5), (2, 5)],
                      [(0, (1 << 63) - 1)]):
            data = bytes(512)
            for make in (hostile.sparse_00, hostile.sparse_01, hostile.sparse_10):
                self.refused_tar(make("s", pairs, 1000, data) + END, what=f"{make.__name__} {pairs}")

    def test_ids_negative_and_overflowing(self):
        """negative or overflowing … ids (R)"""
        for number in (-1, 0xffffffff, 1 << 32, 1 << 40, 1 << 55):
            for field in ("uid", "gid"):
                self.refused_tar(file("f", "x", **{field: base256(number, 8)}) + END, what=f"{field} {number}")
                self.refused_tar(folder("d", **{field: base256(number, 8)}) + END, what=f"{field} {number} folder")
                self.refused_tar(pax((field, str(number))) + file("f", "x") + END, what=f"PAX {field} {number}")

    def test_times_negative_and_overflowing(self):
        """negative or overflowing … times (R)"""
        for number in (-(1 << 34) - 1, -(1 << 63), (1 << 63) - 1, 1 << 70, -(1 << 80)):
            self.refused_tar(file("f", "x", mtime=base256(number, 12)) + END, what=f"ustar {number}")
        for text in ("-99999999999", "-9223372036854775809", "9223372036854775807", "99999999999999999999",
                     "1.99999999999999999999x"):
            self.refused_tar(pax(("mtime", text)) + file("f", "x") + END, what=f"PAX {text}")

    def test_bad_pax_records(self):
        """negative or overflowing sizes (R), of a PAX record itself"""
        for record in (b"5 a=b\n", b"999999 path=x\n", b"-5 path=x\n", b"0 path=x\n", b"99999999999999999999 path=x\n",
                       b"path=x\n", b"12 path=ab", b"10 pathxyz\n"):
            self.refused_tar(pax(record) + file("f", "x") + END, what=record)

    def test_header_checksum(self):
        """negative or overflowing …: a header whose checksum does not hold (R)"""
        self.refused_tar(file("f", "x", checksum=b"0000000\0") + END)
        self.refused_tar(file("g", "x") + file("f", "x", checksum=b"\xff" * 8) + END)


class Sparse(AttackTest):
    """Files with holes: four formats, each with a map of its own."""

    def test_sparse_map_bomb_of_size(self):
        """sparse map bomb (R): a few bytes that claim to be a file of terabytes"""
        for realsize in (8 << 30, (8 << 40) - 1, 1 << 62, (1 << 63) - 1):
            pairs = [(realsize - 1, 1)]
            for make in (hostile.sparse_00, hostile.sparse_01, hostile.sparse_10):
                self.refused_tar(make("s", pairs, realsize, bytes(512)) + END, what=f"{make.__name__} {realsize}")
        self.refused_tar(hostile.old_sparse("s", [((8 << 30) - 2, 1)], (8 << 30) - 1, b"x") + END, "member s",
                         what="old")

    def test_sparse_map_bomb_of_entries(self):
        """sparse map bomb (R): a map without end, which a reader keeps in memory"""
        extension = hostile.sparse_map([(0, 0)] * 21, 21) + b"\1" + bytes(7)
        start = header("s", 0, kind=b"S", magic=hostile.GNU, realsize=octal(1 << 20, 12), extended=b"\1",
                       sparse=hostile.sparse_map([(0, 0)] * 4, 4))
        self.refused(lambda path: attackkit.write_gz(path, start, (extension * 2000, 400)), what="old",
                     unprivileged=False)
        begin = hostile.sparse_10("s", [], 1 << 20, count=1 << 40)
        size = 300 << 20
        begin = begin[:-2 * hostile.BLOCK] + header("GNUSparseFile.0/x", size)
        lines = b"1099511627776\n" + b"0\n" * 249 + b"\n"
        self.refused(lambda path: attackkit.write_gz(path, begin, lines.ljust(512, b"\n"), (b"0\n" * (1 << 19), 300),
                                                     END),
                     what="1.0", unprivileged=False)

    def test_sparse_map_and_size_disagree(self):
        """sparse map bomb (R): more data than the file is said to have, more than is stored, counts that are wrong"""
        for make in (hostile.sparse_00, hostile.sparse_01, hostile.sparse_10):
            self.refused_tar(make("s", [(0, 512)], 100, bytes(512)) + END, what=f"{make.__name__}: beyond the size")
            self.refused_tar(make("s", [(0, 1024)], 1024, bytes(512)) + END, what=f"{make.__name__}: not stored")
        self.refused_tar(hostile.old_sparse("s", [(0, 512)], 100, bytes(512)) + END, what="old: beyond the size")
        self.refused_tar(hostile.old_sparse("s", [(0, 1024)], 1024, bytes(512)) + END, what="old: not stored")
        for count in (5, 1 << 40, -1):
            self.refused_tar(hostile.sparse_10("s", [(0, 512)], 512, bytes(512), count=count) + END,
                             what=f"count {count}")

    def test_sparse_name_leads_out(self):
        """`../x`, `/abs` (R), as the name in a sparse file's map"""
        for name in ("../../../host/new", f"{self.host}/new"):
            for make in (hostile.sparse_01, hostile.sparse_10):
                self.refused_tar(make(name, [(0, 512)], 512, bytes(512)) + END, name, what=make.__name__)


class Kinds(AttackTest):
    def test_devices_fifo_setuid(self):
        """device, fifo, setuid (kept: it is a root image; staging is 0700)"""
        tar = (header("dev/mem", kind=b"3", major=octal(1, 8), minor=octal(1, 8)) +
               header("dev/sda", kind=b"4", major=octal(8, 8), minor=octal(0, 8)) + header("fifo", kind=b"6") +
               file("su", "#!", mode=octal(0o6755, 8)) + folder("sticky", mode=octal(0o3777, 8)) + END)
        for result in self.contained((EVIL, tar)):
            self.assertEqual(stat.S_IMODE(os.lstat(f"{self.root}/su").st_mode), 0o6755)
            self.assertTrue(stat.S_ISFIFO(os.lstat(f"{self.root}/fifo").st_mode))
            self.assertEqual(stat.S_IMODE(os.lstat(f"{self.root}/sticky").st_mode), 0o3777)
            self.assertEqual(os.path.lexists(f"{self.root}/dev/mem"), not self.prefix, str(result))

    def test_staging_is_private(self):
        """device, fifo, setuid (…; staging is 0700): nobody reaches a setuid file while a root is built"""
        script = tarball.file("install/doinst.sh", "sleep 1.5\n")
        self.put((f"{EVIL}.tgz", gz(file("su", "#!", mode=octal(0o4755, 8)) + tarball.tar_bytes([script]))))
        process = self.start(self.command(*self.build_arguments()))
        work = os.path.join(self.cache, ".plamo-fast-work-8.x-x86_64")
        self.eventually(lambda: os.path.exists(f"{work}/root/su"), "the setuid file is in the root that is built")
        self.assertEqual(stat.S_IMODE(os.lstat(work).st_mode), 0o700)
        self.assert_done(self.wait(process))

    def test_unknown_kinds(self):
        """device, fifo, setuid …: kinds of members that no root has are refused, or are plain files"""
        for kind in (b"D", b"M", b"N", b"V", b"A", b"Z", b"\xff"):
            with self.subTest(kind):
                self.start_anew()
                self.put((f"{EVIL}.tgz", gz(header("k", 0, kind=kind, magic=hostile.GNU) + END)))
                result = self.build()
                attackkit.tried["variants"] += 1
                self.assertIn(result.status, (0, 4), str(result))
                self.assert_host_untouched(result)

    def test_mode_000_folders(self):
        """mode-000 folders (cleaned up)"""
        closed = folder("d", mode=octal(0, 8)) + folder("d/e", mode=octal(0, 8)) + file("d/e/f", "x", mode=octal(0, 8))
        for _ in self.contained((EVIL, closed + END)):
            for place in ("d", "d/e"):
                os.chmod(f"{self.root}/{place}", 0o755)
            self.assertEqual(os.listdir(f"{self.root}/d/e"), ["f"])
        # What was staged when the archive turns out bad goes too, also for a user whom the modes stop.
        self.refused_tar(closed + file("../new", "x") + END, "../new")

    def test_file_over_folder(self):
        """file over non-empty folder and folder over file (clear error naming both packages)"""
        for what, first, second in (("file over folder", file("d/f", "x"), file("d", "x")),
                                    ("link over folder", file("d/f", "x"), symlink("d", "x")),
                                    ("folder over file", file("d", "x"), folder("d")),
                                    ("folder above over file", file("d", "x"), file("d/f", "x"))):
            with self.subTest(what):
                self.start_anew()
                self.put(("evila-1-x86_64-P1.tgz", gz(first + END)))
                self.put(("evilb-1-x86_64-P1.tgz", gz(second + END)))
                result = self.build_refused(("evilb-1-x86_64-P1", "d"))
                self.assertIn("evila", result.errors[0], "the package that brought the other is not named")

    def test_file_and_folder_in_one_package(self):
        """file over non-empty folder and folder over file, within a package (R)"""
        self.refused_tar(file("d/f", "x") + file("d", "x") + END, "member d")
        self.refused_tar(file("d", "x") + folder("d") + END, "member d")
        self.refused_tar(file("d", "x") + file("d/f", "x") + END, "member d/f")

    def test_install_as_link_or_file(self):
        """`install/` as a link or file (R)"""
        for member in (symlink("install", self.host), file("install", "x"), header("install", kind=b"6"),
                       file("f", "x") + hardlink("install", "f"), symlink("install/doinst.sh", f"{self.host}/secret"),
                       header("install/doinst.sh", kind=b"6"), symlink("./install", self.host),
                       folder("install") + symlink("install", self.host)):
            self.refused_tar(member + END, "install", what=member[:40])

    def test_control_files_without_end(self):
        """`install/` …: files of the package system, which are kept in memory (R, bounded RAM)"""
        def write(path):
            attackkit.write_gz(path, header("install/doinst.sh", 1 << 30), (bytes(1 << 20), 64))
        self.refused(write, "install/doinst.sh", unprivileged=False)
        self.refused_tar(b"".join(file(f"install/slack-{i}", "x") for i in range(100)) + END, "install/slack-")


if __name__ == "__main__":
    attackkit.main()
