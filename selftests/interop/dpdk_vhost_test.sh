#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Our front-end on DPDK's vhost PMD: testpmd gives back each packet it gets.

. "$(dirname "$0")/../lib/ktap.sh"
# shellcheck source=SCRIPTDIR/../lib/peers.sh
. "$lib/peers.sh"

[ -x "$vringlab" ] || skip_all "no $vringlab: run make, or give VRINGLAB="
find_peer own dpdk-testpmd || skip_all "$why"
[ "$(nproc)" -ge 2 ] || skip_all "testpmd needs two processors: it polls on one of them"

pairs=2
socket=$tmp/socket
testpmd=

finish()
{
	[ -z "$testpmd" ] || kill -KILL "$testpmd"
	wait
	rm -rf "$tmp"
}
trap finish EXIT

# testpmd FORWARD-MODE
start_testpmd()
{
	local deadline=$((SECONDS + 60))

	rm -f "$socket"
	"$peer" -v --lcores 0@0,1@1 --no-huge -m 256 --no-pci --no-telemetry \
		--file-prefix="vringlab$$" \
		--vdev "net_vhost0,iface=$socket,queues=$pairs" -- --forward-mode="$1" \
		--auto-start --total-num-mbufs=8192 --nb-cores=1 --rxq=$pairs --txq=$pairs \
		--txd=512 --rxd=512 --stats-period 60 </dev/null >"$tmp/testpmd" 2>&1 &
	testpmd=$!
	until [ -S "$socket" ]; do
		[ "$SECONDS" -lt "$deadline" ] && kill -0 "$testpmd" || return 1
		sleep 0.1
	done
}

stop_testpmd()
{
	kill -"$1" "$testpmd"
	wait "$testpmd" 2>/dev/null
	testpmd=
}

# drive OPTION...
drive()
{
	run timeout 120 "$vringlab" drive net --socket "$socket" --timeout 60s --loss 10s "$@"
	cat "$tmp/out"
	[ "$status" -eq 0 ] && is_empty "$tmp/err"
}

# All come back, as they were sent.
echoes()
{
	drive --verify --count 20000 --depth 16 "$@" &&
		grep -q '^packets   20000 sent, 20000 received, 0 lost' "$tmp/out"
}

echoes_while_memory_moves()
{
	echoes --hotplug 4 && grep -Eq ' [1-9][0-9]* hotplugs$' "$tmp/out"
}

transmits()
{
	drive --mode transmit --count 100000 --depth 64 "$@" &&
		grep -q '^requests  100000 ' "$tmp/out"
}

# number KEY: of a report as JSON
number()
{
	sed -n "s/^ *\"$1\": *\([0-9]*\),*$/\1/p" "$tmp/out"
}

# A network may lose packets meanwhile, and does not change them.
killed()
{
	local drive

	"$vringlab" drive net --socket "$socket" --reconnect --verify --depth 16 --time 300s \
		--timeout 60s --json </dev/null >"$tmp/out" 2>"$tmp/err" &
	drive=$!
	# Not to wait for anything: the moment has to be any.
	sleep 0.5
	stop_testpmd KILL
	start_testpmd io
	until grep -q 'VHOST_USER_SET_VRING_ENABLE' "$tmp/testpmd"; do
		kill -0 "$drive" || return 1
		sleep 0.1
	done
	sleep 0.5
	kill -TERM "$drive"
	status=0
	wait "$drive" || status=$?
	[ "$status" -eq 0 ] && is_empty "$tmp/err" && [ "$(number reconnects)" -eq 1 ] &&
		[ "$(number packets-received)" -gt 1000 ]
}

# What testpmd sends by itself, in bursts.
receives()
{
	drive --mode receive --count 20000 "$@" && grep -Eq '^requests  20[0-9]{3} ' "$tmp/out"
}

ktap_print_header
ktap_set_plan 19
start_testpmd io || {
	cat "$tmp/testpmd"
	skip_all "testpmd has no vhost PMD: run scripts/setup --interop"
}
pairing "vringlab drive net" "DPDK $version vhost PMD"
check "net: a split ring" echoes
check "net: with mergeable buffers" echoes --mergeable
check "net: 65535 bytes in many buffers" echoes --mergeable --size 65535 --depth 4
check "net: in order" echoes --in-order
check "net: in order, mergeable" echoes --in-order --mergeable --size 1500
check "net: with indirect descriptors" echoes --indirect
check "net: with event indices" echoes --event-idx
check "net: a packed ring" echoes --packed
check "net: packed, mergeable" echoes --packed --mergeable --size 9000
check "net: packed, in order" echoes --packed --in-order
check "net: packed, all features" \
	echoes --packed --in-order --indirect --event-idx --mergeable --size 3000
check "net: both ends poll" echoes --poll
check "net: two pairs of virtqueues" echoes --pairs 2
check "net: memory that comes and goes" echoes_while_memory_moves
check "net: transmit only" transmits
check "net: transmit only, packed" transmits --packed
check "net: testpmd is killed and started again" killed
stop_testpmd TERM
start_testpmd macswap
check "net: addresses change on the way" echoes --mergeable --size 1500
stop_testpmd TERM
start_testpmd txonly
check "net: receive only" receives
stop_testpmd TERM
ktap_finished
