#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The virtqueue of our own VMM and back-end, of which neither registers it, is found
# as that of any other two would be.

. "$(dirname "$0")/../lib/ktap.sh"

deadline=120

[ "$(id -u)" -eq 0 ] || skip_all "loads a module: run as root"
[ -n "${VRINGLAB_KO:-}" ] || skip_all "no module: set VRINGLAB_KO=, or use scripts/check"
[ ! -e /sys/module/vringlab ] || skip_all "vringlab is loaded already: rmmod vringlab"
[ -w /dev/kvm ] || skip_all "needs /dev/kvm: load kvm_amd or kvm_intel"
command -v python3 >/dev/null || skip_all "no python3: run scripts/setup"

# vring EXPRESSION: of the one vring of vhost-user there is, as v
vring()
{
	"$vringlab" stat --json | python3 -c 'import json, sys
v, = [v for v in json.load(sys.stdin)["vrings"] if v["backend"] == "vhost-user"]
c = v["counters"]
sys.exit(not eval(f"({sys.argv[1]})"))' "$1"
}

starts()
{
	coproc "$vringlab" backend loopback --socket "$tmp/s" --ready-fd 1
	IFS= read -r -n 1 -t 60 -u "${COPROC[0]}" || true
	"$vringlab" vmm --guest ring-ping --socket "$tmp/s" --count 100000000 --timeout 3600s \
		>"$tmp/vmm" 2>&1 &
	guest=$!
	eventually vring 'v["found"]'
}

is_whose()
{
	vring "v['owner-pid'] == $guest and v['owner-comm'] == 'vringlab' and
		v['pid'] == $COPROC_PID and v['queue'] == 0 and v['size'] and v['vm'] and
		v['vm-pid'] == $guest and v['ioeventfds'] and v['irqfds']"
}

# The back-end reads no eventfd: how it takes kicks is known to who registers only.
counts()
{
	eventually vring 'c["kicks"] > 100 and c["kicks"] == c["kicks-kvm"] and
		c["calls-io-uring"] > 100 and c["injects"] > 100 and c["entries"] > 100 and
		not c["wakes"] and not c["acausal"]'
}

is_gone()
{
	! "$vringlab" stat --json | grep -q vhost-user
}

goes()
{
	kill -TERM "$guest"
	wait "$guest"
	eventually is_gone
}

ends()
{
	kill -TERM "$COPROC_PID" && wait "$COPROC_PID" && rmmod vringlab
}

ktap_print_header
ktap_set_plan 5

insmod "$VRINGLAB_KO" || ktap_exit_fail_msg "cannot load $VRINGLAB_KO"
"$vringlab" discover on || ktap_exit_fail_msg "cannot turn discovery on"
check "a vring is found that nobody registered" starts
check "whose it is, of both sides" is_whose
check "it counts" counts
check "it goes with the VMM, which was killed" goes
check "back-end and module go" ends

ktap_finished
