# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Memory of a back-end with one device.

memory_rounds=5
memory_requests=2000000

# Resident KiB of process $1.
resident()
{
	awk '/^VmRSS:/ { print $2 }' "/proc/$1/status"
}

# All $memory_rounds of $memory_requests together are 10^7.
measure_resident()
{
	local round before after pid

	serve_ours flat --null-size 1G || return
	pid=$server
	# the heap finds its size with the first connections
	for ((round = 0; round < 20; round++)); do
		drive flat "$cpu" --depth 32 --count 1000 >/dev/null || return
	done
	before=$(resident "$pid")
	for ((round = 0; round < memory_rounds; round++)); do
		drive flat "$cpu" --depth 32 --count "$memory_requests" >/dev/null || return
		after=$(resident "$pid")
		! pending mem-resident || emit pair mem-resident "$after" 8192
		! pending mem-flat || emit pair mem-flat "$after" "$before"
	done
	unset "pending[mem-resident]" "pending[mem-flat]"
}

# Allocations so far; the library counts them in a file.
allocations()
{
	od -An -t u8 "$scratch/$1.count" | tr -d ' '
}

# Allocations for each of a thousand requests: what a connection takes is the same for
# 1000 and for 2000, and falls out.
alloc_rate()
{
	local start first second

	start=$(allocations "$1")
	drive "$1" "$cpu" --depth 32 --count 1000 >/dev/null || return
	first=$(allocations "$1")
	drive "$1" "$cpu" --depth 32 --count 2000 >/dev/null || return
	second=$(allocations "$1")
	echo $((second - first - (first - start)))
}

# serve_counted NAME SERVE...
serve_counted()
{
	head -c 8 /dev/zero >"$scratch/$1.count"
	LD_PRELOAD=$bin/bench-alloc.so BENCH_ALLOC_FILE=$scratch/$1.count "${@:2}"
}

measure_allocations()
{
	serve_counted ours serve_ours ours --null-size 1G &&
		serve_counted qsd serve_qsd qsd 0 null-co,size=1073741824,read-zeroes=off || return
	compare mem-alloc "alloc_rate ours" "alloc_rate qsd"
}

bench_memory()
{
	declare_entry mem-resident KiB 1.00 "8 MiB"
	declare_entry mem-flat KiB 1.00 "before 10^7 requests"
	declare_entry mem-alloc calls 0.00 "qemu-storage-daemon, for 1000 requests"
	skip_without_qsd mem-alloc
	make_scratch
	if pending mem-resident mem-flat; then
		echo "  mem-resident mem-flat" >&2
		measure_resident || finish fail "mem-resident mem-flat" "$(last_words)"
		stop_servers
	fi
	if pending mem-alloc; then
		measure_allocations || finish fail mem-alloc "$(last_words)"
		stop_servers
	fi
}
