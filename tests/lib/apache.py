"""Apache httpd with mod_autoindex, whose pages come in several styles."""

import os
import shutil

from server import ProgramServer

MODULES = "/usr/lib/apache2/modules"
STYLES = {
    "plain": "IndexOptions -FancyIndexing",
    "fancy": "IndexOptions FancyIndexing NameWidth=* VersionSort",
    "table": "IndexOptions FancyIndexing HTMLTable NameWidth=* IgnoreCase",
}


class Apache(ProgramServer):
    program = "apache2"

    def __init__(self, mirror, style="fancy"):
        super().__init__(mirror)
        self.style = style

    def place_mirror(self, path):
        # Started by root it serves as another user, who may not be able to reach the mirror where it is.
        os.chmod(self.folder, 0o755)
        shutil.copytree(self.mirror, path)

    def configuration(self):
        loads = "\n".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so"
                          for name in ("mpm_event", "authz_core", "autoindex", "dir"))
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
<Directory {self.document_root}>
  Options +Indexes
  Require all granted
  {STYLES[self.style]}
</Directory>
"""

    def command(self, config):
        return ["/usr/sbin/apache2", "-f", config, "-D", "FOREGROUND"]
