#!/usr/bin/env python3
"""Hostile mirrors: what they list and send changes nothing outside, and is dropped or refused in bounded time."""

import gzip
import os
import shutil
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import attackkit
from attackkit import GOOD, AttackTest, inodes
from faulty_ftp import FaultyFtp
from faulty_server import Fault
from netkit import BASE, MIRROR, PACKAGE, PERMISSION, TREE, USAGE
from scan import scan

GOOD_LINK = f'<a href="{GOOD}.tgz">{GOOD}.tgz</a>\n'


def drip(listener):
    """Answers each connection by a header that never ends."""
    def answer(connection):
        with connection:
            try:
                connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
                while True:
                    connection.sendall(b"x")
                    time.sleep(0.05)
            except OSError:
                pass

    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=answer, args=(connection,), daemon=True).start()


class Network(AttackTest):
    def setUp(self):
        super().setUp()
        self.from_server()

    def dropped(self, page, limit_s=attackkit.LIMIT_S, what=""):
        """D: of a page only the good package's link counts; nothing else is asked for or made."""
        with self.subTest(what):
            attackkit.tried["variants"] += 1
            self.start_anew()
            self.server.clear()
            self.server.contents[BASE + "/"] = page if isinstance(page, bytes) else page.encode()
            result = self.build_works()
            self.assertLess(result.processor_s, limit_s * (4 if self.instrumented else 1))
            self.assertEqual(self.fetched(), [f"{GOOD}.tgz"], str(result))
            self.assertEqual(sorted(n for n in os.listdir(self.cache_folder("cache")) if n[0] != "."), [f"{GOOD}.tgz"])
            return result

    def refused_here(self, *names, status=MIRROR, arguments=()):
        self.start_anew()
        return self.build_refused(names, status=status, arguments=arguments)


class Listings(Network):
    def test_encoded_slashes(self):
        """listing with `..%2f` (D)"""
        for href in ("..%2f..%2fhost%2fnew-1-x86_64-P1.tgz", "..%2Fnew-1-x86_64-P1.tgz", "%2e%2e/new-1-x86_64-P1.tgz",
                     "%2e%2e%2fnew-1-x86_64-P1.tgz", "a%2fb-1-x86_64-P1.tgz", "..%5cnew-1-x86_64-P1.tgz/..%2f",
                     "x/../../new-1-x86_64-P1.tgz", "new-1-x86_64-P1.tgz%00.html", "new%0a-1-x86_64-P1.tgz", "%2e%2e/",
                     "../"):
            self.dropped(f'{GOOD_LINK}<a href="{href}">x</a>', what=href)

    def test_elsewhere(self):
        """listing with … absolute path elsewhere, foreign host, `file:`, `javascript:` (D)"""
        evil = "new-1-x86_64-P1.tgz"
        for href in (f"/{evil}", f"{TREE}/plamo/02_devel/{evil}", f"//evil.invalid{BASE}/{evil}",
                     f"file://{self.host}/secret",
                     f"file:///{BASE}/{evil}", f"http://evil.invalid{BASE}/{evil}", f"ftp://127.0.0.1{BASE}/{evil}",
                     f"http://me@127.0.0.1:1{BASE}/{evil}", f"javascript:alert('{evil}')", f"data:text/plain,{evil}",
                     f"http://127.0.0.1:{self.server.port}.evil.invalid{BASE}/{evil}", f"gopher://x/{evil}",
                     f"?{evil}"):
            self.dropped(f'{GOOD_LINK}<a href="{href}">{evil}</a>', what=href)

    def test_base_elsewhere(self):
        """listing with … foreign host: by a base element (D)"""
        page = f'{GOOD_LINK}<base href="http://evil.invalid/x/"><a href="new-1-x86_64-P1.tgz">x</a>'
        self.dropped(page)

    def test_large_page(self):
        """listing with … 100 MB page (D or bounded)"""
        self.server.contents[BASE + "/"] = (GOOD_LINK + "<p>" + "x" * (100 << 20)).encode()
        result = self.refused_here("the page is too large", self.server.url)
        self.assertLess(self.server.requests[0].sent, 100 << 20, str(result))

    def test_endless_page(self):
        """listing with … 100 MB page (bounded): one that has no end, dripping fast enough"""
        self.server.contents[BASE + "/"] = b"x" * (64 << 20)
        self.server.add(BASE + "/", Fault(no_length=True, repeat=True))
        self.refused_here("the page is too large")

    def test_million_links(self):
        """listing with … a million links (bounded)"""
        self.server.contents[BASE + "/"] = b"".join(b"<a href=%06x-1-a-1.tgz>" % i for i in range(1_000_000))
        self.refused_here()

    def test_deep_page(self):
        """listing with … 100 MB page (bounded): elements within each other"""
        self.server.contents[BASE + "/"] = GOOD_LINK.encode() + b"<div>" * 1_000_000
        self.refused_here("nests")

    def test_tags_that_take_time(self):
        """listing with … 100 MB page (bounded): a tag of half a million attributes, compared with each other"""
        for quote in ("", '=">"'):
            names = "".join(f" a{i}{quote}" for i in range(500_000))
            self.server.contents[BASE + "/"] = f"{GOOD_LINK}<a{names}>".encode()
            with self.subTest(quote):
                self.refused_here(f"{self.server.url}{BASE}/")

    def test_self_loop(self):
        """listing with … self-loop (D)"""
        self.dropped(f'{GOOD_LINK}<a href="./">.</a><a href="{BASE}/">self</a><a href="">x</a><a href="#x">x</a>')
        loop = f'{GOOD_LINK}<a href="loop/">loop/</a>'
        self.server.contents[f"{BASE}/loop/"] = b'<a href="loop/">loop/</a><a href="../">up</a>'
        self.dropped(loop, what="a folder in itself")
        self.assertLess(len(self.server.asked()), 10)

    def test_twins(self):
        """listing with … folder/package twins (D or bounded)"""
        self.server.contents[f"{BASE}/{GOOD}.tgz/"] = GOOD_LINK.encode()
        self.dropped(f'{GOOD_LINK}<a href="{GOOD}.tgz/">{GOOD}.tgz/</a>' + GOOD_LINK * 100)

    def test_names_of_our_own_files(self):
        """listing with … names of files that the cache keeps for itself (D)"""
        for name in (".plamo-fast.manifest.json", ".plamo-fast.journal", f"{GOOD}.tgz.part", ".", "..", "-rf", "~"):
            self.dropped(f'{GOOD_LINK}<a href="{name}">x</a>', what=name)


