#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# vringlab vmm --guest ring-ping --device: what the guest counts of a virtqueue is what the
# module has counted of it, with vhost in the kernel, with vhost-user, and in the VMM, on
# each transport.

. "$(dirname "$0")/../lib/ktap.sh"
. "$(dirname "$0")/../lib/linux_guest.sh"
. "$(dirname "$0")/../lib/vmm_guest.sh"

count=30

need_vmm
[ "$(id -u)" -eq 0 ] || skip_all "loads a module, makes a tap: run as root"
[ -n "${VRINGLAB_KO:-}" ] || skip_all "no module: set VRINGLAB_KO=, or use scripts/check"
[ ! -e /sys/module/vringlab ] || skip_all "vringlab is loaded already: rmmod vringlab"
need_devices vhost_net vhost_vsock tun

# agree LABEL WAKES CALLS DEVICE OPTION...: of that virtqueue, by these counters; how
# another process takes kicks is known to that one only: none
agree()
{
	local names=("${@:1:3}")

	shift 3
	run "$vringlab" vmm --guest ring-ping --count "$count" --trace --json --device "$@"
	[ "$status" -eq 0 ] && is_empty "$tmp/err" &&
		agreed "${names[@]}" <"$tmp/out"
}

# r is of the guest's report, c of the module's counters.
agreed()
{
	awk -v n="$count" -v label="$1" -v wakes="$2" -v calls="$3" '
		{ gsub(/[",:]/, "") }
		$1 == "vrings" { inside = 1 }
		$1 == "label" { ours = $2 == label }
		!inside { r[$1] = $2 }
		inside && ours && !($1 in c) { c[$1] = $2 }
		END {
			for (key in c)
				if (c[key] + 0)
					print key, c[key]
			if (wakes == "none")
				woken = c["wakes"] == "0"
			else
				woken = c[wakes] > 0 && c[wakes] <= n && c["wakes"] == c[wakes]
			exit !(woken && r["kicks"] + r["kicks-suppressed"] == n &&
				r["interrupts"] - r["interrupts-spurious"] == n &&
				c["kicks"] == r["kicks"] && c["kicks-kvm"] == r["kicks"] &&
				c["calls"] == n && c[calls] == n && c["injects"] == n &&
				c["acausal"] == "0")
		}'
}

vhost_user()
{
	local back_end ret

	mkfifo "$tmp/ready"
	"$vringlab" backend blk --file "$tmp/disk" --socket "$tmp/socket" --ready-fd 3 \
		3>"$tmp/ready" </dev/null >/dev/null 2>&1 &
	back_end=$!
	read -r -N 1 <"$tmp/ready"
	agree "$@"
	ret=$?
	kill "$back_end" && wait "$back_end" && return "$ret"
}

ktap_print_header
ktap_set_plan 6

head -c 1048576 /dev/urandom >"$tmp/disk" || ktap_exit_fail_msg "cannot make a disk"
echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6
insmod "$VRINGLAB_KO" || ktap_exit_fail_msg "cannot load $VRINGLAB_KO"
net=net,tap=vlping
check "vhost-net on PCI" agree net0.tx0 wakes-vhost calls-vhost "$net" --size 1514
check "vhost-net by MMIO" agree net0.tx0 wakes-vhost calls-vhost "$net,transport=mmio"
check "vhost-vsock" agree vsock0.tx wakes-vhost calls-vhost vsock,cid=44 --size 1000
check "a disk in the VMM" agree blk0.q0 wakes-io-uring calls-io-uring \
	"blk,file=$tmp/disk,transport=mmio"
check "a packed one" agree blk0.q0 wakes-io-uring calls-io-uring \
	"blk,packed,file=$tmp/disk" --wait spin
check "a vhost-user back-end" vhost_user blk0.q0 none calls-io-uring "blk,socket=$tmp/socket"
rmmod vringlab

ktap_finished
