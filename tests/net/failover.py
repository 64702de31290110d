#!/usr/bin/env python3
"""Mirrors that fail in the middle of a build: another one gives the rest, and contents never mix."""

import os
import shutil
import signal
import sys
import tempfile
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import netkit
from faulty_server import Fault, FaultyServer
from mirrors import Several
from netkit import BASE, MIRROR, PACKAGE, noise_package, package
from skip import skip
from tarball import file
from tls import Authority

NAME = "zzz-1-x86_64-P1.tgz"


class InTheMiddle(Several):
    """The first falls ill when some packages have come from it."""

    def setUp(self):
        super().setUp()
        self.name, self.data = noise_package("zzz", 400_000)
        self.path = self.both_put((self.name, self.data))
        self.paths.append(self.path)

    def other_content(self, size_bytes=400_000):
        """The second has another build of the same name."""
        _, other = noise_package("zzz", size_bytes, seed=2)
        self.put((NAME, other), mirror=self.second.folder)
        return other

    def build_while_the_first_vanishes(self, at=150_000, *more):
        self.server.add(self.path, Fault(stall=at))
        process = self.start_build("--mirror", self.second.url, *more)
        self.eventually(lambda: self.size(self.partial(NAME + ".part")) >= at, f"{at} bytes of zzz")
        self.server.vanish()
        return self.wait(process)

    def assert_whole(self, wanted):
        """One mirror's content, in the cache and in the root."""
        self.assertEqual(self.read(self.cache_folder("cache"), NAME), wanted, "zzz in the cache")

    def test_vanishes(self):
        """What came is kept: the second says that its file is the same (If-Range), and sends the rest."""
        self.assert_done(self.build_while_the_first_vanishes())
        self.assert_installed(*self.paths)
        [request] = self.second.asked(NAME)
        self.assertEqual((request.range_start, request.status), (150_000, 206))
        self.assertIn("if-range", request.headers)

    def test_many_packages(self):
        """The first goes away: what has come from it is not asked for again, the second gives the rest."""
        more = [self.both_put(noise_package(f"p{i:02}", 30_000, i)) for i in range(30)]
        self.server.random_delay = (0.02, 0.03)
        process = self.start_build("--mirror", self.second.url, "--connections", "2")
        self.eventually(lambda: len(self.packages(self.server)) > 10, "a part of the packages")
        self.server.vanish()
        self.assert_done(self.wait(process))
        self.assert_installed(*self.paths, *more)
        twice = set(self.packages(self.server)) & set(self.packages(self.second))
        self.assertLessEqual(len(twice), 4, "asked for again although they had come")
        self.assertGreater(len(self.packages(self.second)), 10)

    def test_other_tags(self):
        """The same bytes, but the servers make their ETags differently: whole again, never 416 or a mixture."""
        self.second.etag_prefix = "x-"
        self.assert_done(self.build_while_the_first_vanishes())
        self.assert_installed(*self.paths)

    def test_no_tags(self):
        """Times are validators as well."""
        self.server.etag = self.second.etag = False
        self.assert_done(self.build_while_the_first_vanishes())
        self.assert_installed(*self.paths)

    def test_no_validators(self):
        for server in (self.server, self.second):
            server.etag = server.last_modified = False
        self.assert_done(self.build_while_the_first_vanishes())
        self.assert_installed(*self.paths)

    def test_second_without_ranges(self):
        self.second.ranges = False
        self.assert_done(self.build_while_the_first_vanishes())
        self.assert_installed(*self.paths)

    def test_another_content(self):
        other = self.other_content()
        self.assert_done(self.build_while_the_first_vanishes())
        self.assert_whole(other)

    def test_a_shorter_content(self):
        other = self.other_content(60_000)
        self.assert_done(self.build_while_the_first_vanishes())
        self.assert_whole(other)

    def test_another_content_and_if_range_is_ignored(self):
        other = self.other_content()
        self.second.add(self.path, Fault(ignore_if_range=True))
        self.assert_done(self.build_while_the_first_vanishes())
        self.assert_whole(other)

    def test_another_content_without_validators(self):
        other = self.other_content()
        for server in (self.server, self.second):
            server.etag = server.last_modified = False
        self.assert_done(self.build_while_the_first_vanishes())
        self.assert_whole(other)

    def test_another_content_of_the_same_time(self):
        """Without tags the time agrees, and the second sends a part of another file. Verification finds it; nothing of
        it is installed, and the next run gets one mirror's file."""
        other = self.other_content()
        self.server.etag = self.second.etag = False
        result = self.build_while_the_first_vanishes()
        if result.status != 0:
            self.assert_failed(result, PACKAGE, "zzz-1-x86_64-P1")
            self.assert_done(self.build_from_both())
        self.assert_whole(other)

    def test_back_and_forth(self):
        """Both break off, again and again, and their files differ: the end is one of them."""
        other = self.other_content()
        for i in range(3):
            self.server.add(self.path, Fault(cut=100_000 + i))
            self.second.add(self.path, Fault(cut=100_000 + i))
        self.assert_done(self.build_from_both())
        self.assertIn(self.read(self.cache_folder("cache"), NAME), (self.data, other))

    def check_killed(self, wanted):
        """A run is killed in the middle of zzz, then the first mirror is down."""
        self.server.add(self.path, Fault(stall=150_000))
        process = self.start_build("--mirror", self.second.url)
        self.eventually(lambda: self.size(self.partial(NAME + ".part")) >= 150_000, "a part of zzz")
        process.send_signal(signal.SIGKILL)
        self.wait(process)
        self.server.vanish()
        self.assert_done(self.build_from_both())
        self.assert_whole(wanted)

    def test_killed_and_the_same_elsewhere(self):
        self.check_killed(self.data)

    def test_killed_and_another_content_elsewhere(self):
        self.check_killed(self.other_content())

    def test_a_package_is_missing(self):
        self.server.add(self.paths[1], Fault(status=404, repeat=True))
        self.assert_done(self.build_from_both())
        self.assert_installed(*self.paths)
        self.assertEqual(self.packages(self.second), [os.path.basename(self.paths[1])])
        self.assertEqual(len(self.server.asked(os.path.basename(self.paths[1]))), 1, "a 404 is not asked for again")

    def test_first_stalls(self):
        """Nothing for a second: broken off, and what came is continued from the second."""
        self.server.add(self.path, Fault(stall=150_000, repeat=True))
        result = self.assert_done(self.build_from_both("--stall-timeout", "1"))
        self.assert_installed(*self.paths)
        self.assertEqual([r.range_start for r in self.second.asked(NAME)], [150_000])
        self.assertIn("the last 1 seconds", result.err)

    def test_first_is_slow(self):
        """2 kB/s where 20 are wanted: it would take minutes."""
        self.server.add(self.path, Fault(drip=(500, 0.25), repeat=True))
        self.assert_done(self.build_from_both("--min-rate", "20k", "--stall-timeout", "1"))
        self.assert_installed(*self.paths)
        self.assertEqual(len(self.second.asked(NAME)), 1)

    def test_slow_is_fast_enough(self):
        """The same speed is no reason to leave where less is wanted."""
        self.server.add(self.path, Fault(drip=(100_000, 0.5)))
        self.assert_done(self.build_from_both("--min-rate", "1k", "--stall-timeout", "1"))
        self.assertEqual(self.second.asked(NAME), [])

    def test_a_sick_mirror_is_left_alone(self):
        """It lists, but gives no package: after some failures the packages are asked of the other at once."""
        for path in [self.both_put(noise_package(f"p{i:02}", 2_000, i)) for i in range(60)] + self.paths:
            self.server.add(path, Fault(close=True, repeat=True))
        result = self.assert_done(self.build_from_both("--connections", "4"))
        self.assertLess(len(self.packages(self.server)), 16, str(result))

    def test_a_package_that_is_slow_everywhere(self):
        """Nobody is fast enough: an error in bounded time, not a wait without end."""
        for server in (self.server, self.second):
            server.add(self.path, Fault(stall=0, repeat=True))
        result = self.assert_failed(self.build_from_both("--stall-timeout", "1"), MIRROR, NAME)
        self.assertIn("the last 1 seconds", result.err)

    def test_time_for_all_is_over(self):
        """Each mirror does just enough for the other limits: all of it together has one, too. What came is kept."""
        for server in (self.server, self.second):
            server.add(self.path, Fault(drip=(2_000, 1), repeat=True))
        self.assert_failed(self.build_from_both("--fetch-timeout", "2"), MIRROR, "--fetch-timeout")
        self.assertGreater(self.size(self.partial(NAME + ".part")), 0)
        for server in (self.server, self.second):
            server.clear()
        self.assert_done(self.build_from_both("--fetch-timeout", "60"))
        self.assertNotEqual(self.server.asked(NAME)[0].range_start, None)

    def test_time_for_all_is_over_while_listings_come(self):
        for server in (self.server, self.second):
            server.add(BASE + "/", Fault(stall=0, repeat=True))
        result = self.assert_failed(self.build_from_both("--fetch-timeout", "1"), MIRROR, "--fetch-timeout")
        self.assertNotIn("asking another mirror", result.err)

    def test_a_damaged_package_on_the_first(self):
        """Its bytes are whole for http; decoding finds the damage. Never in a root."""
        self.server.contents[self.path] = self.data[:-20]
        result = self.build_from_both()
        if result.status != 0:
            self.assert_failed(result, PACKAGE, "zzz-1-x86_64-P1")
            return
        self.assert_whole(self.data)


