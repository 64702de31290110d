"""nginx with its autoindex."""

import os

from server import MIRROR_PATH, MOVED_PATH, ProgramServer


class Nginx(ProgramServer):
    program = "nginx"

    def configuration(self):
        temporary = "\n".join(f"  {kind}_temp_path {self.folder}/{kind};"
                              for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        # Its workers would be another user, who cannot look into a temporary folder.
        return f"""\
daemon off;
{"user root;" if os.geteuid() == 0 else ""}
worker_processes 1;
pid {self.folder}/pid;
error_log {self.folder}/error.log;
events {{ }}
http {{
{temporary}
  log_format paths '$request_method $request_uri';
  access_log {self.access_log} paths;
  default_type application/octet-stream;
  server {{
    listen 127.0.0.1:{self.port};
    root {self.document_root};
    autoindex on;
    location ~ ^{MOVED_PATH}(.*)$ {{ return 301 {MIRROR_PATH}$1; }}
  }}
}}
"""

    def command(self, config):
        return ["/usr/sbin/nginx", "-p", self.folder, "-e", f"{self.folder}/error.log", "-c", config]
