#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# DPDK's virtio-user on our back-end: testpmd forwards between the taps of two network
# namespaces, and what goes through it has to arrive as it was sent.
#
#   here --- tap --- back-end --- testpmd --- back-end --- tap --- the other namespace

. "$(dirname "$0")/../lib/ktap.sh"
# shellcheck source=SCRIPTDIR/../lib/peers.sh
. "$lib/peers.sh"

[ -x "$vringlab" ] || skip_all "no $vringlab: run make, or give VRINGLAB="
command -v busybox >/dev/null || skip_all "no busybox: run scripts/setup"
in_namespace "$@"
(: <>/dev/net/tun) 2>/dev/null || skip_all "no /dev/net/tun that may be opened: modprobe tun"

bytes=8000000
here=192.0.2.1
there=192.0.2.2
pids=()

end_all()
{
	kill "${pids[@]}" 2>/dev/null
	wait "${pids[@]}" 2>/dev/null
	pids=()
}
trap 'end_all; rm -rf "$tmp"' EXIT

# serve NAME ADDRESS COMMAND...: a back-end with a tap, by way of the command.
serve()
{
	local name=$1 address=$2

	shift 2
	mkfifo "$tmp/ready"
	"$@" "$vringlab" backend net --tap vltest --address "$address/24" --queues "$pairs" \
		--socket "$tmp/$name" --ready-fd 3 3>"$tmp/ready" </dev/null 2>"$tmp/$name.err" &
	backend=$!
	pids+=("$backend")
	read -r -N 1 <"$tmp/ready"
	rm "$tmp/ready"
}

# until_true COMMAND...: with a deadline.
until_true()
{
	local i

	for ((i = 0; i < 600; i++)); do
		! "$@" || return 0
		sleep 0.1
	done
	echo "did not come true: $*"
	return 1
}

# start_testpmd OPTIONS-OF-THE-DEVICE: it forwards until its standard input ends.
start_testpmd()
{
	local vdev="queues=$pairs,queue_size=256,$1" memory=(--no-huge -m 256)

	tail -f /dev/null | "$peer" -l 0-1 "${memory[@]}" --no-pci --no-telemetry --no-shconf \
		--log-level='pmd.net.virtio*:info' \
		--vdev="net_driver_user0,path=$tmp/a,$vdev" \
		--vdev="net_driver_user1,path=$tmp/b,$vdev" \
		-- --auto-start --forward-mode=io --rxq="$pairs" --txq="$pairs" \
		--total-num-mbufs=8192 >"$tmp/testpmd" 2>&1 &
	pids+=("$!")
	until_true answers
}

answers()
{
	busybox ping -c 1 -W 1 -s 1400 "$there" >/dev/null
}

listens()
{
	grep -q ":$(printf %04X "$1") 0*:0000 0A" /proc/net/tcp*
}

# The streams' other end is in the other namespace.
other()
{
	nsenter -t "$other" -n "$@"
}

hashes_agree()
{
	[ "$(sha256sum <"$1")" = "$(sha256sum <"$2")" ]
}

streams()
{
	busybox nc -l -p 5001 </dev/null >"$tmp/in" &
	local receiver=$!
	busybox nc -l -p 5002 <"$tmp/data" >/dev/null &
	pids+=("$receiver" "$!")
	until_true listens 5001 && until_true listens 5002 || return
	other timeout 120 bash -c "cat $tmp/data >/dev/tcp/$here/5001" &&
		other timeout 120 bash -c "cat </dev/tcp/$here/5002 >$tmp/back" || return
	timeout 60 tail --pid="$receiver" -f /dev/null
	hashes_agree "$tmp/data" "$tmp/in" && hashes_agree "$tmp/data" "$tmp/back"
}

# forward PAIRS OPTIONS-OF-THE-DEVICE PATH: of its ways to receive it has to take this one.
forward()
{
	local result=0

	pairs=$1
	rm -f "$tmp/a" "$tmp/b" "$tmp/in" "$tmp/back"
	serve a "$here" env
	serve b "$there" unshare -n
	other=$backend
	start_testpmd "$2" && streams && grep -q "using $3 Rx path" "$tmp/testpmd" || result=1
	end_all
	cat "$tmp/a.err" "$tmp/b.err"
	[ "$result" -eq 0 ] || grep -a 'path\|rror' "$tmp/testpmd"
	[ "$result" -eq 0 ] && is_empty "$tmp/a.err" && is_empty "$tmp/b.err"
}

# with_dpdk own|newer
with_dpdk()
{
	local check=check

	find_peer "$1" dpdk-testpmd || check=not_here
	pairing "DPDK $version virtio-user" "vringlab backend net"
	$check "split ring" forward 1 in_order=0,mrg_rxbuf=0 standard
	$check "split ring, mergeable buffers" \
		forward 1 in_order=0,mrg_rxbuf=1 "mergeable buffer"
	$check "split ring, in order" forward 1 in_order=1,mrg_rxbuf=0 inorder
	$check "split ring, in order, mergeable buffers" forward 1 in_order=1,mrg_rxbuf=1 inorder
	$check "split ring, vectorized" forward 1 vectorized=1,in_order=0,mrg_rxbuf=0 vectorized
	$check "packed ring" forward 1 packed_vq=1,in_order=0,mrg_rxbuf=0 "packed ring standard"
	$check "packed ring, mergeable buffers" \
		forward 1 packed_vq=1,in_order=0,mrg_rxbuf=1 "packed ring mergeable buffer"
	$check "packed ring, in order" \
		forward 1 packed_vq=1,in_order=1,mrg_rxbuf=0 "packed ring standard"
	$check "packed ring, in order, mergeable buffers" \
		forward 1 packed_vq=1,in_order=1,mrg_rxbuf=1 "packed ring mergeable buffer"
	$check "two pairs of virtqueues" forward 2 in_order=0,mrg_rxbuf=1 "mergeable buffer"
}

ktap_print_header
ktap_set_plan 20
head -c "$bytes" /dev/urandom >"$tmp/data"
with_dpdk own
with_dpdk newer
ktap_finished
