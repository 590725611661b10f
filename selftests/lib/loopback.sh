# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# For tests of micro-guests, and of those that talk to vringlab backend loopback at
# $sock; after ktap.sh. At the end $backend and $guest are killed, where there are any.
# shellcheck disable=SC2154 # ktap.sh has the rest

need_vmm

backend=
guest=
sock=$tmp/s

finish()
{
	[ -z "$guest" ] || kill -KILL "$guest"
	[ -z "$backend" ] || kill "$backend"
	wait
	rm -rf "$tmp"
}
trap finish EXIT

start_backend()
{
	mkfifo "$tmp/ready"
	"$vringlab" backend loopback --socket "$sock" --ready-fd 3 3>"$tmp/ready" &
	backend=$!
	read -r -t 20 -n 1 <"$tmp/ready"
	rm "$tmp/ready"
	[ -S "$sock" ]
}
