"""Running the plamo-fast tool."""

import collections
import os
import subprocess

from mirror import selection
from template import VARIABLES

Run = collections.namedtuple("Run", "status output log")


def everything_options(categories=selection.CATEGORIES):
    """The options by which the tool takes every case of the mirror, or of some categories."""
    return ["--categories", " ".join(categories), "--contrib", " ".join(selection.CONTRIB),
            "--add", " ".join(selection.ADDONS)]


def plamo_fast(bin_folder, *arguments):
    """`output` is standard output, `log` standard error."""
    environment = {k: v for k, v in os.environ.items() if k not in VARIABLES and not k.lower().endswith("_proxy")}
    result = subprocess.run([os.path.join(bin_folder, "plamo-fast"), *arguments], env=environment,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return Run(result.returncode, result.stdout.decode("utf-8", "backslashreplace"),
               result.stderr.decode("utf-8", "backslashreplace"))


def digest(report, bin_folder, root):
    """What `plamo-fast digest` says of a root."""
    run = plamo_fast(bin_folder, "digest", root)
    report.equal(run.status, 0, f"status of the digest of {root}")
    return run.output
