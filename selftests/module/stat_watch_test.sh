#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# 'vringlab stat' without vrings, again and again, and of vCPUs: what it says to do,
# that reports add up to what was done, and what it leaves behind.

. "$(dirname "$0")/../lib/ktap.sh"

[ "$(id -u)" -eq 0 ] || skip_all "loads a module: run as root"
[ -n "${VRINGLAB_KO:-}" ] || skip_all "no module: set VRINGLAB_KO=, or use scripts/check"
[ ! -e /sys/module/vringlab ] || skip_all "vringlab is loaded already: rmmod vringlab"
[ -w /dev/kvm ] || skip_all "needs /dev/kvm: load kvm_amd or kvm_intel"
command -v python3 >/dev/null || skip_all "no python3: run scripts/setup"
command -v setpriv >/dev/null || skip_all "no setpriv: install util-linux"

count=50
deadline=60

unprivileged()
{
	setpriv --bounding-set=-net_admin --inh-caps=-net_admin "$@"
}

# json FILE EXPRESSION: of its last line, as r
json()
{
	tail -n 1 "$1" | python3 -c 'import json, sys
r = json.load(sys.stdin)
print(eval(sys.argv[1]))' "$2"
}

discovery_is()
{
	run "$vringlab" discover status
	[ "$(cat "$tmp/out")" = "$1" ]
}

says_what_to_do()
{
	run unprivileged "$vringlab" stat
	[ "$status" -eq 0 ] && grep -q "^no vrings" "$tmp/out" &&
		grep -q "^# .*vringlab discover on" "$tmp/out" || return 1
	"$vringlab" discover on || return
	run "$vringlab" stat
	[ "$status" -eq 0 ] && grep -q "^# discovery is on" "$tmp/out" &&
		"$vringlab" discover off
}

back_end()
{
	coproc "$vringlab" backend loopback --socket "$tmp/s" --trace sum --ready-fd 1
	IFS= read -r -n 1 -t 60 -u "${COPROC[0]}" || true
	[ -S "$tmp/s" ]
}

# watch OPTION...: its lines are read from fd $from; it has begun, and waits
watch()
{
	rm -f "$tmp/lines"
	mkfifo "$tmp/lines"
	"$vringlab" stat --json "$@" >"$tmp/lines" 2>"$tmp/watch.err" &
	watcher=$!
	exec {from}<"$tmp/lines"
}

# line: the next report, in $tmp/line
line()
{
	local text=

	IFS= read -r -t 60 -u "$from" text || return
	printf '%s\n' "$text" >"$tmp/line"
}

ends_by()
{
	status=0
	kill "-$1" "$watcher"
	wait "$watcher" || status=$?
	exec {from}<&-
	[ "$status" -eq 0 ] && is_empty "$tmp/watch.err"
}

# It waits in write(2), and goes on doing so.
is_stuck()
{
	local i

	for ((i = 0; i < 5; i++)); do
		[[ $(cat "/proc/$watcher/syscall") == "1 "* ]] || return
		sleep 0.1
	done
}

ends_though_nobody_reads()
{
	watch --interval 1ms
	eventually is_stuck && ends_by INT && discovery_is off
}

# follow PYTHON: for each report r, until it is done
follow()
{
	timeout 120 python3 -c 'import json, sys
kicks = values = exits = 0
for line in sys.stdin:
    r = json.loads(line)
    exec(sys.argv[1])
sys.exit("the reports have ended")' "$1" <&"$from"
}

# adds_up OPTION...: reports, until they have all that a front-end and a guest did
adds_up()
{
	watch --interval 100ms "$@"
	line || return
	"$vringlab" vmm --guest ring-ping --socket "$tmp/s" --count $count >/dev/null || return
	follow "
new = sum(v['counters']['kicks'] for v in r['vrings'])
if kicks == values == $count or kicks > $count:
    sys.exit(kicks != $count or new or not r['discover']['enabled'])
kicks += new
values += sum(s['count'] for v in r['vrings'] for s in v['spans'] if s['span'] == 'kick-entry')
print(kicks, values)" && ends_by INT
}

