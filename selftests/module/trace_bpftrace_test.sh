#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# bpftrace and the trace events: it counts and adds up what the module does.

. "$(dirname "$0")/../lib/ktap.sh"
# shellcheck source-path=SCRIPTDIR source=../lib/trace.sh
. "$(dirname "$0")/../lib/trace.sh"
need_tool bpftrace

# of_bpftrace MAP
of_bpftrace()
{
	sed -n "s/^@$1: //p" "$tmp/out"
}

bpf()
{
	run bpftrace -c "${guest[*]}" -e '
		tracepoint:vringlab:kick { @kicks = count(); }
		tracepoint:vringlab:entry { @entries = count(); @sum = sum(args->kick_entry_ns); }
		tracepoint:vringlab:vring_latency /args->kick_ns > 0/ {
			@calls = sum(args->wake_call_ns);
		}'
	[ "$status" -eq 0 ] && read_module && same kicks "$(of_bpftrace kicks)" kicks &&
		same entries "$(of_bpftrace entries)" entries &&
		same sum "$(of_bpftrace sum)" kick-entry.sum-ns &&
		same wake-call "$(of_bpftrace calls)" wake-call.sum-ns
}

ktap_print_header
ktap_set_plan 2
load_module
check "bpftrace counts and adds up" with_backend bpf
check "the module unloads" rmmod vringlab
ktap_finished
