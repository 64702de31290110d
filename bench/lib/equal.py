# SPDX-License-Identifier: LGPL-2.1-or-later
"""equal.py same|clone LEFT RIGHT STARTED_NS, or holds LEFT RIGHT: are the roots what they must be?

A process of its own: what it has read would count as memory of the contenders that start after it."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "lib"))

from compare import BY_OURSELVES, BY_SHELL, compare_roots  # noqa: E402 (found by the line above)
from report import Report  # noqa: E402
from scan import scan  # noqa: E402

# What an installer keeps for itself, and what scripts of the work rename: files of etc/, and the tools of pkgtools.
OWN = (b"install", b"var/log/", b"var/lib/", b"var/cache/", b".PKGINFO", b"etc/", b"sbin/new_", b"sbin/installer")


def holds(report, left, right):
    """Every file of `left`, an extractor's root, is in `right` with the same bytes."""
    whole, found = scan(left), scan(right)
    files = [path for path, entry in whole.items() if entry.kind == "file" and not path.startswith(OWN)]
    bad = [path for path in files if path not in found or found[path].sha256 != whole[path].sha256]
    report.note(f"{left} in {right}: {len(files)} files, {len(bad)} of them missing or other")
    # Files that several packages bring: without an order, any of them.
    report.check(len(bad) <= len(files) // 200, f"too many, like {bad[:5]}")


def main():
    how, left, right = sys.argv[1:4]
    report = Report()
    if how == "holds":
        holds(report, left, right)
    else:
        compare_roots(report, left, right, int(sys.argv[4]), BY_SHELL if how == "same" else BY_OURSELVES)
    report.exit()


if __name__ == "__main__":
    main()
