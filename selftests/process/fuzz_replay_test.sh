#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Every input that is kept goes through its fuzz target without a finding: what led
# to one is kept, under a name that says what it was.

. "$(dirname "$0")/../lib/ktap.sh"

programs=$(cd "$lib/../.." && pwd)/user/fuzz
[ -n "$src" ] || skip_all "the inputs are in the project's source: give VRINGLAB_SRC="
corpora=$src/user/fuzz/corpus

# One process for all of a target: nothing may be left from one input to the next.
# Its exit status is 4 where there is no io_uring.
replay()
{
	inputs=("$corpora/$1"/*)
	run "$programs/replay-$1" "${inputs[@]}"
}

survived()
{
	[ "$status" -eq 0 ] && [ "$(wc -l <"$tmp/out")" -eq ${#inputs[@]} ] && return
	echo "it did not survive $(tail -n 1 "$tmp/out")"
	return 1
}

names=()
for source in "$src"/user/fuzz/*_fuzz.c; do
	name=${source##*/}
	names+=("${name%_fuzz.c}")
done

ktap_print_header
ktap_set_plan ${#names[@]}
for name in "${names[@]}"; do
	replay "$name"
	if [ "$status" -eq 4 ]; then
		ktap_test_skip "inputs of $name: $(cat "$tmp/err")"
	else
		check "inputs of $name" survived
	fi
done
ktap_finished
