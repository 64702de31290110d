#!/usr/bin/env python3
"""Downloads that break off go on where they stopped, never mix two contents, and are tried again within limits."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import netkit
from faulty_server import Fault
from netkit import BASE, MIRROR, PACKAGE, NetTest, noise_package

NAME = "zzz-1-x86_64-P1.tgz"


class ResumeTest(NetTest):
    """One package of 400 kB, to which things happen."""

    def setUp(self):
        super().setUp()
        self.name, self.data = noise_package("zzz", 400_000)
        self.path = self.put((self.name, self.data))
        self.part = self.partial(NAME + ".part")

    def requests(self):
        return self.server.asked(NAME)

    def build_well(self, *more):
        result = self.assert_done(self.build(*more))
        self.assert_installed(*[os.path.join(BASE, n) for n in sorted(os.listdir(self.mirror + BASE))])
        return result


class WithinARun(ResumeTest):
    def check_goes_on(self, fault, had):
        """What came before the break is not sent again, and If-Range guards against another content."""
        self.server.add(self.path, fault)
        result = self.build_well()
        first, second = self.requests()
        self.assertIsNone(first.range_start)
        self.assertEqual(second.range_start, had, str(result))
        self.assertEqual((second.status, second.sent), (206, len(self.data) - had))
        self.assertIn("if-range", second.headers)
        self.assertEqual(result.summary["decoded"], 1)

    def test_cut(self):
        self.check_goes_on(Fault(cut=150_000), 150_000)

    def test_reset(self):
        self.check_goes_on(Fault(reset=150_000), 150_000)

    def test_twice(self):
        self.server.add(self.path, Fault(cut=100_000), Fault(cut=50_000))
        self.build_well()
        self.assertEqual([r.range_start for r in self.requests()], [None, 100_000, 150_000])

    def test_without_etag(self):
        """Last-Modified is a validator as well."""
        self.server.etag = False
        self.check_goes_on(Fault(cut=150_000), 150_000)
        self.assertIn("GMT", self.requests()[1].headers["if-range"])

    def test_weak_etag_is_no_validator(self):
        """RFC 9110, 13.1.5: If-Range must not have a weak one."""
        self.server.last_modified = False
        weak = {"ETag": 'W/"1"'}
        self.server.add(self.path, Fault(cut=150_000, headers=weak), Fault(headers=weak))
        self.build_well()
        self.assertNotIn("if-range", self.requests()[1].headers)

    def test_nothing_before_the_body(self):
        self.server.add(self.path, Fault(close=True), Fault(cut=0))
        self.build_well()
        self.assertEqual([r.range_start for r in self.requests()], [None, None, None])

    def test_without_length(self):
        """The end of the connection is the end of the file."""
        self.server.add(self.path, Fault(no_length=True))
        self.build_well()
        self.assertEqual(len(self.requests()), 1)

    def test_length_too_large(self):
        """A server that promises more than there is cannot be satisfied: the next try has the right number."""
        self.server.add(self.path, Fault(announce=len(self.data) + 1000))
        self.build_well()

    def test_length_too_small(self):
        """What was cut off there is found by verification."""
        self.server.add(self.path, Fault(announce=100_000))
        result = self.build()
        if result.status != 0:
            self.assert_failed(result, PACKAGE, "zzz-1-x86_64-P1")
            self.build_well()

    def test_range_ignored(self):
        self.server.ranges = False
        self.server.add(self.path, Fault(cut=150_000))
        self.build_well()
        self.assertEqual([r.status for r in self.requests()], [200, 200])

    def test_wrong_range(self):
        """A 206 that begins elsewhere is not what was asked for, whichever way it is off."""
        for shift in (-1, 1, -150_000, 1000):
            with self.subTest(shift):
                self.server.clear()
                self.server.add(self.path, Fault(cut=150_000), Fault(range_shift=shift))
                self.build_well()
                self.assertEqual(self.requests()[-1].sent, len(self.data))
                self.clean()

    def clean(self):
        shutil.rmtree(self.root)
        shutil.rmtree(self.cache)

    def test_range_without_content_range(self):
        """A 206 that does not say which part it is cannot be trusted."""
        self.server.add(self.path, Fault(cut=150_000), Fault(range_shift=70, headers={"Content-Range": None}))
        self.build_well()

    def test_changed_between_tries(self):
        """If-Range does not match: all of the new content comes, and nothing of the old stays."""
        _, new = noise_package("zzz", 300_000, seed=2)
        self.server.add(self.path, Fault(cut=150_000), Fault(content=new))
        self.build_well()
        self.assertEqual(self.requests()[1].status, 200)

    def test_changed_to_something_shorter(self):
        """The new content ends before what we have: no 416 may make the old bytes count as whole."""
        _, new = noise_package("zzz", 50_000, seed=2)
        self.server.add(self.path, Fault(cut=150_000), Fault(content=new))
        self.build_well()

    def test_changed_to_the_length_we_have(self):
        """Without validators: 416 says "N bytes in all", and N is just what we have of the old content."""
        self.server.etag = self.server.last_modified = False
        _, new = noise_package("zzz", 50_000, seed=2)
        self.server.add(self.path, Fault(cut=len(new)), Fault(content=new))
        result = self.build()
        if result.status != 0:
            self.assert_failed(result, PACKAGE, "zzz-1-x86_64-P1")
            self.build_well()

    def test_changed_and_if_range_ignored(self):
        """The server sends a part of the new content although If-Range named the old one. Its ETag tells: parts of
        different representations must not be put together (RFC 9110, 15.3.7)."""
        _, new = noise_package("zzz", 400_000, seed=2)
        self.server.add(self.path, Fault(cut=150_000), Fault(content=new, ignore_if_range=True))
        self.build_well()

    def test_changed_without_validators(self):
        """Nobody can tell before the package is verified. Never installed; the next run gets the new content whole."""
        self.server.etag = self.server.last_modified = False
        _, new = noise_package("zzz", 400_000, seed=2)
        self.server.add(self.path, Fault(cut=150_000), Fault(content=new))
        result = self.build()
        if result.status != 0:
            self.assert_failed(result, PACKAGE, "zzz-1-x86_64-P1")
            self.build_well()

    def test_parts_of_a_range(self):
        """A server may send less of a range than was asked for: the rest is asked for, until all is there."""
        self.server.add(self.path, Fault(range_bytes=100_000), Fault(range_bytes=100_000))
        self.build_well()
        self.assertEqual([r.range_start for r in self.requests()], [None, 100_000, 200_000])
        self.assertEqual(sum(r.sent for r in self.requests()), len(self.data))

    def test_many_breaks(self):
        """As long as each try brings more, it goes on: more breaks than attempts without progress are allowed."""
        self.server.add(self.path, *[Fault(cut=50_000) for _ in range(7)])
        self.build_well()
        self.assertEqual(sum(r.sent for r in self.requests()), len(self.data))

    def test_unavailable_for_a_moment(self):
        for status in (503, 429, 500, 502, 504, 408):
            with self.subTest(status):
                self.server.clear()
                self.server.add(self.path, Fault(status=status))
                self.build_well()
                self.assertEqual(len(self.requests()), 2)
                self.clean()

    def delays_s(self, result):
        return [float(delay) for delay in re.findall(r"; attempt \d+ of \d+ in ([\d.]+) s", result.err)]

    def test_retry_after(self):
        self.server.add(self.path, Fault(status=503, headers={"Retry-After": "2"}))
        result = self.build_well()
        self.assertGreater(result.seconds, 1.9)
        self.assertEqual(self.delays_s(result), [2.0])

    def test_retry_after_nonsense(self):
        for value in ("-1", "soon", "", "Fri, 31 Dec 1999 23:59:59 GMT", "1e9", "0"):
            with self.subTest(value):
                self.server.clear()
                self.server.add(self.path, Fault(status=503, headers={"Retry-After": value}))
                result = self.build_well()
                [delay_s] = self.delays_s(result)
                self.assertLess(delay_s, 2)
                self.clean()

    def test_retry_after_absurd(self):
        """Nobody waits for a year."""
        self.server.add(self.path, Fault(status=503, headers={"Retry-After": "31536000"}))
        process = self.start_build()
        lines = iter(process.stderr.readline, b"")
        [delay] = next(filter(None, (re.findall(rb"; attempt \d+ of \d+ in ([\d.]+) s", line) for line in lines)))
        process.kill()
        self.wait(process)
        self.assertLessEqual(float(delay), 30)

    def test_index_page_unavailable_for_a_moment(self):
        self.server.add(f"{BASE}/", Fault(status=503), Fault(cut=30), Fault(reset=10))
        self.build_well()

    def test_never_available(self):
        """Some tries, then an error, in bounded time; one line for all of them, or with -v for each."""
        self.server.add(self.path, Fault(status=503, repeat=True))
        result = self.assert_failed(self.build(), MIRROR, NAME, "503")
        self.assertEqual(len(self.requests()), 5)
        self.assertEqual(len(self.delays_s(result)), 1, str(result))
        self.assertIn(f"(more of {self.url} is shown with -v)", result.err)
        self.assertEqual(len(self.delays_s(self.build("-v"))), 4)

    def test_progress_is_kept_when_tries_run_out(self):
        """Tries count from the last one that brought something."""
        self.server.add(self.path, *[Fault(cut=10_000)] * 5, Fault(status=503, repeat=True))
        self.assert_failed(self.build(), MIRROR, NAME)
        self.assertEqual(self.size(self.part), 50_000)
        self.server.clear()
        self.build_well()
        self.assertEqual([r.range_start for r in self.requests()], [50_000])

    def test_range_refused(self):
        """Some servers answer a request for a part with 403 or 400, and give the whole: asked once without a range."""
        for status in (400, 403, 501):
            with self.subTest(status):
                self.server.clear()
                self.server.add(self.path, Fault(cut=150_000), Fault(status=status))
                self.build_well()
                self.assertEqual([r.range_start for r in self.requests()], [None, 150_000, None])
                self.clean()

    def test_refused_altogether(self):
        """What a refusing server has given is kept for one that gives the rest."""
        self.server.add(self.path, Fault(cut=150_000), Fault(status=403, repeat=True))
        self.assert_failed(self.build(), MIRROR, NAME, "403")
        self.assertEqual([r.range_start for r in self.requests()], [None, 150_000, None])
        self.assertEqual(self.size(self.part), 150_000)

    def test_content_encoding(self):
        """Servers that call a .tgz gzip-encoded mean the file as it is: it is not unpacked on the way."""
        self.server.add(self.path, Fault(headers={"Content-Encoding": "x-gzip"}, cut=150_000),
                        Fault(headers={"Content-Encoding": "gzip"}))
        self.build_well()
        self.assertNotIn("gzip", self.requests()[0].headers.get("accept-encoding", ""))

    def test_content_disposition(self):
        """The name is the plan's, whatever the server proposes."""
        self.server.add(self.path, Fault(headers={"Content-Disposition": "attachment; filename=../../evil"}))
        self.build_well()
        self.assertFalse(os.path.lexists(os.path.join(self.folder, "evil")))

    def test_stalled(self):
        """Less than 1 KB/s for two seconds: broken off and continued."""
        self.server.add(self.path, Fault(stall=150_000))
        result = self.build_well("--stall-timeout", "2")
        self.assertGreater(result.seconds, 1.9)
        self.assertEqual(self.requests()[1].range_start, 150_000)

    def test_connections_are_used_again(self):
        """As many as --connections says, each for many requests, and all of them at once."""
        self.put_some(*(f"p{i:02}" for i in range(30)), size_bytes=2_000)
        self.server.random_delay = (0.02, 0.03)
        self.build_well("--connections", "4")
        self.assertLessEqual(len({r.connection for r in self.server.requests}), 4)
        self.assertEqual(self.server.peak, 4)

    def test_one_connection(self):
        self.put_some(*(f"p{i:02}" for i in range(10)), size_bytes=2_000)
        self.build_well("--connections", "1")
        self.assertEqual((len({r.connection for r in self.server.requests}), self.server.peak), (1, 1))

    def test_many_with_all_kinds_of_faults(self):
        """Several at once, each with troubles of its own, answers after random times: the result is the plain one."""
        paths = self.put_some(*(f"p{i:02}" for i in range(20)), size_bytes=60_000)
        self.server.random_delay = (0, 0.05)
        kinds = (Fault(cut=20_000), Fault(reset=30_000), Fault(close=True), Fault(status=503), Fault(cut=0),
                 Fault(announce=70_000), Fault(no_length=True))
        for i, path in enumerate(paths):
            self.server.add(path, kinds[i % len(kinds)], kinds[(3 * i + 1) % len(kinds)])
        self.build_well("--connections", "6", "--jobs", "2")
        log = self.read(self.root, "var/log/install.log").decode()
        order = [line.rsplit(" ", 1)[1] for line in log.splitlines()]
        self.assertEqual(order, sorted(order), "installed in plan order")


