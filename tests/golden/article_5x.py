"""What the template of the seed article did to a root of 5.x: a restatement of facts 4 and 5 for the tests alone.

Debian's lxc-plamo knows 5.x no more: it would configure it as 6.x. So the expectation for 5.x is the root that it
installs, configured by the script below, which is written as a template of that time would have been."""

import os
import subprocess
import tempfile

# Facts 2: before 6.x; later templates ignore more.
IGNOREPKGS = "grub kernel lilo linux_firmware microcode_ctl cpufreqd cpufrequtils gpm"
COMMON_CONFIG = "/usr/share/lxc/config/plamo.common.conf"

SCRIPT = r"""
set -eu
root=$1
name=$2
umask 022

# The name, the hosts, the zone, and a login that needs no audit session.
echo "$name" > "$root/etc/HOSTNAME"
echo "127.0.0.1 localhost $name" > "$root/etc/hosts"
ln -s ../usr/share/zoneinfo/Asia/Tokyo "$root/etc/localtime"
sed -i '/pam_loginuid/s/^/#/' "$root/etc/pam.d/login"

# The devices, which no udev makes; of one that a package brought the mode is set right.
while read -r node mode kind; do
    # The words of kind: a letter, and two numbers but for a fifo.
    [ -e "$root/dev/$node" ] || mknod "$root/dev/$node" $kind
    chmod "$mode" "$root/dev/$node"
done << DEVICES
null 666 c 1 3
zero 666 c 1 5
full 666 c 1 7
random 666 c 1 8
urandom 666 c 1 9
tty 666 c 5 0
tty0 666 c 4 0
tty1 666 c 4 1
tty2 666 c 4 2
tty3 666 c 4 3
tty4 666 c 4 4
ptmx 666 c 5 2
console 600 c 5 1
initctl 600 p
DEVICES
mkdir -p "$root/dev/pts"
chmod 755 "$root/dev/pts"
sed -i 's/="err"/=0/' "$root/etc/udev/udev.conf"

# The file systems.
cat > "$root/etc/fstab" << FSTAB
none            /proc   proc    defaults        0 0
none            /sys    sysfs   defaults        0 0
none            /dev    tmpfs   defaults        0 0
none            /tmp    tmpfs   defaults        0 0
none            /dev/pts        devpts  gid=5,mode=620  0 0
none            /proc/bus/usb   usbfs   noauto  0 0
none            /var/lib/nfs/rpc_pipefs rpc_pipefs  defaults   0 0
FSTAB

# A console, four terminals, and a halt at once when the power fails.
sed -i \
    -e '/^# .*power fails/s/ to single user//' \
    -e 's!^pf::powerfail:.*!pf::powerfail:/sbin/shutdown -h +0 "THE POWER IS FAILING"!' \
    -e '/^c1:/i 1:1235:respawn:/sbin/agetty 38400 console' \
    -e '/^c5:/d' -e '/^c6:/d' \
    "$root/etc/inittab"

echo DHCP > "$root/var/run/inet1-scheme"

mv "$root/etc/ld.so.conf.new" "$root/etc/ld.so.conf"
chroot "$root" ldconfig

# As chpasswd does it: the hash, and the day of the change. cat keeps the file's owner and mode.
hash=$(openssl passwd -6 root)
today=$(($(date +%s) / 86400))
sed "s!^root:[^:]*:[^:]*:!root:$hash:$today:!" "$root/etc/shadow" > "$scratch/shadow"
cat "$scratch/shadow" > "$root/etc/shadow"

# cut FILE FIRST END: away from the line that starts with FIRST up to, not including, the one that starts with END.
# With a number as fourth word that many lines more stay.
cut() {
    printf '/^%s/;/^%s/-%sd\nw\n' "$2" "$3" "$((1 + ${4:-0}))" | ed -s "$root/etc/rc.d/$1"
}
cut rc.S 'mount -w -n -t proc' '# ln -s \/bin\/true'
cut rc.S 'mknod \/dev\/unikey' '# Clean \/etc\/mtab' 1
cut rc.S '# copy the rules' '# Set the hostname'
cut rc.S '# Check the integrity' '# Clean up temporary'
cut rc.M '# Screen blanks' '# Initialize ip6tables'
cut rc.M '# Initialize sysctl' 'echo "Starting services'
cut rc.M 'sync' '# All done'

# rc.inet1.tradnet by the root's own netconfig, which ends in 93 lines of questions; then no radio network.
{
    head -n -93 "$root/sbin/netconfig.tradnet"
    cat << CALL
PCMCIA=n
RC=$root/etc/rc.d/rc.inet1.tradnet
IFCONFIG=sbin/ifconfig
ROUTE=sbin/route
INET1SCHEME=var/run/inet1-scheme
IPADDR=127.0.0.1
NETWORK=127.0.0.0
DHCPCD=usr/sbin/dhclient
LOOPBACK=y
make_config_file
CALL
} > "$scratch/netconfig"
rm -f "$root/etc/rc.d/rc.inet1.tradnet"
(cd "$scratch" && sh "$scratch/netconfig")
sed -i '/cmdline/s/if/if false \&\&/' "$root/etc/rc.d/rc.inet1.tradnet"
"""


def configure(root, name):
    """Makes a root that lxc-plamo has installed, and not configured, fit for a container."""
    with tempfile.TemporaryDirectory(prefix="plamo-article-") as scratch:
        subprocess.run(["sh", "-c", SCRIPT, "configure", root, name], check=True, stdin=subprocess.DEVNULL,
                       env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "scratch": scratch})


def config_lines(path, name, arch="x86_64"):
    """The lines that the configuration in the folder `path` gets besides those that lxc-create writes."""
    lines = [f"lxc.uts.name = {name}", f"lxc.mount.fstab = {path}/fstab", f"lxc.arch = {arch}"]
    return lines + ([f"lxc.include = {COMMON_CONFIG}"] if os.path.exists(COMMON_CONFIG) else [])
