# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A network device that polls, and nothing behind it, beside DPDK's vhost PMD. The
# driver of both is DPDK's virtio-user, which polls on a CPU of its own.

# Each takes seconds: the driver's start, and two of its reports.
net_runs=5

# No huge pages: nothing of the machine is changed.
testpmd()
{
	local on=$1 options=(--total-num-mbufs=16384 --nb-cores=1 --burst=32 --txpkts=64)

	exec taskset -c "$on" dpdk-testpmd --lcores "0@$on,1@$on" --no-huge -m 256 --no-pci \
		--no-telemetry --file-prefix="vringlab-bench-$BASHPID" --vdev "$2" -- \
		"${options[@]}" --no-mlockall --auto-start --stats-period 1 "${@:3}"
}

# On-CPU ns of all threads of process $1.
cpu_time()
{
	cat "/proc/$1"/task/*/schedstat | awk '{ ns += $1 } END { printf "%.0f\n", ns }'
}

# Reads a driver's reports. CPU ns of process $1 for each packet that its port counts
# as $2, between the second and the third: before, it starts.
cpu_per_packet()
{
	local line packets ns nr=0 first_packets=0 first_ns=0

	while read -r line; do
		[[ $line =~ $2-packets:\ *([0-9]+) ]] || continue
		packets=${BASH_REMATCH[1]}
		ns=$(cpu_time "$1")
		nr=$((nr + 1))
		if [ "$nr" -eq 2 ]; then
			first_packets=$packets
			first_ns=$ns
		elif [ "$nr" -eq 3 ]; then
			awk -v ns=$((ns - first_ns)) -v nr=$((packets - first_packets)) \
				'BEGIN { if (nr <= 0) exit 1; printf "%.2f\n", ns / nr }'
			return
		fi
	done
	echo "the driver ended early" >&2
	return 1
}

# packets BACKEND tx|rx PACKED: one measurement. The back-end is started for it, since
# one that polls is not idle while others are measured.
packets()
{
	local mode=rxonly port=TX driver out

	[ "$2" = tx ] || mode=txonly port=RX
	"serve_net_$1" "$mode" || return
	exec {driver}< <(testpmd "$far_cpu" \
		"net_virtio_user0,path=$scratch/net,queues=1,queue_size=256,packed_vq=$3,$(
		)mrg_rxbuf=0,in_order=0" --txd=256 --rxd=256 \
		--forward-mode="$([ "$2" = tx ] && echo txonly || echo rxonly)" 2>&1)
	servers+=($!)
	out=$(timeout 20 cat <&"$driver" | cpu_per_packet "$server" "$port")
	exec {driver}<&-
	stop_servers
	echo "$out"
	[ -n "$out" ]
}

serve_net_ours()
{
	local generate=()

	[ "$1" = rxonly ] || generate=(--generate 64)
	serve net "$vringlab" backend net --null "${generate[@]}" --socket "$scratch/net" \
		--poll-us 1000000
}

serve_net_dpdk()
{
	serve net bash -c "$(declare -f testpmd); $(
	)testpmd $cpu net_vhost0,iface=$scratch/net,queues=1 --txd=256 --rxd=256 $(
	)--forward-mode=$1"
}

bench_net()
{
	local all runs=$net_runs format way

	for format in split packed; do
		for way in tx rx; do
			declare_entry "net-$format-$way" ns 1.00 "DPDK's vhost PMD"
		done
	done
	all=$(echo net-{split,packed}-{tx,rx})
	command -v dpdk-testpmd >/dev/null ||
		skip "$all" "no dpdk-testpmd: install dpdk-dev"
	skip_without_far_cpu "$all"
	# shellcheck disable=SC2086  # several names
	pending $all || return 0
	make_scratch
	compare net-split-tx "packets ours tx 0" "packets dpdk tx 0"
	compare net-split-rx "packets ours rx 0" "packets dpdk rx 0"
	compare net-packed-tx "packets ours tx 1" "packets dpdk tx 1"
	compare net-packed-rx "packets ours rx 1" "packets dpdk rx 1"
}
