# SPDX-License-Identifier: LGPL-2.1-or-later
"""The work's mirror: nginx on loopback, the same for every contender; and the same behind a slow link."""

import contextlib
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "lib"))

from nginx import Nginx  # noqa: E402 (found by the line above)
from server import MIRROR_PATH, free_port  # noqa: E402

RELAY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "relay.py")


class WorkServer(Nginx):
    """Serves the work's folder as a mirror that is set up well does. The Plamo mirror is `mirror/` of it."""

    def configuration(self):
        return super().configuration().replace("http {", "http {\n  sendfile on;\n  tcp_nopush on;", 1)


@contextlib.contextmanager
def relayed(server, mbit_per_s, round_trip_ms):
    """The address of a relay to that server, with the link's bandwidth and delay."""
    port = free_port()
    relay = subprocess.Popen([sys.executable, RELAY, "--listen", str(port), "--to", server.address,
                              "--mbit", str(mbit_per_s), "--round-trip-ms", str(round_trip_ms)],
                             stdout=subprocess.PIPE)
    try:
        relay.stdout.readline()  # it listens
        yield f"127.0.0.1:{port}"
    finally:
        relay.terminate()
        relay.wait()
        relay.stdout.close()


def mirror_url(address):
    return f"http://{address}{MIRROR_PATH}/mirror"


def pause():
    """What a server still writes to its log."""
    time.sleep(0.05)
