/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "profile.h"

#include <stdlib.h>
#include <string.h>

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

static const char *const base_category[] = {"00_base", NULL};

static const struct pf_textedit no_loginuid[] = {
    {PF_TEXTEDIT_COMMENT, "pam_loginuid", NULL},
    {0},
};

/* A login prompt on the console, a halt at once on the power-fail signal that lxc-stop sends, and
   consoles 1 to 3 only. */
static const struct pf_textedit sysv_inittab[] = {
    {PF_TEXTEDIT_INSERT_BEFORE, "1:2345", "c:1235:respawn:/sbin/agetty console 38400"},
    {PF_TEXTEDIT_INSERT_AFTER,
     "ca:", "pf::powerfail:/sbin/shutdown -h +0 \"THE POWER IS FAILING\""},
    {PF_TEXTEDIT_DELETE_PREFIX, "4:2345", NULL},
    {PF_TEXTEDIT_DELETE_PREFIX, "5:2345", NULL},
    {PF_TEXTEDIT_DELETE_PREFIX, "6:2345", NULL},
    {0},
};

/* Nobody is there to press Enter. */
static const struct pf_textedit no_waiting[] = {
    {PF_TEXTEDIT_DELETE, "wait_for_user", NULL},
    {PF_TEXTEDIT_DELETE, "Press Enter to", NULL},
    {0},
};

static const char sysv_fstab[] = "proc            /proc   proc    defaults        0 0\n"
                                 "tmpfs           /run    tmpfs   defaults        0 0\n"
                                 "sysfs           /sys    sysfs   defaults        0 0\n"
                                 "tmpfs           /tmp    tmpfs   defaults        0 0\n"
                                 "devpts          /dev/pts        devpts  gid=5,mode=620  0 0\n"
                                 "usbfs           /proc/bus/usb   usbfs   noauto  0 0\n";

static const struct pf_edit sysv_edits[] = {
    {PF_EDIT_WRITE, "etc/HOSTNAME", "%N\n", NULL},
    {PF_EDIT_WRITE, "etc/hosts", "127.0.0.1 localhost %N\n", NULL},
    {PF_EDIT_SYMLINK, "etc/localtime", "../usr/share/zoneinfo/Asia/Tokyo", NULL},
    {PF_EDIT_LINES, "etc/pam.d/login", NULL, no_loginuid},
    {PF_EDIT_APPEND, "etc/fstab", sysv_fstab, NULL},
    {PF_EDIT_LINES, "etc/inittab", NULL, sysv_inittab},
    /* What sets up hardware, disks and clocks is the host's business. */
    {PF_EDIT_REMOVE, "etc/rc.d/rcS.d/S05modules", NULL, NULL},
    {PF_EDIT_REMOVE, "etc/rc.d/rcS.d/S10eudev", NULL, NULL},
    {PF_EDIT_REMOVE, "etc/rc.d/rcS.d/S20swap", NULL, NULL},
    {PF_EDIT_REMOVE, "etc/rc.d/rcS.d/S30checkfs", NULL, NULL},
    {PF_EDIT_REMOVE, "etc/rc.d/rcS.d/S35setclock", NULL, NULL},
    {PF_EDIT_REMOVE, "etc/rc.d/rcS.d/S50eudev_retry", NULL, NULL},
    {PF_EDIT_REMOVE, "etc/rc.d/rcS.d/S70console", NULL, NULL},
    {PF_EDIT_REMOVE, "etc/rc.d/rc3.d/S30sshd", NULL, NULL},
    {PF_EDIT_REMOVE, "etc/rc.d/rc6.d/K30sshd", NULL, NULL},
    {PF_EDIT_REMOVE, "etc/rc.d/rc6.d/K35setclock", NULL, NULL},
    {PF_EDIT_REMOVE, "etc/rc.d/rc6.d/S65swap", NULL, NULL},
    {PF_EDIT_REMOVE, "etc/rc.d/rc6.d/S70mountfs", NULL, NULL},
    {PF_EDIT_REMOVE, "etc/rc.d/rc0.d/K30sshd", NULL, NULL},
    {PF_EDIT_REMOVE, "etc/rc.d/rc0.d/K35setclock", NULL, NULL},
    {PF_EDIT_REMOVE, "etc/rc.d/rc0.d/S65swap", NULL, NULL},
    {PF_EDIT_REMOVE, "etc/rc.d/rc0.d/S70mountfs", NULL, NULL},
    {PF_EDIT_LINES, "etc/rc.d/init.d/rc", NULL, no_waiting},
    {PF_EDIT_WRITE, "etc/sysconfig/ifconfig.eth0",
     "ONBOOT=\"yes\"\nIFACE=\"eth0\"\nSERVICE=\"dhclient\"\n", NULL},
    /* First-boot questions that a container has no use for. */
    {PF_EDIT_REMOVE, "var/log/initpkg/shadow", NULL, NULL},
    {PF_EDIT_REMOVE, "var/log/initpkg/netconfig7", NULL, NULL},
    {PF_EDIT_REMOVE, "var/log/initpkg/eudev", NULL, NULL},
    {PF_EDIT_REMOVE, "var/log/initpkg/openssh", NULL, NULL},
    {0},
};

static const struct pf_profile profiles[] = {
    {
        .first_major = 7,
        .last_major = 8,
        .default_categories = base_category,
        .default_addons = no_names,
        .default_ignore = ignored,
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
