#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The kernel's hist triggers on the trace events: they count and add up what the
# module does.

. "$(dirname "$0")/../lib/ktap.sh"
# shellcheck source-path=SCRIPTDIR source=../lib/trace.sh
. "$(dirname "$0")/../lib/trace.sh"
[ -e /sys/kernel/tracing/events/kmem/kmalloc/hist ] ||
	skip_all "needs a kernel with CONFIG_HIST_TRIGGERS"

entry='hist:keys=vring:vals=kick_entry_ns,inject_entry_ns'
kick='hist:keys=source:vals=exit_kick_ns if coalesced == 0'

# of_hist EVENT FIELD: of a hist trigger's only entry
of_hist()
{
	sed -n "s/^{ .*$2: *\([0-9]*\).*/\1/p" "$events/$1/hist"
}

hist_triggers()
{
	echo "$entry" >$events/entry/trigger && echo "$kick" >$events/kick/trigger || return 1
	run "${guest[@]}"
	[ "$status" -eq 0 ] && read_module && same entries "$(of_hist entry hitcount)" entries &&
		same sum "$(of_hist entry kick_entry_ns)" kick-entry.sum-ns &&
		same sum "$(of_hist entry inject_entry_ns)" inject-entry.sum-ns &&
		same kicks "$(of_hist kick hitcount)" kick-wake.count &&
		same sum "$(of_hist kick exit_kick_ns)" exit-kick.sum-ns
}

hist_triggers_removed()
{
	hist_triggers
	local result=$?

	echo "!$entry" >$events/entry/trigger
	echo "!$kick" >$events/kick/trigger
	return $result
}

ktap_print_header
ktap_set_plan 2
load_module
check "hist triggers count and add up" with_backend hist_triggers_removed
check "the module unloads" rmmod vringlab
ktap_finished