class BetweenRuns(ResumeTest):
    def kill_at(self, size_bytes, others=()):
        """A run that is killed when so much of zzz has come and the others are there."""
        self.server.add(self.path, Fault(stall=size_bytes))
        process = self.start_build()
        self.eventually(lambda: self.size(self.part) >= size_bytes, f"{size_bytes} bytes of zzz")
        self.eventually(lambda: all(os.path.exists(self.partial(os.path.basename(p))) for p in others), "the others")
        # The note that a file is done follows its rename.
        time.sleep(0.3)
        process.kill()
        self.wait(process)
        self.server.release()
        self.server.clear()

    def test_killed(self):
        others = self.put_some("aaa", "bbb", "ccc")
        self.kill_at(150_000, others)
        self.assertEqual([n for n in os.listdir(self.cache) if n.startswith(("cache-", "rootfs-"))], [])
        self.build_well()
        self.assertEqual(self.sent(), {NAME})
        [request] = self.requests()
        self.assertEqual((request.range_start, request.sent), (150_000, len(self.data) - 150_000))
        self.assertIn("if-range", request.headers)

    def test_killed_and_range_refused(self):
        """The part of a killed run is no reason for another one to fail."""
        self.kill_at(150_000)
        self.server.add(self.path, Fault(status=403))
        self.build_well()
        self.assertEqual([r.range_start for r in self.requests()], [150_000, None])

    def test_killed_again_and_again(self):
        for size_bytes in (50_000, 150_000, 151_000, 390_000):
            self.server.clear()
            have = max(self.size(self.part), 0)
            self.server.add(self.path, Fault(stall=size_bytes - have))
            process = self.start_build()
            self.eventually(lambda: self.size(self.part) >= size_bytes, f"{size_bytes} bytes of zzz")
            process.kill()
            self.wait(process)
            self.server.release()
        self.server.clear()
        self.build_well()
        self.assertEqual([r.range_start for r in self.requests()], [390_000])

    def test_killed_and_changed(self):
        self.kill_at(150_000)
        self.put(noise_package("zzz", 400_000, seed=2))
        self.build_well()
        self.assertEqual([r.status for r in self.requests()], [200])

    def test_damaged_in_a_complete_cache(self):
        """It comes anew, and nothing else; what is cached stays until all is there."""
        self.put_some("aaa", "bbb", "ccc")
        self.build_well()
        damaged = os.path.join(self.cache_folder("cache"), "bbb-1-x86_64-P1.tgz")
        with open(damaged, "r+b") as stream:
            stream.seek(os.path.getsize(damaged) // 2)
            byte = stream.read(1)[0]
            stream.seek(-1, os.SEEK_CUR)
            stream.write(bytes([byte ^ 0x10]))
        shutil.rmtree(self.cache_folder("rootfs"))
        shutil.rmtree(self.root)
        self.server.clear()
        self.build_well()
        self.assertEqual(self.sent(), {"bbb-1-x86_64-P1.tgz"})

    def test_finished_and_changed(self):
        """What a run that was killed has finished may be old by now: asked once, and nothing sent that is not."""
        others = self.put_some("aaa", "bbb")
        self.kill_at(150_000, others)
        for data in (noise_package("aaa", 9000, seed=7), noise_package("aaa", 5000, seed=8)):
            with self.subTest(len(data[1])):
                self.put(data)
                self.server.clear()
                self.build_well()
                self.assertEqual(self.read(self.cache_folder("cache"), os.path.basename(others[0])), data[1])
                self.assertEqual(self.sent() - {NAME}, {os.path.basename(others[0])})
                shutil.rmtree(self.root)
                shutil.rmtree(self.cache)
                self.kill_at(150_000, others)

    def test_killed_and_gone_from_the_mirror(self):
        """What the plan no longer names goes, also what is finished; the new version comes."""
        others = self.put_some("aaa", "bbb")
        self.kill_at(150_000, others)
        os.unlink(self.mirror + self.path)
        os.unlink(self.mirror + others[1])
        self.put(noise_package("zzz", 100_000, seed=3, version="2"))
        self.build_well()
        self.assertEqual(self.sent(), {"zzz-2-x86_64-P1.tgz"})
        self.assertEqual([n for n in sorted(os.listdir(self.cache_folder("cache"))) if not n.startswith(".")],
                         ["aaa-1-x86_64-P1.tgz", "zzz-2-x86_64-P1.tgz"])

    def test_killed_and_another_mirror(self):
        """The validator of one mirror says nothing about another: the same file there may differ."""
        self.kill_at(150_000)
        other = f"{self.folder}/mirror/other"
        shutil.copytree(self.mirror, other)
        _, new = noise_package("zzz", 400_000, seed=2)
        with open(other + self.path, "wb") as f:
            f.write(new)
        os.utime(other + self.path, (1_500_000_000, 1_500_000_000))
        self.url += "/other"
        # Trusted without a validator, found by verification, and fetched whole in the same run.
        self.assertIn("fetching it anew", self.assert_done(self.build()).err)
        self.assertEqual(self.read(self.cache_folder("cache"), NAME), new)

    def test_complete_part(self):
        """All bytes are there but not the name: 416, and nothing is sent."""
        self.kill_at(150_000)
        with open(self.part, "wb") as f:
            f.write(self.data)
        self.build_well()
        [request] = self.requests()
        self.assertEqual((request.status, request.sent, request.range_start), (416, 0, len(self.data)))

    def test_part_that_is_too_long(self):
        """More than the server has: thrown away, fetched anew."""
        self.kill_at(150_000)
        with open(self.part, "wb") as f:
            f.write(self.data + b"more")
        self.build_well()
        self.assertEqual([r.status for r in self.requests()], [416, 200])

    def test_part_with_a_wrong_byte(self):
        """Nothing but the package's own check values can tell."""
        self.kill_at(150_000)
        with open(self.part, "r+b") as f:
            f.seek(70_000)
            f.write(bytes([self.data[70_000] ^ 1]))
        self.assertIn("fetching it anew", self.build_well().err)

    def test_mirror_that_stays_damaged(self):
        """An earlier run's bytes are given up once; what the mirror itself sends damaged is refused."""
        self.kill_at(150_000)
        bad = bytearray(self.data)
        bad[300_000] ^= 1
        self.server.contents[self.path] = bytes(bad)
        result = self.build()
        self.assert_failed(result, PACKAGE, "zzz-1-x86_64-P1")
        self.assertEqual(result.err.count("fetching it anew"), 1, str(result))

    def test_finished_file_with_another_size(self):
        """The journal says done, but the file was cut since (a power failure): completed and verified."""
        others = self.put_some("aaa")
        self.kill_at(150_000, others)
        with open(self.partial(os.path.basename(others[0])), "r+b") as f:
            f.truncate(5000)
        self.build_well()
        self.assertEqual(self.server.asked(os.path.basename(others[0]))[0].range_start, 5000)

    def test_damaged_journal(self):
        """Junk, half a line, lines of unknown kinds: at worst files are asked for again."""
        for junk in (b"done", b"\n\n\tdone\t\t\n", b"done\taaa-1-x86_64-P1.tgz\t99999999999999999999999\n",
                     b"begun\t../../x\thttp://x\ty\n", os.urandom(3000), b"done\tzzz-1-x86_64-P1.tgz\t-1\n"):
            with self.subTest(junk[:40]):
                others = self.put_some("aaa")
                self.kill_at(150_000, others)
                with open(self.partial(".plamo-fast.journal"), "ab") as f:
                    f.write(junk)
                self.build_well()
                shutil.rmtree(self.root)
                shutil.rmtree(self.cache)

    def test_planted_links(self):
        """A link where a .part or a finished file would be is not written through."""
        victim = os.path.join(self.folder, "victim")
        with open(victim, "wb") as f:
            f.write(b"host\n")
        for name in (NAME, NAME + ".part", ".plamo-fast.journal"):
            with self.subTest(name):
                os.makedirs(self.partial())
                os.symlink(victim, self.partial(name))
                result = self.build()
                if name != ".plamo-fast.journal":
                    self.assert_done(result)
                self.assertEqual(self.read(victim), b"host\n")
                shutil.rmtree(self.root, ignore_errors=True)
                shutil.rmtree(self.cache)

    def test_folders_in_the_partial_folder(self):
        """Where a file should be: taken away."""
        os.makedirs(self.partial(NAME + "/x/y"))
        os.makedirs(self.partial(NAME + ".part/x"))
        os.makedirs(self.partial("something/else"))
        self.build_well()


class AfterTheShell(ResumeTest):
    """A partial folder as wget leaves it: no journal, no .part names."""

    def setUp(self):
        super().setUp()
        self.others = self.put_some("aaa", "bbb")
        os.makedirs(self.partial())
        shutil.copy2(self.mirror + self.others[0], self.partial())

    def check(self):
        self.build_well()
        self.assertEqual([n for n in os.listdir(self.cache) if n.startswith("partial-")], [])

    def test_truncated_file(self):
        with open(self.partial(NAME), "wb") as f:
            f.write(self.data[:150_000])
        self.check()
        self.assertEqual([r.range_start for r in self.requests()], [150_000])
        self.assertEqual(sum(r.sent for r in self.server.asked(os.path.basename(self.others[0]))), 0)

    def test_server_without_ranges(self):
        self.server.ranges = False
        with open(self.partial(NAME), "wb") as f:
            f.write(self.data[:150_000])
        self.check()

    def test_old_content(self):
        """The shell fetched another build of the same name."""
        _, old = noise_package("zzz", 400_000, seed=5)
        with open(self.partial(NAME), "wb") as f:
            f.write(old[:150_000])
        result = self.build()
        if result.status != 0:
            self.assert_failed(result, PACKAGE, "zzz-1-x86_64-P1")
        self.server.clear()
        if result.status != 0:
            self.check()

    def test_leftovers(self):
        """Index pages, numbered copies and packages that the mirror has no more: not part of the result."""
        for name in ("index.html", "index.html.tmp", NAME + ".1", "old-1-x86_64-P1.tgz", "wget-log", ".hidden",
                     "gone-1-x86_64-P1.tgz.part"):
            with open(self.partial(name), "wb") as f:
                f.write(b"x")
        self.check()
        names = os.listdir(self.cache_folder("cache"))
        self.assertEqual(sorted(n for n in names if not n.startswith(".plamo-fast")),
                         ["aaa-1-x86_64-P1.tgz", "bbb-1-x86_64-P1.tgz", NAME])

    def test_real_wget(self):
        """wget itself, killed in the middle."""
        if not shutil.which("wget"):
            self.skipTest("needs wget")
        self.server.add(self.path, Fault(stall=150_000))
        wget = subprocess.Popen(["wget", "-q", "-nd", self.url + self.path], cwd=self.partial(), stdin=subprocess.DEVNULL,
                                env=netkit.clean_environment())
        # wget hands its buffer on in pieces: some of it is enough.
        self.eventually(lambda: self.size(self.partial(NAME)) > 50_000, "some of zzz")
        wget.send_signal(signal.SIGKILL)
        wget.wait()
        have = self.size(self.partial(NAME))
        self.server.release()
        self.server.clear()
        self.check()
        self.assertEqual([r.range_start for r in self.requests()], [have])


if __name__ == "__main__":
    netkit.main()
