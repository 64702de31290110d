"""What all test servers share: a free loopback port, a document root with the mirror in it, a list of requests."""

import os
import shutil
import socket
import subprocess
import tempfile
import time

# lxc-plamo takes an empty MIRRORPATH for unset, so the mirror lies one folder down.
MIRROR_PATH = "/mirror"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """Use as a context manager. `address` is host:port, as in MIRRORSRV."""

    def __init__(self, mirror):
        self.mirror = os.path.abspath(mirror)
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.address}{MIRROR_PATH}"

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="plamo-server-")
        try:
            self.document_root = os.path.join(self.folder, "root")
            os.mkdir(self.document_root)
            self.place_mirror(self.document_root + MIRROR_PATH)
            self.start()
            self._wait_until_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.folder)

    def place_mirror(self, path):
        os.symlink(self.mirror, path)

    def _wait_until_ready(self):
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError(f"{type(self).__name__} does not answer: {self.complaints()}")

    def complaints(self):
        return ""

    def start(self):
        raise NotImplementedError

    def stop(self):
        raise NotImplementedError

    def requests(self):
        """The paths asked for so far, in order."""
        raise NotImplementedError


class ProgramServer(Server):
    """A server that is a program with a configuration file and an access log of `METHOD PATH` lines."""

    program = ""
    process = None

    def configuration(self):
        raise NotImplementedError

    def command(self, config):
        raise NotImplementedError

    def start(self):
        self.access_log = os.path.join(self.folder, "access.log")
        config = os.path.join(self.folder, "server.conf")
        with open(config, "w") as stream:
            stream.write(self.configuration())
        self.output = open(os.path.join(self.folder, "output"), "w+")
        self.process = subprocess.Popen(self.command(config), stdin=subprocess.DEVNULL, stdout=self.output,
                                        stderr=self.output)

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait()
            self.output.close()
            self.process = None

    def complaints(self):
        self.output.seek(0)
        return self.output.read()

    def requests(self):
        with open(self.access_log) as stream:
            return [line.split()[1] for line in stream]
