/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The profiles of Plamo 5 and 6 on roots with files of the shape that those releases have. */
#include "configure.h"

#include "support.h"

#include <fcntl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define TEMPLATE "/usr/share/lxc/templates/lxc-plamo"

static struct temp temp;
static int root;
static struct event_log log_;
static struct pf_error err;

static int begin(void **state)
{
    (void)state;
    temp_begin(&temp);
    put_file(temp.fd, "outside/sentinel", "kept\n");
    root = open_folder(temp.fd, "root");
    event_log_begin(&log_);
    err = (struct pf_error){0};
    return 0;
}

static int end(void **state)
{
    (void)state;
    assert_file(temp.fd, "outside/sentinel", "kept\n");
    event_log_end(&log_);
    close(root);
    temp_end(&temp);
    return 0;
}

static int configure(int fd, const char *release, struct pf_configure_wish wish)
{
    struct pf_configure settled;
    wish.name = "box-1";
    wish.of_container = true;
    int failed = pf_configure_settle(&wish, pf_profile_find(release), &settled, &err);
    if (!failed)
        failed = pf_configure_root(fd, &settled, log_.events, NULL, &err);
    pf_configure_end(&settled);
    return failed;
}

static const struct pf_configure_wish no_wish;

static const char rc_s[] = "#!/bin/sh\n"
                           "PATH=/sbin:/bin\n"
                           "\n"
                           "mount -w -n -t proc /proc /proc\n"
                           "mount -w -n -t sysfs /sys /sys\n"
                           "mkdir /dev/pts\n"
                           "mkdir /dev/shm\n"
                           "chmod 1777 /dev/shm\n"
                           "\n"
                           "# ln -s /bin/true /dev/.hotplug.agent\n"
                           "\n"
                           "mknod /dev/null -m 0666 c 1 3\n"
                           "mknod /dev/unikey -m 0644 c 10 202\n"
                           "swapon -a\n"
                           "\t# Check the integrity of the first\n"
                           "mv /dev/.udev.log /var/log\n"
                           "\n"
                           "# Clean /etc/mtab* and more.\n"
                           "rm -f /etc/mtab*\n"
                           "\n"
                           "# copy the rules generated before\n"
                           "for f in /dev/.udev/*; do :; done\n"
                           "\n"
                           "# Set the hostname.\n"
                           "hostname x\n"
                           "\n"
                           "# Check the integrity of the others.\n"
                           "fsck -A\n"
                           "\n"
                           "# Clean up temporary files.\n"
                           "rm -f /etc/nologin\n";

/* The first sync is another one than ed finds behind its last deletion. */
static const char rc_m[] = "#!/bin/sh\n"
                           "sync\n"
                           "# Screen blanks after a while.\n"
                           "setterm -blank 15\n"
                           "\n"
                           "# Initialize ip6tables.\n"
                           "# Initialize sysctl.\n"
                           "sysctl -p\n"
                           "\n"
                           "echo \"Starting services:\"\n"
                           "echo ready\n"
                           "sync\n"
                           "\n"
                           "# All done.\n";

static const char rc_6[] = "#!/bin/sh\n"
                           "# Save localtime.\n"
                           "# Save system time into the clock.\n"
                           "hwclock --systohc\n"
                           "# Unmount any remote filesystems.\n"
                           "umount -a -t nfs\n"
                           "# Turn off swap, then unmount.\n"
                           "swapoff -a\n"
                           "# See if this is a powerfail situation.\n"
                           "halt\n";

