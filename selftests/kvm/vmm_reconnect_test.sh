#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# vringlab vmm --reconnect: its guest does not notice that the back-end is killed in
# the middle, and that another one serves what was in flight.
#
# RECONNECT_KILLS (20) is how often at most: a guest may be through before.

. "$(dirname "$0")/../lib/ktap.sh"
. "$(dirname "$0")/../lib/loopback.sh"

kills=${RECONNECT_KILLS:-20}

# serve: starts one, until its front-end has come; fails if the guest has ended
serve()
{
	local line deadline=$((SECONDS + 20))

	exec 3< <(exec "$vringlab" backend loopback --socket "$sock" --verbose 2>&1 </dev/null)
	backend=$!
	while [ "$SECONDS" -lt "$deadline" ] && kill -0 "$guest" 2>/dev/null; do
		read -r -t 0.2 line <&3 || continue
		case $line in *"is connected") return 0 ;; esac
	done
	return 1
}

die()
{
	lose_backend
	exec 3<&-
}

# ping COUNT OPTION...: in the background
ping()
{
	local count=$1

	shift
	"$vringlab" vmm --guest ring-ping --socket "$sock" --reconnect --json --count "$count" \
		"$@" </dev/null >"$tmp/out" 2>"$tmp/err" &
	guest=$!
}

# nothing_is_lost COUNT OPTION...
nothing_is_lost()
{
	local count=$1 i

	shift
	ping "$count" --timeout 300s "$@"
	for ((i = 0; i < kills; i++)); do
		serve || break
		# Not to wait for anything: the moment has to be any.
		sleep "0.00$((RANDOM % 10))"
		die
	done
	[ -n "$backend" ] || serve
	guest_ends 0 || return 1
	die
	# Some die before their connection is whole: those do not count.
	echo "reconnects: $(number reconnects)"
	is_empty "$tmp/err" && [ "$(number round-trips)" -eq "$count" ] &&
		[ "$(number mismatches)" -eq 0 ] && [ "$(number reconnects)" -ge 1 ]
}

# Its vCPU has its thread, and its back-end has gone.
endless_guest_alone()
{
	local deadline=$((SECONDS + 20))

	ping 4294967296 --timeout 300s
	serve || return 1
	until grep -qx vcpu0 "/proc/$guest/task/"*/comm 2>/dev/null; do
		[ "$SECONDS" -lt "$deadline" ] || return 1
	done
	die
}

# The guest runs on, and the VMM does not wait for ever.
nobody_comes_back()
{
	endless_guest_alone || return 1
	guest_ends 1 && one_line "$tmp/err" && grep -q "back-end was lost.*$sock" "$tmp/err"
}

signal_ends_it_meanwhile()
{
	endless_guest_alone || return 1
	kill -TERM "$guest"
	guest_ends 1 && one_line "$tmp/err" && grep -q "stopped by SIGTERM" "$tmp/err"
}

ktap_print_header
ktap_set_plan 4
check "kills of the back-end: every round trip completes" nothing_is_lost 20000
check "kills of the back-end: with four chains a kick" nothing_is_lost 3000 --depth 4
check "a back-end that does not come back is told" nobody_comes_back
check "SIGTERM stops it while there is none" signal_ends_it_meanwhile
ktap_finished
