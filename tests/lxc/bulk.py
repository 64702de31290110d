#!/usr/bin/env python3
"""Many containers at once: plamo-fast create, and LXC's own tools on what it made.

Folders and overlays, started, stopped and destroyed; runs that are repeated, killed, interrupted and doubled; names that
are taken; settings per container; what overlays lie upon."""

import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from compare import BY_OURSELVES, Roots
from create_start_stop import BOOT_TIMEOUT_S, REACHED, Containers, wait_for, why_none_starts
from filesystems import mounted
from report import Report
from scan import describe, differences, scan
from skip import need_programs, need_root, skip
from template import VARIABLES, cache_paths
from workspace import arguments, temporary_folder

RELEASE = "7.x"
FAILED, USAGE, INTERRUPTED = 1, 2, 130
COUNT = 30
KILLED_COUNT = 24
SETTINGS = """\
# for all
config = lxc.environment = FLEET=yes
[{0}0*]
root_password = password:{0}-zero
[{0}01 {0}02]
autostart = yes
timezone = Europe/Berlin
root_password = hash:!
"""


class Server:
    """The mirror's folder in the place of a server; `Containers` asks for its address."""

    address = "127.0.0.1:9"


class Bulk:
    def __init__(self, report, folder, wanted):
        self.report, self.folder = report, folder
        self.bin, self.mirror = wanted.bin, wanted.mirror
        self.cache = os.path.join(folder, "cache")
        self.containers = Containers(folder, os.path.join(wanted.bin, "lxc-plamo-fast"), Server)
        self.environment = {k: v for k, v in os.environ.items()
                            if k not in VARIABLES and not k.lower().endswith("_proxy")}

    def command(self, *more, path=None, cache=None):
        return [os.path.join(self.bin, "plamo-fast"), "create", "-r", RELEASE, "-m", f"file://{self.mirror}",
                "--cache", cache or self.cache, "-P", path or self.containers.path, "-f", self.containers.config, *more]

    def run(self, *command):
        result = subprocess.run(command, env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT)
        return result.returncode, result.stdout.decode("utf-8", "backslashreplace")

    def create(self, *more, status=0, numbers=None, **where):
        """Runs create; `numbers` are those made, kept, failed and not begun."""
        found, output = self.run(*self.command(*more, **where))
        self.report.equal(found, status, f"status of create {' '.join(more)}\n{output}\n")
        if numbers:
            self.report.equal(numbers_of(output), numbers, f"numbers of create {' '.join(more)}\n{output}\n")
        return output

    def listed(self, path=None):
        return self.run("lxc-ls", "-P", path or self.containers.path, "-1")[1].split()

    def path_of(self, name, *more):
        return os.path.join(self.containers.path, name, *more)

    def bases(self):
        folder = os.path.join(self.cache, "bases-plamo")
        return [name for name in sorted(os.listdir(folder)) if not name.startswith(".")]

    def clean(self):
        status, output = self.run(os.path.join(self.bin, "plamo-fast"), "clean", "-r", RELEASE, "--cache", self.cache)
        self.report.equal(status, 0, f"status of clean\n{output}\n")
        return output

    def destroy(self, *names):
        for name in names:
            status, output = self.containers.run("lxc-destroy", name)
            self.report.equal(status, 0, f"status of lxc-destroy {name} ({output.strip()})")
            self.report.check(not os.path.exists(self.path_of(name)), f"{name} is still there")


def numbers_of(output):
    found = re.search(r"(\d+) containers made, (\d+) kept, (\d+) failed, (\d+) not begun", output)
    return tuple(map(int, found.groups())) if found else None


def read(path):
    with open(path) as stream:
        return stream.read()


def rooted(bulk, name, file):
    """Where a container's own copy of a file is: in its root, or in the upper layer of its overlay."""
    overlay = bulk.path_of(name, "overlay", "delta", file)
    return overlay if os.path.exists(overlay) else bulk.path_of(name, "rootfs", file)