class WithAFolder(Several):
    """A file:// tree besides a server."""

    def setUp(self):
        super().setUp()
        self.tree = f"file://{urllib.parse.quote(self.second.folder)}"

    def test_server_is_down(self):
        self.server.stop()
        self.assert_done(self.build("--mirror", self.tree))
        self.assert_installed(*self.paths)

    def test_folder_first(self):
        self.assert_done(self.run_program(*self.arguments_with_the_folder_first()))
        self.assert_installed(*self.paths)
        self.assert_nothing_asked(self.server, "asked although the folder has all")

    def arguments_with_the_folder_first(self):
        url, self.url = self.url, self.tree
        arguments = self.build_arguments("--mirror", url)
        self.url = url
        return arguments

    def test_folder_is_not_there(self):
        self.tree += "/nothing"
        self.assert_done(self.run_program(*self.arguments_with_the_folder_first()))
        self.assert_installed(*self.paths)

    def test_server_vanishes(self):
        """A part from a server and the rest from a folder: no validator is common to both, so it is whole again."""
        name, data = noise_package("zzz", 400_000)
        path = self.both_put((name, data))
        self.server.add(path, Fault(stall=150_000))
        process = self.start_build("--mirror", self.tree)
        self.eventually(lambda: self.size(self.partial(NAME + ".part")) >= 150_000, "a part of zzz")
        self.server.vanish()
        self.assert_done(self.wait(process))
        self.assert_installed(*self.paths, path)

    def test_server_vanishes_and_another_content(self):
        path = self.both_put(noise_package("zzz", 400_000))
        _, other = noise_package("zzz", 400_000, seed=2)
        self.put((NAME, other), mirror=self.second.folder)
        self.server.add(path, Fault(stall=150_000))
        process = self.start_build("--mirror", self.tree)
        self.eventually(lambda: self.size(self.partial(NAME + ".part")) >= 150_000, "a part of zzz")
        self.server.vanish()
        self.assert_done(self.wait(process))
        self.assertEqual(self.read(self.cache_folder("cache"), NAME), other)


