# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What vhost and vhost-user devices take a Linux guest.

# Of each of the two guests; it takes most of a minute.
traffic_boots=2

bench_traffic()
{
	local name out names=()

	for name in {vhost,user}-net-{rt,tx,rx} user-blk-{rt,read} vhost-vsock-rt; do
		declare_entry "linux-$name" instr 1.02 "qemu -M microvm, the same back-end"
		! pending "linux-$name" || names+=("$name")
	done
	[ ${#names[@]} -gt 0 ] || return 0
	if ! command -v qemu-system-x86_64 >/dev/null; then
		skip "${names[*]/#/linux-}" "no qemu-system-x86_64: run scripts/setup"
		return
	fi
	echo "  linux-{vhost,user}-*" >&2
	out=$("$src/scripts/vm" --kernel 6.12 --icount --timeout 900 --rw "$build" -- \
		env O="$build" "$src/scripts/bench.d/linux-traffic" "$traffic_boots" 2>>"$log")
	emit_parts linux "$out" $? "${names[@]}"
}