def check_boots(bulk, name):
    """The container boots to its runlevel, knows its name, and stops."""
    report, containers = bulk.report, bulk.containers
    status, output = containers.start(name)
    if not report.equal(status, 0, f"status of lxc-start {name} ({output.strip()})"):
        return
    layer = os.path.join("overlay", "delta") if os.path.exists(bulk.path_of(name, "overlay")) else "rootfs"
    if report.check(wait_for(bulk.path_of(name, layer, REACHED), BOOT_TIMEOUT_S), f"{name} did not reach runlevel 3"):
        status, output = containers.attach(name, "/bin/sh", "-c", "hostname; cat /etc/HOSTNAME")
        report.equal((status, output.split()), (0, [name, name]), "what lxc-attach says")
    report.equal(containers.run("lxc-info", name, "-sH")[1].split(), ["RUNNING"], f"state of {name}")
    status, output = containers.run("lxc-stop", name, "-k")
    report.equal(status, 0, f"status of lxc-stop {name} ({output.strip()})")


def settings_lines(config):
    """A configuration less what differs by name, template and blank lines."""
    lines = [line for line in config.splitlines() if line and not line.startswith(("# Template used", "# Parameters"))]
    return [re.sub(r"(hwaddr = 00:16:3e:)\S+", r"\1", line) for line in lines]


def check_config(bulk, name, oracle):
    """Its configuration is what lxc-create and the template make of the same default one."""
    found = settings_lines(read(bulk.path_of(name, "config")))
    wanted = settings_lines(read(bulk.path_of(oracle, "config")).replace(f"/{oracle}/", f"/{name}/")
                            .replace(f"= {oracle}\n", f"= {name}\n"))
    bulk.report.equal(found, wanted, "the configuration against lxc-create's")


def check_settings(bulk, prefix):
    """Each has its own name and password, and what the settings say of it."""
    report = bulk.report
    hashes = set()
    for i in range(1, COUNT + 1):
        name = f"{prefix}{i:02}"
        report.equal(read(rooted(bulk, name, "etc/HOSTNAME")), f"{name}\n", f"{name}'s hostname")
        config = read(bulk.path_of(name, "config"))
        report.check("lxc.environment = FLEET=yes\n" in config, f"{name}'s configuration lacks its line")
        report.equal("lxc.start.auto = 1\n" in config, i <= 2, f"{name} starts with the host")
        zone = os.readlink(rooted(bulk, name, "etc") + "/localtime")
        report.equal(zone.endswith("Europe/Berlin"), i <= 2, f"{name}'s zone {zone}")
        if i < 10:
            shadow = read(rooted(bulk, name, "etc/shadow"))
            hashes.add(re.search(r"^root:([^:]*):", shadow, re.M).group(1))
    report.equal(len(hashes), 8, f"passwords of nine, two of them alike ({hashes})")
    report.equal(oct(os.stat(bulk.path_of(f"{prefix}05")).st_mode & 0o7777), "0o770", "mode of a container's folder")


def check_fleet(bulk, prefix, *options):
    """COUNT containers; samples boot; one is destroyed and made again, the others are kept."""
    settings = os.path.join(bulk.folder, "settings")
    with open(settings, "w") as stream:
        stream.write(SETTINGS.format(prefix))
    names = f"{prefix}{{01..{COUNT}}}"
    bulk.create(names, "--settings", settings, *options, numbers=(COUNT, 0, 0, 0))
    bulk.report.equal([n for n in bulk.listed() if n.startswith(prefix)],
                      [f"{prefix}{i:02}" for i in range(1, COUNT + 1)], "what lxc-ls lists")
    check_settings(bulk, prefix)
    if bulk.starts:
        check_boots(bulk, f"{prefix}03")
        check_boots(bulk, f"{prefix}{COUNT}")
    bulk.destroy(f"{prefix}04", f"{prefix}{COUNT}")
    output = bulk.create(names, *options, numbers=(2, COUNT - 2, 0, 0))
    bulk.report.check(f"{prefix}03: kept" in output, f"it is not said what is kept:\n{output}")


