# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Busy polling: what it brings, and what it costs. The driver has a CPU of its own,
# and polls as well: what differs is the back-end alone.

poll_us=50

# Microseconds at most once a gap, which is longer than any time spent polling.
poll_rate=1000

poll_latency()
{
	drive "$1" "$far_cpu" --poll --time 200ms | awk '{ print $3 }'
}

# CPU time for each request, of which there are few, and so much on top.
poll_cpu()
{
	drive "$1" "$far_cpu" --poll --time 400ms --rate "$poll_rate" |
		awk -v allowed_ns="$2" '{ print $2 + allowed_ns }'
}

bench_poll()
{
	local all="poll-fixed poll-auto poll-fixed-cpu poll-auto-cpu"

	declare_entry poll-fixed ns 0.10 "the same, sleeping"
	declare_entry poll-auto ns 0.10 "the same, sleeping"
	declare_entry poll-fixed-cpu ns 1.00 "sleeping, and the time allowed"
	declare_entry poll-auto-cpu ns 1.00 "sleeping, and the least time there is"
	skip_without_far_cpu "$all"
	# shellcheck disable=SC2086  # several names
	pending $all || return 0
	make_scratch
	if serve_ours sleep --null-size 1G &&
		serve_ours fixed --null-size 1G --poll-us "$poll_us" &&
		serve_ours auto --null-size 1G --poll-us auto; then
		compare poll-fixed "poll_latency fixed" "poll_latency sleep"
		compare poll-auto "poll_latency auto" "poll_latency sleep"
		compare poll-fixed-cpu "poll_cpu fixed 0" "poll_cpu sleep ${poll_us}000"
		compare poll-auto-cpu "poll_cpu auto 0" "poll_cpu sleep 10000"
	else
		finish fail "$all" "$(last_words)"
	fi
	stop_servers
}
