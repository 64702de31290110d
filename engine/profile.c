/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "profile.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* clang-format off */
#define COMMENT(part)               {.kind = PF_TEXTEDIT_COMMENT, .match = (part)}
#define DELETE(part)                {.kind = PF_TEXTEDIT_DELETE, .match = (part)}
#define DELETE_PREFIX(prefix)       {.kind = PF_TEXTEDIT_DELETE_PREFIX, .match = (prefix)}
#define INSERT_BEFORE(prefix, line) {.kind = PF_TEXTEDIT_INSERT_BEFORE, .match = (prefix), .text = (line)}
#define INSERT_AFTER(prefix, line)  {.kind = PF_TEXTEDIT_INSERT_AFTER, .match = (prefix), .text = (line)}
#define REPLACE(prefix, line)       {.kind = PF_TEXTEDIT_REPLACE_PREFIX, .match = (prefix), .text = (line)}
#define DELETE_RANGE(from, to)      {.kind = PF_TEXTEDIT_DELETE_RANGE, .match = (from), .until = (to)}

#define WRITE(file, content)    {.kind = PF_EDIT_WRITE, .path = (file), .text = (content)}
#define APPEND(file, content)   {.kind = PF_EDIT_APPEND, .path = (file), .text = (content)}
#define REMOVE(file)            {.kind = PF_EDIT_REMOVE, .path = (file)}
#define RENAME(file, name)      {.kind = PF_EDIT_RENAME, .path = (file), .text = (name)}
#define CHMOD(file, bits)       {.kind = PF_EDIT_CHMOD, .path = (file), .mode = (bits)}
#define LINES(file, edits)      {.kind = PF_EDIT_LINES, .path = (file), .lines = (edits)}
#define IN_PLACE(file, edits)   {.kind = PF_EDIT_LINES_IN_PLACE, .path = (file), .lines = (edits)}
#define DHCP(file, content)     {.kind = PF_EDIT_WRITE, .when = PF_WHEN_DHCP, .path = (file), .text = (content)}
#define NO_NETWORK(file, content) \
    {.kind = PF_EDIT_WRITE, .when = PF_WHEN_NO_NETWORK, .path = (file), .text = (content)}
#define FIFO(file, bits)        {.kind = PF_EDIT_NODE, .path = (file), .mode = S_IFIFO | (bits)}
#define FOLDER(file, bits)      {.kind = PF_EDIT_NODE, .path = (file), .mode = S_IFDIR | (bits)}
#define DEVICE(file, bits, major, minor) \
    {.kind = PF_EDIT_NODE, .path = (file), .mode = S_IFCHR | (bits), .device_major = (major), .device_minor = (minor)}
/* clang-format on */

static const char *const no_names[] = {NULL};

static const char *const ignored[] = {
    "grub",
    "kernel",
    "lilo",
    "linux_firmware",
    "microcode_ctl",
    "linux_firmwares",
    "cpufreqd",
    "cpufrequtils",
    "gpm",
    "ntp",
    "kmod",
    "kmscon",
    NULL,
};

static const char *const plamo5_ignored[] = {
    "grub",         "kernel", "lilo", "linux_firmware", "microcode_ctl", "cpufreqd",
    "cpufrequtils", "gpm",    NULL,
};

static const char *const base[] = {"00_base", NULL};
static const char *const base_and_minimum[] = {"00_base", "01_minimum", NULL};
static const char *const morse[] = {"contrib/Hamradio/morse", "contrib/Hamradio/qrq", NULL};

static const char *const plamo5_categories[] = {
    "00_base", "01_minimum", "02_x11", "03_xclassics", "04_xapps", "05_ext",
    "06_xfce", "07_kde",     "08_tex", "09_kernel",    "10_lof",   NULL,
};

static const char *const plamo7_categories[] = {
    "00_base",
    "01_minimum",
    "02_devel",
    "03_libs",
    "04_x11",
    "05_ext",
    "06_xapps",
    "07_multimedia",
    "08_daemons",
    "09_printings",
    "10_xfce",
    "11_lxqt",
    "12_mate",
    "13_tex",
    "14_libreoffice",
    "15_kernelsrc",
    "16_virtualization",
    NULL,
};

static const char *const contrib[] = {
    "AVtool",      "DB",       "Devel",     "Education", "Emacs",          "Hamradio",
    "Haskell",     "Kernel",   "Library",   "MUA",       "Network",        "Python",
    "Texlive2010", "Texttool", "Utilities", "VLC",       "Virtualization", "X11",
    NULL,
};

