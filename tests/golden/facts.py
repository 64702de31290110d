"""The facts as statements about what Debian's lxc-plamo makes of the test mirror: they guard the oracle and the mirror's
cases. For 5.x the configuration is that of article_5x, which is checked in the same way."""

import os

from facts_of_old_configuration import check_5x, check_6x
from scan import scan
from template import cached_in_order, initpkg_in_order, installed_in_order, read

# What the base of a release leaves for the first boot, in the order of installation.
OLD_FIRST_BOOT = ["aaa_base", "shadow", "tzdata"]
NEW_FIRST_BOOT = ["aaa_base", "eudev", "netconfig7", "openssh", "shadow", "tzdata"]
FIRST_BOOT = {"5.x": OLD_FIRST_BOOT, "6.x": OLD_FIRST_BOOT, "7.x": NEW_FIRST_BOOT, "8.x": NEW_FIRST_BOOT}
FIRST_BOOT_OF_CASES = ["onlysection", "sections", "unterminated"]
# As the test mirror has it.
SUFFIX = {"5.x": "tgz", "6.x": "txz", "7.x": "txz", "8.x": "tzst"}


def description(root, name):
    """The lines between a record's two headings."""
    lines = read(root, f"var/log/packages/{name}").splitlines()
    return lines[lines.index("PACKAGE DESCRIPTION:") + 1:lines.index("FILE LIST:")]


def members(root, name):
    lines = read(root, f"var/log/packages/{name}").splitlines()
    return lines[lines.index("FILE LIST:") + 1:]


def in_c_locale(name):
    """A name as GNU tar prints it there: facts 3.4."""
    letters = {ord(char): f"\\{letter}" for char, letter in zip("\a\b\t\n\v\f\r\\", "abtnvfr\\")}
    return "".join(letters.get(byte) or (chr(byte) if 32 <= byte < 127 else f"\\{byte:03o}")
                   for byte in name.encode("utf-8", "surrogateescape"))


def check_fetched(report, container, release):
    """Facts 1 and 2: what is taken from the mirror."""
    names = {name.rsplit(".", 1)[0] for name in os.listdir(container.cached_packages)}
    for stem in ("kernel_headers-6.1.0-x86_64-B1", "grubby-1.0-noarch-B1", "mousepad-1.0-noarch-B1",
                 "ntp-4.2-noarch-B1", "libstdc++-12.2-x86_64-B1", "rock&roll-1.0-noarch-B1", "twice-1.0-noarch-B1",
                 "twice-2.0-noarch-B1", "gcc-12.2-x86_64-B1", "older-1.0-noarch-B1", "bzlib-1.0-noarch-B1",
                 "bzlib-extra-1.0-noarch-B1", "addon-tool"):
        report.check(stem in names, f"{stem} was not fetched")
    for stem in ("kernel-6.1.0-x86_64-B1", "kernel-headers-6.1.0-x86_64-B1", "grub-2.06-x86_64-B1",
                 *(["kmod-30-x86_64-B1"] if release != "5.x" else []),
                 "linux_firmware-20220101-noarch-B1", "in-tbz-1.0-noarch-B1",
                 "buried-1.0-noarch-B1", "make-4.2-x86_64-B1", "outdated-1.0-noarch-B1",
                 "bzlib-ancient-0.9-noarch-B1", "unwanted-1.0-noarch-B1", "disk1", "edisk1", "plain.txt", "tagfile",
                 "install"):
        # The folder "install" is left by the unpacked tools; install.list must not be.
        report.check(stem not in names or os.path.isdir(os.path.join(container.cached_packages, stem)),
                     f"{stem} was fetched")
    times = [time for _, time in cached_in_order(container.cached_packages)]
    report.check(all(a < b for a, b in zip(times, times[1:])), "ctimes in the cache do not strictly increase")


