# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What it takes to look at 1024 vrings, at one instruction a nanosecond.

# The names are those that bench-stat prints.
stat_parts=(stat stat-json counters hists)
stat_runs=3

bench_stat()
{
	local kernel=$1 out part line status names=()

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
	status=$?
	for part in "${names[@]}"; do
		while read -r line; do
			emit pair "all-$kernel-$part" "${line% *}" "${line#* }"
		done < <(awk -F '\t' -v name="$part" '$2 == name { print $3, $4 }' <<<"$out")
		[ "$status" -eq 0 ] ||
			emit fail "all-$kernel-$part" "exit status $status of scripts/vm; see $log"
	done
}
