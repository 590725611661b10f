#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# perf and the trace events: it counts and records as many as the module does.

. "$(dirname "$0")/../lib/ktap.sh"
# shellcheck source-path=SCRIPTDIR source=../lib/trace.sh
. "$(dirname "$0")/../lib/trace.sh"
need_tool perf

# of_perf EVENT: of perf stat's table
of_perf()
{
	awk -F, -v event="vringlab:$1" '$3 == event { print $1 }' "$tmp/stat"
}

perf_stat()
{
	run perf stat -a -x, -o "$tmp/stat" -e 'vringlab:*' -- "${guest[@]}" &&
		[ "$status" -eq 0 ] && read_module && same kicks "$(of_perf kick)" kicks &&
		same wakes "$(of_perf wake)" wakes && same calls "$(of_perf call)" calls &&
		same injects "$(of_perf inject)" injects &&
		same entries "$(of_perf entry)" entries &&
		same latencies "$(of_perf vring_latency)" entries
}

perf_record()
{
	run perf record -q -a -m 4M -e vringlab:vring_latency --filter 'kick_entry_ns >= 0' \
		-o "$tmp/perf.data" -- "${guest[@]}" && [ "$status" -eq 0 ] && read_module &&
		run perf script -i "$tmp/perf.data" &&
		same latencies "$(lines vring_latency)" kick-entry.count &&
		same sum "$(sum kick_entry_ns vring_latency)" kick-entry.sum-ns
}

ktap_print_header
ktap_set_plan 3
load_module
check "perf stat counts every hop" with_backend perf_stat
check "perf record filters, and perf script prints" with_backend perf_record
check "the module unloads" rmmod vringlab
ktap_finished
