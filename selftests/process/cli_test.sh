#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The command line itself: help on stdout, usage errors on stderr, exit codes.

. "$(dirname "$0")/../lib/ktap.sh"

[ -x "$vringlab" ] || skip_all "no $vringlab: run make, or give VRINGLAB="

# Sorted.
commands="backend discover doctor drive hist monitor stat threshold vmm"

help_is_good()
{
	run "$vringlab" "$@" --help
	[ "$status" -eq 0 ] && [ -s "$tmp/out" ] && is_empty "$tmp/err" &&
		head -n 1 "$tmp/out" | grep -q "^usage: vringlab ${*:-COMMAND}"
}

# usage_error_of ARGUMENT...: exit 2, nothing on stdout, the reason on stderr
usage_error_of()
{
	run timeout 20 "$vringlab" "$@"
	[ "$status" -eq 2 ] && is_empty "$tmp/out" && [ -s "$tmp/err" ]
}

usage_error_of_command()
{
	usage_error_of "$@" && grep -q "^vringlab $1: " "$tmp/err" &&
		grep -q "vringlab $1 --help" "$tmp/err"
}

unknown_command_is_named()
{
	usage_error_of no-such-command && grep -q no-such-command "$tmp/err"
}

help_lists_every_command()
{
	local c

	run "$vringlab" --help
	for c in $commands; do
		grep -q "^  $c " "$tmp/out" || return 1
	done
	# and no command that this test does not know
	[ "$(sed -n '/^commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' "$tmp/out" | sort | xargs)" = \
		"$commands" ]
}

version_is_one_line()
{
	run "$vringlab" --version
	[ "$status" -eq 0 ] && one_line "$tmp/out" && is_empty "$tmp/err" &&
		grep -Eqx 'vringlab [0-9]+\.[0-9]+\.[0-9]+' "$tmp/out"
}

unknown_option_is_named()
{
	usage_error_of_command "$1" --no-such-option && grep -q no-such-option "$tmp/err"
}

# One line and its cure, where the module is not loaded.
absence_is_told()
{
	run "$vringlab" "$@"
	[ "$status" -eq 4 ] && is_empty "$tmp/out" && one_line "$tmp/err" &&
		grep -q modprobe "$tmp/err"
}

socket_in_a_missing_folder_fails()
{
	run timeout 20 "$vringlab" backend loopback --socket "$tmp/none/x.sock"
	[ "$status" -eq 1 ] && one_line "$tmp/err" && grep -q "$tmp/none/x.sock" "$tmp/err" &&
		grep -q "No such file or directory" "$tmp/err"
}

# Given to bind(2) it would be a socket without a file.
socket_without_a_path_fails()
{
	run timeout 20 "$vringlab" backend loopback --socket ""
	[ "$status" -eq 1 ] && one_line "$tmp/err" && grep -q "1 to 107 characters" "$tmp/err"
}

full_output_is_a_failure()
{
	status=0
	"$vringlab" "$@" >/dev/full 2>"$tmp/err" || status=$?
	[ "$status" -eq 1 ] && one_line "$tmp/err" && grep -q "No space left" "$tmp/err"
}

ktap_print_header
ktap_set_plan 59

check "--help goes to stdout" help_is_good
check "--help lists every command" help_lists_every_command
check "--version is one line" version_is_one_line
check "no command is a usage error" usage_error_of
check "an unknown command is named" unknown_command_is_named
for c in $commands; do
	check "$c --help goes to stdout" help_is_good "$c"
	check "$c names an unknown option" unknown_option_is_named "$c"
	check "$c takes no stray argument" usage_error_of_command "$c" stray stray
done
check "backend without a kind is a usage error" usage_error_of_command backend
check "backend without --socket is a usage error" usage_error_of_command backend loopback
check "backend with an unknown kind is a usage error" \
	usage_error_of_command backend no-such-kind --socket "$tmp/x.sock"
check "drive names an option of another device" \
	usage_error_of_command drive net --socket "$tmp/x.sock" --rw read
check "drive has no packet of 63 bytes" \
	usage_error_of_command drive net --socket "$tmp/x.sock" --size 63
check "backend net without an end is a usage error" \
	usage_error_of_command backend net --socket "$tmp/x.sock"
check "backend net takes no tap's option without one" \
	usage_error_of_command backend net --null --bridge b0 --socket "$tmp/x.sock"
check "backend net takes no multicast address" \
	usage_error_of_command backend net --null --mac 01:00:00:00:00:01 --socket "$tmp/x.sock"
for name in "" "t%d" "a/b" abcdefghijklmnop; do
	check "backend net has no tap '$name'" \
		usage_error_of_command backend net --tap "$name" --socket "$tmp/x.sock"
done
check "backend net has no address 192.0.2.1/33" \
	usage_error_of_command backend net --tap t0 --address 192.0.2.1/33 --socket "$tmp/x.sock"
check "backend net has at most 128 pairs" \
	usage_error_of_command backend net --null --queues 129 --socket "$tmp/x.sock"
check "backend blk has no block of 768 bytes" \
	usage_error_of_command backend blk --null-size 1M --block-size 768 --socket "$tmp/x.sock"
check "backend blk has no serial number of 21 characters" \
	usage_error_of_command backend blk --null-size 1M --serial 012345678901234567890 \
	--socket "$tmp/x.sock"
check "backend takes another kind's option for none of its own" \
	usage_error_of_command backend net --null --file "$tmp/x" --socket "$tmp/x.sock"
for option in "--interval 1" "--interval 0s" "--count 1"; do
	# shellcheck disable=SC2086 # two
	check "stat has no $option alone" usage_error_of_command stat $option
done
check "vmm without a guest is a usage error" usage_error_of_command vmm
check "backend says which socket it cannot make" socket_in_a_missing_folder_fails
check "backend wants a socket with a path" socket_without_a_path_fails
check "output that is full is a failure" full_output_is_a_failure --help
if [ -e /sys/module/vringlab ]; then
	ktap_test_skip "stat without the module: it is loaded, rmmod vringlab to test this"
	ktap_test_skip "hist without the module: it is loaded, rmmod vringlab to test this"
	ktap_test_skip "monitor without the module: it is loaded, rmmod vringlab to test this"
else
	for c in stat hist monitor; do
		check "$c says that the module is absent, and the cure" absence_is_told "$c"
	done
fi
ktap_finished
