# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What it takes to look at 1024 vrings, at one instruction a nanosecond.

# The names are those that bench-stat prints.
stat_parts=(stat stat-json counters hists)
stat_runs=3

bench_stat()
{
	local kernel=$1 out part names=()

	for part in "${stat_parts[@]}"; do
		declare_entry "all-$kernel-$part" ns 1.00 "limit: 50 ms, at one instruction a ns"
		! pending "all-$kernel-$part" || names+=("$part")
	done
	[ ${#names[@]} -gt 0 ] || return 0
	echo "  all-$kernel-*" >&2
	prepare_hops "$kernel"
	if [ -n "$reason" ]; then
		skip "${names[*]/#/all-$kernel-}" "$reason"
		return
	fi
	out=$("$src/scripts/vm" --kernel "$kernel" --icount --timeout 600 --rw "$build" -- \
		"$bin/bench-stat" "$module" "$vringlab" "$stat_runs" 2>>"$log")
	emit_parts "all-$kernel" "$out" $? "${names[@]}"
}
