"""proftpd: knows MLSD."""

import os
import re

from ftpserver import UNPACKED, FtpServer

FOLDER = f"{UNPACKED}/proftpd-core"
MODULES = f"{FOLDER}/usr/lib/proftpd"
# Parts of the program in Debian 12, files since 13.
LOADED = ("mod_ls", "mod_xfer")


class Proftpd(FtpServer):
    program = f"{FOLDER}/usr/sbin/proftpd"
    command_in_log = re.compile(r"^(\w+)(?: (.*))?$")

    def configuration(self):
        limit = f"MaxClientsPerHost {self.max_per_ip}" if self.max_per_ip else ""
        rate = f"TransferRate RETR {self.rate / 1024}" if self.rate else ""
        loads = "\n".join(f"LoadModule {name}.c" for name in LOADED if os.path.exists(f"{MODULES}/{name}.so"))
        return f"""\
ServerType standalone
ServerName mirror
DefaultServer on
ModulePath {MODULES}
{loads}
UseIPv6 {"on" if ":" in self.host else "off"}
DefaultAddress {self.host}
SocketBindTight on
Port {self.port}
User nobody
Group nogroup
PidFile {self.folder}/pid
ScoreboardFile {self.folder}/scoreboard
SystemLog {self.folder}/system.log
TransferLog none
WtmpLog off
UseReverseDNS off
AuthOrder mod_auth_unix.c
LogFormat commands "%r"
ExtendedLog {self.access_log} ALL commands
<IfModule mod_delay.c>
  DelayEngine off
</IfModule>
<Anonymous {self.document_root}>
  User nobody
  Group nogroup
  UserAlias anonymous nobody
  RequireValidShell off
  {limit}
  {rate}
  <Limit WRITE>
    DenyAll
  </Limit>
  <Limit PORT EPRT>
    DenyAll
  </Limit>
</Anonymous>
"""

    def command(self, config):
        return [self.program, "--nodaemon", "--config", config]