/* patch wants the lines at their places: 32 and 33, 48, 52 and 53. */
static void put_inittab(int fd)
{
    static const char ends[] = "c1:1235:respawn:/sbin/agetty 38400 tty1 linux\n"
                               "c2:1235:respawn:/sbin/agetty 38400 tty2 linux\n"
                               "c3:1235:respawn:/sbin/agetty 38400 tty3 linux\n"
                               "c4:1235:respawn:/sbin/agetty 38400 tty4 linux\n"
                               "c5:1235:respawn:/sbin/agetty 38400 tty5 linux\n"
                               "c6:12345:respawn:/sbin/agetty 38400 tty6 linux\n"
                               "# back to single user, when power fails\n";
    struct buffer text = {0};
    for (int i = 1; i <= 31; i++)
        buffer_add(&text, "# a line\n", 9);
    static const char power[] = "# What to do when power fails (shutdown to single user).\n"
                                "pf::powerfail:/sbin/shutdown -f +5 \"THE POWER IS FAILING\"\n";
    buffer_add(&text, power, sizeof power - 1);
    for (int i = 34; i <= 47; i++)
        buffer_add(&text, "ps:S:x to single user\n", 22);
    buffer_add(&text, ends, sizeof ends - 1);
    put_bytes(fd, "etc/inittab", text.data, text.length, 0644);
    buffer_end(&text);
}

/* A function that writes the boot script, and 93 lines behind it, as the real one has. */
/* A shell of the root's own, static, so that it runs in a root that has nothing else. */
static void put_shell(int fd)
{
    static char data[4 << 20];
    int from = open("/bin/busybox", O_RDONLY | O_CLOEXEC);
    ssize_t length = from < 0 ? -1 : read(from, data, sizeof data);
    close(from);
    assert_true(length > 0);
    put_bytes(fd, "bin/sh", data, (size_t)length, 0755);
    put_bytes(fd, "bin/cat", data, (size_t)length, 0755);
}

static void put_netconfig(int fd)
{
    static const char function[] =
        "#!/bin/sh\n"
        "make_config_file() {\n"
        "[ \"$PCMCIA\" = n ] || exit 1\n"
        "if [ -f $RC ] ; then cp $RC tmp/old ; fi\n"
        "cat <<EOF >$RC\n"
        "/$IFCONFIG lo 127.0.0.1\n"
        "/$ROUTE add -net 127.0.0.0 lo\n"
        "if [ -f /$INET1SCHEME ] ; then x=\\`cat /$INET1SCHEME\\` ; fi\n"
        "IPADDR=\"$IPADDR\" NETMASK=\"$NETMASK\" NETWORK=\"$NETWORK\" LOOPBACK=$LOOPBACK\n"
        "if grep -q wlan /proc/cmdline ; then if true ; then wlan ; fi ; fi\n"
        "/$DHCPCD eth0\n"
        "EOF\n"
        "chmod 755 $RC\n"
        "echo made it\n"
        "}\n";
    struct buffer text = {0};
    buffer_add(&text, function, sizeof function - 1);
    for (int i = 0; i < 93; i++)
        buffer_add(&text, "exit 9\n", 7);
    put_bytes(fd, "sbin/netconfig.tradnet", text.data, text.length, 0755);
    buffer_end(&text);
}

static void put_mode(int fd, const char *path, const char *text, mode_t mode, uid_t owner)
{
    put_bytes(fd, path, text, strlen(text), mode);
    assert_int_equal(fchownat(fd, path, owner, owner + 1, 0), 0);
    assert_int_equal(fchmodat(fd, path, mode, 0), 0);
}

/* What 5.x and 6.x share. Modes and owners are odd ones, so that it shows whether they are kept. */
static void put_root(int fd)
{
    put_mode(fd, "etc/pam.d/login", "auth x\nsession pam_loginuid.so\n", 0640, 11);
    put_mode(fd, "etc/udev/udev.conf", "# udev\nudev_log=\"err\"\n", 0604, 12);
    put_mode(fd, "etc/fstab", "/dev/sda1 / ext4 defaults 1 1\n", 0600, 13);
    put_inittab(fd);
    put_mode(fd, "etc/rc.d/rc.S", rc_s, 0750, 14);
    put_mode(fd, "etc/rc.d/rc.M", rc_m, 0755, 15);
    put_mode(fd, "etc/rc.d/rc.6", rc_6, 0700, 16);
    put_mode(fd, "etc/rc.d/rc.inet1.tradnet", "old\n", 0600, 17);
    put_mode(fd, "etc/rc.d/rc.inet2", "SERV=\"rpc.nfsd rpc.mountd\"\n  modprobe sunrpc\nrpcbind\n",
             0711, 18);
    put_netconfig(fd);
    put_folder(fd, "var/run", 0755);
    put_folder(fd, "tmp", 01777);
    put_shell(fd);
    put_mode(fd, "etc/rc.d/init.d/saslauthd", "x\n", 0755, 19);
    put_mode(fd, "etc/rc.d/init.d/open-iscsi", "x\n", 04755, 20);
    put_mode(fd, "etc/rc.d/init.d/postfix", "x\n", 0755, 21);
    put_mode(fd, "var/log/initpkg/shadow", "x\n", 0755, 22);
    put_file(fd, "usr/share/zoneinfo/Asia/Tokyo", "TZif");
    put_mode(fd, "etc/passwd", "root:x:0:0::/root:/bin/bash\n", 0644, 0);
    put_mode(fd, "etc/shadow", "root:!:9000:0:::::\n", 0600, 0);
}

