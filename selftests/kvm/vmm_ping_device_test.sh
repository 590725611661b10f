#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# vringlab vmm --guest ring-ping --device: each kind of device that this ring has, on each
# transport, served in the VMM and by vringlab backend. What the guest counts is exact.

. "$(dirname "$0")/../lib/ktap.sh"
. "$(dirname "$0")/../lib/loopback.sh"

# drives COUNT DEPTH DEVICE OPTION...: every count is as it has to be
drives()
{
	local count=$1 depth=$2 device=$3 answering

	shift 3
	run "$vringlab" vmm --guest ring-ping --device "$device" --count "$count" \
		--depth "$depth" --json "$@"
	answering=$(($(number interrupts) - $(number interrupts-spurious)))
	[ "$status" -eq 0 ] && is_empty "$tmp/err" && grep -q '"ok": *true' "$tmp/out" &&
		[ "$(number round-trips)" -eq "$count" ] &&
		[ "$(number count)" -eq "$count" ] &&
		[ "$(($(number kicks) + $(number kicks-suppressed)))" -eq "$count" ] &&
		[ "$(number buffers)" -eq $((count * depth)) ] &&
		[ "$(number mismatches)" -eq 0 ] && [ "$(number errors)" -eq 0 ] &&
		[ "$answering" -ge "$count" ] && [ "$answering" -le $((count * depth)) ]
}

# costs_no_exit DEVICE PER-INTERRUPT: to user space in an iteration, but as many as the
# transport owes for each interrupt
costs_no_exit()
{
	local exits

	drives 1 1 "$1" || return
	exits=$(($(number user-exits) - $2 * $(number interrupts)))
	drives 21 1 "$1" && [ "$(number user-exits)" -eq $((exits + $2 * $(number interrupts))) ]
}

# each KEYS: kind of device in the VMM
each()
{
	drives 20 1 "blk,file=$tmp/disk,$1" --size 4096 &&
		drives 20 3 "blk,null-size=1M,$1" &&
		drives 20 1 "rng,$1" --wait spin && drives 20 4 "net,null,$1" --size 1514
}

# Every byte comes out, and nothing else: lines of 64.
writes()
{
	rm -f "$tmp/console"
	drives 20 2 "console,output=$tmp/console,$1" --size 128 &&
		[ "$(stat -c %s "$tmp/console")" -eq $((20 * 2 * 128)) ] &&
		[ "$(wc -l <"$tmp/console")" -eq $((20 * 2 * 2)) ] &&
		! grep -Evq '^[a-z]{63}$' "$tmp/console"
}

stop_backend()
{
	kill "$backend" && wait "$backend"
	backend=
}

# by_vhost_user KIND OPTION...: of the back-end
by_vhost_user()
{
	start_backend "$@" || return
	drives 20 1 "$1,socket=$sock" && drives 20 3 "$1,socket=$sock,transport=mmio" &&
		drives 100 2 "$1,socket=$sock,packed" && stop_backend
}

# start DEVICE: a guest that runs until it is ended
start()
{
	local end=$((SECONDS + 60))

	"$vringlab" vmm --guest ring-ping --device "$1" --count 4294967296 --timeout 100s \
		>"$tmp/out" 2>"$tmp/err" &
	guest=$!
	until runs "$guest"; do
		[ "$SECONDS" -lt "$end" ] || return 1
	done
}

# Its back-end is lost, and no other can come: that ends the guest, which waits.
failure_ends_it()
{
	start_backend blk --null-size 1M && start "blk,socket=$sock" || return
	ln -sf s "$sock"
	lose_backend
	guest_ends 1
	rm "$sock"
	[ "$status" -eq 1 ] && tail -n 1 "$tmp/err" | grep -q "blk0 works no more" &&
		grep -q "^# guest ring-ping failed" "$tmp/out"
}

signal_ends_it()
{
	start rng,transport=mmio || return
	kill "$guest"
	guest_ends 1 && one_line "$tmp/err" && grep -q "stopped by SIGTERM" "$tmp/err" &&
		grep -q "^# guest ring-ping failed" "$tmp/out"
}

times_out()
{
	run "$vringlab" vmm --guest ring-ping --device rng --count 4294967296 --timeout 300ms
	[ "$status" -eq 1 ] && one_line "$tmp/err" &&
		grep -q "did not end within 300ms" "$tmp/err" &&
		grep -Eq "in iteration [0-9]+ of 4294967296 with [0-9]+ kicks" "$tmp/err" &&
		grep -q "^# guest ring-ping failed" "$tmp/out"
}

as_text()
{
	run "$vringlab" vmm --guest ring-ping --device rng,transport=mmio,id=dice --count 5
	[ "$status" -eq 0 ] && is_empty "$tmp/err" &&
		grep -qx "# dice by mmio, split virtqueue, queue size 256, wait halt" "$tmp/out" &&
		grep -Eq "^kicks +5 " "$tmp/out" &&
		grep -Eq "^round-trip( +[0-9.]+(ns|us|ms|s)?){7}$" "$tmp/out"
}

is_explained()
{
	run "$vringlab" vmm --guest ring-ping --device rng --count 2 --explain
	[ "$status" -eq 0 ] && is_empty "$tmp/err" && grep -q "KVM_CREATE_IRQCHIP" "$tmp/out" &&
		grep -q "^# guest ring-ping succeeded" "$tmp/out"
}

# A request that the device refuses: behind the end of a disk.
refusal_is_told()
{
	run "$vringlab" vmm --guest ring-ping --device blk,null-size=512 --size 1024 --count 3
	[ "$status" -eq 1 ] && one_line "$tmp/err" &&
		grep -q "3 of 3 answers are wrong, .* expected 0, got 0x1" "$tmp/err"
}

ktap_print_header
ktap_set_plan 24

head -c 65536 /dev/urandom >"$tmp/disk" || ktap_exit_fail_msg "cannot make a disk"
for transport in pci mmio; do
	for ring in off on; do
		keys=transport=$transport,packed=$ring
		check "$keys: each kind" each "$keys"
		check "$keys: a console has every byte" writes "$keys"
	done
done
check "PCI: no exit to user space in an iteration" costs_no_exit rng 0
check "MMIO: two for each interrupt" costs_no_exit rng,transport=mmio 2
check "the smallest virtqueue" drives 20 1 console,output=/dev/null --queue-size 2 --size 1
check "the largest, full" drives 1 16384 rng --queue-size 32768 --depth 16384 --size 16
check "a small packed one, many rounds" drives 100 2 rng,packed,queue-size=2
check "vhost-user: a disk" by_vhost_user blk --file "$tmp/disk"
check "vhost-user: a network interface" by_vhost_user net --null
check "vhost-user: random numbers" by_vhost_user rng
check "vhost-user: a console" by_vhost_user console --output "$tmp/console"
check "a device that fails ends the guest" failure_ends_it
check "a signal ends it" signal_ends_it
check "several pairs of a network interface" drives 20 1 net,null,queues=3
check "a request that fails is told" refusal_is_told
check "a timeout tells where the guest was" times_out
check "a report as text" as_text
check "its setting up is explained" is_explained

ktap_finished
