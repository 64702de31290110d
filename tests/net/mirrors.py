#!/usr/bin/env python3
"""Several mirrors: which one is asked, and that the listing of one of them counts alone."""

import json
import os
import shutil
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import netkit
from faulty_server import Fault
from netkit import ARCH, BASE, MIRROR, PACKAGE, RELEASE, TREE, NetTest, noise_package


class Several(NetTest):
    """self.server is the first mirror, self.second the other one. Both have the same files."""

    def setUp(self):
        super().setUp()
        self.paths = self.put_some("aaa", "bbb", "ccc")
        self.second = self.another_mirror()

    def build_from_both(self, *more, **keywords):
        return self.build("--mirror", self.second.url, *more, **keywords)

    def assert_nothing_asked(self, server, what):
        self.assertEqual([r.path for r in server.requests], [], what)

    def pages(self, server):
        return [r.path for r in server.asked() if r.path.endswith("/")]

    def packages(self, server):
        return sorted(r.path.rsplit("/", 1)[-1] for r in server.asked() if r.path.endswith(".tgz"))

    def plan(self, *mirrors, more=()):
        options = [word for url in mirrors for word in ("--mirror", url)]
        result = self.run_program("plan", "--json", "--release", RELEASE, "--arch", ARCH, *options, *more)
        self.assert_done(result)
        return json.loads(result.out)

    def both_put(self, package_file, place="plamo/00_base"):
        self.put(package_file, place, mirror=self.second.folder)
        return self.put(package_file, place)


