"""A scripted HTTP/1.1 server: serves a folder with listings and, per path, plays a list of faults in turn."""

import email.utils
import hashlib
import html
import http.server
import os
import random
import socket
import socketserver
import struct
import threading
import time
import urllib.parse
from dataclasses import dataclass, field
from typing import Optional

CHUNK = 16384


@dataclass
class Fault:
    """What one answer does differently. Fields can be combined; byte counts are of the body that would be sent."""

    close: bool = False                 # no answer at all: the connection is closed
    status: Optional[int] = None        # answer with this status and no body of interest
    redirect: Optional[str] = None      # 302 to this place
    headers: dict = field(default_factory=dict)  # added to the answer; None as a value takes one away
    cut: Optional[int] = None           # end the connection after so many bytes
    reset: Optional[int] = None         # the same, with RST
    stall: Optional[int] = None         # send nothing more after so many bytes, until release() or stop()
    drip: Optional[tuple] = None        # (bytes, seconds): so many bytes, then a pause
    no_length: bool = False             # no Content-Length: the end of the connection is the end
    announce: Optional[int] = None      # Content-Length says so many bytes, and body is cut or closed there
    truncate: Optional[int] = None      # serve the file as if it ended there: everything is consistent
    ignore_range: bool = False          # 200 and all of it, whatever was asked for
    ignore_if_range: bool = False       # 206 although If-Range does not match
    range_shift: int = 0                # the 206 starts so many bytes elsewhere, and says so
    range_bytes: Optional[int] = None   # a 206 of no more bytes than that, which RFC 9110 allows; also without a Range
    content: Optional[bytes] = None     # from this answer on, the path has this content
    delay: float = 0                    # seconds before the answer
    repeat: bool = False                # never give way to the next fault


@dataclass
class Request:
    method: str
    path: str                           # decoded, without the query
    target: str                         # as it came
    headers: dict                       # names in lower case
    connection: tuple = ()              # the peer's address: the same for requests on one connection
    status: int = 0
    sent: int = 0                       # bytes of body

    @property
    def range_start(self):
        """Where the range that was asked for begins; None without a range."""
        value = self.headers.get("range")
        return int(value.removeprefix("bytes=").split("-")[0]) if value else None


