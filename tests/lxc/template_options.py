#!/usr/bin/env python3
"""The template as lxc-create runs it: its options and variables, the root that the config names, keys of old and new
LXC, architectures, and --clean. One group of tests, or all."""

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from report import Report
from scan import describe, differences, scan
from skip import need_programs, need_root
from template import CONFIG_BEFORE, LOCK, VARIABLES, cache_paths, read
from workspace import arguments, temporary_folder

RELEASE = "7.x"
OLD_RELEASE = "5.x"
COMMON_CONFIG = "/usr/share/lxc/config/plamo.common.conf"
# Nobody listens there.
DEAD_MIRROR = {"DLSCHEME": "http", "MIRRORSRV": "127.0.0.1:9"}
DONE, FAILED, USAGE, MIRROR, BUSY, PERMISSION = 0, 1, 2, 3, 5, 6
SOURCES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


class Run:
    """What one run of the template said and did."""

    def __init__(self, where, result):
        self.where, self.status = where, result.returncode
        self.output = result.stdout.decode("utf-8", "backslashreplace")
        self.log = result.stderr.decode("utf-8", "backslashreplace")
        self.rootfs = os.path.join(where, "rootfs") if where else None

    @property
    def config(self):
        return read(self.where, "config")


class Template:
    """Our template with a mirror of files and one cache for all the tests."""

    def __init__(self, folder, wanted):
        # A copy, so that nobody needs a right on the build's folders.
        self.program = shutil.copy(os.path.join(wanted.bin, "lxc-plamo-fast"), folder)
        os.chmod(self.program, 0o755)
        self.mirror = "file://" + wanted.mirror
        self.folder, self.cache, self.made = folder, os.path.join(folder, "cache"), 0

    def container(self, config=CONFIG_BEFORE):
        """A container's folder with this config, as lxc-create has it before the template runs."""
        self.made += 1
        where = os.path.join(self.folder, f"container-{self.made}")
        os.mkdir(where)
        if config is not None:
            with open(os.path.join(where, "config"), "w") as stream:
                stream.write(config)
        return where

    def run(self, *options, where=None, prefix=(), **variables):
        environment = {k: v for k, v in os.environ.items() if k not in VARIABLES and not k.lower().endswith("_proxy")}
        environment.update({"LXC_CACHE_PATH": self.cache, "CATEGORIES": "00_base", "ADDONPKGS": "", **variables})
        return Run(where, subprocess.run([*prefix, self.program, *options], env=environment, cwd=self.folder,
                                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE))

    def create(self, *options, config=CONFIG_BEFORE, name="c1", **more):
        where = self.container(config)
        return self.run(f"--path={where}", f"--name={name}", "-m", self.mirror, *options, where=where, **more)


def check_made(report, run, what, name="c1", rootfs=None):
    """The run made a container of that name with its root there."""
    if not report.equal(run.status, DONE, f"{what}: status"):
        report.note(run.log)
        return False
    root = rootfs or run.rootfs
    if not report.check(os.path.isfile(os.path.join(root, "etc/HOSTNAME")), f"{what}: no root in {root}"):
        return False
    report.equal(read(root, "etc/HOSTNAME"), f"{name}\n", f"{what}: etc/HOSTNAME")
    return report.equal(read(root, "etc/hosts"), f"127.0.0.1 localhost {name}\n", f"{what}: etc/hosts")


def check_refused(report, run, status, wanted, what):
    """The run ended with that status and one line that says `wanted`, and made nothing in the container's folder."""
    report.equal(run.status, status, f"{what}: status")
    report.equal(run.output, "", f"{what}: standard output")
    report.check(run.log.count("\n") == 1 and wanted in run.log, f"{what}: one line with {wanted!r}, not {run.log!r}")
    if run.where and os.path.isdir(run.where):
        report.check(set(os.listdir(run.where)) <= {"config"}, f"{what}: leaves {os.listdir(run.where)}")


def check_unchanged(report, before, after, what):
    """Two scans are the same."""
    found = differences(before, after)
    report.check(not found, f"{what}: {len(found)} differences, like {[describe(d) for d in found[:3]]}")