/* What every release needs. libvirt's containers cannot log in by pam_loginuid. */
static const struct pf_textedit no_loginuid[] = {COMMENT("pam_loginuid"), {0}};

#define ZONEINFO "../usr/share/zoneinfo/"
#define COMMON_EDITS                                                                               \
    WRITE("etc/HOSTNAME", "%N\n"), WRITE("etc/hosts", "127.0.0.1 localhost %N\n"),                 \
        {.kind = PF_EDIT_TIMEZONE, .path = "etc/localtime", .text = ZONEINFO},                     \
        LINES("etc/pam.d/login", no_loginuid)

#define POWERFAIL "pf::powerfail:/sbin/shutdown -h +0 \"THE POWER IS FAILING\""

/* Plamo 5 and 6: rc.S and its likes, each one long script. */

static const struct pf_textedit quiet_udev[] = {
    {.kind = PF_TEXTEDIT_SUBSTITUTE, .match = "=\"err\"", .text = "=0"},
    {0},
};

static const char bsd_fstab[] =
    "none            /proc   proc    defaults        0 0\n"
    "none            /sys    sysfs   defaults        0 0\n"
    "none            /dev    tmpfs   defaults        0 0\n"
    "none            /tmp    tmpfs   defaults        0 0\n"
    "none            /dev/pts        devpts  gid=5,mode=620  0 0\n"
    "none            /proc/bus/usb   usbfs   noauto  0 0\n"
    "none            /var/lib/nfs/rpc_pipefs rpc_pipefs  defaults   0 0\n";

/* As for 7 below, with other names of the lines. */
static const struct pf_textedit bsd_inittab[] = {
    {.kind = PF_TEXTEDIT_SUBSTITUTE,
     .match = " to single user",
     .text = "",
     .where = "# What to do when power fails"},
    REPLACE("pf::powerfail:", POWERFAIL),
    INSERT_BEFORE("c1:", "1:1235:respawn:/sbin/agetty 38400 console"),
    DELETE_PREFIX("c5:"),
    DELETE_PREFIX("c6:"),
    {0},
};

/* Mounts, device nodes, udev, clock, swap and file system checks are the host's business. */
static const struct pf_textedit plamo5_rc_s[] = {
    DELETE_RANGE("mount -w -n -t proc", "# ln -s /bin/true"),
    {.kind = PF_TEXTEDIT_DELETE_RANGE,
     .match = "mknod /dev/unikey",
     .until = "# Clean /etc/mtab",
     .keep = 1},
    DELETE_RANGE("# copy the rules", "# Set the hostname"),
    DELETE_RANGE("# Check the integrity", "# Clean up temporary"),
    {0},
};

static const struct pf_textedit plamo6_rc_s[] = {
    DELETE_RANGE("mount -w -n -t proc", "mkdir /dev/shm"),
    {.kind = PF_TEXTEDIT_DELETE_RANGE,
     .match = "mknod /dev/null",
     .until = "# Clean /etc/mtab",
     .keep = 1},
    DELETE_RANGE("# copy the rules", "# Set the hostname"),
    DELETE_RANGE("# Check the integrity", "# Clean up temporary"),
    {0},
};

static const struct pf_textedit bsd_rc_m[] = {
    DELETE_RANGE("# Screen blanks", "# Initialize ip6tables"),
    DELETE_RANGE("# Initialize sysctl", "echo \"Starting services"),
    DELETE_RANGE("sync", "# All done"),
    {0},
};

static const struct pf_textedit plamo6_rc_6[] = {
    DELETE_RANGE("# Save system time", "# Unmount any remote filesystems"),
    DELETE_RANGE("# Turn off swap", "# See if this is a powerfail situation"),
    {0},
};

static const struct pf_textedit plamo6_rc_inet2[] = {
    COMMENT("rpc.mountd"),
    COMMENT("modprobe"),
    {0},
};

/* The kernel's command line is the host's: its wish for a wireless network is not the container's.
   Not each netconfig writes a script that reads it. */
static const struct pf_textedit no_wlan[] = {
    {.kind = PF_TEXTEDIT_SUBSTITUTE,
     .match = "if",
     .text = "if false &&",
     .where = "cmdline",
     .optional = true},
    {0},
};

/* netconfig's last lines are its dialogue. Its settings are made here in their place, then the
   function that writes the boot script is called. */
#define RC_INET1 "etc/rc.d/rc.inet1.tradnet"
static const char tradnet_settings[] = "PCMCIA=n\n"
                                       "RC=" RC_INET1 "\n"
                                       "IFCONFIG=sbin/ifconfig\n"
                                       "ROUTE=sbin/route\n"
                                       "INET1SCHEME=var/run/inet1-scheme\n"
                                       "IPADDR=127.0.0.1\n"
                                       "NETWORK=127.0.0.0\n"
                                       "DHCPCD=usr/sbin/dhclient\n"
                                       "LOOPBACK=y\n"
                                       "make_config_file\n";

