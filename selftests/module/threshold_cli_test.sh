#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# 'vringlab threshold', and --reset and --since-reset of stat and hist: what they
# show is what a guest did.

. "$(dirname "$0")/../lib/ktap.sh"

[ "$(id -u)" -eq 0 ] || skip_all "loads a module: run as root"
[ -n "${VRINGLAB_KO:-}" ] || skip_all "no module: set VRINGLAB_KO=, or use scripts/check"
[ ! -e /sys/module/vringlab ] || skip_all "vringlab is loaded already: rmmod vringlab"
[ -w /dev/kvm ] || skip_all "needs /dev/kvm: load kvm_amd or kvm_intel"
command -v python3 >/dev/null || skip_all "no python3: run scripts/setup"
command -v setpriv >/dev/null || skip_all "no setpriv: install util-linux"

count=100

# json EXPRESSION: of $tmp/out, as r
json()
{
	python3 -c 'import json, sys; r = json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' \
		"$tmp/out" "$1"
}

# prints LINES: what the last command printed, without a complaint
prints()
{
	[ "$status" -eq 0 ] && is_empty "$tmp/err" && [ "$(cat "$tmp/out")" = "$1" ]
}

# is_usage WORD COMMAND...: refused, naming what is wrong
is_usage()
{
	local word=$1

	shift
	run "$vringlab" "$@"
	[ "$status" -eq 2 ] && is_empty "$tmp/out" && grep -q -- "$word" "$tmp/err"
}

bad_usage()
{
	is_usage "add, del or list" threshold &&
		is_usage "none of" threshold remove &&
		is_usage "--span" threshold add --longer-than 1ms &&
		is_usage "no span" threshold add --span none --longer-than 1ms &&
		is_usage "no duration" threshold add --span kick-wake --longer-than 1 &&
		is_usage "no action" threshold add --span kick-wake --longer-than 1ms --action x &&
		is_usage "no id" threshold add --span kick-wake --longer-than 1ms --vring 0 &&
		is_usage "needs the id" threshold del x && is_usage "unexpected" threshold list 1
}

adds()
{
	run "$vringlab" threshold add --span kick-entry --longer-than 0ns
	prints 1 || return 1
	run "$vringlab" threshold add --span wake-call --longer-than 100s --action trace \
		--action notify --once
	prints 2
}

refuses()
{
	run "$vringlab" threshold add --span kick-wake --longer-than 1ms --vring 4711
	[ "$status" -eq 1 ] && one_line "$tmp/err" && grep -q "no vring" "$tmp/err" || return 1
	run setpriv --bounding-set=-net_admin --inh-caps=-net_admin \
		"$vringlab" threshold add --span kick-wake --longer-than 1ms
	[ "$status" -eq 1 ] && one_line "$tmp/err"
}

guest_runs()
{
	coproc "$vringlab" backend loopback --socket "$tmp/s" --trace cli --ready-fd 1
	IFS= read -r -n 1 -t 60 -u "${COPROC[0]}" || true
	run "$vringlab" vmm --guest ring-ping --socket "$tmp/s" --count $count
	[ "$status" -eq 0 ]
}

hits_are_listed()
{
	run "$vringlab" threshold list --json
	[ "$(json '[(t["id"], t["vring-id"], t["span"], t["hits"]) for t in r]')" = \
		"[(1, None, 'kick-entry', $count), (2, None, 'wake-call', 0)]" ] &&
		[ "$(json 'r[1]["actions"], r[1]["once"]')" = "(['trace', 'notify'], True)" ] ||
		return 1
	run "$vringlab" threshold list --ns
	grep -q "^1 .* all kick-entry *0 *$count *0  -$" "$tmp/out" &&
		grep -q "^2 .* all wake-call *100000000000 *0 *0  trace,notify,once$" "$tmp/out" ||
		return 1
	run "$vringlab" stat
	grep -q "^1 .* all kick-entry *0ns *$count *0  -$" "$tmp/out"
}

# kicks_of OPTION...: of stat
kicks_of()
{
	run "$vringlab" stat --json "$@"
	json 'r["vrings"][0]["counters"]["kicks"]'
}

resets()
{
	[ "$(kicks_of --since-reset)" = $count ] &&
		[ "$(kicks_of --reset --vring cli.0)" = $count ] &&
		[ "$(kicks_of --since-reset)" = 0 ] && [ "$(kicks_of)" = $count ] || return 1
	run "$vringlab" hist --span kick-wake --since-reset
	grep -q "since the last reset" "$tmp/out" && grep -q "kick-wake: no values" "$tmp/out" ||
		return 1
	run "$vringlab" hist --span kick-wake
	grep -q "kick-wake: $count values" "$tmp/out"
}

reset_is_for_the_privileged()
{
	run setpriv --bounding-set=-net_admin --inh-caps=-net_admin "$vringlab" stat --reset
	[ "$status" -eq 1 ] && one_line "$tmp/err" || return 1
	run setpriv --bounding-set=-net_admin --inh-caps=-net_admin "$vringlab" stat --since-reset
	[ "$status" -eq 0 ]
}

reset_of_none_resets_nothing()
{
	run "$vringlab" stat --reset --vring other
	[ "$status" -eq 1 ] && grep -q "other" "$tmp/err"
}

deletes()
{
	run "$vringlab" threshold del 1
	prints "" || return 1
	run "$vringlab" threshold del 1
	[ "$status" -eq 1 ] && one_line "$tmp/err" && grep -q "no threshold" "$tmp/err" || return 1
	run "$vringlab" threshold list --json
	[ "$(json '[t["id"] for t in r]')" = "[2]" ]
}

ends()
{
	kill -TERM "$COPROC_PID" && wait "$COPROC_PID" && rmmod vringlab
}

ktap_print_header
ktap_set_plan 10

check "what makes no sense is refused as usage" bad_usage
insmod "$VRINGLAB_KO" || ktap_exit_fail_msg "cannot load $VRINGLAB_KO"
check "add prints the id" adds
check "add of an unknown vring, or without CAP_NET_ADMIN, says why" refuses
check "a guest kicks" guest_runs
check "list and stat show the hits" hits_are_listed
check "stat --reset begins anew, stat goes on" resets
check "--reset needs CAP_NET_ADMIN, --since-reset does not" reset_is_for_the_privileged
check "--reset of no vring is refused" reset_of_none_resets_nothing
check "del deletes one" deletes
check "back-end and module go" ends
ktap_finished
