#!/usr/bin/env python3
"""https: a server that cannot prove who it is gets nothing, and nobody falls back to http."""

import os
import shutil
import ssl
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import netkit
from faulty_server import Fault, FaultyServer
from netkit import BASE, MIRROR, NetTest, TREE, settings
from nginx import Nginx
from skip import skip

# Where Debian's libcurl looks for the authorities it trusts.
TRUSTED = "/etc/ssl/certs/ca-certificates.crt"

EXTENSIONS = """
[ca]
basicConstraints=critical,CA:TRUE
keyUsage=critical,keyCertSign
subjectKeyIdentifier=hash
[own]
subjectAltName=IP:127.0.0.1,DNS:localhost
[other]
subjectAltName=DNS:mirror.example
[db]
database={folder}/index
serial={folder}/serial
new_certs_dir={folder}
default_md=sha256
policy=any
unique_subject=no
[any]
commonName=supplied
"""


class Authority:
    """A certificate authority in a folder, made by openssl."""

    def __init__(self, folder):
        self.folder = folder
        os.makedirs(folder)
        self.config = os.path.join(folder, "openssl.cnf")
        with open(self.config, "w") as f:
            f.write(f"[req]\ndistinguished_name=dn\n[dn]\n{EXTENSIONS.format(folder=folder)}")
        for name, text in (("index", ""), ("serial", "1000\n")):
            with open(os.path.join(folder, name), "w") as f:
                f.write(text)
        self.certificate, self.key = os.path.join(folder, "ca.pem"), os.path.join(folder, "ca.key")
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=test CA",
                     "-days", "30", "-config", self.config, "-extensions", "ca", "-keyout", self.key, "-out", self.certificate)

    @staticmethod
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], check=True, stdin=subprocess.DEVNULL, capture_output=True)

    def server(self, *arguments, **more):
        """A server's context, with a certificate of this authority."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.sign(*arguments, **more))
        return context

    def sign(self, name, extensions="own", start="20200101000000Z", end="20490101000000Z"):
        """The files of a new certificate and its key."""
        base = os.path.join(self.folder, name)
        self.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}", "-config",
                     self.config, "-keyout", f"{base}.key", "-out", f"{base}.csr")
        self.openssl("ca", "-batch", "-config", self.config, "-name", "db", "-cert", self.certificate, "-keyfile", self.key,
                     "-in", f"{base}.csr", "-out", f"{base}.pem", "-notext", "-startdate", start, "-enddate", end,
                     "-extensions", extensions)
        return f"{base}.pem", f"{base}.key"


class TlsNginx(Nginx):
    """With HTTP/2, and the protocol of each request in its log."""

    def __init__(self, mirror, certificate, key):
        super().__init__(mirror)
        self.certificate, self.key = certificate, key
        self.url = self.url.replace("http:", "https:")

    def configuration(self):
        own = (f"listen 127.0.0.1:{self.port} ssl http2;\n    ssl_certificate {self.certificate};\n"
               f"    ssl_certificate_key {self.key};")
        return (super().configuration().replace(f"listen 127.0.0.1:{self.port};", own)
                .replace("$request_method $request_uri", "$server_protocol $request_uri $connection"))

    def lines(self):
        with open(self.access_log) as f:
            return [line.split() for line in f]


class Tls(NetTest):
    @classmethod
    def setUpClass(cls):
        if not shutil.which("openssl"):
            skip("needs openssl")
        cls.authority_folder = tempfile.mkdtemp(prefix="plamo-ca-")
        cls.addClassCleanup(shutil.rmtree, cls.authority_folder)
        cls.trusted = Authority(cls.authority_folder + "/trusted")
        cls.other = Authority(cls.authority_folder + "/other")
        # Only this test's mounts: the authority is trusted by the programs that it starts, and by nobody else.
        cls.can_trust = settings.private_mounts and os.path.isfile(TRUSTED) and subprocess.run(
            ["mount", "--bind", cls.trusted.certificate, TRUSTED]).returncode == 0
        if cls.can_trust:
            cls.addClassCleanup(subprocess.run, ["umount", TRUSTED], check=False)

    def setUp(self):
        super().setUp()
        if not self.can_trust:
            self.skipTest(f"cannot put an authority of its own in the place of {TRUSTED}")
        self.paths = self.put_some("aaa", "bbb")
        # The plain server stays: a fallback to http would find all it wants on the https port's neighbour.
        self.plain = self.server

    def serve(self, context):
        self.server = FaultyServer(self.mirror, context).start()
        self.addCleanup(self.server.stop)
        self.url = self.server.url

    def check_refused(self, *words):
        result = self.assert_failed(self.build(), MIRROR, self.url)
        self.assertTrue(any(word in result.errors[0].lower() for word in words), str(result))
        self.assertEqual(self.plain.requests, [], "asked by http")
        self.assertEqual(self.server.requests, [], "something was asked before trust")
        return result

    def test_trusted(self):
        self.serve(self.trusted.server("good"))
        self.assert_done(self.build())
        self.assert_installed(*self.paths)
        self.assertEqual(self.plain.requests, [])

    def test_http2(self):
        """Where it is offered it is used."""
        if not shutil.which("nginx", path="/usr/sbin:" + os.environ["PATH"]):
            self.skipTest("needs nginx")
        with TlsNginx(self.mirror, *self.trusted.sign("nginx")) as server:
            self.url = server.url
            self.assert_done(self.build())
            lines = server.lines()
        self.assert_installed(*self.paths)
        self.assertEqual({line[0] for line in lines}, {"HTTP/2.0"})
        self.assertEqual(len(lines), 4)  # the page, the list of checksums (there is none), two packages

    def test_trusted_by_name(self):
        self.serve(self.trusted.server("good"))
        self.url = self.url.replace("127.0.0.1", "localhost")
        self.assert_done(self.build())

    def test_unknown_authority(self):
        self.serve(self.other.server("good"))
        result = self.check_refused("certificate")
        self.assertNotIn("attempt", result.err, "tried again, although it cannot help")

    def test_self_signed(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.other.certificate, self.other.key)
        self.serve(context)
        self.check_refused("certificate")

    def test_expired(self):
        self.serve(self.trusted.server("expired", end="20210101000000Z"))
        self.check_refused("expired")

    def test_not_yet_valid(self):
        self.serve(self.trusted.server("early", start="20480101000000Z"))
        self.check_refused("not yet valid")

    def test_wrong_host(self):
        self.serve(self.trusted.server("mirror.example", extensions="other"))
        self.check_refused("host", "name", "match")

    def test_old_protocol(self):
        context = self.trusted.server("old")
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
        self.serve(context)
        self.check_refused("protocol", "ssl", "tls")

    def test_plain_server_on_an_https_url(self):
        self.url = self.plain.url.replace("http:", "https:")
        self.assert_failed(self.build(), MIRROR, self.url)

    def test_redirect_down(self):
        """From https to http: refused for index pages and for packages."""
        self.serve(self.trusted.server("good"))
        for path in (f"{BASE}/", self.paths[1]):
            with self.subTest(path):
                self.server.clear()
                self.server.add(path, Fault(redirect=f"{self.plain.url}{path}", repeat=True))
                self.assert_failed(self.build(), MIRROR, path)
                self.assertEqual(self.plain.requests, [], "asked by http")

    def test_redirect_up(self):
        """From http to https: the safer way is taken."""
        self.serve(self.trusted.server("good"))
        self.plain.add(f"{BASE}/", Fault(redirect=f"{self.url}{BASE}/"))
        self.url = self.plain.url
        self.assert_done(self.build())
        self.assertEqual({r.path for r in self.plain.requests}, {f"{BASE}/", f"{TREE}/CHECKSUMS.md5"})
        self.assert_installed(*self.paths)

    def test_redirect_up_to_somebody_unknown(self):
        self.serve(self.other.server("good"))
        self.plain.add(f"{BASE}/", Fault(redirect=f"{self.url}{BASE}/", repeat=True))
        self.url = self.plain.url
        self.assert_failed(self.build(), MIRROR)
        self.assertEqual(self.server.requests, [])

    def test_page_that_names_http(self):
        """Links of an https page that lead to http are dropped."""
        self.serve(self.trusted.server("good"))
        name = os.path.basename(self.paths[1])
        port = self.server.port
        links = (self.paths[0], f"http://127.0.0.1:{port}{BASE}/{name}", f"{self.plain.url}{BASE}/{name}")
        self.server.contents[f"{BASE}/"] = "".join(f'<a href="{link}">x</a>' for link in links).encode()
        self.assert_done(self.build())
        self.assertEqual(self.plain.requests, [])
        self.assert_installed(self.paths[0])

    def test_cut_off(self):
        """A connection that ends in the middle, without TLS's own end: continued, never taken for whole."""
        self.serve(self.trusted.server("good"))
        self.server.add(self.paths[0], Fault(cut=9000), Fault(reset=3000))
        self.server.add(f"{BASE}/", Fault(cut=50))
        self.assert_done(self.build())
        self.assert_installed(*self.paths)
        self.assertEqual([r.range_start for r in self.server.asked(os.path.basename(self.paths[0]))], [None, 9000, 12000])


if __name__ == "__main__":
    netkit.main()
