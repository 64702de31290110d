#!/usr/bin/env python3
"""After `cmake --install` to /usr, lxc-create finds the template by its name: `lxc-create -t plamo-fast`. Nothing is put
anywhere but below the prefix.

Runs in a mount namespace of its own, where LXC's template folder is a throw-away copy."""

import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from create_start_stop import RELEASE, Containers
from nginx import Nginx
from report import Report
from skip import need_programs, need_root, skip
from workspace import arguments, temporary_folder

TEMPLATES = "/usr/share/lxc/templates"
INSIDE = "PLAMO_TEST_INSIDE_NAMESPACE"


def enter_namespace():
    """Runs this script again in a mount namespace, and ends with its status."""
    if INSIDE in os.environ:
        return
    if subprocess.run(["unshare", "-m", "true"], stderr=subprocess.DEVNULL).returncode != 0:
        skip("no mount namespace can be made here")
    environment = {**os.environ, INSIDE: "1"}
    sys.exit(subprocess.run(["unshare", "-m", sys.executable, *sys.argv], env=environment).returncode)


def install(report, folder, build):
    copy, prefix = os.path.join(folder, "templates"), os.path.join(folder, "prefix")
    subprocess.run(["cp", "-a", TEMPLATES, copy], check=True)
    before = sorted(os.listdir(copy))
    subprocess.run(["mount", "--bind", copy, TEMPLATES], check=True)
    said = subprocess.run(["cmake", "--install", build, "--prefix", prefix], check=True, stdout=subprocess.PIPE, text=True).stdout
    places = re.findall(r"(?m)^-- (?:Installing|Up-to-date): (.*)$", said)
    report.check(places, f"cmake tells of nothing that it installs: {said}")
    report.equal([place for place in places if not place.startswith(prefix + "/")], [], "what is not below the prefix")
    report.equal(sorted(os.listdir(copy)), before, "LXC's templates after an install elsewhere")
    # What an install to /usr does there.
    subprocess.run(["cp", "-a", os.path.join(prefix, "share/lxc/templates/lxc-plamo-fast"), copy], check=True)


def main():
    wanted = arguments(__doc__)
    need_root()
    need_programs("lxc-create", "unshare", "cmake", Nginx.program)
    enter_namespace()
    report = Report()
    with temporary_folder() as (folder, _), Nginx(wanted.mirror) as server:
        install(report, folder, os.path.dirname(wanted.bin))
        containers = Containers(folder, "plamo-fast", server)
        try:
            status, output = containers.create("named")
            if not report.equal(status, 0, "status of lxc-create -t plamo-fast"):
                report.note(output)
            report.check(os.path.isdir(os.path.join(containers.rootfs("named"), "var/log/packages")), "no root was made")
            tool = os.path.join(folder, "prefix", "bin", "plamo-fast")
            report.equal(subprocess.run([tool, "--version"], stdout=subprocess.DEVNULL).returncode, 0,
                         "status of the installed plamo-fast --version")
        finally:
            containers.remove_all()
            subprocess.run(["umount", TEMPLATES], check=True)
    report.exit()


if __name__ == "__main__":
    main()
