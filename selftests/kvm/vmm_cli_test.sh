#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# vringlab vmm with KVM: its guests, alone and with vringlab backend loopback.

. "$(dirname "$0")/../lib/ktap.sh"
. "$(dirname "$0")/../lib/loopback.sh"

hello_prints_the_sum()
{
	run "$vringlab" vmm --guest hello
	printf '4\n' >"$tmp/expected"
	[ "$status" -eq 0 ] && is_empty "$tmp/err" && cmp "$tmp/out" "$tmp/expected"
}

hello_fails_if_its_output_is_lost()
{
	status=0
	"$vringlab" vmm --guest hello >/dev/full 2>"$tmp/err" || status=$?
	[ "$status" -eq 1 ] && one_line "$tmp/err" && grep -q "No space left" "$tmp/err"
}

hello_reports_json()
{
	run "$vringlab" vmm --guest hello --json
	[ "$status" -eq 0 ] && [ "$(head -n 1 "$tmp/out")" = 4 ] &&
		tail -n +2 "$tmp/out" | tr -d ' \n' |
		grep -qxF '{"guest":"hello","ok":true,"user-exits":3}'
}

registers_are_dumped()
{
	run "$vringlab" vmm --guest hello --dump-regs
	[ "$status" -eq 0 ] && [ "$(cat "$tmp/out")" = 4 ] &&
		sed -n '/^# registers before/,/^# registers after/p' "$tmp/err" |
		grep -q 'rip  0000000000000000 .* rax  0000000000000000' &&
		sed -n '/^# registers after/,$p' "$tmp/err" >"$tmp/after" &&
		grep -q 'rip  0000000000000016 .* rax  000000000000000a' "$tmp/after" &&
		grep -q 'rdx  00000000000003f8' "$tmp/after" &&
		grep -q 'cs   selector 1000 base 0000000000010000' "$tmp/after"
}

# number KEY: of the last JSON report
number()
{
	sed -n "s/^ *\"$1\": *\([0-9]*\),*$/\1/p" "$tmp/out"
}

# Interrupts that brought an answer: an emulated processor may add others.
answering()
{
	echo $(($(number interrupts) - $(number interrupts-spurious)))
}

# ping COUNT BUFFERS OPTION...
ping()
{
	local count=$1 buffers=$2

	shift 2
	run "$vringlab" vmm --guest ring-ping --socket "$sock" --count "$count" --json "$@"
	[ "$status" -eq 0 ] && is_empty "$tmp/err" && grep -q '"ok": *true' "$tmp/out" &&
		[ "$(number iterations)" -eq "$count" ] &&
		[ "$(number round-trips)" -eq "$count" ] &&
		[ "$(($(number kicks) + $(number kicks-suppressed)))" -eq "$count" ] &&
		[ "$(answering)" -ge "$count" ] && [ "$(answering)" -le "$buffers" ] &&
		[ "$(number count)" -eq "$count" ] &&
		[ "$(number buffers)" -eq "$buffers" ] &&
		[ "$(number mismatches)" -eq 0 ] && [ "$(number user-exits)" -eq 1 ]
}

ping_as_text()
{
	run "$vringlab" vmm --guest ring-ping --socket "$sock" --count 20
	[ "$status" -eq 0 ] && is_empty "$tmp/err" &&
		grep -q "^# guest ring-ping succeeded" "$tmp/out" &&
		grep -Eq "^kicks +20 " "$tmp/out" &&
		awk '$1 == "interrupts" { n += $2 } $1 == "interrupts-spurious" { n -= $2 }
			END { exit n != 20 }' "$tmp/out" &&
		grep -Eq "^round-trip( +[0-9.]+(ns|us|ms|s)){7}$" "$tmp/out"
}

# More iterations than any machine does before the deadline.
endless="--count 4294967296"

timeout_tells_where_it_was()
{
	# shellcheck disable=SC2086
	run "$vringlab" vmm --guest ring-ping --socket "$sock" $endless --timeout 300ms
	[ "$status" -eq 1 ] && one_line "$tmp/err" &&
		grep -q "did not end within 300ms" "$tmp/err" &&
		grep -Eq "in iteration [0-9]+ of 4294967296 with [0-9]+ kicks" "$tmp/err" &&
		grep -Eq "cs:rip 0x8:0x1[0-9a-f]{4}" "$tmp/err"
}

signal_stops_it()
{
	local deadline=$((SECONDS + 20))

	# a background job's SIGINT is ignored, if nobody says otherwise
	# shellcheck disable=SC2086
	env --default-signal=INT "$vringlab" vmm --guest ring-ping --socket "$sock" \
		$endless >"$tmp/out" 2>"$tmp/err" &
	guest=$!
	until runs "$guest"; do
		[ "$SECONDS" -lt "$deadline" ] || return 1
	done
	kill -"$1" "$guest"
	guest_ends 1 && one_line "$tmp/err" && grep -q "stopped by SIG$1" "$tmp/err" &&
		grep -q "^# guest ring-ping failed" "$tmp/out" && kill -0 "$backend"
}

# The back-end is killed while it serves.
lost_backend_is_told()
{
	local deadline=$((SECONDS + 20))

	# shellcheck disable=SC2086
	"$vringlab" vmm --guest ring-ping --socket "$sock" $endless >"$tmp/out" 2>"$tmp/err" &
	guest=$!
	until runs "$guest"; do
		[ "$SECONDS" -lt "$deadline" ] || return 1
	done
	lose_backend
	guest_ends 1 && one_line "$tmp/err" && grep -q "back-end" "$tmp/err"
}

ktap_print_header
ktap_set_plan 18

check "hello prints the sum" hello_prints_the_sum
check "hello fails if its output is lost" hello_fails_if_its_output_is_lost
check "hello reports JSON after its output" hello_reports_json
check "registers are dumped before and after" registers_are_dumped
check "the back-end starts" start_backend
check "ring-ping: every count agrees" ping 200 200
check "ring-ping: by memory doorbell" ping 50 50 --doorbell mmio
check "ring-ping: spinning" ping 20 20 --wait spin
check "ring-ping: four chains a kick" ping 50 200 --depth 4
check "ring-ping: the smallest queue and buffer" ping 50 50 --queue-size 2 --size 1
check "ring-ping: the largest queue, full" ping 1 16384 --queue-size 32768 --depth 16384 --size 16
check "ring-ping: large buffers" ping 1 1 --size 1M --memory 8M
check "ring-ping: a report as text" ping_as_text
check "a timeout tells where the guest was" timeout_tells_where_it_was
check "SIGTERM stops it" signal_stops_it TERM
check "SIGINT stops it" signal_stops_it INT
check "the back-end serves the next" ping 20 20
check "a lost back-end is told at once" lost_backend_is_told

ktap_finished
