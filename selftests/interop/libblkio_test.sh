#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# libblkio, inside of QEMU's tools, on our back-end: written, read and compared
# without a guest.

. "$(dirname "$0")/../lib/ktap.sh"
# shellcheck source=SCRIPTDIR/../lib/peers.sh
. "$lib/peers.sh"

[ -x "$vringlab" ] || skip_all "no $vringlab: run make, or give VRINGLAB="

disk=$tmp/disk
socket=$tmp/socket
device=driver=virtio-blk-vhost-user,path=$socket,cache.direct=on

# with_backend COMMAND...: the back-end has to have nothing to complain of.
with_backend()
{
	local backend result=0

	mkfifo "$tmp/ready"
	# shellcheck disable=SC2086 # options
	"$vringlab" backend blk --file "$disk" --socket "$socket" $options --ready-fd 3 \
		3>"$tmp/ready" </dev/null 2>"$tmp/backend" &
	backend=$!
	read -r -N 1 <"$tmp/ready"
	rm "$tmp/ready"
	"$@" || result=1
	kill -TERM "$backend"
	wait "$backend" || result=1
	sed 's/^/back-end: /' "$tmp/backend"
	is_empty "$tmp/backend" && [ "$result" -eq 0 ]
}

# qemu_io COMMAND...: each has to succeed; qemu-io does not always say by its status.
qemu_io()
{
	local command arguments=()

	for command; do
		arguments+=(-c "$command")
	done
	run timeout 60 "$io" --image-opts "$device" "${arguments[@]}"
	[ "$status" -eq 0 ] && is_empty "$tmp/err" && ! grep -i 'fail\|error' "$tmp/out"
}

patterns()
{
	qemu_io 'write -P 0x5a 1M 3M' 'write -P 0xa5 2M 4k' 'flush' 'read -P 0x5a 1M 1M' \
		'read -P 0xa5 2M 4k' 'read -P 0x5a 2101248 4096' 'read -P 0 8M 1M' || return
	dd if="$disk" bs=4k skip=512 count=1 2>/dev/null | tr -d '\245' >"$tmp/others"
	is_empty "$tmp/others"
}

zeroes()
{
	qemu_io 'write -P 0x11 0 1M' 'write -z 64k 64k' 'write -z -u 256k 64k' 'discard 512k 64k' \
		'read -P 0x11 0 64k' 'read -P 0 64k 64k' 'read -P 0 256k 64k' \
		'read -P 0x11 128k 128k'
}

vectors()
{
	qemu_io 'writev -P 0x77 12k 512 4k 1k 64k' 'readv -P 0x77 12k 64k 512 1k 4k' \
		'read -P 0x77 12k 71168'
}

# A whole image, in and out.
image()
{
	head -c 32M /dev/urandom >"$tmp/image"
	run timeout 120 "$img" convert -n -f raw "$tmp/image" --target-image-opts "$device"
	[ "$status" -eq 0 ] || return
	run timeout 120 "$img" compare --image-opts "driver=file,filename=$tmp/image" "$device"
	[ "$status" -eq 0 ] && cmp "$tmp/image" "$disk"
}

bench()
{
	run timeout 120 "$img" bench --image-opts "$device" -c 20000 "$@"
	[ "$status" -eq 0 ] && grep -q '^Run completed' "$tmp/out"
}

refused()
{
	run timeout 60 "$io" --image-opts "$device" -c 'write 0 4k'
	[ "$status" -ne 0 ]
}

# Our driver on the export of a daemon whose disk is our back-end.
both_ends()
{
	local daemon export=type=vhost-user-blk,id=x,node-name=disk,writable=on

	export+=,addr.type=unix,addr.path=$tmp/export
	"$qsd" --blockdev "$device,node-name=disk" --export "$export" --pidfile "$tmp/pid" \
		--daemonize || return
	daemon=$(cat "$tmp/pid")
	run timeout 60 "$vringlab" drive blk --socket "$tmp/export" --rw randrw --verify \
		--count 5000 --depth 16
	kill "$daemon"
	timeout 20 tail --pid="$daemon" -s 0.1 -f /dev/null
	[ "$status" -eq 0 ] && is_empty "$tmp/err" && grep -q '^requests  5000 ' "$tmp/out"
}

# tools: leaves the commands in $io, $img and $qsd.
tools()
{
	find_peer newer qemu-storage-daemon || return
	qsd=$peer
	find_peer newer qemu-io || return
	io=$peer
	find_peer newer qemu-img || return
	img=$peer
	why="this QEMU has no virtio-blk-vhost-user"
	"$img" --help | grep -q virtio-blk-vhost-user
}

check=check
tools || check=not_here
truncate -s 32M "$disk"
options=
ktap_print_header
ktap_set_plan 9
pairing "libblkio in QEMU $version" "vringlab backend blk"
$check "qemu-io: patterns" with_backend patterns
$check "qemu-io: zeroes and discard" with_backend zeroes
$check "qemu-io: vectors" with_backend vectors
$check "qemu-img: a whole image, in and out" with_backend image
$check "qemu-img: reads, 64 at a time" with_backend bench -d 64
$check "qemu-img: writes, 64 KiB each" with_backend bench -w -d 8 -s 64k
$check "vringlab drive, through qemu-storage-daemon" with_backend both_ends
options="--queues 4 --direct"
$check "qemu-img: a whole image, O_DIRECT, four virtqueues" with_backend image
options=--read-only
$check "qemu-io: does not write where it must not" with_backend refused
ktap_finished
