# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The event loop.

roundtrip()
{
	"$bin/bench-roundtrip" "$@"
}

wakes()
{
	"$bin/bench-wakes" "$@"
}

bench_loop()
{
	local nr

	declare_entry loop-block ns 1.15 "blocking read + write"
	compare loop-block "roundtrip loop block" "roundtrip block block"
	declare_entry loop-epoll ns 1.00 "epoll + read, write"
	compare loop-epoll "roundtrip loop block" "roundtrip epoll block"
	declare_entry loop-block-nb ns 1.15 "blocking read + write; O_NONBLOCK call"
	compare loop-block-nb "roundtrip loop nonblock" "roundtrip block nonblock"
	declare_entry loop-epoll-nb ns 1.00 "epoll + read, write; O_NONBLOCK call"
	compare loop-epoll-nb "roundtrip loop nonblock" "roundtrip epoll nonblock"
	declare_entry loop-ready-1 ns 0.46 "epoll + read, a lone eventfd ready"
	compare loop-ready-1 "wakes loop 1" "wakes epoll 1"
	for nr in 8 32; do
		declare_entry "loop-ready-$nr" ns 0.25 "epoll + read, $nr eventfds ready"
		compare "loop-ready-$nr" "wakes loop $nr" "wakes epoll $nr"
	done
}
