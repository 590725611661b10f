#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Regions of memory come and go while a back-end reads and writes in them: no byte is
# lost, wherever the region was before, one by one and as whole tables.

. "$(dirname "$0")/../lib/ktap.sh"

[ -x "$vringlab" ] || skip_all "no $vringlab: run make, or give VRINGLAB="

socket=$tmp/socket
backend=

finish()
{
	[ -z "$backend" ] || kill -KILL "$backend"
	wait
	rm -rf "$tmp"
}
trap finish EXIT

# serve OPTION...
serve()
{
	mkfifo "$tmp/ready"
	"$vringlab" backend "$@" --socket "$socket" --ready-fd 3 3>"$tmp/ready" 2>"$tmp/refused" \
		</dev/null &
	backend=$!
	read -r -t 20 -n 1 <"$tmp/ready"
	rm "$tmp/ready"
}

end_backend()
{
	kill -TERM "$backend"
	wait "$backend"
	backend=
	cat "$tmp/refused"
	is_empty "$tmp/refused"
}

# number KEY: of the report as JSON
number()
{
	sed -n "s/^ *\"$1\": *\([0-9]*\),*$/\1/p" "$tmp/out"
}

# drive OPTION...: every request's contents are looked at
drive()
{
	run timeout 120 "$vringlab" drive "$@" --socket "$socket" --verify --depth 16 \
		--time 1s --timeout 60s --json
	cat "$tmp/refused"
	[ "$status" -eq 0 ] && is_empty "$tmp/err" && [ "$(number hotplugs)" -ge 5 ] &&
		[ "$(number requests)" -ge 100 ]
}

# What a back-end has no room for is told, and is not a failure of ours.
too_many_for_a_table()
{
	run "$vringlab" drive loopback --socket "$socket" --hotplug 8 --no-mem-slots
	[ "$status" -eq 4 ] && one_line "$tmp/err" && grep -q '8 regions' "$tmp/err"
}

# The region that a request is in leaves when the back-end is killed, or comes.
killed()
{
	local drive i

	"$vringlab" drive blk --socket "$socket" --reconnect --rw randrw --verify --depth 16 \
		--hotplug 3 --time 600s --timeout 20s --json </dev/null >"$tmp/out" 2>"$tmp/err" &
	drive=$!
	for ((i = 0; i < 20; i++)); do
		serve blk --file "$tmp/disk"
		# Not to wait for anything: the moment has to be any.
		sleep "0.0$((RANDOM % 10))"
		kill -KILL "$backend"
		wait "$backend"
	done
	serve blk --file "$tmp/disk"
	kill -TERM "$drive"
	status=0
	wait "$drive" || status=$?
	[ "$status" -eq 0 ] && is_empty "$tmp/err" && [ "$(number reconnects)" -ge 5 ] &&
		[ "$(number hotplugs)" -ge 5 ]
}

truncate -s 8M "$tmp/disk"
ktap_print_header
ktap_set_plan 15
serve loopback
check "loopback: one region" drive loopback --hotplug 1
check "loopback: four regions" drive loopback --hotplug 4
check "loopback: sixty-four regions, packed, indirect" \
	drive loopback --hotplug 64 --packed --indirect
check "loopback: whole tables" drive loopback --hotplug 4 --no-mem-slots
check "loopback: whole tables, packed, in order" \
	drive loopback --hotplug 7 --no-mem-slots --packed --in-order
check "loopback: without acknowledgements" drive loopback --hotplug 2 --no-reply-ack
check "loopback: more regions than a table has" too_many_for_a_table
check "loopback: nothing was refused" end_backend
serve blk --file "$tmp/disk"
check "blk: four regions" drive blk --rw randrw --hotplug 4
check "blk: four regions, packed, all features" \
	drive blk --rw randrw --hotplug 4 --packed --indirect --event-idx
check "blk: whole tables" drive blk --rw randrw --hotplug 3 --no-mem-slots
check "blk: whole tables, packed" drive blk --rw randrw --hotplug 3 --no-mem-slots --packed
check "blk: large requests" drive blk --rw randrw --hotplug 3 --size 64K
check "blk: nothing was refused" end_backend
check "blk: back-ends are killed meanwhile" killed
ktap_finished
