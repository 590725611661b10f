#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What a Linux guest has to do with fails under it, one after the other, and it is the
# same guest all the time: vhost-user back-ends are killed, or answer nothing, the disk
# of a file is full, truncated, or must not grow, taps are taken away. What the guest
# reads and writes is checked by hash, and the VMM says each thing once.
#
# FAILURES_KILLS (5) is how often a back-end is killed under its job.

. "$(dirname "$0")/../lib/ktap.sh"
. "$(dirname "$0")/../lib/linux_guest.sh"
. "$(dirname "$0")/../lib/vmm_guest.sh"
. "$(dirname "$0")/../lib/vmm_backends.sh"

deadline=120
guest_deadline=300
kills=${FAILURES_KILLS:-5}

host=192.0.2.1
guest_address=192.0.2.2
disk_bytes=2097152

need_guest
[ "$(id -u)" -eq 0 ] || skip_all "makes taps, mounts a tmpfs: run as root"
command -v ip >/dev/null || skip_all "no ip: run scripts/setup"
need_devices vhost_net tun
need_drivers virtio_pci virtio_net virtio_blk

serve_blk()
{
	serve blk blk --file "$tmp/disk"
}

make_disks()
{
	mkdir "$tmp/small" && mount -t tmpfs -o size=256k tmpfs "$tmp/small" || return
	truncate -s "$disk_bytes" "$tmp/disk" "$tmp/small/disk" "$tmp/long" "$tmp/short"
}

# What files may grow to is limited once the guest has its memory.
start()
{
	start_guest "$kernel" \
		--device "blk,id=user,socket=$tmp/blk.socket" \
		--device "blk,id=full,file=$tmp/small/disk" \
		--device "blk,id=limited,file=$tmp/long" --device "blk,id=short,file=$tmp/short" \
		--device "net,id=wire,socket=$tmp/net.socket" --device "net,tap=vlvhost" \
		--device "net,tap=vlvmm,vhost=off" &&
		prlimit --pid "$guest" --fsize=1048576:1048576
}

has_drivers()
{
	load_modules && tell 'ip link set eth0 up && ip link set eth1 up && ip link set eth2 up' &&
		tell "ip address add $guest_address/24 dev eth0" &&
		says 'cat /sys/bus/virtio/devices/*/status | sort | uniq -c | tr -s " "' \
			-- "7 0x0000000f"
}

# told TEXT: by the VMM, so far
told()
{
	grep -c "$1" "$tmp/err"
}

# A job of the guest's in the background, which leaves its end in a file.
begin()
{
	tell "rm -f /tmp/end; ( ($*); echo \$? >/tmp/end) &"
}

has_ended()
{
	tell '[ -e /tmp/end ]'
}

# The guest writes to its disk and reads that back, again and again, until it is told
# to stop; what is written differs each time, or what is lost could be there already.
# shellcheck disable=SC2016 # the guest's shell does it
checks_disk='while [ ! -e /tmp/stop ]; do for new in /tmp/a /tmp/b; do
	dd if=$new of=/dev/vda bs=4k oflag=direct 2>/dev/null &&
	dd if=/dev/vda of=/tmp/got bs=4k iflag=direct 2>/dev/null &&
	cmp $new /tmp/got || exit; done; done'

# Each request is done once or twice, and not less.
loses_nothing()
{
	local i

	tell "for f in a b; do head -c $disk_bytes /dev/urandom >/tmp/\$f; done" &&
		begin "${checks_disk//$'\n'/ }" || return
	for ((i = 0; i < kills; i++)); do
		# Not to wait for anything: the moment has to be any.
		sleep "0.$((RANDOM % 10))"
		! has_ended || break
		die blk
		serve_blk || return
	done
	tell 'touch /tmp/stop' && eventually has_ended && says 'cat /tmp/end' -- 0 &&
		says 'sha256sum </tmp/b' -- "$(sha256sum <"$tmp/disk")"
}

# A packet may be lost with a back-end, and the next one not.
resumes()
{
	tell "ping -c 1 -W 20 $host" && die net && serve_net vluser &&
		eventually tell "ping -c 1 -W 2 $host" && die net && serve_net vluser &&
		eventually tell "ping -c 1 -W 2 $host" && [ "$(told "wire: goes on")" -eq 2 ]
}

# bind_again: the driver of the fifth device begins anew
bind_again()
{
	tell "cd /sys/bus/virtio/drivers/virtio_net && echo virtio4 >unbind && \
		echo virtio4 >bind; cd /"
}