def test_folders(bulk):
    """Containers with roots of their own, like those of lxc-create."""
    check_fleet(bulk, "d", "--backing", "auto")
    # A loopback interface takes no hardware address, so none of these is started.
    defaults = os.path.join(bulk.folder, "odd.conf")
    with open(defaults, "w") as stream:
        stream.write("# those of the test\n\nlxc.net.0.type = empty\n  lxc.net.0.hwaddr = 00:16:3e:xx:xx:xX\n"
                     "lxc.environment = A=b")
    status, output = bulk.run("lxc-create", "-P", bulk.containers.path, "-n", "same", "-f", defaults, "-t",
                              bulk.containers.template, "--", "-r", RELEASE, "--cache", bulk.cache)
    bulk.report.equal(status, 0, f"status of lxc-create ({output})")
    bulk.create("h{1..5}", "-f", defaults, numbers=(5, 0, 0, 0))
    check_config(bulk, "h1", "same")
    hardware = {re.search(r"hwaddr = (\S+)", read(bulk.path_of(f"h{i}", "config"))).group(1) for i in range(1, 6)}
    bulk.report.equal(len(hardware), 5, f"hardware addresses: {hardware}")
    bulk.report.check(all(re.fullmatch(r"00:16:3e(:[0-9a-f]{2}){3}", address) for address in hardware),
                      f"hardware addresses: {hardware}")


def test_overlays(bulk):
    """Containers upon one base, which stays until the last of them is gone."""
    check_fleet(bulk, "o", "--backing", "overlay")
    report = bulk.report
    base, = bulk.bases()
    lower = os.path.join(bulk.cache, "bases-plamo", base)
    before = sorted(os.listdir(os.path.join(lower, "root", "etc")))
    report.equal(oct(os.stat(os.path.dirname(lower)).st_mode & 0o7777), "0o711", "mode of the folder above the bases")
    report.check(f"lxc.rootfs.path = overlay:{lower}/root:{bulk.path_of('o01')}/overlay/delta\n"
                 in read(bulk.path_of("o01", "config")), "the root is not written as LXC writes overlays")
    bulk.clean()
    report.equal(bulk.bases(), [base], "bases after clean")
    report.check(not os.path.exists(cache_paths(bulk.cache, RELEASE)[1]), "clean left the cached root")
    bulk.create("o99", "--backing", "overlay", numbers=(1, 0, 0, 0))
    report.equal(bulk.bases(), [base], "bases after the same packages have been installed anew")
    if bulk.starts:
        check_boots(bulk, "o07")
    report.equal(sorted(os.listdir(os.path.join(lower, "root", "etc"))), before, "what is in the base")
    # lxc-copy uses it for overlays.
    if shutil.which("rsync"):
        check_copies(bulk, base)


def check_copies(bulk, base):
    """LXC's own copy of such a container lies upon the same base."""
    status, output = bulk.containers.run("lxc-copy", "o07", "-N", "copied", "-s")
    bulk.report.equal(status, 0, f"status of lxc-copy ({output})")
    bulk.report.check(base in read(bulk.path_of("copied", "config")), "the copy lies upon something else")


def test_update(bulk):
    """A new generation of the cached root gets a base of its own; the old one goes with its last container."""
    report, old = bulk.report, bulk.bases()
    given, bulk.mirror = bulk.mirror, os.path.join(bulk.folder, "mirror")
    shutil.copytree(given, bulk.mirror, symlinks=True)
    for where, _, files in os.walk(os.path.join(bulk.mirror, f"Plamo-{RELEASE}", "x86_64", "plamo", "00_base")):
        for name in files:
            if name.startswith("tzdata-"):
                os.remove(os.path.join(where, name))
    bulk.create("new", "--backing", "overlay", "--update", numbers=(1, 0, 0, 0))
    bulk.mirror = given
    both = bulk.bases()
    report.check(len(both) == 2 and old[0] in both, f"bases after an update: {both}")
    if bulk.starts:
        check_boots(bulk, "o08")
    names = [name for name in bulk.listed() if re.fullmatch(r"o\d\d|copied", name)]
    bulk.destroy(*names[:-1])
    bulk.clean()
    report.equal(bulk.bases(), both, "bases while one container lies upon each")
    bulk.destroy(names[-1])
    bulk.clean()
    report.equal(bulk.bases(), [name for name in both if name not in old], "bases after the old one's last container")
    elsewhere = bulk.containers.path + "-not-mounted"
    os.rename(bulk.containers.path, elsewhere)
    report.check("not the folder it was" in bulk.clean(), "clean does not say that a path is missing")
    report.equal(len(bulk.bases()), 1, "bases while LXC's path is not there")
    os.rename(elsewhere, bulk.containers.path)
    bulk.destroy("new")
    bulk.clean()
    report.equal(bulk.bases(), [], "bases after the last container")