# The vring that the guest before had is deleted when the next one comes.
resets_add_up()
{
	adds_up --reset
}

looks_for_vrings_meanwhile()
{
	watch --interval 100ms
	line && discovery_is "on, while a program wants it" && ends_by TERM && discovery_is off
}

counts()
{
	run "$vringlab" stat --interval 10ms --count 3 --json
	[ "$status" -eq 0 ] && is_empty "$tmp/err" && [ "$(wc -l <"$tmp/out")" -eq 3 ] || return 1
	run "$vringlab" stat --interval 10ms --count 2
	[ "$status" -eq 0 ] && [ "$(grep -c '^# 20[0-9-]* [0-9:]*$' "$tmp/out")" -eq 2 ]
}

hides_the_idle()
{
	run "$vringlab" stat --interval 10ms --count 1
	grep -q "^# 1 vrings did nothing" "$tmp/out" && ! grep -q "^# vring " "$tmp/out" || return 1
	run "$vringlab" stat --interval 10ms --count 1 --all
	grep -q "^# vring .*sum\.0" "$tmp/out" && grep -q "since the last report$" "$tmp/out"
}

needs_no_privilege()
{
	run unprivileged "$vringlab" stat --interval 10ms --count 1 --json
	[ "$status" -eq 0 ] && is_empty "$tmp/err" &&
		[ "$(json "$tmp/out" 'r["discover"]["enabled"]')" = False ]
}

# A guest without end, and from now on all of its exits have reasons.
vcpus_have_reasons()
{
	local result=0

	"$vringlab" stat --vcpus >/dev/null
	"$vringlab" vmm --guest ring-ping --socket "$tmp/s" --count 100000000 --timeout 3600s \
		>/dev/null 2>&1 &
	guest=$!
	watch --vcpus --interval 100ms
	follow "
for v in r['vcpus']:
    exits += v['counters']['exits']
    assert not v['counters']['exits-unknown'], v
    assert all(x['name'] and x['count'] for x in v['exit-reasons']), v
    assert sum(x['count'] for x in v['exit-reasons']) or not v['counters']['exits'], v
if exits > 100:
    sys.exit(0)" && ends_by INT || result=1
	kill -TERM "$guest"
	wait "$guest"
	return $result
}

ends_with_the_module()
{
	watch --interval 100ms
	line && kill -TERM "$COPROC_PID" && wait "$COPROC_PID" || return
	# While it is asked, it does not go.
	until rmmod vringlab 2>"$tmp/rmmod.err"; do
		line || return
	done
	# What it says before it learns of that may be more than a pipe has room for.
	timeout 60 cat <&"$from" >/dev/null
	status=0
	wait "$watcher" || status=$?
	[ "$status" -eq 4 ] && one_line "$tmp/watch.err"
}

ktap_print_header
ktap_set_plan 11

insmod "$VRINGLAB_KO" || ktap_exit_fail_msg "cannot load $VRINGLAB_KO"
check "without vrings it says what to do" says_what_to_do
check "it has the module look for vrings, and stop" looks_for_vrings_meanwhile
back_end || ktap_exit_fail_msg "no back-end"
check "reports add up to what a guest did" adds_up
check "and so do those that reset" resets_add_up
check "a signal ends it, though nobody reads" ends_though_nobody_reads
check "--count ends it" counts
check "what did nothing is left out, without --all" hides_the_idle
check "it needs no privilege" needs_no_privilege
if [ -e /sys/kernel/btf/vmlinux ]; then
	check "exits of vCPUs have reasons" vcpus_have_reasons
else
	skip "exits of vCPUs have reasons" "no BTF: use a kernel with CONFIG_DEBUG_INFO_BTF"
fi
check "it ends with the module" ends_with_the_module
check "the module is gone" test ! -e /sys/module/vringlab

ktap_finished
