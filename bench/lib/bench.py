# SPDX-License-Identifier: LGPL-2.1-or-later
"""The runs: sessions of contenders, interleaved, on one file system; and what they are checked for."""

import collections
import os
import re
import shutil
import subprocess
import sys
import time

import measure
import places
import serve

EQUAL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "equal.py")
LIBLZMA = re.compile(r"^liblzma\s+(\S+)$", re.M)


class Bench:
    """What all sessions share, and the samples: (file system, release, contender's name) → list."""

    def __init__(self, work, bin_folder, tmpfs, rounds):
        self.work, self.bin_folder, self.tmpfs, self.rounds = work, bin_folder, tmpfs, rounds
        self.samples = collections.defaultdict(list)
        self.skipped = {}
        self.server = None
        self._flat = {}

    def program(self, name):
        return os.path.join(self.bin_folder, name)

    def flat(self, release):
        """The release's packages in one folder of the tmpfs, for who takes local files."""
        if release not in self._flat:
            folder = os.path.join(self.scratch, f"flat-{release}")
            os.mkdir(folder)
            for path in self.work.packages(release):
                shutil.copy2(path, folder)
            self._flat[release] = folder
        return self._flat[release]

    def __enter__(self):
        self._scratch = places.place(self.tmpfs, "tmpfs")
        self.scratch = self._scratch.__enter__()
        self.server = serve.WorkServer(self.work.folder)
        self.server.__enter__()
        return self

    def __exit__(self, *failure):
        self.server.__exit__()
        self._scratch.__exit__(*failure)

    def median(self, kind, release, contender, field="seconds"):
        samples = self.samples.get((kind, release, contender.name))
        return measure.median(samples, field) if samples else None


def note(text):
    print(text, flush=True)


def check_equal(how, left, right, started_ns=0):
    done = subprocess.run([sys.executable, EQUAL, how, left, right, str(started_ns)], stdout=subprocess.PIPE, text=True)
    note("".join(f"    {line}\n" for line in done.stdout.splitlines()).rstrip())
    if done.returncode:
        raise measure.Failed(f"the roots {left} and {right} are not what they must be: no figure is given")


def run_one(bench, kind, contender):
    contender.prepare()
    places.settle(kind)
    serve.pause()
    sample = measure.timed(contender.command(), contender.environment(), contender.cwd())
    contender.keep()
    bench.samples[kind, contender.release, contender.name].append(sample)
    note(f"  {contender.name:55} {sample.seconds:7.2f} s  {sample.cpu_s:7.2f} s cpu  {sample.rss_bytes >> 20:4} MiB")


def usable(bench, contenders):
    """Those that can run here; of the others, why not."""
    found = []
    for contender in contenders:
        reason = contender.why_not()
        if reason:
            bench.skipped[contender.name] = reason
            note(f"  {contender.name}: skipped: {reason}")
        else:
            found.append(contender)
    return found


def session(bench, kind, contenders, checks=(), rounds=None):
    """Rounds of all contenders in turn. checks: (how, left, right), made in the first round as soon as both have run;
    a root is kept for them only as long as one needs it."""
    contenders = usable(bench, contenders)
    checks = [check for check in checks if check[1] in contenders and check[2] in contenders]
    for number in range(rounds or bench.rounds):
        note(f" {kind}, round {number + 1}")
        open_checks = list(checks) if number == 0 else []
        started_ns = time.time_ns() - 10**9
        done = set()
        for contender in contenders:
            run_one(bench, kind, contender)
            done.add(contender)
            for check in [c for c in open_checks if c[1] in done and c[2] in done]:
                check_equal(check[0], check[1].root, check[2].root, started_ns)
                open_checks.remove(check)
            for other in done:
                if not any(other in check[1:] for check in open_checks):
                    other.after(number)
    for contender in contenders:
        contender.clear()


def machine():
    """What the figures are of."""
    with open("/proc/cpuinfo") as stream:
        model = next((line.split(":", 1)[1].strip() for line in stream if line.startswith("model name")), "unknown")
    with open("/etc/os-release") as stream:
        system = next((line.split("=", 1)[1].strip().strip('"') for line in stream if line.startswith("PRETTY_NAME")), "")
    xz = subprocess.run(["xz", "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout
    return {"cores": os.cpu_count(), "cpu": model, "system": system, "kernel": os.uname().release.split("-")[0],
            "liblzma": LIBLZMA.search(xz).group(1), "date": time.strftime("%Y-%m-%d", time.gmtime()),
            "memory_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20}
