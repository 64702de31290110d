#!/usr/bin/env python3
"""The usual variables choose a proxy, for http and for https, and what is asked for goes through it or not at all."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import netkit
import tls
from faulty_server import Fault, FaultyServer
from netkit import BASE, MIRROR, NetTest
from server import free_port
from tinyproxy import Tinyproxy


class ProxyTest(NetTest):
    def setUp(self):
        super().setUp()
        why_not = Tinyproxy.why_not()
        if why_not:
            self.skipTest(why_not)
        self.paths = self.put_some("aaa", "bbb")

    def start_proxy(self, **more):
        self.proxy = Tinyproxy(**more).__enter__()
        self.addCleanup(self.proxy.__exit__)
        return self.proxy.url


class Http(ProxyTest):
    def check_through(self, **env):
        self.assert_done(self.build(env=env))
        self.assert_installed(*self.paths)
        self.assertEqual(sorted(self.proxy.requests()), sorted(f"GET {self.url}{r.path}" for r in self.server.asked()))
        self.assertGreaterEqual(len(self.proxy.requests()), 3)

    def check_past(self, **env):
        self.assert_done(self.build(env=env))
        self.assert_installed(*self.paths)
        self.assertEqual(self.proxy.requests(), [])

    def test_http_proxy(self):
        self.check_through(http_proxy=self.start_proxy())

    def test_http_proxy_without_scheme(self):
        self.check_through(http_proxy=self.start_proxy().removeprefix("http://"))

    def test_all_proxy(self):
        self.check_through(all_proxy=self.start_proxy())

    def test_no_proxy(self):
        self.check_past(http_proxy=self.start_proxy(), no_proxy="localhost,127.0.0.1")

    def test_no_proxy_for_all(self):
        self.check_past(http_proxy=self.start_proxy(), no_proxy="*")

    def test_no_proxy_for_another(self):
        self.check_through(http_proxy=self.start_proxy(), no_proxy="localhost,mirror.example")

    def test_proxy_of_another_scheme(self):
        self.check_past(https_proxy=self.start_proxy(), ftp_proxy=self.proxy.url)

    def test_resumed_through_a_proxy(self):
        self.server.add(self.paths[0], Fault(cut=9000))
        self.check_through(http_proxy=self.start_proxy())
        self.assertEqual([r.range_start for r in self.server.asked(os.path.basename(self.paths[0]))], [None, 9000])

    def test_plan(self):
        result = self.run_program("plan", "-r", netkit.RELEASE, "-a", netkit.ARCH, "-m", self.url,
                                  env={"http_proxy": self.start_proxy()})
        self.assert_done(result)
        self.assertIn(f"GET {self.url}{BASE}/", self.proxy.requests())

    def test_nobody_there(self):
        """No way round it: who sets a proxy may have to."""
        proxy = f"http://127.0.0.1:{free_port()}"
        result = self.assert_failed(self.build(env={"http_proxy": proxy}), MIRROR, self.url)
        self.assertEqual(self.server.requests, [], str(result))

    def test_password(self):
        proxy = f"http://somebody:secretword@127.0.0.1:{free_port()}"
        result = self.assert_failed(self.build("-v", env={"http_proxy": proxy}), MIRROR, self.url)
        self.assertNotIn("secretword", result.err + result.out)

    def test_mirror_that_the_proxy_cannot_reach(self):
        self.url = f"http://127.0.0.1:{free_port()}"
        self.assert_failed(self.build(env={"http_proxy": self.start_proxy()}), MIRROR, self.url)


class Https(ProxyTest):
    @classmethod
    def setUpClass(cls):
        tls.Tls.setUpClass.__func__(cls)

    def setUp(self):
        super().setUp()
        if not self.can_trust:
            self.skipTest(f"cannot put an authority of its own in the place of {tls.TRUSTED}")
        self.plain = self.server

    def serve(self, authority):
        self.server = FaultyServer(self.mirror, authority.server("good")).start()
        self.addCleanup(self.server.stop)
        self.url = self.server.url

    def test_https_proxy(self):
        """By a tunnel, in which the server proves who it is."""
        self.serve(self.trusted)
        self.assert_done(self.build(env={"https_proxy": self.start_proxy(tunnel_port=self.server.port)}))
        self.assert_installed(*self.paths)
        self.assertEqual(set(self.proxy.requests()), {f"CONNECT 127.0.0.1:{self.server.port}"})
        self.assertEqual(self.plain.requests, [])

    def test_connections_are_used_again(self):
        self.put_some(*(f"p{i}" for i in range(8)), size_bytes=2000)
        self.serve(self.trusted)
        proxy = self.start_proxy(tunnel_port=self.server.port)
        self.assert_done(self.build("--connections", "2", env={"https_proxy": proxy}))
        # libcurl leaves a connection on which something was not found.
        missing = len([r for r in self.server.asked() if r.status == 404])
        self.assertLessEqual(len(self.proxy.requests()), 2 + missing)

    def test_unknown_authority_behind_a_proxy(self):
        self.serve(self.other)
        proxy = self.start_proxy(tunnel_port=self.server.port)
        self.assert_failed(self.build(env={"https_proxy": proxy}), MIRROR, self.url)
        self.assertEqual(self.server.requests, [])

    def test_tunnel_that_is_refused(self):
        self.serve(self.trusted)
        proxy = self.start_proxy(tunnel_port=1)
        self.assert_failed(self.build(env={"https_proxy": proxy}), MIRROR, self.url)
        self.assertEqual(self.server.requests, [])

    def test_http_proxy_is_not_for_https(self):
        self.serve(self.trusted)
        self.assert_done(self.build(env={"http_proxy": self.start_proxy(tunnel_port=self.server.port)}))
        self.assertEqual(self.proxy.requests(), [])


if __name__ == "__main__":
    netkit.main()
