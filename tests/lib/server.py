"""What all test servers share: a free loopback port, a document root with the mirror in it, a list of requests."""

import os
import shutil
import socket
import subprocess
import tempfile
import time

# lxc-plamo takes an empty MIRRORPATH for unset, so the mirror lies one folder down.
MIRROR_PATH = "/mirror"
# nginx, Apache, lighttpd and Caddy answer 301 for what is asked for here, to the same below MIRROR_PATH.
MOVED_PATH = "/moved"


def free_port(host="127.0.0.1"):
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.bind((host, 0))
        return probe.getsockname()[1]


class Server:
    """Use as a context manager. `address` is host:port, as in MIRRORSRV."""

    scheme = "http"
    program = ""

    @classmethod
    def why_not(cls):
        """Why it cannot run here; None if it can. /usr/sbin counts although it may not be in PATH."""
        if not shutil.which(cls.program, path=os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"):
            return f"needs {cls.program}; tests/install-packages installs it"
        return None

    def __init__(self, mirror, host="127.0.0.1"):
        self.mirror = os.path.abspath(mirror)
        self.host = host
        self.port = free_port(host)
        self.address = f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"
        self.url = f"{self.scheme}://{self.address}{MIRROR_PATH}"

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

    def copy_mirror(self, path):
        """For a server that gives up root or changes its root: it may not be able to reach the mirror where it is."""
        os.chmod(self.folder, 0o755)
        shutil.copytree(self.mirror, path, symlinks=True)
        os.chmod(path, 0o755)

    def _wait_until_ready(self):
        for _ in range(200):
            try:
                socket.create_connection((self.host, self.port), 1).close()
                return
            except OSError:
                if self.has_ended():
                    break
                time.sleep(0.05)
        raise RuntimeError(f"{type(self).__name__} does not answer: {self.complaints()}")

    def has_ended(self):
        """It never answers any more."""
        return False

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

    process = None

    def configuration(self):
        raise NotImplementedError

    def command(self, config):
        raise NotImplementedError

    def start(self):
        self.access_log = os.path.join(self.folder, "access.log")
        self.config = os.path.join(self.folder, "server.conf")
        with open(self.config, "w") as stream:
            stream.write(self.configuration())
        self.output = open(os.path.join(self.folder, "output"), "w+")
        self.launch()

    def launch(self):
        self.process = subprocess.Popen(self.command(self.config), stdin=subprocess.DEVNULL, stdout=self.output,
                                        stderr=self.output)

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait()
            self.output.close()
            self.process = None

    def has_ended(self):
        return self.process.poll() is not None

    def complaints(self):
        self.output.seek(0)
        return self.output.read()

    def requests(self):
        with open(self.access_log) as stream:
            return [line.split()[1] for line in stream]
