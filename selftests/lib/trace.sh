# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# For tests of the trace events with one tool each: after ktap.sh,
# . "$(dirname "$0")/../lib/trace.sh". Counts a guest's kicks with the tool, and
# compares with what the module has counted.

[ "$(id -u)" -eq 0 ] || skip_all "loads a module: run as root"
[ -n "${VRINGLAB_KO:-}" ] || skip_all "no module: set VRINGLAB_KO=, or use scripts/check"
[ ! -e /sys/module/vringlab ] || skip_all "vringlab is loaded already: rmmod vringlab"
[ -w /dev/kvm ] || skip_all "needs /dev/kvm: load kvm_amd or kvm_intel"
command -v python3 >/dev/null || skip_all "no python3: run scripts/setup"
tracing=/sys/kernel/tracing
[ -e $tracing/trace ] || mount -t tracefs nodev $tracing ||
	skip_all "needs tracefs: mount -t tracefs nodev $tracing"
# For the tests that source this.
# shellcheck disable=SC2034
events=$tracing/events/vringlab

# shellcheck disable=SC2034,SC2154
guest=("$vringlab" vmm --guest ring-ping --socket "$tmp/s" --count 200)

# need_tool COMMAND
need_tool()
{
	command -v "$1" >/dev/null || skip_all "no $1: run scripts/setup"
}

# Each guest has a new vring; it is there until the back-end ends.
start_backend()
{
	coproc "$vringlab" backend loopback --socket "$tmp/s" --trace tools --ready-fd 1
	backend=$COPROC_PID
	IFS= read -r -n 1 -t 60 -u "${COPROC[0]}" || true
	[ -S "$tmp/s" ]
}

stop_backend()
{
	kill -TERM "$backend" && wait "$backend"
}

# Leaves the module's numbers in $tmp/module, "NAME VALUE" a line: counters, and
# SPAN.count and SPAN.sum-ns of each span.
read_module()
{
	"$vringlab" stat --json | python3 -c '
import json, sys
vring, = json.load(sys.stdin)["vrings"]
for name, value in vring["counters"].items():
    print(name, value)
for span in vring["spans"]:
    print(span["span"] + ".count", span["count"])
    print(span["span"] + ".sum-ns", span["sum-ns"])
' >"$tmp/module"
}

# same WHAT OF-TOOL NAME: and neither is nothing
same()
{
	local number

	number=$(sed -n "s/^$3 //p" "$tmp/module")
	[ "${2:-0}" = "$number" ] && [ "$number" -gt 0 ] && return
	echo "$1: '${2:-}', but the module has $3 = $number"
	return 1
}

with_backend()
{
	local result=0

	start_backend || return 1
	"$@" || result=1
	stop_backend || return 1
	return $result
}

# lines EVENT: of what a tool printed of an event
lines()
{
	grep -c "vringlab:$1:\|[ :]$1: " "$tmp/out"
}

# sum FIELD EVENT: of what it printed of one
sum()
{
	grep "vringlab:$2:\|[ :]$2: " "$tmp/out" | sed "s/.* $1=//; s/ .*//" |
		awk '{ sum += $1 } END { print sum + 0 }'
}

# Fails the whole program if it cannot.
load_module()
{
	insmod "$VRINGLAB_KO" || ktap_exit_fail_msg "cannot load $VRINGLAB_KO"
}
