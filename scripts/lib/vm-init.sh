#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash disable=SC1091,SC2154 # job_* come from the job file
#
# The first process of the machine that scripts/vm starts. It makes the host's
# root file system the guest's, copy on write, and hands over to vm-session.sh.
# The share "run" has the file job, written for each run: what is shared and what is
# to be run.

export PATH=/bin

fail() {
	echo "vm-init: $*" >/dev/console
	# The host sees the machine end without an exit code, and keeps the log.
	poweroff -f
}

mount -t devtmpfs devtmpfs /dev || fail "cannot mount /dev"
mount -t proc proc /proc
mount -t sysfs sysfs /sys

for module in /modules/boot/*.ko; do
	[ ! -e "$module" ] || insmod "$module" || fail "cannot load $module"
done

p9() {
	mount -t 9p -o "trans=virtio,version=9p2000.L,msize=512000,$3" "$1" "$2"
}

# No cache: what the command prints is with the host when the write returns.
mkdir -p /job
p9 run /job rw,cache=none || fail "cannot mount the run's folder over 9p"
. /job/job

# The host does not change under a short run, so its files may be cached freely.
mkdir -p /host /new /cow /mods
p9 root /host ro,cache=loose || fail "cannot mount the host's root over 9p"
mount -t tmpfs -o mode=755 cow /cow
mkdir /cow/up /cow/work /cow/mup /cow/mwork
mount -t overlay -o lowerdir=/host,upperdir=/cow/up,workdir=/cow/work root /new ||
	fail "cannot lay a writable overlay over the host's root"

for dir in dev proc sys run tmp; do
	mkdir -p "/new/$dir"
done
mount --move /dev /new/dev
mount --move /proc /new/proc
mount --move /sys /new/sys
mount -t tmpfs -o mode=755,nosuid,nodev run /new/run
mount -t tmpfs -o mode=1777,nosuid,nodev tmp /new/tmp
mkdir /new/dev/pts /new/dev/shm /new/run/lock /new/run/vm
mount -t devpts -o mode=620,ptmxmode=666 devpts /new/dev/pts
mount -t tmpfs -o mode=1777,nosuid,nodev shm /new/dev/shm
ln -s /proc/self/fd /new/dev/fd
ln -s /proc/self/fd/0 /new/dev/stdin
ln -s /proc/self/fd/1 /new/dev/stdout
ln -s /proc/self/fd/2 /new/dev/stderr
mount -t tracefs tracefs /new/sys/kernel/tracing
mount -t debugfs debugfs /new/sys/kernel/debug
mount -t cgroup2 cgroup2 /new/sys/fs/cgroup

# share TAG DIR: a folder that the host and the guest both write to.
share() {
	mkdir -p "/new$2"
	p9 "$1" "/new$2" rw,cache=mmap || fail "cannot share $2"
}
job_shares

# The modules: the index made by scripts/vm over the package's own folder.
release=$(uname -r)
mkdir -p "/new/lib/modules/$release" 2>/dev/null ||
	mkdir -p "/new/usr/lib/modules/$release"
layers=/mods/index
mkdir -p /mods/index /mods/package
mount --bind "/host$job_stage/lib/modules/$release" /mods/index ||
	fail "cannot see the modules of $release"
if [ -n "$job_modules" ]; then
	mount --bind "/host$job_modules" /mods/package
	layers=/mods/index:/mods/package
fi
mount -t overlay -o "lowerdir=$layers,upperdir=/cow/mup,workdir=/cow/mwork" modules \
	"/new/lib/modules/$release" || fail "cannot mount the modules of $release"

ip link set lo up
hostname vringlab

if [ -n "$job_kvm" ]; then
	case $(grep -m1 ^flags /new/proc/cpuinfo) in
	*" svm"*) vendor=svm ;;
	*" vmx"*) vendor=vmx ;;
	*) vendor=none ;;
	esac
	for module in "/modules/$vendor"/*.ko; do
		[ ! -e "$module" ] || insmod "$module" || echo "vm-init: no $module" >/dev/console
	done
fi

mv /vm/session /new/run/vm/
mkdir /new/run/vm/job
mount --move /job /new/run/vm/job
cp -a /bin /new/run/vm/
exec switch_root /new /run/vm/bin/busybox sh /run/vm/session
