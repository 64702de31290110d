"""vsftpd: knows LIST, not MLSD."""

import os
import re

from ftpserver import UNPACKED, FtpServer


class Vsftpd(FtpServer):
    program = f"{UNPACKED}/vsftpd/usr/sbin/vsftpd"
    speaks_mlsd = False
    command_in_log = re.compile(r'FTP command: Client "[^"]*", "(\w+)(?: (.*))?"$')

    def configuration(self):
        empty = os.path.join(self.folder, "empty")
        os.mkdir(empty)
        listen = "listen_ipv6=YES\nlisten_address6" if ":" in self.host else "listen=YES\nlisten_address"
        return f"""\
{listen}={self.host}
listen_port={self.port}
background=NO
anonymous_enable=YES
local_enable=NO
write_enable=NO
anon_root={self.document_root}
ftp_username=daemon
nopriv_user=nobody
secure_chroot_dir={empty}
port_enable=NO
seccomp_sandbox=NO
isolate_network=NO
max_per_ip={self.max_per_ip}
anon_max_rate={self.rate}
xferlog_enable=YES
log_ftp_protocol=YES
vsftpd_log_file={self.access_log}
"""

    def command(self, config):
        return [self.program, config]
