"""pure-ftpd: knows MLSD."""

import os
import re
import socket
import subprocess
import threading

from ftpserver import UNPACKED, FtpServer

# It has no configuration of where it serves from, nor of where it logs to: that is the home of the user ftp, and
# syslog. So it sees files of ours in the places of /etc/passwd and /dev. $1: the folder with ours; then the command.
IN_ITS_OWN_PLACES = """
set -e
for name in null urandom; do
    : >"$1/dev/$name"
    mount --bind /dev/$name "$1/dev/$name"
done
mount --rbind "$1/dev" /dev
mount --bind "$1/passwd" /etc/passwd
shift
exec "$@"
"""


class PureFtpd(FtpServer):
    program = f"{UNPACKED}/pure-ftpd/usr/sbin/pure-ftpd"
    log_thread = None
    command_in_log = re.compile(r"\[DEBUG\] Command \[(\w+)\] \[(.*)\]")

    @classmethod
    def why_not(cls):
        own_mounts = subprocess.run(["unshare", "--mount", "true"], stderr=subprocess.DEVNULL).returncode == 0
        return super().why_not() or (None if own_mounts else f"{cls.program} needs mounts of its own")

    def configuration(self):
        """It has none; what takes its place is made here."""
        with open(os.path.join(self.folder, "passwd"), "w") as stream:
            stream.write(f"root:x:0:0::/:/bin/sh\nftp:x:65534:65534::{self.document_root}:/bin/false\n")
        os.mkdir(os.path.join(self.folder, "dev"))
        self.log_socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.log_socket.bind(os.path.join(self.folder, "dev", "log"))
        self.log_thread = threading.Thread(target=self._keep_log, daemon=True)
        self.log_thread.start()
        return ""

    def _keep_log(self):
        with open(self.access_log, "wb", buffering=0) as log:
            while message := self.log_socket.recv(65536):
                log.write(message.replace(b"\n", b" ").rstrip(b"\0") + b"\n")

    def stop(self):
        super().stop()
        if self.log_thread:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
                last.sendto(b"", os.path.join(self.folder, "dev", "log"))
            self.log_thread.join()
            self.log_socket.close()
            self.log_thread = None

    def command(self, config):
        limits = ["-C", str(self.max_per_ip)] if self.max_per_ip else []
        if self.rate:
            limits += ["-t", f":{self.rate // 1024}"]
        only = "-6" if ":" in self.host else "-4"
        return ["unshare", "--mount", "sh", "-c", IN_ITS_OWN_PLACES, "sh", self.folder,
                self.program, only, "-S", f"{self.host},{self.port}", "-e", "-i", "-H", "-d", "-g",
                f"{self.folder}/pid", *limits]
