#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes what is measured: real Debian packages, packed as Plamo packs them, and for the other installers.

In FOLDER/PROFILE lie then `debs/` with its index for apt, `mirror/` with Plamo-7.x (.txz) and Plamo-8.x (.tzst), and
`pacman/` with its database. What is there already is not made again."""

import argparse
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

from work import DEFAULT_FOLDER, PROFILES, NoPackages, make_work  # noqa: E402 (found by the line above)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", choices=PROFILES, default="full")
    parser.add_argument("--work", default=DEFAULT_FOLDER, metavar="FOLDER", help=f"default: {DEFAULT_FOLDER}")
    parser.add_argument("--without-pacman", action="store_true", help="half the compressing")
    wanted = parser.parse_args()
    try:
        work = make_work(wanted.work, wanted.profile, not wanted.without_pacman)
    except NoPackages as reason:
        sys.exit(f"make_work: {reason}")
    print(work.summary())


if __name__ == "__main__":
    main()
