#!/usr/bin/env python3
"""summary.py NAME JUNIT-FILE: what a run of ctest skipped and why, and how many tests it passed, failed and skipped."""

import re
import sys
import xml.etree.ElementTree

# A whole test, or one of a C program's, whose name cmocka prints below.
SKIPPED = re.compile(r"^skipped: (.*)(?:\n\[  SKIPPED \] (\w+)$)?", re.M)
# One of a Python program's, which unittest may show by its name and the first line of what it says of itself.
PART = re.compile(r"^(test_\w+) \(.*(?:\n.*)?\.\.\. skipped ['\"](.*)['\"]$", re.M)


def parts_of(output):
    return [*PART.findall(output), *((name, reason) for reason, name in SKIPPED.findall(output))]


def main():
    name, path = sys.argv[1:]
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    lines = []
    for case in xml.etree.ElementTree.parse(path).getroot().iter("testcase"):
        output = case.findtext("system-out") or ""
        if case.find("skipped") is not None:
            counts["skipped"] += 1
            reason = SKIPPED.search(output)
            lines.append(f"{case.get('name')}: {reason[1] if reason else 'no reason given'}")
            continue
        counts["failed" if case.find("failure") is not None else "passed"] += 1
        lines += [": ".join(filter(None, (case.get("name"), *part))) for part in dict.fromkeys(parts_of(output))]
    print("-- skipped, and why:")
    print("\n".join(lines) or "nothing")
    print(f"{name}: " + ", ".join(f"{count} {what}" for what, count in counts.items()))


if __name__ == "__main__":
    main()