static void expect_no_warning(void)
{
    char part[8];
    snprintf(part, sizeof part, "\n%d|", PF_EVENT_WARNING);
    assert_null(strstr(log_.text, part));
    assert_true(strncmp(log_.text, part + 1, strlen(part) - 1) != 0);
}

static bool can_run_template(void)
{
    static const char *const needed[] = {TEMPLATE, "/bin/bash", "/bin/ed", "/usr/bin/patch"};
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        if (access(needed[i], R_OK) < 0) {
            print_message("skipped: %s is not here\n", needed[i]);
            return false;
        }
    }
    return true;
}

/* Runs the template's own functions on the folder `shell`. */
static void configure_by_template(void)
{
    char command[1024];
    snprintf(command, sizeof command,
             "cd %s && sed -n '/^configure_plamo[67]*() {/,/^}/p' " TEMPLATE
             " | sed 's@/tmp/netconfig@%s/netconfig@' >functions && umask 022 && "
             "env -i PATH=\"$PATH\" bash -eu -c '. ./functions; name=box-1 majorver=6 "
             "rootfs=%s/shell; cd shell; configure_plamo' >/dev/null 2>&1 </dev/null",
             temp.path, temp.path, temp.path);
    assert_int_equal(system(command), 0);
}

static void gives_for_6_what_the_template_gives(void **state)
{
    (void)state;
    if (!can_run_template())
        skip();
    int shell = open_folder(temp.fd, "shell");
    int fds[] = {root, shell};
    for (size_t i = 0; i < 2; i++) {
        put_root(fds[i]);
        /* rc.0 is rc.6 under another name. */
        assert_int_equal(linkat(fds[i], "etc/rc.d/rc.6", fds[i], "etc/rc.d/rc.0", 0), 0);
        assert_int_equal(linkat(fds[i], "etc/rc.d/rc.inet2", fds[i], "etc/rc.d/inet2", 0), 0);
        put_link(fds[i], "etc/rc.d/rc.M.link", "rc.M");
    }
    configure_by_template();
    assert_ok(configure(root, "6.x", no_wish), &err);
    expect_no_warning();
    assert_same_tree(root, shell, 0);
    static const char *const files[] = {"etc/fstab",     "etc/inittab",
                                        "etc/rc.d/rc.S", "etc/rc.d/rc.M",
                                        "etc/rc.d/rc.0", "etc/rc.d/rc.inet1.tradnet"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char *text = get_file(shell, files[i]);
        assert_file(root, files[i], text);
        free(text);
    }
    close(shell);
}

