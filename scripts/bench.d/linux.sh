# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# How long a Linux guest takes to its init, and to its end.

# Each is seconds.
linux_runs=5

bench_linux()
{
	local name out names=(init exit)

	for name in "${names[@]}"; do
		declare_entry "linux-$name" ms 1.00 "qemu -M microvm, the same kernel and disk"
	done
	command -v qemu-system-x86_64 >/dev/null ||
		skip "linux-init linux-exit" "no qemu-system-x86_64: run scripts/setup"
	pending linux-init linux-exit || return 0
	echo "  linux-*" >&2
	# One processor: with more in one thread, guests of emulated SVM hang.
	out=$("$src/scripts/vm" --kernel 6.12 --single --smp 1 --timeout 900 --rw "$build" -- \
		env O="$build" "$src/scripts/bench.d/linux-init" "$linux_runs" 2>>"$log")
	emit_parts linux "$out" $? "${names[@]}"
}