/* rc.inet1.tradnet does nothing beyond the loopback for a scheme other than fixed and DHCP;
   netconfig writes LOOPBACK where the user wants no connection. */
#define BSD_NETWORK_SCHEME                                                                         \
    DHCP("var/run/inet1-scheme", "DHCP\n"), NO_NETWORK("var/run/inet1-scheme", "LOOPBACK\n")

#define BSD_RC_INET1                                                                               \
    REMOVE(RC_INET1),                                                                              \
        {.kind = PF_EDIT_GENERATE,                                                                 \
         .path = "sbin/netconfig.tradnet",                                                         \
         .makes = RC_INET1,                                                                        \
         .text = tradnet_settings,                                                                 \
         .drop_lines = 93},                                                                        \
        LINES(RC_INET1, no_wlan)

static const struct pf_edit plamo5_edits[] = {
    /* udev does not run in the container. */
    DEVICE("dev/null", 0666, 1, 3),
    DEVICE("dev/zero", 0666, 1, 5),
    DEVICE("dev/full", 0666, 1, 7),
    DEVICE("dev/random", 0666, 1, 8),
    DEVICE("dev/urandom", 0666, 1, 9),
    DEVICE("dev/tty", 0666, 5, 0),
    DEVICE("dev/tty0", 0666, 4, 0),
    DEVICE("dev/tty1", 0666, 4, 1),
    DEVICE("dev/tty2", 0666, 4, 2),
    DEVICE("dev/tty3", 0666, 4, 3),
    DEVICE("dev/tty4", 0666, 4, 4),
    DEVICE("dev/console", 0600, 5, 1),
    DEVICE("dev/ptmx", 0666, 5, 2),
    FIFO("dev/initctl", 0600),
    FOLDER("dev/pts", 0755),
    LINES("etc/udev/udev.conf", quiet_udev),
    WRITE("etc/fstab", bsd_fstab),
    LINES("etc/inittab", bsd_inittab),
    BSD_NETWORK_SCHEME,
    COMMON_EDITS,
    RENAME("etc/ld.so.conf.new", "etc/ld.so.conf"),
    {.kind = PF_EDIT_RUN, .path = "sbin/ldconfig"},
    IN_PLACE("etc/rc.d/rc.S", plamo5_rc_s),
    IN_PLACE("etc/rc.d/rc.M", bsd_rc_m),
    BSD_RC_INET1,
    {0},
};

static const struct pf_edit plamo6_edits[] = {
    COMMON_EDITS,
    LINES("etc/udev/udev.conf", quiet_udev),
    WRITE("etc/fstab", bsd_fstab),
    LINES("etc/inittab", bsd_inittab),
    BSD_NETWORK_SCHEME,
    IN_PLACE("etc/rc.d/rc.S", plamo6_rc_s),
    IN_PLACE("etc/rc.d/rc.M", bsd_rc_m),
    IN_PLACE("etc/rc.d/rc.6", plamo6_rc_6),
    BSD_RC_INET1,
    LINES("etc/rc.d/rc.inet2", plamo6_rc_inet2),
    /* Only the services that each container needs. */
    CHMOD("etc/rc.d/init.d/saslauthd", 0644),
    CHMOD("etc/rc.d/init.d/open-iscsi", 0644),
    REMOVE("etc/rc.d/init.d/postfix"),
    REMOVE("var/log/initpkg/shadow"),
    {0},
};

/* Plamo 7 and 8: a script per service, started by run level. */

/* A login prompt on the console, a halt at once on the power-fail signal that lxc-stop sends, and
   consoles 1 to 3 only. */
static const struct pf_textedit sysv_inittab[] = {
    INSERT_BEFORE("1:2345", "c:1235:respawn:/sbin/agetty console 38400"),
    INSERT_AFTER("ca:", POWERFAIL),
    DELETE_PREFIX("4:2345"),
    DELETE_PREFIX("5:2345"),
    DELETE_PREFIX("6:2345"),
    {0},
};

/* Nobody is there to press Enter. */
static const struct pf_textedit no_waiting[] = {
    DELETE("wait_for_user"),
    DELETE("Press Enter to"),
    {0},
};

