#!/usr/bin/env python3
"""A few of each kind of fault, quick enough for the sanitizers to watch: what a failure leaves unfreed or uses again."""

import errno
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import netkit
from call_errors import ErrnoTest
from netkit import NO_SPACE

SAMPLES = 2
# Calls that sanitizers have no need of themselves.
ERRORS = {"create": errno.ENOSPC, "pwrite64": errno.ENOSPC, "symlinkat": errno.EDQUOT, "renameat": errno.EIO,
          "fchownat": errno.EIO, "syncfs": errno.EIO, "openat2": errno.EMFILE, "landlock_restrict_self": errno.EINVAL}
MISSING = {"openat2": errno.ENOSYS, "renameat2": errno.ENOSYS, "copy_file_range": errno.EOPNOTSUPP,
           "landlock_create_ruleset": errno.ENOSYS}


class Sampled(ErrnoTest):
    def either_quickly(self, call, when, error):
        """Done well, or one line; either way nothing half-built, and nothing that a sanitizer has to say of."""
        injected, what = self.run_with([call], when, error)
        if injected.result.status == 0:
            self.assert_equal_root(self.root, what)
        else:
            statuses = [NO_SPACE] if error in (errno.ENOSPC, errno.EDQUOT) else range(1, 8)
            self.assertIn(injected.result.status, statuses, what)
            self.assertEqual(len(injected.result.errors), 1, what)
            self.assert_whole_or_absent(what)
        return len(injected.hits)

    def test_errors(self):
        met = 0
        for call, error in ERRORS.items():
            self.fresh()
            count = self.count_calls(self.build_command, [call])
            for when in {1 + i * (count - 1) // SAMPLES for i in range(SAMPLES)}:
                with self.subTest(call, when=when, error=errno.errorcode[error]):
                    met += self.either_quickly(call, when, error)
        self.assertGreater(met, len(ERRORS))

    def test_missing(self):
        for call, error in MISSING.items():
            with self.subTest(call):
                injected, what = self.run_with([call], "1+", error)
                self.assertEqual(injected.result.status, 0, what)
                self.assert_equal_root(self.root, what)

    def test_stopped(self):
        """At some moments of the build: the status is the signal's, and nothing is left."""
        self.fresh()
        count = self.count_calls(self.build_command, ["openat2"])
        for number in (signal.SIGINT, signal.SIGTERM):
            for part in (4, 2):
                self.fresh()
                with self.subTest(number.name, part=part):
                    injected = self.inject(self.build_command, ["openat2"], count // part, signal=number, own=True)
                    self.assertIn(injected.result.status, (0, 128 + number), str(injected.result))
                    self.assert_whole_or_absent(str(injected.result))
                    self.assertEqual(self.leftovers(), [], str(injected.result))


if __name__ == "__main__":
    netkit.main()