def check_order(report, root, release):
    """Facts 2: CATEGORIES, EXTRACTGRS, ADDONPKGS; a category's own packages before those of its sub-folders."""
    order = installed_in_order(root)
    wanted = ["aaa_base-1.0-noarch-B1", "tzdata-2022a-noarch-B1", "dotted-1.0-noarch-B1",
              "utf8names-1.0-noarch-B1", "mousepad-1.0-noarch-B1", "make-4.3-x86_64-B1", "autoconf-2.71-noarch-B1",
              "gcc-12.2-x86_64-B1", "older-1.0-noarch-B1", "twice-1.0-noarch-B1", "chown-1.0-noarch-B1",
              "aardvark-1.0-noarch-B1", "bzlib-1.0-noarch-B1", "addon-stem-1.0-noarch-B1", "disk-usage-1.0-noarch-B1",
              "ntp-4.2-noarch-B1"]
    if release == "5.x":
        # Whose template ignores no ntp, so that it comes with its category and not as an add-on.
        wanted.insert(wanted.index("chown-1.0-noarch-B1") + 1, wanted.pop())
    report.equal([stem for stem in order if stem in wanted], wanted, "order of installation")
    report.check("twice-2.0-noarch-B1" not in order, "the second version was installed")
    report.equal(read(root, "usr/share/cases/twice"), "1.0\n", "the version that won")
    report.equal(read(root, "usr/share/cases/same"), "first\n", "the file of a name fetched twice")


def check_records(report, root, cached_packages, release):
    """Facts 3.2 to 3.4 and 3.6."""
    for name in ("plain", "two-1.0", "three-1.0-noarch", "perl-with-many-dashes", "libstdc++", "rock&roll", "nothing"):
        report.check(os.path.exists(os.path.join(root, "var/log/packages", name)), f"no record {name}")
    location = os.path.join(cached_packages, f"described-1.0-noarch-B1.{SUFFIX[release]}")
    report.equal(read(root, "var/log/packages/described").splitlines()[:5],
                 ["PACKAGE NAME:     described-1.0-noarch-B1",
                  f"COMPRESSED PACKAGE SIZE:     {os.path.getsize(location) // 1024} K",
                  "UNCOMPRESSED PACKAGE SIZE:     10 K", f"PACKAGE LOCATION: {location}", "PACKAGE DESCRIPTION:"],
                 "head of a record")
    report.equal(description(root, "described"),
                 ["described: by its name", "described:without a space, 日本語",
                  "described-1.0-noarch-B1: by its stem", "described-1.0-noarch-B1:"], "description by name and stem")
    for name, lines in (
            ("undescribed", []), ("wrongdesc", []), ("onename", ["onename: once", "onename:"]),
            ("dotted", ["dotted: found under ./install"]),
            ("addon-tool", ["addon-tool: said by NAME.txt", "addon-tool-1.0-noarch-B1: and by its stem"]),
            ("addon-stem", ["addon-stem: said by STEM.txt"]),
            ("addon-silent", ["addon-silent: addon-silent (a package of the test mirror)", "addon-silent:"]),
            ("diskdescribed", ["diskdescribed: said by a file disk*"])):
        report.equal(description(root, name), lines, f"description of {name}")
    report.equal(members(root, "dotted")[:3], ["./", "./install/", "./install/doinst.sh"], "members as stored")
    report.equal(members(root, "nothing"), [], "members of an empty package")
    names = {"usr/share/doc/日本語/はじめに.txt": "utf8names", "usr/share/odd names/back\\slash": "oddnames",
             "usr/share/raw/\x1b[31mred\x7f": "rawnames", "usr/share/raw/a\tfolder\\/": "rawnames"}
    for name, package in names.items():
        listed = name if release in ("7.x", "8.x") else in_c_locale(name)
        report.check(listed in members(root, package), f"{package} has no {listed}")
    report.check("usr/share/longnames/" + "n" * 200 in members(root, "longnames"), "a long name is not as stored")


