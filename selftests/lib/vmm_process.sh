# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# For tests that look at a running vringlab vmm from outside, one at a time; after ktap.sh.
# shellcheck disable=SC2034,SC2154 # what is set here is for them, and ktap.sh has the rest

# Runs until it is told to end.
storm=(--guest doorbell-storm --count 4294967296 --timeout 600s)

# start OPTION...: with an input that does not end; its process is $guest
start()
{
	# of a test that has failed
	[ -z "$guest" ] || kill -KILL "$guest"
	rm -f "$tmp/in"
	mkfifo "$tmp/in"
	"$vringlab" vmm "$@" <>"$tmp/in" >"$tmp/out" 2>"$tmp/err" &
	guest=$!
	rm "$tmp/in"
}

end()
{
	kill "$guest"
	wait "$guest" || true
	guest=
	one_line "$tmp/err" && grep -q "stopped by SIGTERM" "$tmp/err"
}

# task NAME: folder in /proc of a vCPU's thread, or of the first, main
task()
{
	local task

	[ "$1" != main ] || echo "/proc/$guest/task/$guest"
	for task in "/proc/$guest/task/"*; do
		[ "$(cat "$task/comm" 2>/dev/null)" != "$1" ] || echo "$task"
	done
}

finish()
{
	[ -z "$guest" ] || kill -KILL "$guest"
	rm -rf "$tmp"
}
guest=
trap finish EXIT
