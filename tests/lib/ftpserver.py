"""What the FTP servers share: anonymous, reading only, passive only, a root of their own, and a log of commands."""

import os
import re
import signal

from server import MIRROR_PATH, ProgramServer

# Where install-packages unpacks servers of which Debian lets only one be installed.
UNPACKED = "/usr/local/lib/plamo-fast-tests"
UNLIMITED = 0


def _descendants(pid):
    """Each connection has processes of its own, which outlive the one that listens."""
    children = {}
    for name in filter(str.isdecimal, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat") as stream:
                # The name of the program, in parentheses, may hold anything.
                parent = int(stream.read().rsplit(")", 1)[1].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        children.setdefault(parent, []).append(int(name))
    family = [pid]
    for member in family:
        family += children.get(member, [])
    return family[1:]


class FtpServer(ProgramServer):
    """`program` is a path. `max_per_ip`: connections that one address may have at a time. `rate`: bytes in a second
    that one transfer gets, in steps of 1024."""

    scheme = "ftp"
    speaks_mlsd = True
    # In a line of the log: a command and its argument.
    command_in_log = re.compile("")

    def __init__(self, mirror, host="127.0.0.1", max_per_ip=UNLIMITED, rate=UNLIMITED):
        super().__init__(mirror, host)
        self.max_per_ip, self.rate = max_per_ip, rate

    def place_mirror(self, path):
        self.copy_mirror(path)
        os.chmod(self.document_root, 0o755)

    def go_away(self):
        """Ends the server and all its connections at once, in the middle of what they do."""
        for pid in [self.process.pid, *_descendants(self.process.pid)]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()

    def come_back(self):
        self.launch()
        self._wait_until_ready()

    def stop(self):
        if self.process:
            self.go_away()
            self.output.close()
            self.process = None

    def commands(self):
        """The commands received so far, in order, as (VERB, argument)."""
        if not os.path.exists(self.access_log):
            return []
        with open(self.access_log, errors="surrogateescape") as stream:
            found = [self.command_in_log.search(line) for line in stream]
        return [(match[1].upper(), match[2] or "") for match in found if match]

    def verbs(self):
        return [verb for verb, _ in self.commands()]

    def served(self, path):
        """Where the server reads what it serves by this path below MIRROR_PATH."""
        return self.document_root + MIRROR_PATH + path

    def requests(self):
        """The arguments of what transfers a file."""
        return [argument for verb, argument in self.commands() if verb == "RETR"]
