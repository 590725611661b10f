# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What seeing a hop costs, in instructions.

# NAME TARGET OTHER_NAME; the names are those that bench-hops prints. Two measures
# of the same thing differ by up to 17 of 10800 instructions: 1.002 is equality.
hops=(
	"idle 1.002 no module; with it loaded, no vring"
	"doorbell 0.50 five kprobe trace events"
	"kick-write 0.50 kprobe trace event"
	"wake 0.50 kprobe trace event"
	"call-inject 0.50 two kprobe trace events"
	"exit-entry 0.50 two kprobe trace events"
	"all 0.50 ten kprobe trace events"
	"foreign 0.15 the same ten; this vring is not traced"
)

# Sets $module, or $reason to why the hops of kernel $1 cannot be counted.
prepare_hops()
{
	local kdir release

	reason=
	if ! kdir=$("$src/scripts/kernels" kdir "$1" 2>>"$log") ||
		! release=$("$src/scripts/kernels" release "$1" 2>>"$log"); then
		reason="no kernel $1: run scripts/setup"
		return
	fi
	module=$build/kmod/$release/module/vringlab.ko
	[ -z "$build_first" ] ||
		make -C "$src" --no-print-directory O="$build" KDIR="$kdir" module >>"$log" 2>&1
	[ -e "$module" ] || reason="no module for $release: the end of $log says why"
}

# Counts them, and tells bench-report of those that are wanted.
count_hops()
{
	local kernel=$1 out name line status

	shift
	out=$("$src/scripts/vm" --kernel "$kernel" --icount --timeout 600 --rw "$build" -- \
		"$bin/bench-hops" "$module" "$hop_runs" 2>>"$log")
	status=$?
	for name; do
		while read -r line; do
			emit pair "hop-$kernel-$name" "${line% *}" "${line#* }"
		done < <(awk -F '\t' -v name="$name" '$2 == name { print $3, $4 }' <<<"$out")
		[ "$status" -eq 0 ] ||
			emit fail "hop-$kernel-$name" "exit status $status of scripts/vm; see $log"
	done
}

bench_hops()
{
	local kernel=$1 entry name target other reason module names=()

	for entry in "${hops[@]}"; do
		read -r name target other <<<"$entry"
		declare_entry "hop-$kernel-$name" instr "$target" "$other"
		! pending "hop-$kernel-$name" || names+=("$name")
	done
	[ ${#names[@]} -gt 0 ] || return 0
	echo "  hop-$kernel-*" >&2
	prepare_hops "$kernel"
	if [ -z "$reason" ]; then
		count_hops "$kernel" "${names[@]}"
	else
		skip "${names[*]/#/hop-$kernel-}" "$reason"
	fi
}
