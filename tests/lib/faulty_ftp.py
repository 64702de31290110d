"""A scripted FTP server: serves a folder, and lies where a test says so."""

import os
import socket
import socketserver
import threading


class FaultyFtp:
    """with FaultyFtp(folder) as server: … server.url …  Attributes may be changed while it runs."""

    def __init__(self, folder):
        self.folder = os.fspath(folder)
        self.listings = {}      # path of a folder → bytes that LIST gives instead
        self.replies = {}       # verb → bytes that answer it, whatever it was to do
        self.pasv_host = None   # (a, b, c, d) that 227 names instead of this server's address
        self.flood = None       # (verb, bytes): sent again and again instead of an answer
        self.endless_data = False   # a transfer does not end
        self.commands = []      # (verb, argument), in order
        self._stopping = threading.Event()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def start(self):
        owner = self

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True

            def handle_error(self, request, client_address):
                pass

        self._server = Server(("127.0.0.1", 0), type("Handler", (_Session,), {"owner": owner}))
        self.port = self._server.server_address[1]
        self.url = f"ftp://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def stop(self):
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()

    def asked_for(self, verb):
        return [argument for v, argument in list(self.commands) if v == verb]


class _Session(socketserver.StreamRequestHandler):
    owner: FaultyFtp

    def say(self, text):
        self.wfile.write(text if isinstance(text, bytes) else text.encode() + b"\r\n")

    def handle(self):
        self.place, self.data, self.offset = "/", None, 0
        self.connection.settimeout(60)
        self.say("220 ready")
        while line := self.rfile.readline(4096):
            verb, _, argument = line.decode(errors="surrogateescape").rstrip("\r\n").partition(" ")
            verb = verb.upper()
            self.owner.commands.append((verb, argument))
            if verb == "QUIT":
                return
            if self.owner.flood and self.owner.flood[0] == verb:
                while not self.owner._stopping.is_set():
                    self.say(self.owner.flood[1])
            if verb in self.owner.replies:
                self.say(self.owner.replies[verb])
            else:
                getattr(self, f"do_{verb}", self.unknown)(argument)

    def unknown(self, _):
        self.say("502 not here")

    def path(self, argument):
        return os.path.normpath(os.path.join(self.place, argument))

    def do_USER(self, _):
        self.say("230 welcome")

    def do_PWD(self, _):
        self.say(f'257 "{self.place}"')

    def do_TYPE(self, _):
        self.say("200 ok")

    def do_CWD(self, argument):
        place = self.path(argument)
        if os.path.isdir(self.owner.folder + place):
            self.place = place
            self.say("250 ok")
        else:
            self.say("550 no such folder")

    def do_REST(self, argument):
        self.offset = int(argument)
        self.say("350 ok")

    def do_SIZE(self, argument):
        path = self.owner.folder + self.path(argument)
        self.say(f"213 {os.path.getsize(path)}" if os.path.isfile(path) else "550 no such file")

    def do_MDTM(self, argument):
        self.say("213 20170714024000" if os.path.isfile(self.owner.folder + self.path(argument)) else "550 none")

    def do_PASV(self, _):
        self.data = socket.create_server(("127.0.0.1", 0))
        port = self.data.getsockname()[1]
        host = self.owner.pasv_host or (127, 0, 0, 1)
        self.say("227 Entering Passive Mode (%d,%d,%d,%d,%d,%d)" % (*host, port // 256, port % 256))

    def send(self, content):
        if not self.data:
            self.say("425 no connection")
            return
        self.say("150 here it comes")
        self.data.settimeout(10)
        with self.data.accept()[0] as connection:
            connection.sendall(content)
            while self.owner.endless_data and not self.owner._stopping.is_set():
                connection.sendall(content or b"x")
        self.data.close()
        self.data = None
        self.say("226 done")

    def do_LIST(self, argument):
        place = self.place if not argument or argument.startswith("-") else self.path(argument)
        if place in self.owner.listings:
            self.send(self.owner.listings[place])
            return
        rows = []
        for name in sorted(os.listdir(self.owner.folder + place)):
            path = os.path.join(self.owner.folder + place, name)
            kind = "d" if os.path.isdir(path) else "-"
            rows.append(f"{kind}rw-r--r-- 1 ftp ftp {os.path.getsize(path)} Jul 14  2017 {name}\r\n")
        self.send("".join(rows).encode())

    def do_RETR(self, argument):
        path = self.owner.folder + self.path(argument)
        if not os.path.isfile(path):
            self.say("550 no such file")
            return
        with open(path, "rb") as stream:
            stream.seek(self.offset)
            self.offset = 0
            self.send(stream.read())
