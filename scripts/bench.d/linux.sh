# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# How long a Linux guest takes to its init, and to its end.

# Each is seconds.
linux_runs=5

# linux_entries UNIT TARGET OTHER NAME...: sets names to those that are to be measured;
# fails where there are none
linux_entries()
{
	local entry=("${@:1:3}") name

	shift 3
	names=()
	for name; do
		declare_entry "linux-$name" "${entry[@]}"
		! pending "linux-$name" || names+=("$name")
	done
	[ ${#names[@]} -gt 0 ] || return
	command -v qemu-system-x86_64 >/dev/null && return
	skip "${names[*]/#/linux-}" "no qemu-system-x86_64: run scripts/setup"
	return 1
}

# linux_measure PROGRAM RUNS VM-OPTION...: of bench.d, what it says of them
linux_measure()
{
	local program=$1 runs=$2 out

	shift 2
	out=$("$src/scripts/vm" --kernel 6.12 --timeout 900 --rw "$build" "$@" -- \
		env O="$build" "$src/scripts/bench.d/$program" "$runs" 2>>"$log")
	emit_parts linux "$out" $? "${names[@]}"
}

bench_linux()
{
	local names

	linux_entries ms 1.00 "qemu -M microvm, the same kernel and disk" init exit || return 0
	echo "  linux-*" >&2
	# One processor: with more in one thread, guests of emulated SVM hang.
	linux_measure linux-init "$linux_runs" --single --smp 1
}