class Answers(Network):
    def test_redirects(self):
        """redirect to file:, to a lower scheme, loops, injected newlines (refused)"""
        path = f"{BASE}/{GOOD}.tgz"
        for place in (f"file://{self.host}/secret", f"file:{self.host}/secret", "gopher://127.0.0.1:1/x",
                      "ftp://127.0.0.1:1/x",
                      "scp://127.0.0.1/x", "dict://127.0.0.1:1/x", "ldap://127.0.0.1:1/x", "smb://127.0.0.1/x", path,
                      "///",
                      f"/x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", "http://127.0.0.1:1\t/x", "\x01"):
            with self.subTest(place):
                self.server.clear()
                self.server.add(path, Fault(redirect=place, repeat=True))
                self.refused_here(f"{GOOD}.tgz")
                self.assertLess(len(self.server.asked()), 20)
        self.server.clear()
        self.start_anew()
        self.build_works()

    def test_redirected_listing(self):
        """redirect to file:, to a lower scheme, loops (refused), of a folder's page"""
        for place in (f"file://{self.mirror}{BASE}/", "ftp://127.0.0.1:1/x/", f"{BASE}/"):
            with self.subTest(place):
                self.server.clear()
                self.server.add(f"{BASE}/", Fault(redirect=place, repeat=True))
                self.refused_here()
                self.assertLess(len(self.server.asked()), 40)

    def test_content_disposition(self):
        """Content-Disposition name (ignored)"""
        for name in ("../../host/new", f"{self.host}/new", "other-1-x86_64-P1.tgz"):
            self.server.add(f"{BASE}/{GOOD}.tgz",
                            Fault(headers={"Content-Disposition": f'attachment; filename="{name}"'}))
            self.dropped(GOOD_LINK, what=name)
            self.server.clear()

    def test_content_encoding(self):
        """Content-Encoding on packages (off)"""
        for name in ("gzip", "deflate", "br", "zstd", "gzip, gzip", "nonsense"):
            self.server.clear()
            self.start_anew()
            self.server.add(f"{BASE}/{GOOD}.tgz", Fault(headers={"Content-Encoding": name}))
            with self.subTest(name):
                result = self.build_works()
                asked = self.server.asked(f"{GOOD}.tgz")[0].headers.get("accept-encoding", "identity")
                self.assertEqual(asked, "identity", str(result))
                self.assertEqual(self.read(self.cache_folder("cache"), f"{GOOD}.tgz"), self.good(GOOD))

    def test_content_encoding_bomb(self):
        """Content-Encoding on packages (off); pages are unpacked, and that is bounded"""
        self.server.contents[BASE + "/"] = gzip.compress(bytes(64 << 20))
        self.server.add(BASE + "/", Fault(headers={"Content-Encoding": "gzip"}, repeat=True))
        self.refused_here()

    def test_headers_without_end(self):
        """listing …, answers without end (bounded): header lines"""
        self.server.add(BASE + "/", Fault(headers={f"X-{i}": "y" * 1000 for i in range(2000)}, repeat=True))
        self.refused_here(self.server.url)

    def test_dripping_headers(self):
        """a dripping mirror: header lines that come byte by byte, without end (bounded)"""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            threading.Thread(target=drip, args=(listener,), daemon=True).start()
            self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            # Each attempt ends after a second; all of them together do, too.
            result = self.refused_here("--fetch-timeout", arguments=("--stall-timeout", "1", "--fetch-timeout", "6"))
            self.assertLess(result.seconds, 20)

    def test_lockfile_mismatch(self):
        """lockfile mismatch (fail closed)"""
        lock = os.path.join(self.folder, "cache", "lock.json")
        self.write_lock(lock)
        self.put((f"{GOOD}.tgz", self.good("other")))
        self.beside.add("lock.json")
        self.start_anew()
        self.put_lock(lock)
        result = self.build("--lock", lock)
        self.assertEqual((result.status, len(result.errors)), (PACKAGE, 1), str(result))
        self.assertIn(GOOD, result.errors[0])
        self.assertFalse(os.path.lexists(self.root))
        self.assertFalse(os.path.lexists(self.cache_folder("rootfs")))

    def write_lock(self, lock):
        result = self.run_program("lock", "--release", "8.x", "--arch", "x86_64", "--mirror", self.url, "--cache",
                                  self.cache)
        self.assertEqual(result.status, 0, str(result))
        self.lock_text = result.out

    def put_lock(self, lock, text=None):
        os.makedirs(os.path.dirname(lock), exist_ok=True)
        with open(lock, "w") as stream:
            stream.write(self.lock_text if text is None else text)

    def test_malformed_digest(self):
        """malformed digest (fail closed)"""
        lock = os.path.join(self.folder, "lock.json")
        self.beside.add("lock.json")
        self.write_lock(lock)
        digest = self.lock_text.split('"sha256": "')[1][:64]
        for bad in ("", digest[:-1], digest.upper(), "g" * 64, digest + "0", "../../host", "0" * 63 + "\\u0000"):
            self.refused_lock(lock, self.lock_text.replace(digest, bad))

    def test_malformed_lockfile(self):
        """lockfile mismatch, malformed digest (fail closed): names that lead out, and text that is none"""
        lock = os.path.join(self.folder, "lock.json")
        self.beside.add("lock.json")
        self.write_lock(lock)
        name = f'"file": "{GOOD}.tgz"'
        for text in ("", "{", "[]", "null", "[" * 100000, self.lock_text[:-10], self.lock_text + "x",
                     self.lock_text.replace(name, '"file": "../../host/new.tgz"'),
                     self.lock_text.replace(name, '"file": ".."'),
                     self.lock_text.replace(name, f'"file": "{self.host}/new.tgz"'),
                     self.lock_text.replace('"plamo-fast-lock": 1', '"plamo-fast-lock": 2')):
            self.refused_lock(lock, text)

    def refused_lock(self, lock, text):
        with self.subTest(text[:200]):
            self.start_anew()
            self.put_lock(lock, text)
            self.assertNotEqual(text, self.lock_text)
            self.refused_here(lock, status=USAGE, arguments=("--lock", lock))


