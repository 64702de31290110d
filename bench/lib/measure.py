# SPDX-License-Identifier: LGPL-2.1-or-later
"""Running one command and what it took: wall time, processor time with its children's, peak memory."""

import dataclasses
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time


@dataclasses.dataclass(frozen=True)
class Sample:
    seconds: float
    cpu_s: float
    rss_bytes: int      # of the largest single process


class Failed(Exception):
    """A contender did not do its work; a speed would mean nothing."""


def timed(command, environment=None, cwd=None):
    """Runs it to its end. The output is shown only where it fails.

    By a small process between: the kernel counts as a process's peak also what it had before its exec, which is all
    that this one ever had (getrusage(2), ru_maxrss)."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as told:
        subprocess.run([sys.executable, "-IS", os.path.abspath(__file__), str(told.fileno()), *command], env=environment,
                       cwd=cwd, stdin=subprocess.DEVNULL, stdout=output, stderr=output, pass_fds=[told.fileno()],
                       check=True)
        told.seek(0)
        *sample, status = json.load(told)
        if status:
            output.seek(0)
            sys.stdout.write(output.read().decode("utf-8", "backslashreplace")[-4000:])
            raise Failed(f"{command[0]} ended with status {status}")
    return Sample(*sample)


def _time(told, command):
    os.set_inheritable(told, False)
    start = time.monotonic()
    pid = os.posix_spawnp(command[0], command, os.environ)
    _, status, usage = os.wait4(pid, 0)
    seconds = time.monotonic() - start
    with open(told, "w") as stream:
        json.dump([seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024,
                   os.waitstatus_to_exitcode(status)], stream)


def median(samples, field="seconds"):
    return statistics.median(getattr(sample, field) for sample in samples)


if __name__ == "__main__":
    _time(int(sys.argv[1]), sys.argv[2:])