def test_failures(bulk):
    """What fails is named and leaves nothing, the others stand; what makes no sense stops all before any work."""
    report = bulk.report
    with open(bulk.path_of("f2"), "w"):
        pass
    os.mkdir(bulk.path_of("f4"))
    os.mkdir(bulk.path_of("f5"))
    with open(bulk.path_of("f5", "notes"), "w"):
        pass
    output = bulk.create("f{1..6}", status=USAGE, numbers=(4, 0, 2, 0))
    for name in ("f2", "f5"):
        report.check(f"error: {name} was not made: {bulk.path_of(name)} is there" in output, f"{name}: {output}")
    report.equal([n for n in bulk.listed() if n.startswith("f")], ["f1", "f3", "f4", "f6"], "those that were made")
    bulk.destroy("f1", "f3", "f4", "f6")
    for name in ("../x", "", ".", "..", ".x", "-x", "a b", "a/b", "x" * 65, "a{", "{1..3}{1..9000}"):
        output = bulk.create("good", name if not name.startswith("-") else "--", name, status=USAGE)
        report.check(output.startswith("plamo-fast: error: ") and len(output.splitlines()) == 1, f"{name!r}: {output}")
    bulk.create("good", "good", status=USAGE)
    output = bulk.create("good", "--timezone", "Mars Base", status=USAGE)
    report.check('good: "Mars Base" is no' in output, f"container and time zone are not named:\n{output}")
    bulk.create("a:b", "--backing", "overlay", status=USAGE)
    settings = os.path.join(bulk.folder, "bad-settings")
    with open(settings, "w") as stream:
        stream.write("[x]\nnetwork = magic\n")
    output = bulk.create("good", "--settings", settings, status=USAGE)
    report.check(f"{settings}:2: " in output, f"the line is not named:\n{output}")
    report.check("good" not in bulk.listed(), "a run that makes no sense has made something")
    report.equal(hidden(bulk), [], "what is left")


def hidden(bulk):
    return [name for name in os.listdir(bulk.containers.path) if name.startswith(".")]