static const char sysv_fstab[] = "proc            /proc   proc    defaults        0 0\n"
                                 "tmpfs           /run    tmpfs   defaults        0 0\n"
                                 "sysfs           /sys    sysfs   defaults        0 0\n"
                                 "tmpfs           /tmp    tmpfs   defaults        0 0\n"
                                 "devpts          /dev/pts        devpts  gid=5,mode=620  0 0\n"
                                 "usbfs           /proc/bus/usb   usbfs   noauto  0 0\n";

static const struct pf_edit sysv_edits[] = {
    COMMON_EDITS,
    APPEND("etc/fstab", sysv_fstab),
    LINES("etc/inittab", sysv_inittab),
    /* What sets up hardware, disks and clocks is the host's business. */
    REMOVE("etc/rc.d/rcS.d/S05modules"),
    REMOVE("etc/rc.d/rcS.d/S10eudev"),
    REMOVE("etc/rc.d/rcS.d/S20swap"),
    REMOVE("etc/rc.d/rcS.d/S30checkfs"),
    REMOVE("etc/rc.d/rcS.d/S35setclock"),
    REMOVE("etc/rc.d/rcS.d/S50eudev_retry"),
    REMOVE("etc/rc.d/rcS.d/S70console"),
    REMOVE("etc/rc.d/rc3.d/S30sshd"),
    REMOVE("etc/rc.d/rc6.d/K30sshd"),
    REMOVE("etc/rc.d/rc6.d/K35setclock"),
    REMOVE("etc/rc.d/rc6.d/S65swap"),
    REMOVE("etc/rc.d/rc6.d/S70mountfs"),
    REMOVE("etc/rc.d/rc0.d/K30sshd"),
    REMOVE("etc/rc.d/rc0.d/K35setclock"),
    REMOVE("etc/rc.d/rc0.d/S65swap"),
    REMOVE("etc/rc.d/rc0.d/S70mountfs"),
    LINES("etc/rc.d/init.d/rc", no_waiting),
    DHCP("etc/sysconfig/ifconfig.eth0", "ONBOOT=\"yes\"\nIFACE=\"eth0\"\nSERVICE=\"dhclient\"\n"),
    /* ifup leaves such an interface alone at boot; by hand it still starts it. */
    NO_NETWORK("etc/sysconfig/ifconfig.eth0",
               "ONBOOT=\"no\"\nIFACE=\"eth0\"\nSERVICE=\"dhclient\"\n"),
    /* First-boot questions that a container has no use for. */
    REMOVE("var/log/initpkg/shadow"),
    REMOVE("var/log/initpkg/netconfig7"),
    REMOVE("var/log/initpkg/eudev"),
    REMOVE("var/log/initpkg/openssh"),
    {0},
};

static const struct pf_profile profiles[] = {
    {
        .first_major = 5,
        .last_major = 5,
        .default_categories = base_and_minimum,
        .default_addons = morse,
        .default_ignore = plamo5_ignored,
        .known_categories = plamo5_categories,
        .known_contrib = contrib,
        .default_timezone = "Asia/Tokyo",
        .root_password = "password:root",
        .listed = PF_RECORD_NAMES_ESCAPED,
        .lxc_fstab = true,
        .tools = {"hdsetup", "sbin/installer"},
        .edits = plamo5_edits,
    },
    {
        .first_major = 6,
        .last_major = 6,
        .default_categories = base_and_minimum,
        .default_addons = morse,
        .default_ignore = ignored,
        .known_categories = plamo5_categories,
        .known_contrib = contrib,
        .default_timezone = "Asia/Tokyo",
        .listed = PF_RECORD_NAMES_ESCAPED,
        .tools = {"hdsetup", "sbin/installer"},
        .edits = plamo6_edits,
    },
    {
        .first_major = 7,
        .last_major = 8,
        .default_categories = base,
        .default_addons = no_names,
        .default_ignore = ignored,
        .known_categories = plamo7_categories,
        .known_contrib = contrib,
        .default_timezone = "Asia/Tokyo",
        .listed = PF_RECORD_NAMES_PLAIN,
        .tools = {"pkgtools", "sbin/installer_new"},
        .edits = sysv_edits,
    },
};

const char *pf_profile_default_release(void)
{
    return "7.x";
}

const struct pf_profile *pf_profile_find(const char *release)
{
    char *end;
    if (*release < '0' || *release > '9')
        return NULL;
    unsigned long major = strtoul(release, &end, 10);
    if (*end != '.' || end[1] == '\0' || strchr(release, '/'))
        return NULL;
    for (size_t i = 0; i < sizeof profiles / sizeof *profiles; i++) {
        if (major >= profiles[i].first_major && major <= profiles[i].last_major)
            return &profiles[i];
    }
    return NULL;
}