class FirstIsIll(Several):
    """Before anything could be had from it: all comes from the second."""

    def check(self, *more):
        result = self.assert_done(self.build_from_both(*more))
        self.assert_installed(*self.paths)
        self.assertEqual(self.packages(self.second), sorted(os.path.basename(p) for p in self.paths), str(result))
        self.assertIn(self.url, result.err, "nothing tells that the first mirror was left")
        return result

    def test_root_is_that_of_a_plain_build(self):
        self.server.stop()
        self.check()
        first, self.root, self.url = self.root, self.root + "2", self.second.url
        # Records name the cache folder: it is the same one.
        shutil.rmtree(self.cache)
        self.assert_done(self.build())
        self.assert_same_root(first, self.root)

    def test_refused(self):
        self.server.stop()
        self.check()

    def test_unknown_host(self):
        self.url = "http://mirror.invalid/Plamo"
        self.check()

    def test_unavailable(self):
        self.server.everywhere = Fault(status=503, repeat=True)
        self.check()
        self.assertLess(len(self.server.requests), 10, "it was not left alone")

    def test_forbidden(self):
        self.server.everywhere = Fault(status=403, repeat=True)
        self.check()

    def test_without_the_release(self):
        shutil.rmtree(self.mirror + TREE)
        self.mirror = self.second.folder    # where the right content is
        self.check()

    def test_silent(self):
        """It takes the connection and never says a word."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            self.check("--stall-timeout", "1")

    def test_page_that_stalls(self):
        self.server.add(f"{BASE}/", Fault(stall=20, repeat=True))
        self.check("--stall-timeout", "1")

    def test_page_that_is_none(self):
        """A captive portal answers in the place of the mirror."""
        self.server.contents[f"{BASE}/"] = b"\x00\xff\x7fELF" * 1000
        self.check()

    def test_third(self):
        """Two are down."""
        self.server.stop()
        down = self.another_mirror()
        down.stop()
        self.assert_done(self.build("--mirror", down.url, "--mirror", self.second.url))
        self.assert_installed(*self.paths)

    def test_second_is_not_needed(self):
        """While the first is well the second is not asked for anything."""
        self.assert_done(self.build_from_both())
        self.assert_installed(*self.paths)
        self.assert_nothing_asked(self.second, "the second mirror was asked")

    def test_plan(self):
        self.server.stop()
        plan = self.plan(self.url, self.second.url)
        self.assertEqual(plan["mirror"], self.second.url)
        self.assertEqual([f["url"] for f in plan["files"]], [self.second.url + p for p in self.paths])


class AllAreIll(Several):
    def check(self, *names, status=MIRROR):
        return self.assert_failed(self.build_from_both(), status, *names)

    def test_refused(self):
        self.server.stop()
        self.second.stop()
        self.check(self.second.url)

    def test_unavailable(self):
        self.server.everywhere = self.second.everywhere = Fault(status=503, repeat=True)
        self.check("503")

    def test_missing_everywhere(self):
        name = os.path.basename(self.paths[1])
        for server in (self.server, self.second):
            server.add(self.paths[1], Fault(status=404, repeat=True))
        self.check(name, "404")
        asked = [len(server.asked(name)) for server in (self.server, self.second)]
        self.assertEqual(asked, [1, 1], "a 404 is not asked for again")

    def test_package_unavailable_everywhere(self):
        name = os.path.basename(self.paths[1])
        for server in (self.server, self.second):
            server.add(self.paths[1], Fault(status=503, repeat=True))
        self.check(name, "503")
        for server in (self.server, self.second):
            self.assertIn(len(server.asked(name)), range(1, 6))

    def test_damaged_everywhere(self):
        for server in (self.server, self.second):
            server.contents[self.paths[1]] = b"junk"
        self.check("bbb-1-x86_64-P1", status=PACKAGE)

    def test_category_that_no_mirror_has(self):
        result = self.assert_failed(self.build_from_both("--categories", "00_bas"), MIRROR, "00_bas", "00_base")
        self.assertEqual(self.packages(self.server) + self.packages(self.second), [], str(result))


class OneListing(Several):
    """The plan is that of one mirror, whatever the others have."""

    def setUp(self):
        super().setUp()
        self.put(noise_package("only-first", 5000))
        self.put(noise_package("sub", 5000), "plamo/00_base/devel.txz")
        self.put(noise_package("x", 5000), "plamo/02_devel")
        self.put(noise_package("only-second", 5000), mirror=self.second.folder)
        self.put(noise_package("x", 5000), "plamo/02_devel", mirror=self.second.folder)
        names = ["ccc", "only-second", "aaa", "bbb"]
        self.list_in_order(*(f"{n}-1-x86_64-P1.tgz" for n in names), server=self.second)
        self.seconds = [*names, "x"]
        self.firsts = ["aaa", "bbb", "ccc", "only-first", "sub", "x"]
        self.categories = ("--categories", "00_base 02_devel")

    def files(self, plan):
        return [f["file"].removesuffix("-1-x86_64-P1.tgz") for f in plan["files"]]

    def order_installed(self):
        log = self.read(self.root, "var/log/install.log").decode()
        return [line.rsplit(" ", 1)[1].removesuffix("-1-x86_64-P1") for line in log.splitlines()]

    def test_of_the_first(self):
        plan = self.plan(self.url, self.second.url, more=self.categories)
        self.assertEqual(self.files(plan), self.firsts)
        self.assertEqual(plan["mirror"], self.url)
        self.assert_nothing_asked(self.second, "the second mirror was asked")

    def test_of_the_second(self):
        """One page of the first fails, the last one to be asked for: nothing of its others counts."""
        for page in (f"{BASE}/", f"{BASE}/devel.txz/", f"{TREE}/plamo/02_devel/"):
            with self.subTest(page):
                self.server.clear()
                self.second.clear()
                self.server.add(page, Fault(status=403, repeat=True))
                plan = self.plan(self.url, self.second.url, more=self.categories)
                self.assertEqual(self.files(plan), self.seconds)
                self.assertEqual(plan["mirror"], self.second.url)
                for entry in plan["files"]:
                    self.assertTrue(entry["url"].startswith(self.second.url + "/"), entry)

    def test_build_of_the_second(self):
        self.server.add(f"{TREE}/plamo/02_devel/", Fault(status=403, repeat=True))
        self.assert_done(self.build_from_both(*self.categories))
        self.assertEqual(self.order_installed(), self.seconds)

    def test_build_of_the_first_with_packages_of_the_second(self):
        """Its listing stands, although a package then comes from elsewhere."""
        self.server.add(self.paths[1], Fault(status=404, repeat=True))
        self.assert_done(self.build_from_both(*self.categories))
        self.assertEqual(self.order_installed(), self.firsts)
        self.assertEqual(self.pages(self.second), [], "a page of the second was asked for")
        self.assertEqual(self.packages(self.second), ["bbb-1-x86_64-P1.tgz"])

    def test_category_that_only_the_second_has(self):
        shutil.rmtree(f"{self.mirror}{TREE}/plamo/02_devel")
        plan = self.plan(self.url, self.second.url, more=self.categories)
        self.assertEqual(self.files(plan), self.seconds)


class Named(Several):
    """Ways to name several."""

    def environment(self, *servers, **more):
        hosts = " ".join(server.url.removeprefix("http://") for server in servers)
        return {"DLSCHEME": "http", "MIRRORSRV": hosts, "MIRRORPATH": "/", "LXC_CACHE_PATH": self.cache, **more}

    def build_by_environment(self, *more, env):
        return self.run_program("build", self.root, "--no-configure", "-r", RELEASE, "-a", ARCH, *more, env=env)

    def test_mirrorsrv(self):
        self.server.stop()
        self.assert_done(self.build_by_environment(env=self.environment(self.server, self.second)))
        self.assert_installed(*self.paths)

    def test_mirrorsrv_for_the_template(self):
        self.server.stop()
        path = os.path.join(self.folder, "c1")
        os.mkdir(path)
        with open(f"{path}/config", "w"):
            pass
        result = self.run_program(f"--path={path}", "--name=c1", f"--rootfs={path}/rootfs", "-r", RELEASE, "-a", ARCH,
                                  program="lxc-plamo-fast", env=self.environment(self.server, self.second))
        self.assert_done(result)
        self.assertTrue(os.path.isfile(f"{path}/rootfs/usr/share/aaa"), str(result))

    def test_mirrorsrv_in_order(self):
        self.assert_done(self.build_by_environment(env=self.environment(self.second, self.server)))
        self.assert_nothing_asked(self.server, "the one that is named second was asked")

    def test_option_in_place_of_the_environment(self):
        """Neither asked nor turned to."""
        environment = self.environment(self.server)
        self.assert_done(self.build_by_environment("--mirror", self.second.url, env=environment))
        self.assert_nothing_asked(self.server, "the environment's mirror was asked")
        self.second.stop()
        self.cache, self.root = self.cache + "2", self.root + "2"
        environment["LXC_CACHE_PATH"] = self.cache
        result = self.build_by_environment("--mirror", self.second.url, env=environment)
        self.assert_failed(result, MIRROR, self.second.url)
        self.assert_nothing_asked(self.server, "the environment's mirror was turned to")

    def test_one_bad_url(self):
        """One that cannot be right is refused before anything is asked."""
        result = self.build("--mirror", "gopher://x/")
        self.assert_failed(result, netkit.USAGE, "gopher://x/")
        self.assert_nothing_asked(self.server, "the mirror was asked")

    def test_the_same_twice(self):
        self.assert_done(self.build("--mirror", self.url, "--mirror", self.url + "/"))
        self.assert_installed(*self.paths)


if __name__ == "__main__":
    netkit.main()
