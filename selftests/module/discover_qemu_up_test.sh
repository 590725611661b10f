#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The virtqueues of a QEMU in which nothing is changed are found, count the guest's
# kicks, and go with it. The guest is QEMU's firmware, which reads a boot sector
# through vhost-user-blk; through vhost-net it does nothing.
#
# Runs with one processor: with two in one thread, emulated SVM now and then delivers the
# timer's interrupt to a nested guest that has interrupts off, and the firmware hangs.

. "$(dirname "$0")/../lib/ktap.sh"

qemu=${QEMU:-qemu-system-x86_64}
# Of a firmware on an emulated machine's emulated KVM.
deadline=120

[ "$(id -u)" -eq 0 ] || skip_all "loads a module: run as root"
[ -n "${VRINGLAB_KO:-}" ] || skip_all "no module: set VRINGLAB_KO=, or use scripts/check"
[ ! -e /sys/module/vringlab ] || skip_all "vringlab is loaded already: rmmod vringlab"
command -v "$qemu" >/dev/null || skip_all "no $qemu: run scripts/setup"
[ -c /dev/kvm ] || skip_all "no /dev/kvm: load kvm_amd or kvm_intel"
modprobe -a vhost_net tun 2>/dev/null

ktap_print_header
ktap_set_plan 10

# start_qemu OPTION...: a machine with 64 MiB that the peer may map.
start_qemu()
{
	"$qemu" -accel kvm -nodefaults -display none -m 64M \
		-object memory-backend-memfd,id=mem,size=64M,share=on \
		-machine q35,memory-backend=mem "$@" </dev/null >"$tmp/qemu" 2>&1 &
	qemu_pid=$!
}

# Its label is what everything else asks by.
is_found()
{
	label=$("$vringlab" stat | sed -n "s/^# vring [0-9]* '\($1-[0-9]*\.$2\)': $1 .*/\1/p")
	[ -n "$label" ]
}

is_gone()
{
	! "$vringlab" stat | grep "^# vring .*: $1 back-end"
}

# Of the statistics in $tmp/out.
counter()
{
	awk -v name="$1" '$1 == name { print $2 }' "$tmp/out"
}

# All that came so far came from the guest.
is_kicked()
{
	"$vringlab" stat --all --vring "$label" >"$tmp/out" &&
		[ "$(counter kicks-kvm)" -gt 0 ] &&
		[ "$(counter kicks)" -eq "$(counter kicks-kvm)" ] &&
		[ "$(counter acausal)" -eq 0 ]
}

facts()
{
	"$vringlab" stat --all --vring "$label" >"$tmp/out" &&
		grep -q "queue $1 of device [1-9][0-9]*, size [1-9]" "$tmp/out" &&
		grep -Eq "^#   of qemu-system-x86, pid $qemu_pid, VM [1-9]" "$tmp/out" &&
		grep -Eq '^#   kick: (port|MMIO) 0x[1-9a-f]' "$tmp/out"
}

# As the process itself has it; QEMU's descriptors are its own. It makes new ones when its
# firmware starts the device again.
has_eventfd_id()
{
	local id

	[ -e /sys/kernel/btf/vmlinux ] || return 0
	"$vringlab" stat --all --vring "$label" >"$tmp/out"
	id=$(sed -n 's/^#   kick: eventfd-id //p' "$tmp/out")
	[ -n "$id" ] && grep -qw "eventfd-id:[[:space:]]*$id" "/proc/$qemu_pid/fdinfo/"*
}

end_qemu()
{
	kill "$qemu_pid"
	wait "$qemu_pid"
	eventually is_gone "$1"
}

vhost_user()
{
	truncate -s 1M "$tmp/disk"
	# jmp .: all that it is to do is to be read
	printf '\xeb\xfe' | dd of="$tmp/disk" conv=notrunc status=none
	printf '\x55\xaa' | dd of="$tmp/disk" bs=1 seek=510 conv=notrunc status=none
	mkfifo "$tmp/ready"
	"$vringlab" backend blk --file "$tmp/disk" --socket "$tmp/socket" --ready-fd 3 \
		3>"$tmp/ready" </dev/null >/dev/null 2>&1 &
	backend=$!
	read -r -N 1 <"$tmp/ready"
	start_qemu -chardev "socket,id=c,path=$tmp/socket" \
		-device vhost-user-blk-pci,chardev=c,num-queues=1,bootindex=1
	check "a vring of vhost-user is found" eventually is_found vhost-user 0
	check "it counts the guest's kicks" eventually is_kicked
	check "it has queue, size, owner, VM and address" facts 0
	check "its eventfd is the process's" eventually has_eventfd_id
	check "it goes with QEMU" end_qemu vhost-user
	kill "$backend"
	wait "$backend"
}

# Set up with the device, long before a driver uses it.
belongs_to_qemu()
{
	"$vringlab" stat --vring "$label" >"$tmp/out" &&
		grep -q 'queue 1 of device [1-9]' "$tmp/out" &&
		grep -q "^#   of qemu-system-x86, pid $qemu_pid" "$tmp/out"
}

vhost_net()
{
	local what missing=

	[ -c /dev/vhost-net ] || missing="no /dev/vhost-net: modprobe vhost_net"
	"$vringlab" stat --json | grep -q vhost_vring_ioctl ||
		missing="this module does not hook vhost: build a newer one"
	if [ -n "$missing" ]; then
		for what in found owner gone; do
			skip "vhost-net: $what" "$missing"
		done
		return
	fi
	start_qemu -netdev tap,id=n,ifname=vltest,script=no,downscript=no,vhost=on \
		-device virtio-net-pci,netdev=n,romfile=
	# Virtqueue 1 sends.
	check "a vring of vhost-net is found" eventually is_found vhost-net 1
	check "it is QEMU's" belongs_to_qemu
	check "it goes with QEMU" end_qemu vhost-net
}

# Whoever holds one of them would say so; in use by nobody, they go.
unload_observed()
{
	local module

	for module in vhost_net kvm_amd kvm_intel kvm; do
		[ ! -e "/sys/module/$module/refcnt" ] || rmmod "$module" || return
	done
}

insmod "$VRINGLAB_KO" || ktap_exit_fail_msg "cannot load $VRINGLAB_KO"
"$vringlab" discover on || ktap_exit_fail_msg "cannot turn discovery on"
vhost_user
vhost_net
check "vhost and KVM unload while it looks for vrings" unload_observed
check "the module unloads while it looks for vrings" rmmod vringlab

# For the programs that come after this one.
grep -qw svm /proc/cpuinfo && modprobe kvm_amd
grep -qw vmx /proc/cpuinfo && modprobe kvm_intel

ktap_finished