static void configures_6(void **state)
{
    (void)state;
    put_root(root);
    assert_ok(configure(root, "6.x", no_wish), &err);
    expect_no_warning();
    assert_file(root, "etc/HOSTNAME", "box-1\n");
    assert_file(root, "etc/udev/udev.conf", "# udev\nudev_log=0\n");
    assert_file(root, "var/run/inet1-scheme", "DHCP\n");
    assert_file(root, "etc/rc.d/rc.S",
                "#!/bin/sh\nPATH=/sbin:/bin\n\nmkdir /dev/shm\nchmod 1777 /dev/shm\n\n"
                "# ln -s /bin/true /dev/.hotplug.agent\n\n\n# Clean /etc/mtab* and more.\n"
                "rm -f /etc/mtab*\n\n# Set the hostname.\nhostname x\n\n"
                "# Clean up temporary files.\nrm -f /etc/nologin\n");
    assert_file(
        root, "etc/rc.d/rc.M",
        "#!/bin/sh\nsync\n# Initialize ip6tables.\necho \"Starting services:\"\necho ready\n"
        "# All done.\n");
    assert_file(root, "etc/rc.d/rc.6",
                "#!/bin/sh\n# Save localtime.\n# Unmount any remote filesystems.\n"
                "umount -a -t nfs\n# See if this is a powerfail situation.\nhalt\n");
    assert_file(root, "etc/rc.d/rc.inet1.tradnet",
                "/sbin/ifconfig lo 127.0.0.1\n/sbin/route add -net 127.0.0.0 lo\n"
                "if [ -f /var/run/inet1-scheme ] ; then x=`cat /var/run/inet1-scheme` ; fi\n"
                "IPADDR=\"127.0.0.1\" NETMASK=\"\" NETWORK=\"127.0.0.0\" LOOPBACK=y\n"
                "if false && grep -q wlan /proc/cmdline ; then if true ; then wlan ; fi ; fi\n"
                "/usr/sbin/dhclient eth0\n");
    assert_int_equal(stat_of(root, "etc/rc.d/rc.inet1.tradnet").st_mode, S_IFREG | 0755);
    assert_int_equal(stat_of(root, "etc/rc.d/rc.inet1.tradnet").st_uid, 0);
    assert_file(root, "etc/rc.d/rc.inet2",
                "#SERV=\"rpc.nfsd rpc.mountd\"\n#  modprobe sunrpc\nrpcbind\n");
    assert_int_equal(stat_of(root, "etc/rc.d/init.d/saslauthd").st_mode, S_IFREG | 0644);
    assert_int_equal(stat_of(root, "etc/rc.d/init.d/open-iscsi").st_mode, S_IFREG | 0644);
    assert_false(has_name(root, "etc/rc.d/init.d/postfix"));
    assert_false(has_name(root, "var/log/initpkg/shadow"));
    assert_file(root, "etc/shadow", "root:!:9000:0:::::\n");
    assert_contains(log_.text, "|sbin/netconfig.tradnet|made it\n");
    char *inittab = get_file(root, "etc/inittab");
    assert_contains(inittab, "# What to do when power fails (shutdown).\n"
                             "pf::powerfail:/sbin/shutdown -h +0 \"THE POWER IS FAILING\"\n");
    assert_contains(inittab,
                    "ps:S:x to single user\n1:1235:respawn:/sbin/agetty 38400 console\nc1:");
    assert_null(strstr(inittab, "tty5"));
    free(inittab);
}

/* A root of its own for ldconfig: a shell that needs no library. */
static bool put_ldconfig(void)
{
    char command[256];
    snprintf(command, sizeof command, "mkdir -p %s/root/bin && cp /bin/busybox %s/root/bin/sh",
             temp.path, temp.path);
    if (access("/bin/busybox", X_OK) < 0 || system(command) != 0)
        return false;
    static const char script[] = "#!/bin/sh\necho x >/etc/ld.so.cache\necho ran in `pwd`\n";
    put_bytes(root, "sbin/ldconfig", script, sizeof script - 1, 0755);
    return true;
}