def is_being_made(bulk, name):
    """Its folder is there under the other name, and locked: without that it would be a killed run's."""
    try:
        fd = os.open(os.path.join(bulk.containers.path, f".{name}.plamo-fast"), os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    finally:
        os.close(fd)


def run_until(bulk, made, *more, **where):
    """Starts create and waits until so many containers are there, or being made."""
    process = subprocess.Popen(bulk.command(*more, **where), env=bulk.environment, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    while process.poll() is None and len([n for n in os.listdir(bulk.containers.path) if n.lstrip(".")[0] == "k"]) < made:
        time.sleep(0.001)
    return process


def test_kills(bulk):
    """kill -9 in the middle: none is seen half-made, and the next run completes the set."""
    names = f"k{{01..{KILLED_COUNT}}}"
    for backing in ("dir", "overlay"):
        for made in (1, KILLED_COUNT // 2):
            process = run_until(bulk, made, names, "--backing", backing)
            process.kill()
            process.communicate()
            for name in bulk.listed():
                bulk.report.check(os.path.exists(bulk.path_of(name, "config")), f"{name} is half-made")
        output = bulk.create(names, "--backing", backing)
        made, kept, *rest = numbers_of(output) or (0, 0, 0)
        bulk.report.equal((made + kept, *rest), (KILLED_COUNT, 0, 0), f"containers after kills\n{output}\n")
        bulk.report.equal(hidden(bulk), [], "what killed runs have left")
        if bulk.starts:
            check_boots(bulk, f"k{KILLED_COUNT}")
        remove(bulk, "k")


def remove(bulk, prefix):
    for name in os.listdir(bulk.containers.path):
        if name.startswith(prefix):
            shutil.rmtree(bulk.path_of(name))


def test_interrupts(bulk):
    """Ctrl-C: what was made stands, and nothing else is left."""
    process = run_until(bulk, 4, "k{001..300}")
    process.send_signal(signal.SIGINT)
    output = process.communicate()[0].decode()
    bulk.report.equal(process.returncode, INTERRUPTED, f"status after SIGINT\n{output}\n")
    numbers = numbers_of(output) or (0, 0, 0, 0)
    bulk.report.check("plamo-fast: stopping; once more stops at once\n" in output, f"no answer to SIGINT: {output}")
    bulk.report.check(sum(numbers) == 300 and numbers[3] > 0, f"what is said after SIGINT: {output}")
    bulk.report.equal(len([n for n in bulk.listed() if n.startswith("k")]), numbers[0], "containers after SIGINT")
    bulk.report.equal(hidden(bulk), [], "what an interrupted run has left")
    remove(bulk, "k")


def test_twins(bulk):
    """Two runs of the same names at once: each container is made once, and both runs are content."""
    runs = [subprocess.Popen(bulk.command("k{1..10}", "--backing", backing), env=bulk.environment,
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            for backing in ("dir", "overlay")]
    outputs = [process.communicate()[0].decode() for process in runs]
    bulk.report.equal([process.returncode for process in runs], [0, 0], f"status of two runs {outputs}")
    numbers = [numbers_of(output) or (0, 0) for output in outputs]
    bulk.report.equal(sum(n[0] for n in numbers), 10, f"containers made by two runs {outputs}")
    bulk.report.equal(hidden(bulk), [], "what two runs have left")
    remove(bulk, "k")


def test_another_is_at_it(bulk):
    """What another run is making holds up nobody: the rest is made and there, then that one is waited for."""
    for name in ("w1", "w2", "w3", "w4", "w5"):
        other = subprocess.Popen(bulk.command(name, "--backing", "dir"), env=bulk.environment, stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        while other.poll() is None and not is_being_made(bulk, name):
            time.sleep(0.001)
        other.send_signal(signal.SIGSTOP)
        if is_being_made(bulk, name) and not os.path.exists(bulk.path_of(name)):
            break
        other.send_signal(signal.SIGCONT)
        other.communicate()
    else:
        bulk.report.check(False, "no run could be stopped while it makes a container")
        return
    run = subprocess.Popen(bulk.command(name, "x1", "x2"), env=bulk.environment, stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    end = time.monotonic() + 60
    while run.poll() is None and time.monotonic() < end and not os.path.exists(bulk.path_of("x2")):
        time.sleep(0.01)
    bulk.report.check(os.path.exists(bulk.path_of("x1")) and os.path.exists(bulk.path_of("x2")), "the rest was not made")
    bulk.report.check(run.poll() is None, "what another run makes was not waited for")
    other.send_signal(signal.SIGCONT)
    outputs = [process.communicate()[0].decode() for process in (other, run)]
    bulk.report.equal([numbers_of(output) for output in outputs], [(1, 0, 0, 0), (2, 1, 0, 0)], f"two runs {outputs}")
    bulk.report.equal([other.returncode, run.returncode], [0, 0], f"status of two runs {outputs}")
    remove(bulk, "w")
    remove(bulk, "x")


def test_names(bulk):
    """Names from a file and by number."""
    words = os.path.join(bulk.folder, "words")
    with open(words, "w") as stream:
        stream.write("# of the fleet\nna nb{1..2}\n")
    bulk.create("--names-from", words, "--count", "2", "--prefix", "nc", "-B", "overlay", "-P", bulk.containers.path,
                numbers=(5, 0, 0, 0))
    bulk.report.equal([n for n in bulk.listed() if n.startswith("n")], ["na", "nb1", "nb2", "nc1", "nc2"], "names")
    remove(bulk, "n")


def test_starts(bulk):
    """--start: those that come up run, those that do not are named."""
    if not bulk.starts:
        return
    settings = os.path.join(bulk.folder, "start-settings")
    with open(settings, "w") as stream:
        stream.write("[s2]\nconfig = lxc.mount.entry = /there/is/none mnt none bind 0 0\n[none]\nnetwork = none\n")
    output = bulk.create("s{1..3}", "--start", "-B", "overlay", "--settings", settings, status=FAILED)
    bulk.report.check("error: s2 was made, but does not start" in output, f"s2 is not named:\n{output}")
    bulk.report.check("s1 was" not in output and "s3 was" not in output, f"others are named:\n{output}")
    bulk.report.check(f"warning: {settings}:4: no container of this run is called none" in output,
                      f"the heading without a container is not named:\n{output}")
    states = [bulk.containers.run("lxc-info", f"s{i}", "-sH")[1].strip() for i in (1, 2, 3)]
    bulk.report.equal(states, ["RUNNING", "STOPPED", "RUNNING"], "states after --start")
    bulk.containers.run("lxc-stop", "s1", "-k")
    bulk.create("s1", "s3", "s4", "--start", numbers=(1, 2, 0, 0))
    states = [bulk.containers.run("lxc-info", f"s{i}", "-sH")[1].strip() for i in (1, 3, 4)]
    bulk.report.equal(states, ["STOPPED", "RUNNING", "RUNNING"], "states: only what this run made is started")
    for name in ("s3", "s4"):
        bulk.containers.run("lxc-stop", name, "-k")
    bulk.destroy("s1", "s2", "s3", "s4")


def largest_file(root):
    return max((os.path.join(where, name) for where, _, files in os.walk(root) for name in files),
               key=lambda file: os.lstat(file).st_size)


def check_shared(bulk, file):
    extents = subprocess.run(["filefrag", "-v", file], stdout=subprocess.PIPE).stdout.decode()
    bulk.report.check("shared" in extents, f"{file} is not shared: {extents}")


def test_reflink(bulk):
    """On XFS the roots share their content with the cached one."""
    with mounted("xfs", bulk.folder) as point:
        if not point:
            bulk.report.note("no loop device: not tried")
            return
        path, cache = os.path.join(point, "containers"), os.path.join(point, "cache")
        bulk.create("x{1..10}", path=path, cache=cache, numbers=(10, 0, 0, 0))
        bulk.report.equal(len(bulk.listed(path)), 10, "containers on XFS")
        root = os.path.join(path, "x1", "rootfs")
        largest = largest_file(root)
        check_shared(bulk, largest)
        bulk.create("y{1..2}", "-B", "overlay", path=path, cache=cache, numbers=(2, 0, 0, 0))
        base, = [name for name in os.listdir(os.path.join(cache, "bases-plamo")) if not name.startswith(".")]
        check_shared(bulk, os.path.join(cache, "bases-plamo", base, "root", os.path.relpath(largest, root)))


def subvolumes(point):
    listed = subprocess.run(["btrfs", "subvolume", "list", "-o", point], check=True, stdout=subprocess.PIPE).stdout
    return sorted(line.split(" path ", 1)[1] for line in listed.decode().splitlines())


def check_like_a_copy(bulk, copy, name, started_ns):
    """The container's root, a snapshot, is as that of the copy but for its host name."""
    roots = Roots(copy, bulk.path_of(name, "rootfs"), started_ns)
    bad = [describe(d) for d in differences(scan(roots.left), scan(roots.right))
           if d.path not in (b"etc/HOSTNAME", b"etc/hosts") and not any(a.holds(d, roots) for a in BY_OURSELVES)]
    bulk.report.equal(bad, [], f"{name} against a copy")
    bulk.report.equal(read(bulk.path_of(name, "rootfs", "etc/HOSTNAME")), f"{name}\n", "hostname")


def check_doctor(bulk, point, path):
    """Two subvolumes show two device numbers, and are on one file system all the same."""
    apart = os.path.join(point, "apart")
    subprocess.run(["btrfs", "subvolume", "create", apart], check=True, stdout=subprocess.DEVNULL)
    for cache, wanted in ((apart, "one"), (bulk.folder, "two")):
        command = [os.path.join(bulk.bin, "plamo-fast"), "doctor", "--json", "--cache", cache, "--lxc-path", path]
        result = subprocess.run(command, stdout=subprocess.PIPE)
        found = {check["name"]: check["found"] for check in json.loads(result.stdout)["checks"]}
        bulk.report.equal(found["one file system"], f"cache and containers are on {wanted}", f"doctor on {cache}")
    subprocess.run(["btrfs", "subvolume", "delete", apart], check=True, stdout=subprocess.DEVNULL)


def test_snapshots(bulk):
    """On btrfs roots are snapshots, of the cached root or, where that is elsewhere, of one copy of it, which nobody can
    tell from a copy by what is in them, and which LXC's own tools destroy; killed runs leave none."""
    report = bulk.report
    # Files' times are those of a clock that ticks coarsely.
    started_ns = time.time_ns() - 20_000_000
    with mounted("btrfs", bulk.folder) as point:
        if not point:
            report.note("no loop device: not tried")
            return
        path, cache = os.path.join(point, "containers"), os.path.join(point, "cache")
        cached = f"cache/rootfs-plamo-{RELEASE}-x86_64"
        usual, bulk.containers.path = bulk.containers.path, path
        try:
            bulk.create("b1", cache=cache, numbers=(1, 0, 0, 0))
            report.equal(subvolumes(point), [cached, "containers/b1/rootfs"], "subvolumes after one container")
            bulk.create("b{1..9}", "--settings", os.path.join(bulk.folder, "settings"), cache=cache,
                        numbers=(8, 1, 0, 0))
            bulk.create("c1", numbers=(1, 0, 0, 0))
            bulk.create("d{1..3}", numbers=(3, 0, 0, 0))
            report.equal(subvolumes(point), [cached] + [f"containers/b{i}/rootfs" for i in range(1, 10)] +
                         [f"containers/d{i}/rootfs" for i in range(1, 4)], "subvolumes")
            check_doctor(bulk, point, path)
            elsewhere = os.path.join(bulk.folder, "copies")
            bulk.create("e1", path=elsewhere, cache=cache, numbers=(1, 0, 0, 0))
            for copy, name in ((os.path.join(elsewhere, "e1", "rootfs"), "b2"),
                               (os.path.join(elsewhere, "e1", "rootfs"), "b9"),
                               (bulk.path_of("c1", "rootfs"), "d2")):
                check_like_a_copy(bulk, copy, name, started_ns)
            for name in ("b9", "d3"):
                check_shared(bulk, largest_file(bulk.path_of(name, "rootfs")))
            if bulk.starts:
                check_boots(bulk, "b5")
            bulk.destroy(*(f"b{i}" for i in range(1, 10)), "c1", "d1", "d2", "d3")
            report.equal(subvolumes(point), [cached], "subvolumes after lxc-destroy")
            for where in (cache, None):
                for made in (1, 10, 20):
                    process = run_until(bulk, made, "k{001..300}", cache=where)
                    process.kill()
                    process.communicate()
            bulk.create("k{001..30}", cache=cache)
            report.equal(hidden(bulk), [], "what killed runs have left")
            report.equal(len(subvolumes(point)), len(bulk.listed()) + 1, "subvolumes after kills")
            shutil.rmtree(elsewhere)
        finally:
            bulk.containers.path = usual


def main():
    wanted = arguments(__doc__)
    need_root()
    need_programs("lxc-create", "lxc-start", "lxc-attach", "lxc-copy", "mkfs.xfs", "mkfs.btrfs", "btrfs",
                  "filefrag")
    report = Report()
    with temporary_folder() as (folder, _):
        bulk = Bulk(report, folder, wanted)
        reason = why_none_starts(bulk.containers)
        bulk.starts = not reason
        try:
            for test in (test_folders, test_overlays, test_update, test_failures, test_kills, test_interrupts,
                         test_twins, test_another_is_at_it, test_names, test_starts, test_reflink,
                         test_snapshots):
                begun = time.monotonic()
                report.note(f"{test.__name__}: {test.__doc__}")
                test(bulk)
                report.note(f"{time.monotonic() - begun:.1f} s")
        finally:
            bulk.containers.remove_all()
    if reason and not report.failures:
        skip(f"made and removed containers, but none starts on this machine: {reason}")
    report.exit()


if __name__ == "__main__":
    main()
