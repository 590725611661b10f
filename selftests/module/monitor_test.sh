#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# vringlab monitor: the vrings that are there, those that come and go, the hits of
# thresholds, and its end with the module's.

. "$(dirname "$0")/../lib/ktap.sh"

[ "$(id -u)" -eq 0 ] || skip_all "loads a module: run as root"
[ -n "${VRINGLAB_KO:-}" ] || skip_all "no module: set VRINGLAB_KO=, or use scripts/check"
[ ! -e /sys/module/vringlab ] || skip_all "vringlab is loaded already: rmmod vringlab"

# monitor NAME OPTION...: its output is read from fd ${from[NAME]}
declare -A from=() pids=()
monitor()
{
	local fd

	mkfifo "$tmp/$1"
	"$vringlab" monitor "${@:2}" >"$tmp/$1" 2>"$tmp/$1.err" &
	pids[$1]=$!
	exec {fd}<"$tmp/$1"
	from[$1]=$fd
}

# backend NAME: with a loopback device, whose vring comes with a front-end and goes with
# the next one; returns when it listens
declare -A backends=()
backend()
{
	mkfifo "$tmp/$1.ready"
	"$vringlab" backend loopback --socket "$tmp/$1.sock" --trace "$1" --ready-fd 1 \
		>"$tmp/$1.ready" 2>"$tmp/$1.err" &
	backends[$1]=$!
	IFS= read -r -n 1 -t 60 <"$tmp/$1.ready" || true
	[ -S "$tmp/$1.sock" ]
}

drive()
{
	run timeout 60 "$vringlab" drive loopback --socket "$tmp/$1.sock" --count 1
	[ "$status" -eq 0 ]
}

# With the first vring hooks are attached, which may take longer than a front-end waits.
start()
{
	backend anchor && backend seen || return
	for _ in 1 2 3 4 5; do
		! drive anchor || break
	done
	[ "$status" -eq 0 ] && monitor text && monitor json --json && said text '^# event ' &&
		said text '^present .* anchor\.0$' && said json '^\{"event":"present",'
}

# said NAME PATTERN: the next line
said()
{
	line=
	IFS= read -r -t 60 -u "${from[$1]}" line
	[[ $line =~ $2 ]] || {
		echo "said '$line', not $2"
		return 1
	}
}

tells()
{
	local vring=" +[1-9][0-9]* +${backends[seen]} vhost-user seen\.0$"

	drive seen && said text "^added$vring" && drive seen && said text "^deleted$vring" &&
		said text "^added$vring"
}

tells_json()
{
	said json '^\{"event":"added","vring":\{"id":[1-9][0-9]*,"label":"seen\.0"' &&
		[[ $line == *',"backend":"vhost-user","pid":'"${backends[seen]},"* ]] &&
		said json '^\{"event":"deleted",' && said json '^\{"event":"added",'
}

# To a monitor that begins now.
tells_present()
{
	monitor late && said late '^# event ' && said late '^present .* anchor\.0$' &&
		said late '^present .* seen\.0$'
}

# One threshold of two is to tell; the one kick of a front-end hits both.
tells_hits()
{
	local before text_hit json_hit

	"$vringlab" threshold add --span kick-wake --longer-than 0ns >"$tmp/silent" &&
		"$vringlab" threshold add --span kick-wake --longer-than 0ns --action notify \
			>"$tmp/id" || return
	before=$(<"$tmp/id")
	text_hit="^hit .* ${backends[seen]} vhost-user seen\.0"
	text_hit+=" kick-wake [0-9.]+[num]?s threshold $before\$"
	json_hit='^\{"event":"hit",.*"hit":\{"threshold-id":'"$before"',"vring-id":[0-9]+,'
	json_hit+='"span":"kick-wake","ns":[0-9]+,"stamp-ns":[0-9]+\}\}$'
	drive seen && said text '^deleted ' && said text '^added ' && said text "$text_hit" &&
		said json '^\{"event":"deleted",' && said json '^\{"event":"added",' &&
		said json "$json_hit" &&
		said late '^deleted ' && said late '^added ' && said late '^hit ' &&
		"$vringlab" threshold del "$before" && "$vringlab" threshold del "$(<"$tmp/silent")"
}

tells_the_end()
{
	kill -TERM "${backends[seen]}" && wait "${backends[seen]}"
	said text '^deleted ' && said late '^deleted .* seen\.0$' &&
		said json '^\{"event":"deleted",'
}

ends_with_the_module()
{
	local name

	kill -TERM "${backends[anchor]}" && wait "${backends[anchor]}"
	rmmod vringlab || return
	for name in "${!pids[@]}"; do
		status=0
		wait "${pids[$name]}" || status=$?
		[ "$status" -eq 4 ] && one_line "$tmp/$name.err" &&
			grep -q "the module vringlab was unloaded" "$tmp/$name.err" || return
	done
}

ktap_print_header
ktap_set_plan 7

insmod "$VRINGLAB_KO" || ktap_exit_fail_msg "cannot load $VRINGLAB_KO"
check "it tells what is there when it starts" start
check "it tells of each vring that comes and goes" tells
check "as JSON, too" tells_json
check "it tells one that starts later, too" tells_present
check "it tells of a threshold's hit, if that is to notify" tells_hits
check "it tells of the vrings that end with their process" tells_the_end
check "it ends with the module, which it does not hold" ends_with_the_module

ktap_finished