static void configures_5(void **state)
{
    (void)state;
    if (!put_ldconfig()) {
        print_message("skipped: /bin/busybox is not here\n");
        skip();
    }
    put_root(root);
    put_file(root, "etc/ld.so.conf.new", "/usr/lib\n");
    put_file(root, "etc/ld.so.conf", "old\n");
    assert_int_equal(mknodat(root, "dev/none", 0, 0), -1);
    put_folder(root, "dev", 0755);
    assert_int_equal(mknodat(root, "dev/null", S_IFCHR | 0600, makedev(1, 3)), 0);
    assert_int_equal(mknodat(root, "dev/zero", S_IFCHR | 0600, makedev(1, 99)), 0);
    put_file(root, "dev/tty1", "a file\n");
    put_link(root, "dev/tty2", "../../outside/sentinel");
    put_folder(root, "dev/pts", 0700);
    assert_ok(configure(root, "5.x", no_wish), &err);
    static const struct {
        const char *name;
        mode_t mode;
        unsigned major, minor;
    } nodes[] = {{"null", S_IFCHR | 0666, 1, 3},    {"zero", S_IFCHR | 0666, 1, 5},
                 {"full", S_IFCHR | 0666, 1, 7},    {"random", S_IFCHR | 0666, 1, 8},
                 {"urandom", S_IFCHR | 0666, 1, 9}, {"tty", S_IFCHR | 0666, 5, 0},
                 {"tty0", S_IFCHR | 0666, 4, 0},    {"tty1", S_IFCHR | 0666, 4, 1},
                 {"tty2", S_IFCHR | 0666, 4, 2},    {"tty3", S_IFCHR | 0666, 4, 3},
                 {"tty4", S_IFCHR | 0666, 4, 4},    {"console", S_IFCHR | 0600, 5, 1},
                 {"ptmx", S_IFCHR | 0666, 5, 2},    {"initctl", S_IFIFO | 0600, 0, 0},
                 {"pts", S_IFDIR | 0755, 0, 0}};
    for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++) {
        char path[32];
        snprintf(path, sizeof path, "dev/%s", nodes[i].name);
        struct stat st = stat_of(root, path);
        assert_int_equal(st.st_mode, nodes[i].mode);
        if (S_ISCHR(st.st_mode))
            assert_int_equal(st.st_rdev, makedev(nodes[i].major, nodes[i].minor));
    }
    assert_file(root, "etc/ld.so.conf", "/usr/lib\n");
    assert_false(has_name(root, "etc/ld.so.conf.new"));
    assert_file(root, "etc/ld.so.cache", "x\n");
    assert_contains(log_.text, "|sbin/ldconfig|ran in /\n");
    assert_file(root, "etc/rc.d/rc.S",
                "#!/bin/sh\nPATH=/sbin:/bin\n\n# ln -s /bin/true /dev/.hotplug.agent\n\n"
                "mknod /dev/null -m 0666 c 1 3\n\n# Clean /etc/mtab* and more.\n"
                "rm -f /etc/mtab*\n\n# Set the hostname.\nhostname x\n\n"
                "# Clean up temporary files.\nrm -f /etc/nologin\n");
    assert_file(root, "etc/rc.d/rc.6", rc_6); /* 6.x only, like the next */
    assert_true(has_name(root, "etc/rc.d/init.d/postfix"));
    char *shadow = get_file(root, "etc/shadow");
    assert_int_equal(strncmp(shadow, "root:$6$", 8), 0);
    free(shadow);
    /* The one warning is of the password. */
    char part[32];
    snprintf(part, sizeof part, "%d|etc/shadow|", PF_EVENT_WARNING);
    assert_contains(log_.text, part);
    *strstr(log_.text, part) = '0';
    expect_no_warning();
}

static void sets_up_no_network_where_none_is_wanted(void **state)
{
    (void)state;
    static const char *const releases[] = {"5.x", "6.x"};
    for (size_t i = 0; i < 2; i++) {
        put_root(root);
        assert_ok(configure(root, releases[i], (struct pf_configure_wish){.network = "none"}),
                  &err);
        assert_file(root, "var/run/inet1-scheme", "LOOPBACK\n");
        assert_true(has_name(root, "etc/rc.d/rc.inet1.tradnet"));
    }
    put_folder(root, "etc/sysconfig", 0755);
    assert_ok(configure(root, "8.x", (struct pf_configure_wish){.network = "none"}), &err);
    assert_file(root, "etc/sysconfig/ifconfig.eth0",
                "ONBOOT=\"no\"\nIFACE=\"eth0\"\nSERVICE=\"dhclient\"\n");
    assert_ok(configure(root, "7.x", (struct pf_configure_wish){.network = "dhcp"}), &err);
    assert_file(root, "etc/sysconfig/ifconfig.eth0",
                "ONBOOT=\"yes\"\nIFACE=\"eth0\"\nSERVICE=\"dhclient\"\n");
}

