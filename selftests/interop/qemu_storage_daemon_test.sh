#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Our front-end on the vhost-user-blk export of qemu-storage-daemon.

. "$(dirname "$0")/../lib/ktap.sh"

[ -x "$vringlab" ] || skip_all "no $vringlab: run make, or give VRINGLAB="
command -v qemu-storage-daemon >/dev/null ||
	skip_all "no qemu-storage-daemon: apt install qemu-system-common"

disk=$tmp/disk
socket=$tmp/socket
truncate -s 32M "$disk"
address=addr.type=unix,addr.path=$socket
qemu-storage-daemon --blockdev "driver=file,node-name=disk,filename=$disk" \
	--export "type=vhost-user-blk,id=x,node-name=disk,$address,writable=on,num-queues=2" \
	--pidfile "$tmp/pid" --daemonize || skip_all "qemu-storage-daemon has no vhost-user-blk"
trap 'kill "$(cat "$tmp/pid")"; rm -rf "$tmp"' EXIT

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

ktap_print_header
ktap_set_plan 8
echo "# $(qemu-storage-daemon --version | head -n 1)"
check "blk: one read after the other" drive --rw read
check "blk: reads and writes, 32 at a time" drive --rw randrw --depth 32
check "blk: with event indices" drive --rw randrw --depth 32 --event-idx
check "blk: with indirect descriptors" drive --rw randrw --depth 32 --indirect
check "blk: 64 KiB each" drive --rw randrw --depth 8 --size 64K
check "blk: its second virtqueue" drive --rw randrw --depth 8 --queue 1
check "blk: without acknowledgements" drive --rw randrw --no-reply-ack
check "blk: a packed ring is not offered, and that is told" no_packed_ring
ktap_finished
