"""Apache httpd with mod_autoindex, whose pages come in several styles."""

import os

from server import MIRROR_PATH, MOVED_PATH, ProgramServer

MODULES = "/usr/lib/apache2/modules"
STYLES = {
    "plain": "IndexOptions -FancyIndexing",
    "fancy": "IndexOptions FancyIndexing NameWidth=* VersionSort",
    "table": "IndexOptions FancyIndexing HTMLTable NameWidth=* IgnoreCase",
}


class Apache(ProgramServer):
    """`header`: bytes in HTML that stand above each list; `charset`: what pages are said to be in."""

    program = "apache2"

    def __init__(self, mirror, style="fancy", header=b"", charset=""):
        super().__init__(mirror)
        self.style, self.header, self.charset = style, header, charset

    def place_mirror(self, path):
        with open(os.path.join(self.document_root, "header.html"), "wb") as stream:
            stream.write(self.header)
        self.copy_mirror(path)

    def configuration(self):
        loads = "\n".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so"
                          for name in ("mpm_event", "authz_core", "autoindex", "dir", "alias", "mime"))
        return f"""\
ServerName localhost
ServerRoot {self.folder}
Listen 127.0.0.1:{self.port}
PidFile {self.folder}/pid
DefaultRuntimeDir {self.folder}
ErrorLog {self.folder}/error.log
{loads}
{"User www-data" if os.geteuid() == 0 else ""}
{"Group www-data" if os.geteuid() == 0 else ""}
LogFormat "%m %U" paths
CustomLog {self.access_log} paths
DocumentRoot {self.document_root}
RedirectMatch 301 ^{MOVED_PATH}(.*)$ {MIRROR_PATH}$1
TypesConfig /dev/null
AddType text/html .html
<Directory {self.document_root}>
  Options +Indexes
  Require all granted
  {STYLES[self.style]}
  {f"IndexOptions +Charset={self.charset}" if self.charset else ""}
  {"HeaderName /header.html" if self.header else ""}
</Directory>
"""

    def command(self, config):
        return ["/usr/sbin/apache2", "-f", config, "-D", "FOREGROUND"]
