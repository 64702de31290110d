# shellcheck shell=sh
# Sourced by scripts that need Debian's roots: how these are made, kept and entered. They are kept in PF_SMOKE_CACHE (default
# /var/cache/plamo-fast-tests) and made again where they are missing. The caller sets `sources` and `work`, a directory below
# $cache, and has mounts of its own or unmounts by let_go.

cache=${PF_SMOKE_CACHE:-/var/cache/plamo-fast-tests}
# Where this machine's own packages come from, unless PF_DEBIAN_MIRROR names another.
mirror=${PF_DEBIAN_MIRROR:-$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | head -n 1)}

# let_go ROOT: what inside has mounted.
let_go() {
    for mounted in "$1/dev/shm" "$1/dev/pts" "$1/dev" "$1/sys" "$1/proc" "$1"; do
        mountpoint -q "$mounted" && umount "$mounted"
    done
    return 0
}

# fit_out ROOT: what a chroot has mounted, and how it finds names of hosts.
fit_out() {
    mountpoint -q "$1/proc" || mount -t proc proc "$1/proc"
    mountpoint -q "$1/sys" || mount -t sysfs -o ro sysfs "$1/sys"
    mountpoint -q "$1/dev" || {
        mount --bind /dev "$1/dev"
        mount --bind /dev/pts "$1/dev/pts"
        mount -t tmpfs -o mode=1777 shm "$1/dev/shm"
    }
    cp -L /etc/resolv.conf "$1/etc/resolv.conf"
}

# in_chroot ROOT COMMAND…: / is no mount point there.
in_chroot() {
    root=$1
    shift
    fit_out "$root"
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
        chroot "$root" "$@" </dev/null
}

# inside ROOT COMMAND…: as on a machine, whose / is one.
inside() {
    mountpoint -q "$1" || mount --bind "$1" "$1"
    in_chroot "$@"
}

# copy FROM TO: appears whole or not at all.
copy() {
    rm -rf "$2.new"
    cp -a --reflink=auto "$1" "$2.new"
    mv "$2.new" "$2"
}

# bare_root SUITE: sees that the root of a Debian with nothing but its base is kept, as $cache/debian-SUITE.
bare_root() {
    [ ! -d "$cache/debian-$1" ] || return 0
    rm -rf "$cache/debian-$1.new"
    debootstrap --variant=minbase "$1" "$cache/debian-$1.new" "$mirror" >"$work/debootstrap.log" 2>&1 || {
        tail -n 5 "$work/debootstrap.log"
        return 1
    }
    mv "$cache/debian-$1.new" "$cache/debian-$1"
}
