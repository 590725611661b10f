#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# scripts/check refuses what it cannot do, and to run where another one does.

. "$(dirname "$0")/../lib/ktap.sh"

program=$src/scripts/check
[ -x "$program" ] || skip_all "no scripts/check: run in a source tree, or give VRINGLAB_SRC="

# It is refused each time, and would have little to do if it were not.
in_folder()
{
	run env O="$tmp/build" "$program" --ring pure --only 'no such test' "$@"
}

# is_usage OPTION...
is_usage()
{
	in_folder "$@"
	[ "$status" -eq 2 ] && is_empty "$tmp/out" && ! is_empty "$tmp/err"
}

refuses_a_second_one()
{
	local lock

	mkdir -p "$tmp/build/check" && touch "$tmp/build/check/log"
	exec {lock}>"$tmp/build/check.lock"
	flock "$lock"
	in_folder
	exec {lock}>&-
	[ "$status" -eq 1 ] && is_empty "$tmp/out" && one_line "$tmp/err" &&
		grep -q "another one runs in $tmp/build" "$tmp/err" && [ -e "$tmp/build/check/log" ]
}

ktap_print_header
ktap_set_plan 3
check "a ring that there is not is a usage error" is_usage --ring none
check "an option without its argument is a usage error" is_usage --only
check "where another one runs it touches nothing" refuses_a_second_one
ktap_finished
