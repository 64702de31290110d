"""Collecting what a test finds wrong, so that one run shows all of it."""

import sys


class Report:
    def __init__(self):
        self.failures = 0

    def check(self, holds, statement):
        """One statement about the result; says it only when it does not hold."""
        if not holds:
            self.fail(statement)
        return holds

    def equal(self, found, wanted, what):
        return self.check(found == wanted, f"{what}: found {found!r}, wanted {wanted!r}")

    def fail(self, statement):
        self.failures += 1
        print(f"FAILED: {statement}")

    def note(self, text):
        print(text, flush=True)

    def exit(self):
        print("passed" if not self.failures else f"{self.failures} failures")
        sys.exit(1 if self.failures else 0)
