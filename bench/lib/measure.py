# SPDX-License-Identifier: LGPL-2.1-or-later
"""Running one command and what it took: wall time, processor time with its children's, peak memory."""

import dataclasses
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
    """Runs it to its end. The output is shown only where it fails."""
    with tempfile.TemporaryFile() as output:
        start = time.monotonic()
        process = subprocess.Popen(command, env=environment, cwd=cwd, stdin=subprocess.DEVNULL, stdout=output,
                                   stderr=output)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            sys.stdout.write(output.read().decode("utf-8", "backslashreplace")[-4000:])
            raise Failed(f"{command[0]} ended with status {process.returncode}")
    return Sample(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def median(samples, field="seconds"):
    return statistics.median(getattr(sample, field) for sample in samples)
