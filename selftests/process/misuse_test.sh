#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What goes wrong around a back-end and its drive: streams that are closed or full, a
# virtqueue that is not there, signals while nothing comes.

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

# serve OPTION...: with this shell's standard streams, but for fd 3
serve()
{
	mkfifo "$tmp/ready"
	"$vringlab" backend "$@" --socket "$socket" --ready-fd 3 3>"$tmp/ready" &
	backend=$!
	read -r -t 20 -n 1 <"$tmp/ready"
	rm "$tmp/ready"
}

# end_backend: leaves $status
end_backend()
{
	kill -CONT "$backend"
	kill -TERM "$backend"
	status=0
	wait "$backend" || status=$?
	backend=
}

# drive QUEUE
drive()
{
	timeout 60 "$vringlab" drive loopback --socket "$socket" --count 1 --queue "$1"
}

# output_fails REASON: of what was run last, the output had nowhere to go
output_fails()
{
	[ "$status" -eq 1 ] && one_line "$tmp/err" && grep -q "standard output: $1" "$tmp/err"
}

report_to_a_full_disk_fails()
{
	status=0
	drive 0 >/dev/full 2>"$tmp/err" || status=$?
	output_fails "No space left"
}

report_to_a_closed_stream_fails()
{
	status=0
	drive 0 >&- 2>"$tmp/err" || status=$?
	output_fails "Bad file descriptor"
}

statistics_to_a_full_disk_fail()
{
	serve loopback --json >/dev/full 2>"$tmp/err"
	end_backend
	[ ! -e "$socket" ] && output_fails "No space left"
}

# A message to the user would else go to whoever has got its number.
no_socket_is_a_standard_stream()
{
	local fd result=0

	serve loopback <&- >&- 2>&-
	for fd in 0 1 2; do
		[ "$(readlink "/proc/$backend/fd/$fd")" = /dev/null ] || result=1
	done
	run drive 0
	[ "$status" -eq 0 ] || result=1
	end_backend
	[ "$status" -eq 0 ] && [ "$result" -eq 0 ]
}

missing_virtqueue_is_told()
{
	run drive 1
	[ "$status" -eq 4 ] && is_empty "$tmp/out" && one_line "$tmp/err" &&
		grep -q "1 virtqueues, not 2" "$tmp/err"
}

# signals_caught PID: as a mask of SIGINT and SIGTERM
signals_caught()
{
	local mask

	mask=$(sed -n 's/^SigCgt:[[:space:]]*//p' "/proc/$1/status")
	echo $((0x$mask & (1 << 1 | 1 << 14)))
}

# catches PID all|none: it does so, or will within 20 seconds
catches()
{
	local mask=0 i

	[ "$2" = none ] || mask=$((1 << 1 | 1 << 14))
	for ((i = 0; i < 2000; i++)); do
		[ "$(signals_caught "$1")" != "$mask" ] || return 0
		sleep 0.01
	done
	return 1
}

# With a back-end that does nothing any more what is under way never comes back.
second_signal_ends_it()
{
	local pid

	"$vringlab" drive loopback --socket "$socket" --time 600s --timeout 600s \
		>"$tmp/out" 2>"$tmp/err" </dev/null &
	pid=$!
	catches "$pid" all || return 1
	kill -STOP "$backend"
	kill -TERM "$pid"
	catches "$pid" none || return 1
	kill -INT "$pid"
	status=0
	wait "$pid" || status=$?
	# 0: all was back before the back-end was stopped
	[ "$status" -eq 130 ] || [ "$status" -eq 0 ]
}

# is_in_place PID: it is no shell any more, which would run this one's trap
is_in_place()
{
	local i

	for ((i = 0; i < 2000; i++)); do
		[ "$(cat "/proc/$1/comm")" != vringlab ] || return 0
		sleep 0.01
	done
	return 1
}

# Nothing has begun that there would be a report of.
first_signal_ends_the_wait()
{
	local pid

	"$vringlab" drive loopback --socket "$tmp/nobody" --reconnect --timeout 600s \
		>"$tmp/out" 2>"$tmp/err" </dev/null &
	pid=$!
	is_in_place "$pid" || return 1
	kill -TERM "$pid"
	status=0
	wait "$pid" || status=$?
	[ "$status" -eq 143 ]
}

# Its disk is longer than what it may write of a file, in units of 1024 bytes.
file_that_must_not_grow_is_an_error()
{
	truncate -s 2M "$tmp/disk" || return
	ulimit -S -f 512
	serve blk --file "$tmp/disk" 2>"$tmp/err"
	ulimit -S -f unlimited
	timeout 60 "$vringlab" drive blk --socket "$socket" --rw write --count 200 --size 8192 \
		>"$tmp/drive" 2>&1
	echo "drive: $(tail -n 1 "$tmp/drive")"
	end_backend
	[ "$status" -eq 0 ] && one_line "$tmp/err" &&
		grep -q "requests fail: File too large" "$tmp/err"
}

ktap_print_header
ktap_set_plan 8

serve loopback
check "a report to a full disk is a failure" report_to_a_full_disk_fails
check "a report to a closed stream is a failure" report_to_a_closed_stream_fails
check "a virtqueue that is not there is told" missing_virtqueue_is_told
check "a second signal ends a drive that waits" second_signal_ends_it
end_backend
check "a signal ends a drive that has no back-end yet" first_signal_ends_the_wait
check "statistics to a full disk are a failure" statistics_to_a_full_disk_fail
check "a file that must not grow is an error of requests" file_that_must_not_grow_is_an_error
check "without standard streams no socket is in their place" no_socket_is_a_standard_stream
ktap_finished
