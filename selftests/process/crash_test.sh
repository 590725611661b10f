#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A back-end that is killed at any moment under load, started again and connected
# to loses no request: each comes back once, and what was written is there.
#
# CRASH_KILLS (200) is how often, for each ring format.

. "$(dirname "$0")/../lib/ktap.sh"

[ -x "$vringlab" ] || skip_all "no $vringlab: run make, or give VRINGLAB="

kills=${CRASH_KILLS:-200}
disk=$tmp/disk
socket=$tmp/socket
truncate -s 8M "$disk"

# Its life: it says when a front-end is connected, and some time later it dies.
serve_and_die()
{
	local pid line

	exec 3< <(exec "$vringlab" backend blk --file "$disk" --socket "$socket" --verbose \
		2>&1 </dev/null)
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

# crash OPTION...: drives the disk with them while its back-ends die
crash()
{
	local drive backend i

	"$vringlab" drive blk --socket "$socket" --reconnect --rw randrw --verify --depth 16 \
		--time 600s --timeout 20s --json "$@" </dev/null >"$tmp/out" 2>"$tmp/err" &
	drive=$!
	# Some die before their connection is whole: those do not count.
	for ((i = 0; i < kills + kills / 4; i++)); do
		serve_and_die || break
	done
	"$vringlab" backend blk --file "$disk" --socket "$socket" </dev/null &
	backend=$!
	kill -TERM "$drive"
	status=0
	wait "$drive" || status=$?
	kill -TERM "$backend"
	wait "$backend"
	[ "$status" -eq 0 ] && is_number_at_least "$kills" reconnects &&
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
ktap_set_plan 4
check "$kills kills of a split ring's back-end lose nothing" crash
check "$kills kills with indirect descriptors and event indices lose nothing" \
	crash --indirect --event-idx
check "$kills kills of a packed ring's back-end lose nothing" crash --packed
check "$kills kills of a packed ring's with all features lose nothing" \
	crash --packed --indirect --event-idx
ktap_finished
