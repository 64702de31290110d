"""Python's http.server, optionally answering after random times so that downloads finish in any order."""

import functools
import http.server
import random
import threading
import time

from server import Server


class _Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Small answers leave in one packet each, not after the peer's delayed acknowledgement.
    disable_nagle_algorithm = True

    def __init__(self, *arguments, owner, **more):
        self.owner = owner
        super().__init__(*arguments, **more)

    def do_GET(self):
        self.owner.note(self.path)
        time.sleep(self.owner.next_delay_s())
        super().do_GET()

    def log_message(self, *_):
        pass


class _Threads(http.server.ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True


class PythonServer(Server):
    """`max_delay_s`: each answer waits a random time up to this; `seed` fixes the times."""

    program = "python3"

    def __init__(self, mirror, max_delay_s=0.0, seed=0):
        super().__init__(mirror)
        self.max_delay_s = max_delay_s
        self.random = random.Random(seed)
        self.lock = threading.Lock()        # guards seen and random: each request has its thread
        self.seen = []
        self.httpd = None

    def note(self, path):
        with self.lock:
            self.seen.append(path)

    def next_delay_s(self):
        with self.lock:
            return self.random.uniform(0, self.max_delay_s)

    def start(self):
        handler = functools.partial(_Handler, owner=self, directory=self.document_root)
        self.httpd = _Threads(("127.0.0.1", self.port), handler)
        threading.Thread(target=self.httpd.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self):
        if self.httpd:
            self.httpd.shutdown()
            self.httpd.server_close()
            self.httpd = None

    def requests(self):
        with self.lock:
            return list(self.seen)
