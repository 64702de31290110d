"""lighttpd with its mod_dirlisting, whose pages hold a table."""

import os
import signal
import time

from server import MIRROR_PATH, MOVED_PATH, ProgramServer


class Lighttpd(ProgramServer):
    """`header`: bytes in HTML that stand above each list; `charset`: what pages are said to be in."""

    program = "lighttpd"

    def __init__(self, mirror, header=b"", charset="utf-8"):
        super().__init__(mirror)
        self.header, self.charset = header, charset

    def configuration(self):
        header = os.path.join(self.folder, "header.html")
        with open(header, "wb") as stream:
            stream.write(self.header)
        return f"""\
server.modules = ("mod_redirect", "mod_accesslog", "mod_dirlisting")
server.bind = "{self.host}"
server.port = {self.port}
server.document-root = "{self.document_root}"
server.errorlog = "{self.folder}/error.log"
server.upload-dirs = ("{self.folder}")
accesslog.filename = "{self.access_log}"
accesslog.format = "%m %U"
dir-listing.activate = "enable"
dir-listing.encoding = "{self.charset}"
{f'dir-listing.show-header = "{header}"' if self.header else ""}
dir-listing.encode-header = "disable"
url.redirect-code = 301
url.redirect = ("^{MOVED_PATH}(.*)$" => "{MIRROR_PATH}$1")
"""

    def command(self, config):
        return ["/usr/sbin/lighttpd", "-D", "-f", config]

    def requests(self):
        # Its log is buffered; this makes it write.
        self.process.send_signal(signal.SIGHUP)
        time.sleep(0.3)
        return super().requests()