class Confined(AttackTest):
    """What the thread that speaks with servers can reach."""

    def test_privileges(self):
        """While a file comes, its thread has given up new privileges and nearly all capabilities, the others not."""
        self.from_server()
        path = f"{BASE}/{GOOD}.tgz"
        self.server.add(path, Fault(stall=100))
        process = self.start(self.command(*self.build_arguments()))
        self.eventually(self.server.stalled.is_set, "the transfer stalls")
        threads = {}
        for thread in os.listdir(f"/proc/{process.pid}/task"):
            with open(f"/proc/{process.pid}/task/{thread}/status") as stream:
                fields = dict(line.rstrip("\n").split(":\t", 1) for line in stream if ":\t" in line)
            threads[int(thread)] = fields["NoNewPrivs"], int(fields["CapEff"], 16)
        self.server.release()
        self.wait(process)
        confined = [caps for no_new, caps in threads.values() if no_new == "1"]
        self.assertEqual(threads[process.pid][0], "0", threads)
        self.assertEqual(len(confined), 1, threads)
        # CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER and CAP_FSETID, as far as we have them ourselves.
        self.assertEqual(confined[0] & ~0b11011, 0, threads)

    def test_link_out_of_a_folder(self):
        """Besides a server a folder's links lead nowhere outside it: the kernel refuses to open what they name."""
        self.from_server()
        other = self.another_mirror()
        on_disk = f"{other.folder}{BASE}/{GOOD}.tgz"
        shutil.move(on_disk, f"{self.host}/secret.tgz")
        self.before = scan(self.host), inodes(self.host)
        os.symlink(f"{self.host}/secret.tgz", on_disk)
        self.server.add(f"{BASE}/{GOOD}.tgz", Fault(status=404, repeat=True))
        self.start_anew()
        self.build_refused(("Permission denied", GOOD), status=PERMISSION,
                           arguments=("--mirror", f"file://{other.folder}"))
        # Alone the folder is this machine's own affair.
        self.url = f"file://{other.folder}"
        self.start_anew()
        self.build_works()