# Its socket takes connections, and that is all that it does.
is_silent()
{
	kill -STOP "${backend[net]}"
	bind_again
	[ "$(told "wire works no more until its driver resets it: .* did not reply")" -eq 1 ] &&
		says 'cat /sys/bus/virtio/devices/virtio4/status' -- 0x0000004f
}

# The next driver finds it well.
answers_again()
{
	kill -CONT "${backend[net]}"
	bind_again && says 'cat /sys/bus/virtio/devices/virtio4/status' -- 0x0000000f &&
		tell "ip address add $guest_address/24 dev eth0 && ip link set eth0 up" &&
		eventually tell "ping -c 1 -W 2 $host"
}

# fails DISK KIB SKIP MESSAGE: a write there
fails()
{
	tell "dd if=/dev/zero of=/dev/$1 bs=$2k seek=$3 count=1 oflag=direct 2>&1"
	set -- $? "$4"
	cat "$tmp/answer"
	[ "$1" -eq 1 ] && grep -q "I/O error" "$tmp/answer" && [ "$(told "$2")" -eq 1 ]
}

is_full()
{
	fails vdb 512 0 "full: requests fail: No space left" &&
		fails vdb 512 0 "full: requests fail: No space left" &&
		tell 'dd if=/dev/vdb of=/dev/null bs=4k count=1 iflag=direct 2>/dev/null'
}

must_not_grow()
{
	tell 'dd if=/dev/zero of=/dev/vdc bs=512k count=1 oflag=direct 2>/dev/null' &&
		fails vdc 64 24 "limited: requests fail: File too large"
}

is_truncated()
{
	truncate -s 65536 "$tmp/short" && eventually says 'cat /sys/block/vdd/size' -- 128 &&
		tell 'dd if=/dev/vdd of=/dev/null bs=64k count=1 iflag=direct 2>/dev/null' &&
		[ "$(told "short: the file has become shorter")" -eq 1 ]
}

# has_carrier INTERFACE 0|1
has_carrier()
{
	says "cat /sys/class/net/$1/carrier" -- "$2"
}

# loses_link INTERFACE TAP: while the guest sends, until it sees that
loses_link()
{
	tell "ip address add 198.51.100.1/24 dev $1" || return
	# In one line, as the console's shell takes it.
	begin "while grep -q 1 /sys/class/net/$1/carrier; do \
		ping -c 1 -W 1 -q 198.51.100.2 >/dev/null; done"
	ip link delete "$2" && eventually has_carrier "$1" 0 &&
		[ "$(told "the tap '$2' is gone: the link is down")" -eq 1 ] &&
		eventually has_ended && tell "ip address flush dev $1"
}

# goes_on INTERFACE TAP NETWORK: of the tap; what comes once it is up again is not lost
goes_on()
{
	ip address replace "$3.1/24" dev "$2" && tell "ip address replace $3.2/24 dev $1" &&
		tell "ping -c 1 -W 20 $3.1" && ip link set "$2" down || return
	! tell "ping -c 1 -W 1 $3.1" && ip link set "$2" up && tell "ping -c 1 -W 20 $3.1"
}

all_go_on()
{
	goes_on eth0 vluser "${host%.*}" && goes_on eth1 vlvhost 203.0.113 &&
		goes_on eth2 vlvmm 198.18.0 && tell 'ip address flush dev eth1' &&
		tell 'ip address flush dev eth2'
}

powers_off()
{
	echo "poweroff -f" >&3
	status=0
	wait "$guest" || status=$?
	guest=
	[ "$status" -eq 0 ]
}

clean_up()
{
	all_die
	ip link delete vluser 2>/dev/null
	umount "$tmp/small" 2>/dev/null
	finish
}
trap clean_up EXIT

ktap_print_header
ktap_set_plan 13

{ make_disks && make_tap vluser "$host"; } || ktap_exit_fail_msg "cannot make disks and a tap"
make_root "${drivers[@]}" || ktap_exit_fail_msg "cannot make an initramfs"
serve_blk
serve_net vluser

check "a guest boots" start
check "it has drivers for all of its devices" has_drivers
check "vhost-user-blk is killed again and again: nothing is lost" loses_nothing
check "vhost-user-net is killed: packets come and go again" resumes
check "vhost-user-net answers nothing: the guest goes on without it" is_silent
check "and with it, when it answers again" answers_again
check "a file system is full: the guest has I/O errors" is_full
check "a file must not grow: the guest has I/O errors" must_not_grow
check "a file is truncated: the disk is smaller" is_truncated
check "taps are set down, and up: packets come and go again" all_go_on
check "vhost-net's tap is taken away: the link is down" loses_link eth1 vlvhost
check "the VMM's tap is taken away: the link is down" loses_link eth2 vlvmm
check "it powers off" powers_off

ktap_finished
