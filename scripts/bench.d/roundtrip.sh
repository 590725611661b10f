# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# From a request to its completion through a whole back-end: a disk that keeps
# nothing, one request at a time.

sleeping()
{
	drive "$1" "$cpu" --time 200ms | awk '{ print $1 }'
}

polling()
{
	drive "$1" "$far_cpu" --poll --time 200ms | awk '{ print $3 }'
}

# A packet goes out, and its buffer comes back.
transmission()
{
	driven_kind=net drive "$1" "$cpu" --mode transmit --size 64 --time 200ms |
		awk '{ print $1 }'
}

bench_roundtrip_dpdk()
{
	declare_entry rt-sleep-dpdk ns 1.00 "DPDK's vhost library, waiting for the kick"
	[ -x "$bin/bench-dpdk-vhost" ] || skip rt-sleep-dpdk "no libdpdk: install dpdk-dev"
	pending rt-sleep-dpdk || return 0
	make_scratch
	if serve ours "$vringlab" backend net --null --socket "$scratch/ours" &&
		serve dpdk "$bin/bench-dpdk-vhost" "$cpu" "$scratch/dpdk"; then
		compare rt-sleep-dpdk "transmission ours" "transmission dpdk"
	else
		finish fail rt-sleep-dpdk "$(last_words)"
	fi
	stop_servers
}

bench_roundtrip()
{
	local all="rt-sleep rt-poll" null=null-co,size=1073741824,read-zeroes=off

	declare_entry rt-sleep ns 1.00 "qemu-storage-daemon, null-co"
	declare_entry rt-poll ns 1.00 "qemu-storage-daemon, null-co, polling"
	skip_without_qsd "$all"
	skip_without_far_cpu rt-poll
	# shellcheck disable=SC2086  # several names
	pending $all || return 0
	make_scratch
	if serve_ours ours --null-size 1G && serve_ours ours-poll --null-size 1G --poll-us 200 &&
		serve_qsd qsd 0 "$null" && serve_qsd qsd-poll 200000 "$null"; then
		compare rt-sleep "sleeping ours" "sleeping qsd"
		compare rt-poll "polling ours-poll" "polling qsd-poll"
	else
		finish fail "$all" "$(last_words)"
	fi
	stop_servers
}
