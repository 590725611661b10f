# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What a kick takes while another process dumps 1024 vrings.

stall_runs=3

bench_stall()
{
	local kernel=$1 name=stall-$1 out line status reason module

	declare_entry "$name" instr 1.01 "the other process computes"
	pending "$name" || return 0
	echo "  $name" >&2
	prepare_hops "$kernel"
	if [ -n "$reason" ]; then
		skip "$name" "$reason"
		return
	fi
	out=$("$src/scripts/vm" --kernel "$kernel" --icount --append preempt=full --timeout 600 \
		--rw "$build" -- "$bin/bench-stall" "$module" "$stall_runs" 2>>"$log")
	status=$?
	while read -r line; do
		emit pair "$name" "${line% *}" "${line#* }"
	done < <(awk -F '\t' '$2 == "kick" { print $3, $4 }' <<<"$out")
	[ "$status" -eq 0 ] || emit fail "$name" "exit status $status of scripts/vm; see $log"
}