def lxc_info(where, *keys):
    """What LXC itself reads in the container's config: the values, or None where it cannot read it."""
    command = ["lxc-info", "-P", os.path.dirname(where), "-n", os.path.basename(where)]
    for key in keys:
        command += ["-c", key]
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    if result.returncode != 0:
        return None
    return [line.split(" =", 1)[1].removeprefix(" ") for line in result.stdout.decode().splitlines()]


def ways_to_write_options(report, template):
    """Long and short, with "=" and without, before and behind "--"."""
    template.create("--release", RELEASE)
    forms = [
        lambda w: ["--path", w, "--name", "c1", "--release", RELEASE, "--arch", "x86_64", "--rootfs", w + "/rootfs"],
        lambda w: [f"--path={w}", "--name=c1", f"--release={RELEASE}", "--arch=x86_64", f"--rootfs={w}/rootfs"],
        lambda w: ["-p", w, "-n", "c1", "-r", RELEASE, "-a", "x86_64"],
        lambda w: [f"-p{w}", "-nc1", f"-r{RELEASE}", "-ax86_64"],
        lambda w: ["-r", RELEASE, "--path", w, "-qn", "c1", "--"],
        # An empty argument is none, as for lxc-plamo.
        lambda w: [f"--path={w}", "--name=c1", "--rootfs=", "--bindhome="],
    ]
    for number, form in enumerate(forms):
        where = template.container()
        run = template.run("--offline", *form(where), where=where)
        check_made(report, run, f"form {number}")
    for option in ("-h", "--help"):
        run = template.run(option)
        report.equal((run.status, run.log), (DONE, ""), f"{option}: status, standard error")
        for word in ("--path", "--name", "--rootfs", "--clean", "--bindhome", "--release", "--arch", "-p,", "-n,",
                     "-c,", "-r,", "-a,", "-b,", "--mirror", "--offline", "--update", "--jobs", "LXC_CACHE_PATH"):
            report.check(word in run.output, f"{option} does not tell of {word}")
        run = template.run(*form(template.container()), option)
        report.equal(run.status, USAGE, f"{option} by way of lxc-create, which would keep an empty container")
    shown = subprocess.run(["lxc-create", "-t", template.program, "-h"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    report.check(b"--mirror" in shown.stdout, "lxc-create -t plamo-fast -h, as the READMEs have it, does not list our options")
    for readme in ("README.md", "README.ja.md"):
        with open(os.path.join(SOURCES, readme)) as stream:
            report.check("`lxc-create -t plamo-fast -h`" in stream.read(), f"{readme} has another command")


def refusals(report, template):
    """What makes no sense is refused in one line, before any work."""
    where = template.container()
    cases = [
        (["--name=c1"], "--path is missing"), (["--path=", "--name=c1"], "--path is missing"),
        ([f"--path={where}"], "--name is missing"), ([f"--path={where}", "--name="], "--name is missing"),
        ([f"--path={where}/none", "--name=c1", f"--rootfs={template.folder}/unused"], "--path"),
        (["--path"], "--path"), (["-n"], "-n"), (["--bogus"], "--bogus"), (["-x"], "-x"), (["--clean=yes"], "--clean"),
    ]
    own = [f"--path={where}", "--name=c1"]
    cases += [([*own, *options], wanted) for options, wanted in (
        (["-r", "4.x"], "4.x"), (["-r", "seven"], "seven"), (["-r", ""], "release"), (["-r", "../7.x"], "../7.x"),
        (["-a", "arm"], "arm"), (["-a", ""], "architecture"), (["more"], "more"), (["--", "more"], "more"),
        (["-b", "no-such-user"], "no-such-user"), (["--jobs=0"], "--jobs"), (["--offline", "--update"], "offline"),
        (["-m", "gopher://host/"], "gopher"), (["--timezone=Nowhere/None/..", "--offline"], "Nowhere"),
        (["--root-password=text"], "password:"), (["--network=maybe"], "maybe"))]
    empty = os.path.join(template.folder, "no-cache")
    for options, wanted in cases:
        run = template.run(*options, where=where, LXC_CACHE_PATH=empty)
        check_refused(report, run, USAGE, wanted, " ".join(options))
    report.check(not os.path.exists(empty), "a refused run has made the cache folder")
    report.check(not os.path.exists(os.path.join(template.folder, "unused")), "a refused run has made the root")
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    run = template.run(*own, where=where, prefix=nobody, LXC_CACHE_PATH=empty)
    check_refused(report, run, PERMISSION, "root", "as nobody")


def names(report, template):
    """Names that could be a host's are taken as they are, others are refused."""
    # What begins with "-" is an option that lxc-create took for the name; "." hides a container from LXC.
    for name in ("a b", "a\tb", "a/b", "../c1", ".", "..", "a\nb", "a\x7fb", "\x1b[1m", "n" * 65, "-x", "--help", ".x"):
        run = template.create(name=name)
        check_refused(report, run, USAGE, "name", f"name {name!r}")
        report.check("\x1b" not in run.log, "an escape sequence of the name reaches the terminal")
    for name in ("a", "a.b_c-d", "100%N", "$(id)", "a&b\\1", "größe", "n" * 64):
        run = template.create("--offline", name=name)
        check_made(report, run, f"name {name!r}", name)
        report.check(f"\nlxc.uts.name = {name}\n" in run.config, f"name {name!r}: not in the config")
        report.equal(lxc_info(run.where, "lxc.uts.name"), [name], "the name that LXC reads")


def releases_and_archs(report, template):
    """-r, --release and release=; -a, --arch and the machine's own."""
    for arch in ("x86", "x86_64"):
        run = template.create("-a", arch)
        check_made(report, run, arch)
        report.check(f"\nlxc.arch = {arch}\n" in run.config, f"{arch}: not in the config")
        report.equal(lxc_info(run.where, "lxc.arch"), [{"x86": "i686"}.get(arch, arch)], "the arch that LXC reads")
        for folder in cache_paths(template.cache, RELEASE, arch):
            report.check(os.path.isdir(folder), f"{arch}: no {folder}")
    # Only one release is cached, so without a mirror each other one shows by its failure.
    for options, variables, release in (
            ([], {}, "7.x"), ([], {"release": ""}, "7.x"), ([], {"release": "7.x"}, "7.x"),
            (["-r", "7.x"], {"release": "8.x"}, "7.x"), (["-r", "8.x"], {"release": "7.x"}, "8.x"),
            (["--release=6.x"], {}, "6.x"), ([], {"release": "8.x"}, "8.x")):
        run = template.create("--offline", *options, **variables)
        what = f"{options} {variables}"
        if release == RELEASE:
            check_made(report, run, what)
        else:
            check_refused(report, run, MIRROR, f"Plamo {release}", what)
    run = template.create("-r", OLD_RELEASE)
    check_made(report, run, "5.x")
    report.check(all(map(os.path.isdir, cache_paths(template.cache, OLD_RELEASE))), "5.x is not in the cache")


def on_an_x86_machine(report, template):
    """As uname says i686 there: its own arch is x86, and x86_64 is refused."""
    for machine in ("i386", "i686"):
        prefix = ["setarch", machine]
        run = template.create("-a", "x86_64", prefix=prefix)
        check_refused(report, run, USAGE, "x86_64", f"x86_64 on {machine}")
        run = template.create("--offline", prefix=prefix)
        check_made(report, run, f"no arch on {machine}")
        report.check("\nlxc.arch = x86\n" in run.config, f"lxc.arch on {machine}: {run.config}")


def shared_options(report, template):
    """The options of plamo-fast are the template's too."""
    run = template.create("--offline")
    check_made(report, run, "--offline with a cache")
    report.check("0 requests" in run.log, f"--offline: {run.log}")
    run = template.create("--update")
    check_made(report, run, "--update")
    report.check(re.search(r"\b[1-9]\d* requests", run.log), f"--update asks nobody: {run.log}")
    report.check("0 packages decoded" in run.log, f"--update of what has not changed: {run.log}")
    run = template.create("--quiet", "--offline")
    report.equal((run.status, run.log), (DONE, ""), "--quiet")
    run = template.create("--verbose", "--offline")
    check_made(report, run, "--verbose")
    run = template.run("--version")
    report.check(run.status == DONE and run.output.startswith("lxc-plamo-fast "), f"--version: {run.output!r}")

    other = os.path.join(template.folder, "other-cache")
    run = template.create("--cache", other, "--add", "contrib/NoSuch/morse")
    report.equal(run.status, MIRROR, "status with an add-on whose folder is not there")
    report.check("NoSuch" in run.log, f"the folder that is not there is not named: {run.log}")
    run = template.create("--cache", other, "--categories", "00_base", "--add", "plamo/01_minimum/sizes",
                          "--ignore", "kernel openssh", "-j1", "--connections=2", "--lock-timeout", "60",
                          "--limit-rate=1G", "--min-rate=1k", "--stall-timeout=10", "--no-checksums", "--skip-corrupt",
                          "-4", "--timezone=Etc/UTC", "--network=none", "--root-password=locked",
                          CATEGORIES="01_minimum")
    if check_made(report, run, "many options"):
        records = os.listdir(os.path.join(run.rootfs, "var/log/packages"))
        report.check({"sizes", "grub"} <= set(records), f"packages: {records}")
        report.check(not {"openssh", "kernel", "kernel-headers", "same"} & set(records), f"packages: {records}")
        report.equal(os.readlink(os.path.join(run.rootfs, "etc/localtime")), "../usr/share/zoneinfo/Etc/UTC", "zone")
        shadow = [line.split(":") for line in read(run.rootfs, "etc/shadow").splitlines()]
        report.check(any(line[0] == "root" and line[1][:1] in "!*" and line[1] for line in shadow), f"{shadow}")
    shutil.rmtree(other, ignore_errors=True)


def empty_variables(report, template):
    """Set but empty: the default for one value, none for a list."""
    run = template.create("--offline", release="", DLSCHEME="", MIRRORSRV="", MIRRORPATH="", EXTRACTGRS="")
    check_made(report, run, "empty variables")
    other = os.path.join(template.folder, "none-ignored")
    run = template.create(LXC_CACHE_PATH=other, IGNOREPKGS="")
    if check_made(report, run, "IGNOREPKGS empty"):
        records = os.listdir(os.path.join(run.rootfs, "var/log/packages"))
        report.check({"kernel", "grub"} <= set(records), f"IGNOREPKGS empty: {records}")
    shutil.rmtree(other, ignore_errors=True)
    run = template.create(LXC_CACHE_PATH=other, CATEGORIES="", EXTRACTGRS="", ADDONPKGS="")
    report.check(run.status not in (DONE, FAILED), f"nothing asked for: status {run.status}")
    report.check(not os.path.exists(run.rootfs), "nothing asked for, and a root is there")
    shutil.rmtree(other, ignore_errors=True)


def roots_of_the_config(report, template):
    """The root is where the config says, read as LXC reads it."""
    places = os.path.join(template.folder, "places")
    os.mkdir(places)
    lines = ["lxc.rootfs.path = dir:{}\n", "lxc.rootfs.path = {}\n", "lxc.rootfs.path={}\n",
             "lxc.rootfs.path = btrfs:{}", "\tlxc.rootfs.path\t =\t{} \t\n", "lxc.rootfs.path = \"dir:{}\"\n",
             "lxc.rootfs.path = '{}'\n", "lxc.rootfs.path = /elsewhere\nlxc.rootfs.path = {}\n",
             "#lxc.rootfs.path = /no\nlxc.rootfs.path = {} \n"]
    cases = [(line, f"{places}/{number}") for number, line in enumerate(lines)]
    cases += [("lxc.rootfs.path = dir:{}\n", f"{places}/{name}")
              for name in ("in two words", "a:b", "größe", "$HOME *")]
    for line, root in cases:
        text = line.format(root)
        run = template.create("--offline", config=CONFIG_BEFORE + text)
        if check_made(report, run, repr(line), rootfs=root):
            report.equal(lxc_info(run.where, "lxc.rootfs.path"), [root], f"what LXC reads of {text!r}")
            report.check(not os.path.exists(run.rootfs), f"{line!r}: there is also a root at the usual place")
    for text in ("", "lxc.rootfs.path =\n", "lxc.rootfs.path = /no\nlxc.rootfs.path =\n", "# lxc.rootfs.path = /no\n",
                 "lxc.rootfs.mount = /no\n", "lxc.rootfs.options = idmap=container\n"):
        check_made(report, template.create("--offline", config=CONFIG_BEFORE + text), f"no root in {text!r}")
    for old in ("lxc.rootfs = {}\n", "lxc.rootfs={}", "lxc.rootfs\t=  dir:{}\n"):
        root = f"{places}/{len(os.listdir(places))}-old"
        run = template.create("--offline", config="lxc.network.type = empty\n" + old.format(root))
        check_made(report, run, old, rootfs=root)
    check_made(report, template.create("--offline", config=None), "no config at all")
    relative = template.create("--offline", config="lxc.rootfs.path = places/relative\n")
    check_made(report, relative, "a relative path", rootfs=f"{places}/relative")


def roots_elsewhere(report, template):
    """Storage that is no folder is refused without --rootfs; --rootfs says more than the config."""
    for value in ("loop:/x/rootdev", "zfs:lxc/c1", "lvm:/dev/lxc/c1", "rbd:lxc/c1", "nbd:/x:1", "overlay:/x:/y",
                  "overlayfs:/x:/y", "aufs:/x:/y", "later:/x"):
        config = f"{CONFIG_BEFORE}lxc.rootfs.path = {value}\n"
        check_refused(report, template.create("--offline", config=config), USAGE, "--rootfs", value)
        root = os.path.join(template.folder, f"mounted-{value.split(':')[0]}")
        run = template.create("--offline", f"--rootfs={root}", config=config)
        check_made(report, run, f"--rootfs with {value}", rootfs=root)
        report.equal(run.config[:len(config)], config, "what was in the config")
    where = template.container()
    deep = os.path.join(template.folder, "missing", "parents")
    run = template.run(f"--path={where}", "--name=c1", f"--rootfs={deep}/root", "--offline", where=where)
    check_made(report, run, "a root whose parents are missing", rootfs=f"{deep}/root")
    run = template.run(f"--path={where}", "--name=c1", f"--rootfs={template.folder}/none/at/all", "--offline", "-r", "6.x",
                       where=where)
    report.check(run.status != DONE and not os.path.exists(f"{template.folder}/none"), "parents stay of a root that was not made")
    for content in ("file", "folder"):
        where = template.container()
        os.makedirs(os.path.join(where, "rootfs/there") if content == "folder" else os.path.join(where, "there"))
        if content == "file":
            with open(os.path.join(where, "rootfs"), "w") as stream:
                stream.write("there")
        before = scan(where)
        run = template.run(f"--path={where}", "--name=c1", "--offline", where=where)
        report.check(run.status in (FAILED, USAGE), f"a root that is a {content} with content: status {run.status}")
        check_unchanged(report, before, scan(where), f"a root that is a {content} with content, afterwards")


def wanted_config(before, where, release, legacy=False, name="c1"):
    """What the config must be afterwards."""
    uts, fstab = ("lxc.utsname", "lxc.mount") if legacy else ("lxc.uts.name", "lxc.mount.fstab")
    lines = [f"{uts} = {name}"]
    if release == OLD_RELEASE:
        lines.append(f"{fstab} = {where}/fstab")
    lines.append("lxc.arch = x86_64")
    if os.path.isfile(COMMON_CONFIG):
        lines += ["", f"lxc.include = {COMMON_CONFIG}"]
    newline = "" if not before or before.endswith("\n") else "\n"
    return before + newline + "".join(line + "\n" for line in lines)


def keys_of_lxc(report, template):
    """lxc.utsname and lxc.mount where an LXC before 2.1 began the config, else the keys since then."""
    later = ["", "# nothing\n", CONFIG_BEFORE, "lxc.net.0.type = empty", "lxc.include = /dev/null\n",
             "lxc.rootfs.path = dir:{}/rootfs\n", "lxc.network.type = empty\nlxc.rootfs.path = {}/rootfs\n",
             "lxc.mount.entry = /a b none bind 0 0\n", "#lxc.utsname = x\n"]
    older = ["lxc.rootfs = {}/rootfs\n", "lxc.network.type = empty\nlxc.network.flags = up\n", "lxc.utsname = old\n",
             "lxc.tty = 4\nlxc.pts = 1024\n", "\tlxc.rootfs={}/rootfs"]
    for release in (RELEASE, OLD_RELEASE):
        for legacy, texts in ((False, later), (True, older)):
            for text in texts:
                where = template.container()
                before = text.format(where)
                with open(os.path.join(where, "config"), "w") as stream:
                    stream.write(before)
                run = template.run(f"--path={where}", "--name=c1", "--offline", "-r", release, where=where)
                check_made(report, run, f"{release} {text!r}")
                report.equal(run.config, wanted_config(before, where, release, legacy), f"{release} {text!r}: config")
                fstab = os.path.join(where, "fstab")
                report.equal(os.path.isfile(fstab) and os.path.getsize(fstab) == 0, release == OLD_RELEASE,
                             f"{release}: an empty fstab")


def lxc_reads_the_keys(report, template):
    """The system's LXC takes the new keys; its converter makes the same of the old ones."""
    for release in (RELEASE, OLD_RELEASE):
        where = template.container("lxc.network.type = empty\nlxc.network.flags = up\nlxc.rootfs = dir-to-be\n")
        config = os.path.join(where, "config")
        root = [f"--rootfs={where}/rootfs"]
        options = [f"--path={where}", "--name=c1", "--offline", "-r", release, *root]
        shutil.copy(config, config + ".before")
        template.run(*options, where=where)
        report.equal(lxc_info(where, "lxc.uts.name"), None, "a config with old keys, read by this LXC")
        for name in ("config", "config.before"):
            subprocess.run(["lxc-update-config", "-c", os.path.join(where, name)], cwd=where, check=True,
                           stdout=subprocess.DEVNULL)
        converted = read(where, "config")
        shutil.rmtree(os.path.join(where, "rootfs"))
        os.rename(config + ".before", config)
        run = template.run(*options, where=where)
        check_made(report, run, f"{release}: a converted config")
        report.equal(converted, run.config, f"{release}: old keys converted, and new ones")
        report.equal(lxc_info(where, "lxc.uts.name", "lxc.arch"), ["c1", "x86_64"], "what LXC reads")
        if release == OLD_RELEASE:
            report.equal(lxc_info(where, "lxc.mount.fstab"), [f"{where}/fstab"], "what LXC reads as fstab")


@contextlib.contextmanager
def lock_held(kind, seconds=None, path=LOCK):
    """Somebody else holds the lock: until the end, or for so long."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "a") as lock:
        fcntl.flock(lock, kind)
        timer = threading.Timer(seconds or 0, fcntl.flock, (lock, fcntl.LOCK_UN))
        if seconds:
            timer.start()
        yield
        if seconds:
            timer.join()


def clean_cache(report, template):
    """--clean alone removes the packages and the root of one release and arch, under the lock, and nothing else."""
    empty = os.path.join(template.folder, "no-cache")
    run = template.run("--clean", LXC_CACHE_PATH=empty, **DEAD_MIRROR)
    report.equal((run.status, run.log), (DONE, "lxc-plamo-fast: removed 0, 0.0 of 0.0 MB; 0 in use\n"), "--clean of nothing")
    for name in (f"partial-plamo-{RELEASE}-x86_64", "cache-plamo-7.x-x86_64.old", "debian", "rootfs-plamo-7.x"):
        os.makedirs(os.path.join(template.cache, name, "kept"))
    before = scan(template.cache)
    # lxc-plamo has the one, who reads from the cache shares the other.
    for kind, path in ((fcntl.LOCK_EX, LOCK), (fcntl.LOCK_SH, os.path.join(template.cache, ".plamo-fast.lock"))):
        with lock_held(kind, path=path):
            begun = time.monotonic()
            run = template.run("--clean", "--lock-timeout=1", **DEAD_MIRROR)
            report.equal(run.status, BUSY, "status of --clean while the lock is held")
            report.check(time.monotonic() - begun >= 1, "--clean did not wait for the lock")
        check_unchanged(report, before, scan(template.cache), "the cache after --clean in vain")
    for options, release, arch in ((["-c"], RELEASE, "x86_64"), (["--clean", "-a", "x86"], RELEASE, "x86"),
                                   (["-cr", OLD_RELEASE], OLD_RELEASE, "x86_64")):
        with lock_held(fcntl.LOCK_EX, 1):
            begun = time.monotonic()
            run = template.run(*options, **DEAD_MIRROR)
            report.check(time.monotonic() - begun >= 0.9, f"{options} did not wait for the lock")
        report.equal(run.status, DONE, f"status of {options}")
        gone = [os.fsencode(os.path.basename(folder)) for folder in cache_paths(template.cache, release, arch)]
        wanted = {path: entry for path, entry in before.items() if path.split(b"/")[0] not in gone}
        after = scan(template.cache)
        before = {**wanted, b".": after[b"."]}
        check_unchanged(report, before, after, f"the cache after {options}")
    run = template.run("--clean", **DEAD_MIRROR)
    report.equal(run.status, DONE, "status of --clean again")
    check_unchanged(report, before, scan(template.cache), "the cache after --clean again")


def clean_after_making(report, template):
    """--clean with --path: the container is made, then the cache goes; not where none could be made."""
    template.create("-r", OLD_RELEASE)
    run = template.create("--clean")
    check_made(report, run, "--clean with --path")
    report.equal([os.path.exists(path) for path in cache_paths(template.cache, RELEASE)], [False, False],
                 "the caches are still there")
    report.check(all(map(os.path.isdir, cache_paths(template.cache, OLD_RELEASE))), "another release's cache is gone")
    template.create()
    where = template.container()
    os.makedirs(os.path.join(where, "rootfs/there"))
    run = template.run(f"--path={where}", "--name=c1", "--clean", where=where)
    report.equal(run.status, USAGE, "status of --clean with a root that is not empty")
    report.check(all(map(os.path.isdir, cache_paths(template.cache, RELEASE))), "the cache went without a container")
    run = template.create("--clean", "--offline")
    check_made(report, run, "--clean --offline")
    report.check(not any(map(os.path.exists, cache_paths(template.cache, RELEASE))), "the caches are still there")


# In this order they share one cache, which the first fills and the last empties.
GROUPS = {
    "options": (ways_to_write_options, refusals, names, shared_options, empty_variables),
    "archs": (releases_and_archs, on_an_x86_machine),
    "rootfs": (roots_of_the_config, roots_elsewhere),
    "keys": (keys_of_lxc, lxc_reads_the_keys),
    "clean": (clean_cache, clean_after_making),
}


def main():
    wanted = arguments(__doc__, group=sorted(GROUPS))
    need_root()
    need_programs("lxc-info", "lxc-update-config", "setarch", "setpriv")
    report = Report()
    groups = [wanted.group] if wanted.group else list(GROUPS)
    with temporary_folder() as (folder, _):
        template = Template(folder, wanted)
        for options in ((), ("-r", OLD_RELEASE), ("-a", "x86")):
            run = template.create(*options)
            if not report.equal(run.status, DONE, f"status of filling the cache {options}"):
                report.note(run.log)
                report.exit()
        for test in (test for group in groups for test in GROUPS[group]):
            report.note(f"{test.__name__}: {test.__doc__.splitlines()[0]}")
            test(report, template)
    report.exit()


if __name__ == "__main__":
    main()
