#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# trace-cmd and the trace events: it records as many as the module counts.

. "$(dirname "$0")/../lib/ktap.sh"
# shellcheck source-path=SCRIPTDIR source=../lib/trace.sh
. "$(dirname "$0")/../lib/trace.sh"
need_tool trace-cmd

trace_cmd()
{
	run trace-cmd record -q -b 4096 -e vringlab -o "$tmp/dat" "${guest[@]}" &&
		[ "$status" -eq 0 ] && read_module &&
		run trace-cmd report -q -i "$tmp/dat" &&
		same kicks "$(lines kick)" kicks && same wakes "$(lines wake)" wakes &&
		same calls "$(lines call)" calls && same injects "$(lines inject)" injects &&
		same entries "$(lines entry)" entries &&
		same latencies "$(lines vring_latency)" entries &&
		same sum "$(sum kick_entry_ns vring_latency)" kick-entry.sum-ns
}

trace_cmd_filter()
{
	run trace-cmd record -q -b 4096 -e vringlab:kick -f 'coalesced == 0 && exit_kick_ns > 0' \
		-e vringlab:inject -f 'deferred == 1' -o "$tmp/dat" "${guest[@]}" &&
		[ "$status" -eq 0 ] && read_module &&
		run trace-cmd report -q -i "$tmp/dat" &&
		same kicks "$(lines kick)" exit-kick.count && [ "$(lines inject)" -eq 0 ]
}

ktap_print_header
ktap_set_plan 3
load_module
check "trace-cmd records every hop, and the sum of a field" with_backend trace_cmd
check "trace-cmd filters by field" with_backend trace_cmd_filter
check "the module unloads" rmmod vringlab
ktap_finished
