#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A back-end that is killed at any moment under load, started again and connected
# to loses no request: each comes back once, and what was written is there.
#
# CRASH_KILLS (200) is how often, for each device and kind of ring. The moments are
# any: those between two stores of one operation are vring_kill_test's.

. "$(dirname "$0")/../lib/ktap.sh"

[ -x "$vringlab" ] || skip_all "no $vringlab: run make, or give VRINGLAB="

kills=${CRASH_KILLS:-200}
disk=$tmp/disk
socket=$tmp/socket
truncate -s 8M "$disk"

# serve DEVICE: a back-end, in the place of this process
serve()
{
	local options=()

	[ "$1" != blk ] || options=(--file "$disk")
	exec "$vringlab" backend "$1" "${options[@]}" --socket "$socket" --verbose </dev/null 2>&1
}

# Its life: it says when a front-end is connected, and some time later it dies.
serve_and_die()
{
	local pid line

	exec 3< <(serve "$1")
	pid=$!
	while read -r -t 20 line <&3; do
		case $line in *"is connected") break ;; esac
	done
	case $line in *"is connected") ;; *) return 1 ;; esac
	# Not to wait for anything: the moment has to be any.
	sleep "0.0$((RANDOM % 3))$((RANDOM % 10))"
	kill -KILL "$pid"
	wait "$pid"
	exec 3<&-
}

# crash DEVICE OPTION...: drives it with them while its back-ends die
crash()
{
	local device=$1 drive backend i

	"$vringlab" drive "$@" --socket "$socket" --reconnect --verify --depth 16 \
		--time 600s --timeout 20s --json </dev/null >"$tmp/out" 2>"$tmp/err" &
	drive=$!
	# Some die before their connection is whole, more of them on a busy machine. Of
	# the others, which have requests under way, there have to be as many as half.
	for ((i = 0; i < kills + kills / 4; i++)); do
		serve_and_die "$device" || break
	done
	serve "$device" >"$tmp/last" &
	backend=$!
	# No more requests; what the last back-end took over has to come back.
	kill -TERM "$drive"
	status=0
	wait "$drive" || status=$?
	kill -TERM "$backend"
	wait "$backend"
	[ "$status" -eq 0 ] && is_number_at_least "$((kills / 2))" reconnects &&
		is_number_at_least "$((10 * kills))" requests
}

# is_number_at_least LEAST KEY
is_number_at_least()
{
	local value

	value=$(sed -n "s/.*\"$2\":\([0-9]*\),.*/\1/p" "$tmp/out")
	echo "$2: $value"
	[ "${value:-0}" -ge "$1" ]
}

ktap_print_header
ktap_set_plan 6
check "$kills kills of a split ring's back-end lose nothing" crash blk --rw randrw
check "$kills kills with indirect descriptors and event indices lose nothing" \
	crash blk --rw randrw --indirect --event-idx
check "$kills kills of a packed ring's back-end lose nothing" crash blk --rw randrw --packed
check "$kills kills of a packed ring's with all features lose nothing" \
	crash blk --rw randrw --packed --indirect --event-idx
check "$kills kills of a loopback's back-end lose nothing" \
	crash loopback --indirect --event-idx
check "$kills kills of a packed loopback's back-end lose nothing" \
	crash loopback --packed --indirect --event-idx
ktap_finished
