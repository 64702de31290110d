#!/usr/bin/env python3
"""ftp: from vsftpd, pure-ftpd and proftpd come the same roots as by http; downloads go on where they stopped."""

import os
import shutil
import signal
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import netkit
import proftpd
import pureftpd
import vsftpd
from compare import BY_OURSELVES, compare_roots
from mirror import mirror_folder
from netkit import BASE, MIRROR, TREE, NetTest, noise_package, settings
from pythonserver import PythonServer
from report import Report
from tool import everything_options

RATE = 250 * 1024           # bytes in a second; slow enough to stop a transfer of SIZE in its middle
SIZE = 400_000


class FtpTest:
    """What holds for every FTP server; the class of a server adds itself and NetTest."""

    make = None             # the class of the server

    def setUp(self):
        super().setUp()
        why_not = self.make.why_not()
        if why_not:
            self.skipTest(why_not)

    def serve(self, mirror=None, **more):
        self.ftp = self.make(mirror or self.mirror, **more).__enter__()
        self.addCleanup(self.ftp.__exit__)
        self.url = self.ftp.url
        return self.ftp

    def put_big(self, seed=1):
        self.name, self.data = noise_package("zzz", SIZE, seed)
        self.part = self.partial(self.name + ".part")
        return self.put((self.name, self.data))

    def assert_polite(self):
        """Anonymous, passive, reading."""
        commands = self.ftp.commands()
        verbs = [verb for verb, _ in commands]
        self.assertEqual(sorted(set(verbs) & {"PORT", "EPRT", "STOR", "APPE", "DELE", "MKD", "SITE"}), [])
        self.assertTrue({"EPSV", "PASV"} & set(verbs), "no transfer at all")
        self.assertEqual({name for verb, name in commands if verb == "USER"}, {"anonymous"})

    def build_well(self, *more):
        result = self.assert_done(self.build(*more))
        self.assert_polite()
        return result

    def rests(self):
        return [int(offset) for verb, offset in self.ftp.commands() if verb == "REST" and offset != "0"]

    def kill_at(self, size_bytes):
        """A run that is killed when so much of the big package has come."""
        process = self.start_build()
        self.eventually(lambda: self.size(self.part) >= size_bytes, f"{size_bytes} bytes of {self.name}")
        process.kill()
        self.wait(process)
        return self.size(self.part)

    def assert_in_cache(self, name, data):
        self.assertEqual(self.read(self.cache_folder("cache"), name), data)

    # Whole builds.

    def test_same_root_as_by_http(self):
        mirror = mirror_folder(settings.mirror)
        started_ns = os.lstat(self.folder).st_ctime_ns
        with PythonServer(mirror) as server:
            self.url = server.url
            self.assert_done(self.build(*everything_options()))
        # Records name the cache folder, so both builds use the same.
        http_root = f"{self.root}-http"
        os.rename(self.cache, f"{self.cache}-http")
        os.rename(self.root, http_root)
        self.serve(mirror)
        self.build_well(*everything_options())
        report = Report()
        compare_roots(report, http_root, self.root, started_ns, BY_OURSELVES)
        self.assertEqual(report.failures, 0)

    def test_commands(self):
        """MLSD where the server knows it, LIST for the order; one RETR for each package."""
        paths = self.put_some("aaa", "bbb", "ccc")
        self.serve()
        self.build_well()
        verbs = self.ftp.verbs()
        self.assertIn("LIST", verbs)
        self.assertIn("MLSD", verbs)
        self.assertEqual(sorted(os.path.basename(p) for p in self.ftp.requests()),
                         sorted(os.path.basename(p) for p in paths))
        self.assert_installed(*paths)

    def test_mlsd_is_asked_for_once_where_it_is_unknown(self):
        self.put_some("aaa")
        for i in range(5):
            self.put(noise_package(f"p{i}", 1000, i), f"plamo/00_base/sub{i}")
        self.serve()
        self.build_well("--connections", "1")
        asked = self.ftp.verbs().count("MLSD")
        if self.make.speaks_mlsd:
            self.assertEqual(asked, 6)
        else:
            self.assertLess(asked, 6)

    def test_times(self):
        """A cached file has the time that the server says."""
        [path] = self.put_some("aaa")
        self.serve()
        self.build_well()
        cached = os.path.join(self.cache_folder("cache"), os.path.basename(path))
        self.assertEqual(int(os.stat(cached).st_mtime), 1_500_000_000)

    def test_odd_names(self):
        """What means something else in a URL, in FTP or to a shell."""
        names = ["lib+plus", "per%41cent", "hash#tag", "semi;type=a", "quest?ion", "name with space", "日本語", "a~b",
                 "x&y", "star*", "br[x]", "quote'd"]
        paths = self.put_some(*names, size_bytes=3000)
        self.serve()
        self.build_well()
        self.assert_installed(*paths)

    def test_links(self):
        """As wget takes them: a link is asked for as a file; what the server then refuses, a link to a folder or to
        nothing, is gone without; a folder is never entered through a link."""
        [path] = self.put_some("aaa")
        self.put(noise_package("inside", 1000), "plamo/02_devel")
        base = self.mirror + BASE
        os.symlink("../02_devel", f"{base}/folder")
        os.symlink(os.path.basename(path), f"{base}/linked-1-x86_64-P1.tgz")
        os.symlink("../02_devel", f"{base}/likepackage-1-x86_64-P1.tgz")
        os.symlink("nowhere", f"{base}/dangling-1-x86_64-P1.tgz")
        self.serve()
        self.build_well()
        self.assertEqual([n for n in sorted(os.listdir(self.cache_folder("cache"))) if n.endswith(".tgz")],
                         [os.path.basename(path), "linked-1-x86_64-P1.tgz"])

    def test_few_connections(self):
        """A server that lets two in: the others wait, nothing fails."""
        paths = self.put_some(*(f"p{i:02}" for i in range(20)), size_bytes=5000)
        self.serve(max_per_ip=2)
        self.build_well("--connections", "8")
        self.assert_installed(*paths)

    def test_connections_are_used_again(self):
        paths = self.put_some(*(f"p{i:02}" for i in range(20)), size_bytes=2000)
        self.serve()
        self.build_well("--connections", "3")
        self.assertLessEqual(self.ftp.verbs().count("USER"), 3)
        self.assert_installed(*paths)

    def test_ipv6(self):
        try:
            with socket.create_server(("::1", 0), family=socket.AF_INET6):
                pass
        except OSError as error:
            self.skipTest(f"no IPv6 here: {error}")
        paths = self.put_some("aaa", "bbb")
        self.serve(host="::1")
        self.build_well()
        self.assertEqual(self.ftp.verbs().count("PASV"), 0)
        self.assert_installed(*paths)

    # Downloads that break off.

    def test_killed(self):
        path = self.put_big()
        self.serve(rate=RATE)
        had = self.kill_at(100_000)
        self.build_well()
        self.assertEqual(self.rests(), [had])
        self.assert_installed(path)

    def check_changed(self, seed, mtime):
        """The file is another one when the next run comes: nothing of the old stays."""
        path = self.put_big()
        self.serve(rate=RATE)
        self.kill_at(100_000)
        _, new = noise_package("zzz", SIZE if seed == 2 else SIZE + 50_000, seed)
        with open(self.ftp.served(path), "wb") as stream:
            stream.write(new)
        os.utime(self.ftp.served(path), (mtime, mtime))
        self.build_well()
        self.assert_in_cache(self.name, new)

    def test_killed_and_changed(self):
        self.check_changed(3, 1_600_000_000)

    def test_killed_and_changed_to_the_same_size(self):
        self.check_changed(2, 1_600_000_000)

    def test_part_that_is_whole(self):
        """Killed just before the name: there is nothing left to ask for, or all is asked for again."""
        path = self.put_big()
        self.serve(rate=RATE)
        self.kill_at(100_000)
        with open(self.part, "wb") as stream:
            stream.write(self.data)
        self.build_well()
        self.assert_installed(path)

    def test_part_that_is_too_long(self):
        path = self.put_big()
        self.serve(rate=RATE)
        self.kill_at(100_000)
        with open(self.part, "wb") as stream:
            stream.write(self.data + b"more")
        result = self.build()
        if result.status != 0:
            self.assert_failed(result, netkit.PACKAGE, "zzz-1-x86_64-P1")
            self.build_well()
        self.assert_installed(path)

    def test_server_comes_back(self):
        """In the middle of a transfer it is gone; soon after it is there again."""
        path = self.put_big()
        self.serve(rate=RATE)
        process = self.start_build()
        self.eventually(lambda: self.size(self.part) >= 100_000, "100 kB")
        # However long the server takes to start again, the program has its tries left.
        process.send_signal(signal.SIGSTOP)
        self.ftp.go_away()
        had = self.size(self.part)
        self.ftp.come_back()
        process.send_signal(signal.SIGCONT)
        self.assert_done(self.wait(process))
        self.assertGreaterEqual(self.rests()[0], had)
        self.assert_installed(path)

    def test_server_goes_away(self):
        """Some tries, then one error; what has come is kept and continued by the next run."""
        path = self.put_big()
        self.serve(rate=RATE)
        process = self.start_build()
        self.eventually(lambda: self.size(self.part) >= 100_000, "100 kB")
        self.ftp.go_away()
        result = self.assert_failed(self.wait(process), MIRROR, self.name)
        self.assertIn("attempt", result.err)
        had = self.size(self.part)
        self.assertGreaterEqual(had, 100_000)
        self.ftp.come_back()
        self.build_well()
        self.assertEqual(self.rests(), [had])
        self.assert_installed(path)

    # What goes wrong.

    def test_category_that_is_not_there(self):
        self.put_some("aaa")
        self.serve()
        result = self.assert_failed(self.build("--categories", "00_base 07_nothing"), MIRROR,
                                    f"{self.url}{TREE}/plamo", "07_nothing")
        self.assertEqual(self.ftp.requests(), [], str(result))
        self.assertNotIn("attempt", result.err, "tried again, although it cannot help")

    def test_release_that_is_not_there(self):
        shutil.rmtree(self.mirror + TREE)
        os.makedirs(self.mirror + "/elsewhere")
        self.serve()
        self.assert_failed(self.build(), MIRROR, self.url)

    def test_empty_category(self):
        self.serve()
        self.assert_failed(self.build(), MIRROR)

    def test_package_that_may_not_be_read(self):
        """It is listed, but the server keeps it: the others are kept, and the next run fetches it alone."""
        paths = self.put_some("aaa", "bbb", "ccc")
        self.serve()
        os.chmod(self.ftp.served(paths[1]), 0)
        self.assert_failed(self.build(), MIRROR, os.path.basename(paths[1]))
        os.chmod(self.ftp.served(paths[1]), 0o644)
        before = len(self.ftp.requests())
        kept = [n for n in os.listdir(self.partial()) if n.endswith(".tgz")]
        self.build_well()
        again = {os.path.basename(p) for p in self.ftp.requests()[before:]}
        self.assertIn(os.path.basename(paths[1]), again)
        self.assertEqual(again & set(kept), set())
        self.assert_installed(*paths)

    def test_damaged_package(self):
        self.put_some("aaa")
        name, data = noise_package("bbb", 20_000)
        self.put((name, data[:-100]))
        self.serve()
        self.assert_failed(self.build(), netkit.PACKAGE, "bbb-1-x86_64-P1")

    def test_password_in_the_url(self):
        """Whether such a mirror is refused or used anonymously, nobody gets to see the password."""
        self.put_some("aaa")
        self.serve()
        self.url = self.url.replace("ftp://", "ftp://somebody:secretword@")
        result = self.build()
        self.assertNotIn("secretword", result.err + result.out)
        self.assertNotIn("somebody", [name for verb, name in self.ftp.commands() if verb == "USER"])
        if result.status:
            self.assertEqual(len(result.errors), 1, str(result))


class Vsftpd(FtpTest, NetTest):
    make = vsftpd.Vsftpd


class Proftpd(FtpTest, NetTest):
    make = proftpd.Proftpd


class PureFtpd(FtpTest, NetTest):
    make = pureftpd.PureFtpd


if __name__ == "__main__":
    netkit.main()
