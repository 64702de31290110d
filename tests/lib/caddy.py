"""Caddy with its file_server browse, whose pages hold a table with sort links."""

import json
import os

from server import MIRROR_PATH, MOVED_PATH, ProgramServer


class Caddy(ProgramServer):
    program = "caddy"

    def configuration(self):
        return f"""\
{{
    admin off
    auto_https off
}}
http://{self.address} {{
    bind {self.host}
    root * {self.document_root}
    log {{
        output file {self.access_log}
        format json
    }}
    @moved path_regexp moved ^{MOVED_PATH}(.*)$
    redir @moved {MIRROR_PATH}{{re.moved.1}} permanent
    file_server browse
}}
"""

    def command(self, config):
        # It keeps what it thinks of in these folders, and the configuration too.
        return ["/usr/bin/env", f"HOME={self.folder}", f"XDG_DATA_HOME={self.folder}", f"XDG_CONFIG_HOME={self.folder}",
                "caddy", "run", "--config", config, "--adapter", "caddyfile"]

    def requests(self):
        if not os.path.exists(self.access_log):
            return []
        with open(self.access_log) as stream:
            return [entry["request"]["uri"] for entry in map(json.loads, stream) if "request" in entry]
