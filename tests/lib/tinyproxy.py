"""tinyproxy: an HTTP proxy that also tunnels, by CONNECT to the ports it allows."""

import re

from server import ProgramServer


class Tinyproxy(ProgramServer):
    """`tunnel_port`: the only port that CONNECT may lead to."""

    program = "tinyproxy"

    def __init__(self, tunnel_port=0):
        super().__init__("/nonexistent")
        self.tunnel_port = tunnel_port
        self.url = f"http://{self.address}"

    def configuration(self):
        return f"""\
Port {self.port}
Listen {self.host}
Allow {self.host}
Timeout 60
MaxClients 50
LogFile "{self.access_log}"
LogLevel Connect
PidFile "{self.folder}/pid"
ConnectPort {self.tunnel_port}
"""

    def command(self, config):
        return ["tinyproxy", "-d", "-c", config]

    def requests(self):
        """What it was asked to do, as "METHOD TARGET"."""
        with open(self.access_log) as stream:
            found = (re.search(r"Request \(file descriptor \d+\): (\w+ \S+) HTTP", line) for line in stream)
            return [match[1] for match in found if match]