class Trust(Several):
    """An https mirror that cannot prove who it is may be an attacker: nothing less safe is asked in its place."""

    @classmethod
    def setUpClass(cls):
        if not shutil.which("openssl"):
            skip("needs openssl")
        folder = tempfile.mkdtemp(prefix="plamo-ca-")
        cls.addClassCleanup(shutil.rmtree, folder)
        cls.trusted, cls.other = Authority(folder + "/trusted"), Authority(folder + "/other")

    def serve(self, context):
        server = FaultyServer(self.second.folder, context).start()
        self.addCleanup(server.stop)
        return server

    def build_of(self, *servers):
        self.url = servers[0].url
        more = [word for server in servers[1:] for word in ("--mirror", server.url)]
        return self.build("--ca-file", self.trusted.certificate, *more)

    def test_unknown_and_then_http(self):
        unknown = self.serve(self.other.server("good"))
        # Several requests go out at once, and any of them may be the first to meet the certificate.
        for _ in range(15):
            self.assert_failed(self.build_of(unknown, self.second), MIRROR, unknown.url, "certificate")
        self.assert_nothing_asked(self.second, "asked by http")
        self.assert_nothing_asked(unknown, "asked before trust")

    def test_refused_and_then_http(self):
        """Whoever is on the way can refuse a connection, or break it: that must not lead to http."""
        gone, breaking = self.serve(self.trusted.server("good")), self.serve(self.trusted.server("good"))
        gone.stop()
        breaking.everywhere = Fault(close=True, repeat=True)
        self.assert_failed(self.build_of(gone, self.second), MIRROR, gone.url)
        self.assert_failed(self.build_of(breaking, self.second), MIRROR, breaking.url)
        self.assert_failed(self.build_of(breaking, self.second, gone), MIRROR)
        self.assert_nothing_asked(self.second, "asked by http")

    def test_breaks_in_a_package_and_then_http(self):
        breaking = self.serve(self.trusted.server("good"))
        path = self.both_put(noise_package("zzz", 400_000))
        breaking.add(path, Fault(cut=150_000), Fault(close=True, repeat=True))
        self.assert_failed(self.build_of(breaking, self.second), MIRROR, NAME)
        self.assert_nothing_asked(self.second, "asked by http")

    def test_http_vanishes_and_the_next_is_trusted(self):
        trusted = self.serve(self.trusted.server("good"))
        self.server.stop()
        self.assert_done(self.build_of(self.server, trusted))
        self.assert_installed(*self.paths)

    def test_expired_and_then_http(self):
        expired = self.serve(self.trusted.server("expired", end="20210101000000Z"))
        self.assert_failed(self.build_of(expired, self.second), MIRROR, expired.url, "expired")
        self.assert_nothing_asked(self.second, "asked by http")

    def test_unknown_and_then_trusted(self):
        unknown, trusted = self.serve(self.other.server("good")), self.serve(self.trusted.server("good"))
        self.assert_done(self.build_of(unknown, trusted))
        self.assert_installed(*self.paths)
        self.assert_nothing_asked(unknown, "asked before trust")

    def test_unknown_http_and_trusted(self):
        """http is passed over, whatever its place."""
        unknown, trusted = self.serve(self.other.server("good")), self.serve(self.trusted.server("good"))
        self.assert_done(self.build_of(unknown, self.second, trusted))
        self.assert_installed(*self.paths)
        self.assert_nothing_asked(self.second, "asked by http")

    def test_http_vanishes_and_the_next_is_unknown(self):
        """Who failed first was not suspicious, but the unknown one gets nothing either."""
        unknown = self.serve(self.other.server("good"))
        self.server.stop()
        self.assert_failed(self.build_of(self.server, unknown), MIRROR, unknown.url)
        self.assert_nothing_asked(unknown, "asked before trust")

    def test_unknown_in_the_middle(self):
        """The trusted one breaks off in a package and the next in the user's order is an impostor: http, behind both,
        is not turned to."""
        trusted, unknown = self.serve(self.trusted.server("good")), self.serve(self.other.server("good"))
        path = self.both_put(noise_package("zzz", 400_000))
        trusted.add(path, Fault(cut=150_000), Fault(close=True, repeat=True))
        self.assert_failed(self.build_of(trusted, unknown, self.second), MIRROR, NAME)
        self.assert_nothing_asked(self.second, "asked by http")
        self.assert_nothing_asked(unknown, "asked before trust")


class Scripts(Several):
    def test_result_does_not_depend_on_who_gave_what(self):
        """Overlapping packages, half of them missing on each mirror, in both orders: the same root."""
        names = [f"p{i:02}" for i in range(16)]
        for i, name in enumerate(names):
            self.both_put(package(f"{name}-1-x86_64-P1", [file("etc/common", name), file(f"usr/share/{name}", name)],
                                  script=f"echo {name} >> etc/order\n"))
        roots = []
        for k, (one, two) in enumerate(((self.server, self.second), (self.second, self.server))):
            one.clear()
            two.clear()
            for i, name in enumerate(names):
                missing = one if i % 2 else two
                missing.add(f"{BASE}/{name}-1-x86_64-P1.tgz", Fault(status=404, repeat=True))
            self.url, self.root = one.url, f"{self.folder}/root{k}"
            shutil.rmtree(self.cache, ignore_errors=True)
            self.assert_done(self.build("--mirror", two.url))
            roots.append(self.root)
        self.assertEqual(self.read(roots[0], "etc/order").decode().split(), names)
        self.assert_same_root(*roots)


if __name__ == "__main__":
    netkit.main()
