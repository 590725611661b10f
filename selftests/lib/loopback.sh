# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# For tests of micro-guests, and of those that talk to vringlab backend at $sock; after
# ktap.sh. At the end $backend and $guest are killed, where there are any.
# shellcheck disable=SC2034,SC2154 # what is set here is for them, and ktap.sh has the rest

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

# start_backend [DEVICE OPTION...]: of a loopback, unless it is another device
start_backend()
{
	mkfifo "$tmp/ready"
	"$vringlab" backend "${@:-loopback}" --socket "$sock" --ready-fd 3 3>"$tmp/ready" &
	backend=$!
	read -r -t 20 -n 1 <"$tmp/ready"
	rm "$tmp/ready"
	[ -S "$sock" ]
}

# It is killed while it serves.
lose_backend()
{
	kill -KILL "$backend"
	wait "$backend" 2>/dev/null
	backend=
}

# The vCPU has its thread.
runs()
{
	grep -qx vcpu0 "/proc/$1/task/"*/comm 2>/dev/null
}

# guest_ends STATUS
guest_ends()
{
	status=0
	wait "$guest" || status=$?
	guest=
	[ "$status" -eq "$1" ]
}

# number KEY: of the JSON report
number()
{
	sed -n "s/^ *\"$1\": *\([0-9]*\),*$/\1/p" "$tmp/out"
}
