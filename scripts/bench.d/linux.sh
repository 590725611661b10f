# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# How long a Linux guest takes to its init, and to its end.

# Each is seconds.
linux_runs=5

bench_linux()
{
	local name out names=()

	for name in init exit; do
		declare_entry "linux-$name" ms 1.00 "qemu -M microvm, the same kernel and disk"
		! pending "linux-$name" || names+=("$name")
	done
	[ ${#names[@]} -gt 0 ] || return 0
	if ! command -v qemu-system-x86_64 >/dev/null; then
		skip "${names[*]/#/linux-}" "no qemu-system-x86_64: run scripts/setup"
		return
	fi
	echo "  linux-*" >&2
	# One processor: with more in one thread, guests of emulated SVM hang.
	out=$("$src/scripts/vm" --kernel 6.12 --single --smp 1 --timeout 900 --rw "$build" -- \
		env O="$build" "$src/scripts/bench.d/linux-init" "$linux_runs" 2>>"$log")
	emit_parts linux "$out" $? "${names[@]}"
}