def check_tree(report, root):
    """Facts 3.1 and 3.5."""
    tree = scan(root)

    def holds(path, **fields):
        entry = tree.get(os.fsencode(path))
        if report.check(entry is not None, f"{path} is missing"):
            report.equal({field: getattr(entry, field) for field in fields}, fields, path)

    holds("var/log/setup/tmp", kind="folder", mode=0o700)
    holds("var/log/removed_scripts", kind="folder", mode=0o755)
    holds("usr/bin/setuid", mode=0o4755)
    holds("usr/share/owners/setuid", mode=0o6755, uid=33, gid=34)
    holds("usr/share/owners/large", uid=3000000, gid=2500000)
    holds("lib/udev/devices/null", kind="char device", mode=0o666, device=os.makedev(1, 3))
    holds("lib/udev/devices/loop", kind="block device", gid=6, device=os.makedev(7, 300))
    holds("var/spool/special/pipe", kind="fifo", mode=0o622, uid=7)
    holds("etc/special/closed", mode=0)
    holds("usr/share/oldtimes/tokyo", mtime_ns=-32400 * 10**9)
    holds("usr/share/oldtimes/1974", mtime_ns=142_128_000 * 10**9)
    holds("usr/share/reallinks/relative", kind="link", target=b"target")
    holds("usr/share/selflinks/file", mode=0o2711, gid=22, size=len("once\n"))
    holds("usr/share/selflinks/link", kind="link", target=b"file")
    holds("usr/share/selflinks/script", size=len("ran\n"))
    holds("usr/share/reallinks/zz-hard",
          hard_links=(b"usr/share/reallinks/target", b"usr/share/reallinks/zz-hard"))
    # Overlaps: the last one wins, whole.
    holds("usr/share/overlap/file", mode=0o644, uid=2, size=len("from b\n"), mtime_ns=900_000_000 * 10**9)
    holds("usr/share/overlap/setuid", mode=0o755)
    holds("var/lib/foldermode", mode=0o2755, uid=6, gid=7)
    # A folder member goes through the link; a file member takes the link's place.
    holds("usr/lib64", kind="link", target=b"lib")
    holds("usr/lib/linked", kind="link", target=b"real")
    holds("usr/lib/real", kind="folder", mode=0o750, uid=8, gid=9)
    holds("usr/lib/real/new/folder/file", kind="file")
    holds("etc/linkfile/pair", kind="file")
    report.equal(read(root, "etc/linkfile/target"), "must stay\n", "the target of a replaced link")
    # Hard links that a later package broke.
    holds("usr/bin/perl5.36", hard_links=(b"usr/bin/perl5.36", b"usr/lib/perl/perl"))
    report.equal([read(root, f"usr/share/hard/{name}") for name in ("first", "second", "third", "fourth")],
                 ["changed\n", "one content\n", "new group\n", "new group\n"], "files of broken hard links")
    holds("install/notes", kind="file")
    report.check(b"install/slack-required" not in tree and b"install/doinst.sh" not in tree, "install/ was not cleaned")


def check_scripts(report, root, release):
    """Facts 3.6 and 3.7 and the link pairs."""
    def link(path, target):
        full = os.path.join(root, path)
        report.equal(os.readlink(full) if os.path.islink(full) else None, target, path)

    link("usr/share/manylinks/0/link-399", "../target-9")
    link("stray-file", "usr/share")
    link("stray-link", "etc/fstab")
    link("usr/share/lnonly/folder/elsewhere", "../elsewhere")
    link("usr/share/lnonly/folder/behind", "../behind")
    link("usr/share/lnonly/file", "elsewhere")
    link("usr/share/filelink/folder", "target")
    link("usr/share/oddpairs/a link", "with space")
    link("usr/share/unended/last", "line")
    link("usr/share/sections/after", "2")
    for path, text in (
            ("etc/config/x", "x\n"), ("etc/config/y", "y\n"), ("etc/config/y.new", "why\n"),
            ("usr/share/remover/file", "back again\n"), ("usr/share/counter/later", "none\n"),
            ("usr/share/counter/slack-desc", "2\n"), ("usr/share/failing/before", "before\n"),
            ("usr/share/syntax/file", "installed all the same\n"), ("var/lib/chown/umask", "0022\n"),
            ("var/lib/chown/arguments", "-install\n"), ("usr/share/dotted/script", "ran\n"),
            ("usr/share/unterminated/now", "now\n"), ("var/log/scripts/onlysection", ""),
            ("var/log/scripts/emptyscript", "")):
        if report.check(os.path.exists(os.path.join(root, path)), f"{path} is missing"):
            report.equal(read(root, path), text, path)
    for path in ("etc/config/x.new", "usr/share/remover/gone", "usr/share/failing/after",
                 "var/log/initpkg/emptyscript"):
        report.check(not os.path.lexists(os.path.join(root, path)), f"{path} exists")
    order = installed_in_order(root)
    report.equal(int(read(root, "usr/share/counter/packages")), order.index("counter-1.0-noarch-B1") + 1,
                 "packages that a script sees")
    log = read(root, "var/log/install.log")
    for line in ("said on standard output\n", "said on standard error\n", "no newline"):
        report.check(line in log, f"install.log lacks {line!r}")
    report.equal(read(root, "var/log/initpkg/sections"),
                 "#%% begin initpkg\necho first section\n#%% end initpkg\n"
                 "#%% begin initpkg\necho second section\ntouch /var/log/sections-ran\n#%% end initpkg\n", "sections")
    report.check(read(root, "var/log/initpkg/unterminated").endswith("touch /var/log/unterminated-ran\n"),
                 "a section without its end")
    times = initpkg_in_order(root)
    report.check(all(a[1] < b[1] for a, b in zip(times, times[1:])), f"times do not strictly increase: {times}")
    report.equal([name for name, _ in times], FIRST_BOOT[release] + FIRST_BOOT_OF_CASES, "order of the first boot")


