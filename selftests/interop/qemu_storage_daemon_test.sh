#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Our front-end on the vhost-user-blk export of qemu-storage-daemon.

. "$(dirname "$0")/../lib/ktap.sh"
# shellcheck source=SCRIPTDIR/../lib/peers.sh
. "$lib/peers.sh"

[ -x "$vringlab" ] || skip_all "no $vringlab: run make, or give VRINGLAB="

disk=$tmp/disk
socket=$tmp/socket
export=type=vhost-user-blk,id=x,node-name=disk,writable=on,num-queues=2
export+=,addr.type=unix,addr.path=$socket
truncate -s 32M "$disk"

start_daemon()
{
	"$peer" --blockdev "driver=file,node-name=disk,filename=$disk" --pidfile "$tmp/pid" \
		--daemonize --export "$export" >"$tmp/said" 2>&1 && return
	why="qemu-storage-daemon: $(head -n 1 "$tmp/said")"
	return 1
}

stop_daemon()
{
	[ ! -e "$tmp/pid" ] || kill "$(cat "$tmp/pid")"
	rm -f "$tmp/pid" "$socket"
}
trap 'stop_daemon; rm -rf "$tmp"' EXIT

drive()
{
	run timeout 60 "$vringlab" drive blk --socket "$socket" --verify --count 5000 "$@"
	[ "$status" -eq 0 ] && is_empty "$tmp/err" && grep -q '^requests  5000 ' "$tmp/out"
}

# What it does not offer is told, and is not a failure of ours.
no_packed_ring()
{
	run "$vringlab" drive blk --socket "$socket" --packed
	[ "$status" -eq 4 ] && one_line "$tmp/err" && grep -q 'does not offer' "$tmp/err"
}

# with_daemon own|newer
with_daemon()
{
	local check=check

	if ! find_peer "$1" qemu-storage-daemon || ! start_daemon; then
		check=not_here
	fi
	pairing "vringlab drive blk" "qemu-storage-daemon $version"
	$check "blk: one read after the other" drive --rw read
	$check "blk: reads and writes, 32 at a time" drive --rw randrw --depth 32
	$check "blk: with event indices" drive --rw randrw --depth 32 --event-idx
	$check "blk: with indirect descriptors" drive --rw randrw --depth 32 --indirect
	$check "blk: 64 KiB each" drive --rw randrw --depth 8 --size 64K
	$check "blk: its second virtqueue" drive --rw randrw --depth 8 --queue 1
	$check "blk: without acknowledgements" drive --rw randrw --no-reply-ack
	$check "blk: a packed ring is not offered, and that is told" no_packed_ring
	stop_daemon
}

ktap_print_header
ktap_set_plan 16
with_daemon own
with_daemon newer
ktap_finished