static void keeps_or_sets_the_password_as_wanted(void **state)
{
    (void)state;
    put_root(root);
    assert_ok(configure(root, "5.x", (struct pf_configure_wish){.root_password = "keep"}), &err);
    assert_file(root, "etc/shadow", "root:!:9000:0:::::\n");
    assert_ok(configure(root, "6.x",
                        (struct pf_configure_wish){.root_password = "password:secret"}),
              &err);
    char *shadow = get_file(root, "etc/shadow");
    assert_int_equal(strncmp(shadow, "root:$6$", 8), 0);
    free(shadow);
    assert_null(strstr(log_.text, "|etc/shadow|"));
    assert_null(strstr(log_.text, "secret"));
}

/* An empty root: each edit says which file it misses, and none of them ends the build. */
static void goes_on_in_a_root_without_any_file(void **state)
{
    (void)state;
    static const char *const named[] = {
        "etc/udev/udev.conf",
        "etc/inittab",
        "etc/rc.d/rc.S",
        "etc/rc.d/rc.M",
        "etc/pam.d/login",
        "etc/rc.d/rc.inet1.tradnet|not made: the root has no sbin/netconfig.tradnet",
        "etc/ld.so.conf.new",
        "sbin/ldconfig",
        "etc/localtime",
        "etc/shadow",
        "etc/HOSTNAME"};
    assert_ok(configure(root, "5.x", no_wish), &err);
    for (size_t i = 0; i < sizeof named / sizeof *named; i++) {
        char part[128];
        snprintf(part, sizeof part, "%d|%s", PF_EVENT_WARNING, named[i]);
        assert_contains(log_.text, part);
    }
    assert_ok(configure(root, "6.x", no_wish), &err);
}

static void names_the_anchors_that_a_file_lacks(void **state)
{
    (void)state;
    put_root(root);
    put_file(root, "etc/rc.d/rc.S",
             "mount -w -n -t proc\n# copy the rules\nx\n# Set the hostname\n");
    put_file(root, "etc/inittab", "# none of them\n");
    put_file(root, "etc/rc.d/rc.inet2", "# nothing of it\n");
    assert_ok(configure(root, "6.x", no_wish), &err);
    static const char *const missing[] = {
        "etc/rc.d/rc.S|not edited: no line has \"mkdir /dev/shm\"",
        "etc/rc.d/rc.S|not edited: no line has \"mknod /dev/null\"",
        "etc/rc.d/rc.S|not edited: no line has \"# Check the integrity\"",
        "etc/inittab|not edited: no line has \"# What to do when power fails\"",
        "etc/inittab|not edited: no line has \"pf::powerfail:\"",
        "etc/inittab|not edited: no line has \"c1:\""};
    static const char *const normal[] = {"etc/inittab|no line has \"c5:\"",
                                         "etc/rc.d/rc.inet2|no line has \"modprobe\""};
    char part[128];
    for (size_t i = 0; i < sizeof missing / sizeof *missing; i++) {
        snprintf(part, sizeof part, "%d|%s\n", PF_EVENT_WARNING, missing[i]);
        assert_contains(log_.text, part);
    }
    for (size_t i = 0; i < sizeof normal / sizeof *normal; i++) {
        snprintf(part, sizeof part, "%d|%s\n", PF_EVENT_NOTE, normal[i]);
        assert_contains(log_.text, part);
    }
    assert_file(root, "etc/rc.d/rc.S", "mount -w -n -t proc\n# Set the hostname\n");
}

#define test(f) cmocka_unit_test_setup_teardown(f, begin, end)
static const struct CMUnitTest tests[] = {
    test(gives_for_6_what_the_template_gives),
    test(configures_6),
    test(configures_5),
    test(sets_up_no_network_where_none_is_wanted),
    test(keeps_or_sets_the_password_as_wanted),
    test(goes_on_in_a_root_without_any_file),
    test(names_the_anchors_that_a_file_lacks),
};
support_main(tests, true)