class FaultyServer:
    """with FaultyServer(folder) as server: … server.url …  Attributes may be changed while it runs."""

    def __init__(self, folder, ssl_context=None, address="127.0.0.1"):
        self.folder = os.fspath(folder)
        self.address = address
        self.etag = True                # answers have an ETag
        self.etag_prefix = ""           # servers differ in how they make theirs
        self.last_modified = True
        self.ranges = True              # Range is understood
        self.head_has_length = True     # HEAD tells the size
        self.random_delay = None        # (least, most) seconds before each answer
        self.random = random.Random(1)
        self.faults = {}                # path → [Fault, …]
        self.everywhere = None          # a Fault for each path that has none of its own
        self.contents = {}              # path → bytes that replace the file's
        self.requests = []
        self.active = self.peak = 0     # requests being answered, now and at most
        self.stalled = threading.Event()    # a fault has stalled
        self._release = threading.Event()
        self._lock = threading.Lock()
        self._ssl = ssl_context
        self._server = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def start(self):
        owner = self

        class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
            daemon_threads = True
            request_queue_size = 128
            address_family = socket.AF_INET6 if ":" in owner.address else socket.AF_INET

            def get_request(self):
                connection, address = super().get_request()
                connection.settimeout(60)
                if owner._ssl:
                    # The handshake is done by the first read, on the connection's own thread.
                    connection = owner._ssl.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
                return connection, address

            def handle_error(self, request, client_address):
                pass

        self._server = Server((self.address, 0), type("Handler", (_Handler,), {"owner": owner}))
        self.port = self._server.server_address[1]
        host = f"[{self.address}]" if ":" in self.address else self.address
        self.url = f"{'https' if self._ssl else 'http'}://{host}:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()
        return self

    def stop(self):
        self._release.set()
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
            self._server = None

    def vanish(self):
        """As if the machine were gone: what is being sent breaks off, and nobody answers any more."""
        self.everywhere = Fault(close=True, repeat=True)
        with self._lock:
            self.faults.clear()
        self.stop()

    def release(self):
        """Lets what has stalled end (its connection is closed)."""
        self._release.set()
        self._release = threading.Event()
        self.stalled.clear()

    def add(self, path, *faults):
        """Faults for a path, played one per request (HEAD does not count)."""
        with self._lock:
            self.faults.setdefault(path, []).extend(faults)

    def clear(self):
        """Forgets faults and recorded requests."""
        with self._lock:
            self.faults.clear()
            self.requests.clear()

    def asked(self, name=None, method="GET"):
        """The recorded requests, of one file name if given."""
        with self._lock:
            return [r for r in self.requests if r.method == method and (name is None or r.path.rsplit("/", 1)[-1] == name)]

    def _take_fault(self, path):
        with self._lock:
            queue = self.faults.get(path)
            if not queue:
                return self.everywhere or Fault()
            return queue[0] if queue[0].repeat else queue.pop(0)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner: FaultyServer
    # Small answers leave in one packet each, not after the peer's delayed acknowledgement.
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self._answer(Fault())

    def do_GET(self):
        self._answer(None)

    def _answer(self, fault):
        try:
            self._answer_one(fault)
        finally:
            with self.owner._lock:
                self.owner.active -= 1

    def _answer_one(self, fault):
        owner = self.owner
        target = self.path.split("?", 1)[0]
        path = urllib.parse.unquote(target)
        self.record = Request(self.command, path, self.path, {k.lower(): v for k, v in self.headers.items()},
                              self.client_address)
        with owner._lock:
            owner.requests.append(self.record)
            owner.active += 1
            owner.peak = max(owner.peak, owner.active)
            pause = owner.random.uniform(*owner.random_delay) if owner.random_delay else 0
        fault = fault or owner._take_fault(path)
        time.sleep(pause + fault.delay)
        if fault.content is not None:
            owner.contents[path] = fault.content
        if fault.close:
            self.close_connection = True
        elif fault.redirect is not None:
            self._head(302, {"Location": fault.redirect, "Content-Length": "0"}, fault)
        elif fault.status is not None:
            body = b"" if self.command == "HEAD" else b"no\n"
            self._head(fault.status, {"Content-Length": str(len(body))}, fault)
            self.wfile.write(body)
        else:
            self._serve(path, fault)

    def _serve(self, path, fault):
        on_disk = self.owner.folder + path
        if path in self.owner.contents:
            self._file(path, self.owner.contents[path], fault)
        elif os.path.isfile(on_disk):
            with open(on_disk, "rb") as f:
                self._file(path, f.read(), fault)
        elif os.path.isdir(on_disk) and path.endswith("/"):
            page = _listing(on_disk, path)
            self._head(200, {"Content-Type": "text/html", "Content-Length": str(len(page))}, fault)
            self._body(page, fault)
        elif os.path.isdir(on_disk):
            self._head(301, {"Location": urllib.parse.quote(path) + "/", "Content-Length": "0"}, fault)
        else:
            self._head(404, {"Content-Length": "0"}, fault)

    def _file(self, path, data, fault):
        owner = self.owner
        if fault.truncate is not None:
            data = data[:fault.truncate]
        headers = {"Content-Type": "application/octet-stream", "Accept-Ranges": "bytes"}
        if owner.etag:
            headers["ETag"] = f'"{owner.etag_prefix}{hashlib.sha1(data).hexdigest()[:16]}"'
        if owner.last_modified:
            on_disk = owner.folder + path
            moment = os.stat(on_disk).st_mtime if os.path.exists(on_disk) else 1_500_000_000
            headers["Last-Modified"] = email.utils.formatdate(moment + (path in owner.contents), usegmt=True)
        if fault.range_bytes is None and self._is_known(headers):
            headers.pop("Content-Type")
            self._head(304, headers, fault)
            return
        start = self.record.range_start
        condition = self.record.headers.get("if-range")
        if condition is not None and not fault.ignore_if_range:
            if condition not in (headers.get("ETag"), headers.get("Last-Modified")):
                start = None
        if fault.range_bytes is not None and not fault.ignore_range:
            first = start or 0
            part = data[first:first + fault.range_bytes]
            headers["Content-Range"] = f"bytes {first}-{first + len(part) - 1}/{len(data)}"
            headers["Content-Length"] = str(len(part))
            self._head(206, headers, fault)
            self._body(part, fault)
        elif start is None or fault.ignore_range or not owner.ranges:
            headers["Content-Length"] = str(len(data))
            self._head(200, headers, fault)
            self._body(data, fault)
        elif start >= len(data):
            headers.update({"Content-Range": f"bytes */{len(data)}", "Content-Length": "0"})
            self._head(416, headers, fault)
        else:
            first = max(0, start + fault.range_shift)
            headers["Content-Range"] = f"bytes {first}-{len(data) - 1}/{len(data)}"
            headers["Content-Length"] = str(len(data) - first)
            self._head(206, headers, fault)
            self._body(data[first:], fault)

    def _is_known(self, headers):
        """Has the client this very file? RFC 9110, 13.2.2: a tag counts more than a time."""
        asked = self.record.headers
        if "if-none-match" in asked:
            return headers.get("ETag") in [tag.strip() for tag in asked["if-none-match"].split(",")]
        if "if-modified-since" in asked and "Last-Modified" in headers:
            read = email.utils.parsedate_to_datetime
            return read(headers["Last-Modified"]) <= read(asked["if-modified-since"])
        return False

    def _head(self, status, headers, fault):
        if fault.no_length:
            headers.pop("Content-Length", None)
            headers["Connection"] = "close"
        if self.command == "HEAD" and not self.owner.head_has_length:
            headers.pop("Content-Length", None)
        if fault.announce is not None:
            headers["Content-Length"] = str(fault.announce)
        headers.update(fault.headers)
        self.record.status = status
        self.send_response(status)
        for name, value in headers.items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.flush()

    def _body(self, data, fault):
        if self.command == "HEAD":
            return
        stops = [n for n in (fault.cut, fault.reset, fault.stall) if n is not None]
        end = min([len(data), *stops, *([fault.announce] if fault.announce is not None else [])])
        step, pause = fault.drip or (CHUNK, 0)
        for i in range(0, end, step):
            part = data[i:min(i + step, end)]
            self.wfile.write(part)
            self.record.sent += len(part)
            if pause and self.owner._release.wait(pause):
                break
        self.wfile.flush()
        if fault.stall is not None:
            release = self.owner._release
            self.owner.stalled.set()
            release.wait(60)
        if fault.reset is not None:
            # With what was sent out first: RST throws away what the peer has not read yet.
            time.sleep(0.1)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        if stops or fault.announce is not None or fault.no_length or fault.drip:
            self.close_connection = True


def _listing(folder, path):
    rows = []
    for name in sorted(os.listdir(folder)):
        if os.path.isdir(os.path.join(folder, name)):
            name += "/"
        rows.append(f'<a href="{urllib.parse.quote(name)}">{html.escape(name)}</a>\n')
    title = html.escape(path)
    return (f'<html><head><title>Index of {title}</title></head><body><pre><a href="../">../</a>\n'
            f'{"".join(rows)}</pre></body></html>\n').encode()
