# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Back-ends, the driver that asks them, and where both run.

# Their sockets and files.
scratch=
servers=()

# The first and the last CPU that may be used: equal where there is one only.
cpus=$(awk '/^Cpus_allowed_list:/ { print $2 }' /proc/self/status)
cpu=${cpus%%[-,]*}
far_cpu=${cpus##*[-,]}

make_scratch()
{
	[ -n "$scratch" ] || scratch=$(mktemp -d "${TMPDIR:-/tmp}/vringlab-bench.XXXXXX")
}

is_running()
{
	kill -0 "$@" 2>/dev/null
}

# The peers do not always end when they are told to.
stop_servers()
{
	local deadline=$((SECONDS + 5)) pid

	[ ${#servers[@]} -gt 0 ] || return 0
	kill "${servers[@]}" 2>/dev/null
	for pid in "${servers[@]}"; do
		while is_running "$pid" && [ "$SECONDS" -lt "$deadline" ]; do
			sleep 0.02
		done
	done
	kill -KILL "${servers[@]}" 2>/dev/null
	wait
	servers=()
}

clean_up()
{
	stop_servers
	[ -z "$scratch" ] || rm -rf "$scratch"
	rm -f "${memory_file:-}" "${cached_file:-}"
}

trap clean_up EXIT
trap 'exit 130' INT TERM

# serve NAME COMMAND...: starts it on $cpu, waits until it listens on $scratch/NAME;
# $server is its process then.
serve()
{
	local name=$1 deadline=$((SECONDS + 10))

	shift
	rm -f "$scratch/$name"
	taskset -c "$cpu" "$@" >>"$log" 2>&1 &
	server=$!
	servers+=("$server")
	# 00010000: it accepts connections
	until grep -q " 00010000 .* $scratch/$name\$" /proc/net/unix; do
		# it has said why
		is_running "$server" || return
		if [ "$SECONDS" -ge "$deadline" ]; then
			echo "$1 does not listen on its socket" >>"$log"
			return 1
		fi
		sleep 0.01
	done
}

# serve_ours NAME OPTION...: a disk
serve_ours()
{
	serve "$1" "$vringlab" backend blk "${@:2}" --socket "$scratch/$1"
}

# serve_qsd NAME POLL_NS BLOCKDEV: the same of QEMU's
serve_qsd()
{
	serve "$1" qemu-storage-daemon --object "iothread,id=io,poll-max-ns=$2" \
		--blockdev "$3,node-name=disk" \
		--export "vhost-user-blk,id=e,node-name=disk,iothread=io,writable=on,$(
		)addr.type=unix,addr.path=$scratch/$1"
}

# What the driver is a driver of.
driven_kind=blk

# drive NAME CPU OPTION...: ns for a request, ns of the back-end's CPU time for it,
# and the median of the requests' latencies
drive()
{
	taskset -c "$2" "$vringlab" drive "$driven_kind" --socket "$scratch/$1" --json "${@:3}" |
		awk -F '[:,]' '
		/"requests":/ { nr = $2 }
		/"elapsed-ns":/ { ns = $2 }
		/"backend-cpu-ns":/ { cpu_ns = $2 }
		/"p50":/ { p50 = $2 }
		END {
			if (!nr || !cpu_ns)
				exit 1
			print ns / nr, cpu_ns / nr, p50
		}'
}

# skip_without_far_cpu 'NAME...'
skip_without_far_cpu()
{
	[ "$cpu" != "$far_cpu" ] || skip "$1" "needs two CPUs"
}

# skip_without_qsd 'NAME...'
skip_without_qsd()
{
	command -v qemu-storage-daemon >/dev/null ||
		skip "$1" "no qemu-storage-daemon: run scripts/setup"
}
