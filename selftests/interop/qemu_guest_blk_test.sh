#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# QEMU's vhost-user-blk on our back-end: a guest with Debian's kernel makes a file
# system there, writes, checks, and reads back; also while the back-end is killed.

. "$(dirname "$0")/../lib/ktap.sh"
# shellcheck source=SCRIPTDIR/../lib/peers.sh
. "$lib/peers.sh"

vm=$src/scripts/vm
[ -x "$vringlab" ] || skip_all "no $vringlab: run make, or give VRINGLAB="
[ -x "$vm" ] || skip_all "no scripts/vm: give the project's folder in VRINGLAB_SRC="
PATH=$PATH:/usr/sbin:/sbin
command -v mkfs.ext4 >/dev/null || skip_all "no mkfs.ext4: run scripts/setup --interop"

disk=$tmp/disk
socket=$tmp/socket

# In the guest. Its last line is a hash of all that it wrote.
cat >"$tmp/guest" <<'G'
set -e
modprobe -a virtio_pci virtio_blk ext4 2>/dev/null
d=/dev/vda
[ -b $d ] || { echo "no $d"; exit 1; }
mkfs.ext4 -q -F $d
mkdir -p /tmp/m
mount $d /tmp/m
echo "under way"
for i in 1 2 3 4 5 6 7 8 9; do
	head -c 1500000 /dev/urandom >/tmp/m/$i
	sync -f /tmp/m/$i
done
cat /tmp/m/? | sha256sum | cut -d' ' -f1 >/tmp/before
umount /tmp/m
echo 3 >/proc/sys/vm/drop_caches
fsck.ext4 -f -n $d >/dev/null
mount -o ro $d /tmp/m
cat /tmp/m/? | sha256sum | cut -d' ' -f1 >/tmp/after
umount /tmp/m
cmp /tmp/before /tmp/after
cat /tmp/after
G

# guest OPTION-OF-THE-DEVICE: leaves the hash in $hash
guest()
{
	run timeout 300 env QEMU="$peer" "$vm" --mem 512M --shared-memory \
		--qemu "-chardev socket,id=blk,path=$socket,$(reconnect)" \
		--qemu "-device vhost-user-blk-pci,chardev=blk,disable-legacy=on,$1" \
		-- bash -c "$(cat "$tmp/guest")"
	hash=$(tail -n 1 "$tmp/out")
	[ "$status" -eq 0 ] && [ "${#hash}" -eq 64 ]
}

serve()
{
	"$vringlab" backend blk --file "$disk" --socket "$socket" "$@" 2>"$tmp/backend" \
		</dev/null &
	backend=$!
}

# It has to have been asked for nothing that it refused.
end_backend()
{
	kill -TERM "$backend"
	wait "$backend"
	sed 's/^/back-end: /' "$tmp/backend"
	is_empty "$tmp/backend"
}

# fresh_disk OPTIONS-OF-THE-DEVICE [OPTION-OF-THE-BACK-END]...
fresh_disk()
{
	local device=$1

	shift
	rm -f "$disk"
	truncate -s 64M "$disk"
	serve "$@"
	guest "$device" || { end_backend; return 1; }
	end_backend && file_system_is_sound
}

file_system_is_sound()
{
	fsck.ext4 -f -n "$disk"
}

# One back-end after the other, until there is a file that says enough.
serve_and_die()
{
	local i

	for ((i = 1; ; i++)); do
		"$vringlab" backend blk --file "$disk" --socket "$socket" </dev/null 2>/dev/null &
		# QEMU tries once a second to connect.
		sleep 2.5
		kill -KILL "$!"
		wait "$!"
		echo "$i" >"$tmp/kills"
		[ ! -e "$tmp/enough" ] || return 0
	done
}

# The guest's driver has to run before the first kill: a QEMU before 8.2 that loses
# its back-end while the device is not in use never connects again.
is_under_way()
{
	local i

	for ((i = 0; i < 600; i++)); do
		! grep -q '^under way' "$tmp/out" || return 0
		sleep 0.1
	done
	return 1
}

with_kills()
{
	local vm_pid killer status=0

	rm -f "$disk" "$tmp/enough"
	truncate -s 64M "$disk"
	serve
	: >"$tmp/out"
	guest num-queues=1 &
	vm_pid=$!
	is_under_way || status=1
	kill -KILL "$backend"
	serve_and_die &
	killer=$!
	wait "$vm_pid" || status=1
	: >"$tmp/enough"
	wait "$killer" 2>/dev/null
	echo "kills: $(cat "$tmp/kills")"
	[ "$status" -eq 0 ] && [ "$(cat "$tmp/kills")" -ge 2 ] && file_system_is_sound
}

# with_qemu own|newer
with_qemu()
{
	local check=check

	find_peer "$1" qemu-system-x86_64 || check=not_here
	pairing "QEMU $version vhost-user-blk-pci, Debian guest" "vringlab backend blk"
	$check "a guest's file system on a split ring" fresh_disk num-queues=1
	$check "a guest's file system on a split ring, without event indices" \
		fresh_disk num-queues=1,event_idx=off
	$check "a guest's file system on a packed ring" fresh_disk num-queues=1,packed=on
	$check "a guest's file system on two virtqueues, O_DIRECT" \
		fresh_disk num-queues=2 --queues 2 --direct
	$check "a guest's file system on two packed rings" \
		fresh_disk num-queues=2,packed=on --queues 2
	$check "a guest does not notice that its back-end is killed" with_kills
}

ktap_print_header
ktap_set_plan 12
with_qemu own
with_qemu newer
ktap_finished