class Ftp(AttackTest):
    def setUp(self):
        super().setUp()
        self.ftp = FaultyFtp(self.mirror).start()
        self.addCleanup(self.ftp.stop)
        self.url = self.ftp.url

    def works(self, what=""):
        with self.subTest(what):
            attackkit.tried["variants"] += 1
            self.start_anew()
            self.ftp.commands.clear()
            result = self.build_works()
            self.assertLess(result.processor_s, attackkit.LIMIT_S)
            self.assertEqual([n for n in self.ftp.asked_for("RETR") if "CHECKSUMS" not in n], [f"{GOOD}.tgz"],
                             str(result))

    def row(self, name, kind="-", rest="1 ftp ftp 100 Jul 14  2017"):
        return f"{kind}rw-r--r-- {rest} {name}\r\n".encode("utf-8", "surrogateescape")

    def test_plain(self):
        """FTP listing … (the scripted server itself serves)"""
        self.works()

    def test_links(self):
        """FTP listing with links (D): none that leads out is followed"""
        self.put(("new-1-x86_64-P1.tgz", self.good("new")), place="plamo/00_base/l")
        for name in ("l -> ../../../../host", f"l-1-x86_64-P1.tgz -> {self.host}/secret", "l -> .", "loop -> loop",
                     f"l -> {self.host}"):
            self.ftp.listings[BASE] = self.row(f"{GOOD}.tgz") + self.row(name, "l")
            self.works(name)
            # The server would have gone into "l": it is not asked to, nor for what a link says that it leads to.
            self.assertEqual({place.strip("/") for place in self.ftp.asked_for("CWD")}, {BASE[1:], TREE[1:]}, name)
            for _, argument in list(self.ftp.commands):
                self.assertNotRegex(argument, r"host|secret|\.\.", name)
        # A folder of that name it is asked for, and what it gives is met again.
        self.ftp.listings[BASE] = self.row(f"{GOOD}.tgz") + self.row("l", "d")
        self.start_anew()
        self.ftp.commands.clear()
        self.build_works("new")
        self.assertIn(f"{BASE[1:]}/l", {place.strip("/") for place in self.ftp.asked_for("CWD")})

    def test_names(self):
        """FTP listing with … CR, and names that lead out (D)"""
        for name in ("../new-1-x86_64-P1.tgz", f"{self.host}/new-1-x86_64-P1.tgz", "a\rb-1-x86_64-P1.tgz", "..", ".",
                     "a/b.tgz",
                     "x\x1b[31m-1-x86_64-P1.tgz", "\x00-1-x86_64-P1.tgz", "x" * 300 + ".tgz", ""):
            self.ftp.listings[BASE] = self.row(f"{GOOD}.tgz") + self.row(name)
            self.works(name)

    def test_dates_and_lines(self):
        """FTP listing with … odd dates (D)"""
        rows = b"".join(self.row("odd", rest=rest) for rest in ("1 ftp ftp 1 Foo 99 99:99", "1 ftp ftp -1 Jul 14  2017",
                                                                "1 ftp ftp 99999999999999999999 Jul 14  2017", "",
                                                                "1 1 1 1"))
        rows += b"total -1\r\n\r\n\r\n" + b"d" * 100000 + b"\r\n" + bytes(range(256)) + b"\r\n" + b"drwx" * 50 + b"\r\n"
        self.ftp.listings[BASE] = rows + self.row(f"{GOOD}.tgz") + rows + b"-rw-r--r-- 1"
        self.works()

    def test_million_lines(self):
        """FTP listing …, a million links (bounded)"""
        self.ftp.listings[BASE] = b"".join(self.row(f"{i}-1-x-1.tgz") for i in range(1_000_000))
        self.refused_ftp()

    def refused_ftp(self, *names, status=MIRROR, limit_s=attackkit.LIMIT_S, arguments=()):
        self.start_anew()
        return self.build_refused(names, status=status, limit_s=limit_s, arguments=arguments)

    def test_endless_listing(self):
        """FTP listing …, 100 MB page (bounded): a listing without end"""
        self.ftp.listings[BASE] = self.row("x") * 10000
        self.ftp.endless_data = True
        self.refused_ftp("too large")

    def test_pasv_to_a_third_host(self):
        """PASV to a third host (ignored)"""
        for host in ((10, 255, 255, 1), (127, 0, 0, 2), (0, 0, 0, 0), (255, 255, 255, 255)):
            self.ftp.pasv_host = host
            self.works(host)

    def test_replies(self):
        """PASV …, and other replies that are none (refused in bounded time)"""
        quick = ("--stall-timeout", "1")
        for verb, reply in (("PASV", b"227 (300,1,1,1,1,1)\r\n"), ("PASV", b"227 (\r\n"),
                            ("CWD", b"\xff" * 100 + b"\r\n"),
                            ("PWD", b'257 "' + b"/x" * 3000 + b'"\r\n550 x\r\n')):
            with self.subTest(f"{verb} {reply[:40]}"):
                self.ftp.replies = {verb: reply}
                self.start_anew()
                attackkit.tried["variants"] += 1
                result = self.build(*quick, timeout_s=60)
                self.assert_host_untouched(result)
                self.assert_failed(result, MIRROR)
                self.assertIn(f"127.0.0.1:{self.ftp.port}", result.errors[0], str(result))
                self.assertLess(len(self.ftp.commands), 500, "asked again without end")
                self.ftp.commands.clear()

    def test_endless_reply(self):
        """endless replies (bounded time and memory): a line without end, and lines that never are the last"""
        for verb, text in (("USER", b"230-" + b"x" * 65536), ("USER", b"230-more\r\n" * 1000),
                           ("CWD", b"250-more\r\n" * 1000)):
            with self.subTest(f"{verb} {text[:10]}"):
                self.ftp.flood = verb, text
                self.refused_ftp(limit_s=60, arguments=("--stall-timeout", "1"))

    def test_file_without_end(self):
        """endless replies (bounded): data behind the end of a package"""
        self.put((f"{GOOD}.tgz", self.good(GOOD) + b"x"))
        self.ftp.endless_data = True
        self.refused_ftp(limit_s=60, arguments=("--stall-timeout", "1"))


if __name__ == "__main__":
    attackkit.main()
