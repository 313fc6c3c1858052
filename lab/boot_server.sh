#!/bin/sh
# Boots one server: the first process of a new PID, mount, UTS and IPC namespace becomes Debian's systemd on an
# overlay of this machine's root. Started by the power switch as
#
#   nsenter --net=NETNS unshare -m -u -i -p -f --kill-child --propagation private boot_server.sh NAME DISK CGROUP WATCHDOG
#
# NAME is the host name, DISK a directory that keeps what the server writes (its disk, on a tmpfs of the lab), CGROUP
# the server's own subtree of cgroup v2, WATCHDOG the socket of its dead-man switch. What could reach out of the server
# is taken away: this machine's device nodes (above all its watchdog and disks), sysrq and the sysctls that are not per
# network namespace.
set -eu
name=$1 disk=$2 cgroup=$3 watchdog=$4

# Joined before the cgroup namespace is made, so that this subtree is the server's cgroup root.
echo 0 >"$cgroup/cgroup.procs"
# Corosync takes real-time priority. A v1 cpu group that was given none, as a session's, refuses it, and corosync then
# leaves its unit's cgroup: so the server joins the root group, which has some.
[ ! -w /sys/fs/cgroup/cpu/cgroup.procs ] || echo 0 >/sys/fs/cgroup/cpu/cgroup.procs
[ "${KOMAINU_LAB_CGROUP_NAMESPACE:-}" ] || KOMAINU_LAB_CGROUP_NAMESPACE=1 exec unshare -C "$0" "$@"

root=$disk/root
mkdir -p "$disk/upper" "$disk/work" "$root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$disk/upper,workdir=$disk/work" "$root"
# A root that is spread over several file systems: each of these gets an overlay of its own.
for part in usr var etc opt; do
  if mountpoint -q "/$part"; then
    mkdir -p "$disk/$part.upper" "$disk/$part.work"
    mount -t overlay overlay -o "lowerdir=/$part,upperdir=$disk/$part.upper,workdir=$disk/$part.work" "$root/$part"
  fi
done
cd "$root"

# The first boot: what Debian enables by itself stays off, and units that only make sense on hardware are masked.
if ! [ -s "$disk/upper/etc/hostname" ]; then
  rm -rf etc/systemd/system/*.wants etc/rc?.d var/lib/corosync/* var/log/journal etc/corosync/corosync.conf
  mkdir -p etc/systemd/system-generators var/log/journal
  for unit in systemd-udevd.service systemd-udevd-control.socket systemd-udevd-kernel.socket systemd-udev-trigger.service \
    systemd-logind.service systemd-remount-fs.service systemd-modules-load.service systemd-timesyncd.service \
    systemd-networkd.service systemd-resolved.service systemd-random-seed.service systemd-update-utmp.service \
    systemd-pstore.service systemd-binfmt.service systemd-firstboot.service systemd-machine-id-commit.service \
    systemd-sysusers.service systemd-update-utmp-runlevel.service systemd-journald-audit.socket systemd-initctl.socket \
    systemd-ask-password-console.path systemd-ask-password-wall.path systemd-tmpfiles-clean.timer \
    dev-hugepages.mount dev-mqueue.mount sys-fs-fuse-connections.mount sys-kernel-config.mount sys-kernel-debug.mount \
    sys-kernel-tracing.mount proc-sys-fs-binfmt_misc.automount kmod-static-nodes.service getty.target getty-static.service \
    cryptsetup.target veritysetup.target integritysetup.target; do
    ln -sf /dev/null "etc/systemd/system/$unit"
  done
  for generator in lib/systemd/system-generators/*; do
    ln -sf /dev/null "etc/systemd/system-generators/${generator##*/}"
  done
  : >etc/fstab
  # The lab has no name server. fence-agents look their own host name up, and would wait 10 s for this machine's to answer.
  rm -f etc/resolv.conf
  : >etc/resolv.conf
  tr -d - </proc/sys/kernel/random/uuid >etc/machine-id
  echo "$name" >etc/hostname
fi

mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755,size=256m tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp

mount -t tmpfs -o mode=755,size=1m tmpfs dev
mkdir dev/shm dev/pts dev/mqueue dev/net
mount -t tmpfs -o mode=1777 tmpfs dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts dev/pts
mount -t mqueue mqueue dev/mqueue
mknod -m 666 dev/null c 1 3
mknod -m 666 dev/zero c 1 5
mknod -m 666 dev/full c 1 7
mknod -m 666 dev/random c 1 8
mknod -m 666 dev/urandom c 1 9
mknod -m 666 dev/tty c 5 0
mknod -m 666 dev/fuse c 10 229
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s /proc/self/fd/0 dev/stdin
ln -s /proc/self/fd/1 dev/stdout
ln -s /proc/self/fd/2 dev/stderr
[ ! -e proc/sysrq-trigger ] || mount --bind dev/null proc/sysrq-trigger
mount --rbind "/proc/sys/net" proc/sys/net

# What all servers of the lab see, as they would a disk on a storage network.
mkdir -p "${disk%/*}/shared" srv/shared
mount --bind "${disk%/*}/shared" srv/shared

hostname "$name"
mkdir run/lab
: >run/lab/watchdog
mount --bind "$watchdog" run/lab/watchdog
pivot_root . mnt
cd /
umount -l /mnt
exec env -i container=lab PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
  /lib/systemd/systemd --system --unit=multi-user.target --log-level=notice
