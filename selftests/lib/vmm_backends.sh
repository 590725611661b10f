# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# For tests whose guest has vhost-user back-ends; after ktap.sh and vmm_guest.sh. They end
# at the end.
# shellcheck disable=SC2154 # what ktap.sh and vmm_guest.sh set

# By name, which their sockets have, too: $tmp/NAME.socket.
declare -A backend

# start_peer NAME COMMAND...: of somebody else, which listens there
start_peer()
{
	local name=$1

	shift
	"$@" </dev/null >"$tmp/$name.err" 2>&1 &
	backend[$name]=$!
	eventually test -S "$tmp/$name.socket" || {
		cat "$tmp/$name.err"
		return 1
	}
}

# serve NAME ARGUMENT...: vringlab backend, until it is there
serve()
{
	local name=$1

	shift
	[ -p "$tmp/ready" ] || mkfifo "$tmp/ready"
	"$vringlab" backend "$@" --socket "$tmp/$name.socket" --ready-fd 3 3>"$tmp/ready" \
		</dev/null >/dev/null 2>>"$tmp/$name.err" &
	backend[$name]=$!
	read -r -N 1 <"$tmp/ready" || {
		cat "$tmp/$name.err"
		return 1
	}
}

# serve_net TAP ARGUMENT...: by the name net. A tap that is there without it lets the guest
# keep its neighbour's address. The io_uring of one that was killed has the tap until the
# kernel is done with that, which the process does not wait for.
serve_net()
{
	eventually serve net net --tap "$@"
}

# make_tap NAME ADDRESS: one that stays
make_tap()
{
	ip tuntap add dev "$1" mode tap vnet_hdr &&
		echo 1 >"/proc/sys/net/ipv6/conf/$1/disable_ipv6" &&
		ip address add "$2/24" dev "$1" && ip link set "$1" up
}

# die NAME: at once
die()
{
	kill -KILL "${backend[$1]}"
	# the shell tells of it, too
	wait "${backend[$1]}" 2>/dev/null
	unset "backend[$1]"
	return 0
} 2>/dev/null

all_die()
{
	local name

	for name in "${!backend[@]}"; do
		die "$name"
	done
}

finish_all()
{
	all_die
	finish
}
trap finish_all EXIT