def check_tools(report, root, release):
    """Facts 3.7: scripts find the release's own tools, and nothing else."""
    def number(value):
        return f"{value:9}" if release in ("5.x", "6.x") else str(value)

    for path, text in (
            ("tools/files", f"{number(1)}\n"), ("tools/quoted", f"{number(1)} file\n"), ("tools/bare", "1\n"),
            ("tools/found", "wget\nsh\nawk\n"), ("tools/path", f"{number(1)}\ninstaller\n"), ("tools/perl", ""),
            ("tools/status", "127\n"), ("tools/sed", "This is not GNU sed version 4.0\n"),
            ("tools/shells/by-program", "wget\nsh\nawk\n"), ("tools/shells/by-awk", f"{number(1)}\n"),
            ("tools/shells/by-getline", "none\n"), ("tools/shells/by-find", f"{number(2)}\n"),
            ("tools/shells/by-xargs", f"{number(2)} program\n"), ("tools/moved-folder/file", "packed\n"),
            ("tools/moved", "".join(f"{n}\n" for n in range(1, 18001))),
            ("devices/null", "opened\n"), ("devices/zero", " 00 00 00\n"), ("devices/urandom", f"{number(8)}\n"),
            ("devices/full", "full\n"), ("devices/chroot/null", "written\n"), ("devices/chroot/zero", "3\n"),
            ("devices/chroot/status", "0\n"), ("devices/chroot/nowhere", "127\n")):
        if report.check(os.path.exists(os.path.join(root, "usr/share", path)), f"{path} is missing"):
            report.equal(read(root, f"usr/share/{path}"), text, path)
    report.equal([os.readlink(os.path.join(root, "usr/share/tools/links", name)) for name in "cd"], ["b", "c"],
                 "links by ln -sf with more than two names")
    for name, owner in (("owned", (0, 0)), ("grouped", (7, 5)), ("moved", (3, 4))):
        found = os.lstat(os.path.join(root, "usr/share/tools", name))
        report.equal((found.st_uid, found.st_gid), owner, f"owner of {name}")


def check_common(report, root):
    """Facts 4, common: what every release's template changes in the container's own root."""
    report.equal(read(root, "etc/HOSTNAME"), "c1\n", "etc/HOSTNAME")
    report.equal(read(root, "etc/hosts"), "127.0.0.1 localhost c1\n", "etc/hosts")
    report.equal(os.readlink(os.path.join(root, "etc/localtime")), "../usr/share/zoneinfo/Asia/Tokyo", "etc/localtime")
    report.check("devpts  gid=5,mode=620" in read(root, "etc/fstab"), "etc/fstab has no devpts")
    report.equal(read(root, "etc/pam.d/login").count("#session"), 2, "pam_loginuid lines that are comments")


def check_7x(report, root):
    """Facts 4, 7.x and 8.x."""
    inittab = read(root, "etc/inittab")
    report.check("pf::powerfail:" in inittab and "c:1235:" in inittab and "4:2345" not in inittab, "etc/inittab")
    report.check("wait_for_user" not in read(root, "etc/rc.d/init.d/rc"), "init.d/rc waits for a user")
    report.equal(sorted(os.listdir(os.path.join(root, "etc/rc.d/rcS.d"))), ["S40mountfs", "S80localnet"], "rcS.d")
    report.equal([name for name, _ in initpkg_in_order(root)],
                 ["aaa_base", "tzdata", *FIRST_BOOT_OF_CASES], "what is left for the first boot")


def check_everything(report, container, release):
    """All the facts, of a container of every case of the mirror."""
    check_fetched(report, container, release)
    check_order(report, container.cached_root, release)
    check_records(report, container.cached_root, container.cached_packages, release)
    check_tree(report, container.cached_root)
    check_scripts(report, container.cached_root, release)
    check_tools(report, container.cached_root, release)
    check_common(report, container.rootfs)
    {"5.x": check_5x, "6.x": check_6x, "7.x": check_7x, "8.x": check_7x}[release](report, container.rootfs)
