#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# QEMU's vhost-user-net on our back-end and its tap: a guest with Debian's kernel pings
# this machine, and sends and receives streams whose hashes are compared; also while the
# back-end is killed. In a network namespace of the test's own.

. "$(dirname "$0")/../lib/ktap.sh"
# shellcheck source=SCRIPTDIR/../lib/peers.sh
. "$lib/peers.sh"

vm=$src/scripts/vm
[ -x "$vringlab" ] || skip_all "no $vringlab: run make, or give VRINGLAB="
[ -x "$vm" ] || skip_all "no scripts/vm: give the project's folder in VRINGLAB_SRC="
command -v busybox >/dev/null || skip_all "no busybox: run scripts/setup"
in_namespace "$@"
(: <>/dev/net/tun) 2>/dev/null || skip_all "no /dev/net/tun that may be opened: modprobe tun"

socket=$tmp/socket
# Of each stream; there are two at a time in each direction.
bytes=16000000
host=192.0.2.1

cat >"$tmp/guest" <<'G'
set -e
modprobe -a virtio_pci virtio_net 2>/dev/null
eth=$(ls /sys/class/net | grep -v lo)
[ -n "$eth" ] || { echo "no interface"; exit 1; }
busybox ip link set "$eth" up
busybox ip addr add 192.0.2.2/24 dev "$eth"
echo "queues $(ls -d /sys/class/net/"$eth"/queues/rx-* | wc -l)"
busybox ping -c 3 -w 60 $host >/dev/null
busybox ping -c 2 -w 60 -s 6000 $host >/dev/null
for i in 1 2; do
	head -c $bytes /dev/urandom >/tmp/$i
	echo "sent $i $(sha256sum </tmp/$i)"
done
exec 11>/dev/tcp/$host/5001 12>/dev/tcp/$host/5002 21</dev/tcp/$host/6001 \
	22</dev/tcp/$host/6002
echo "under way"
for i in 1 2; do
	cat /tmp/$i >&1$i &
	jobs+=($!)
	sha256sum <&2$i >/tmp/hash$i &
	jobs+=($!)
done
for job in "${jobs[@]}"; do
	wait $job
done
for i in 1 2; do
	echo "received $i $(cat /tmp/hash$i)"
done
# Until their end, too, is acknowledged: no state of a stream that is not closed yet.
exec 11>&- 12>&-
while grep -Eq ':138[9A] 0[14789B] ' /proc/net/tcp; do
	sleep 0.1
done
G

# The listeners take one connection each, and end with it.
listen()
{
	local i port

	listeners=()
	receivers=()
	for i in 1 2; do
		busybox nc -l -p "500$i" </dev/null >"$tmp/in$i" &
		listeners+=($!)
		receivers+=($!)
		head -c "$bytes" /dev/urandom >"$tmp/out$i"
		busybox nc -l -p "600$i" <"$tmp/out$i" >/dev/null &
		listeners+=($!)
	done
	for port in 5001 5002 6001 6002; do
		listens "$port" || return
	done
}

# /proc/net/tcp and tcp6: local address, remote address, state LISTEN.
listens()
{
	local i

	for ((i = 0; i < 400; i++)); do
		! grep -q ":$(printf %04X "$1") 0*:0000 0A" /proc/net/tcp* || return 0
		sleep 0.05
	done
	echo "nobody listens on port $1"
	return 1
}

end_listeners()
{
	kill "${listeners[@]}" 2>/dev/null
	wait "${listeners[@]}" 2>/dev/null
}

hash_of()
{
	sha256sum <"$1" | cut -d' ' -f1
}

# What was sent has to be what was received, in both directions.
same_streams()
{
	local i

	for i in "${receivers[@]}"; do
		timeout 60 tail --pid="$i" -f /dev/null
	done
	for i in 1 2; do
		grep -q "^sent $i $(hash_of "$tmp/in$i") " "$tmp/out" || return
		grep -q "^received $i $(hash_of "$tmp/out$i") " "$tmp/out" || return
	done
}

serve()
{
	mkfifo "$tmp/ready"
	"$vringlab" backend net --tap vltest --address "$host/24" --socket "$socket" \
		--queues "$pairs" --json --ready-fd 3 3>"$tmp/ready" </dev/null \
		>"$tmp/stats" 2>"$tmp/backend" &
	backend=$!
	read -r -N 1 <"$tmp/ready"
	rm "$tmp/ready"
	# The same each time, or the guest would have to ask for it anew.
	busybox ip link set vltest address 02:00:00:00:00:01
}

# It has to have been asked for nothing that it refused.
end_backend()
{
	kill -TERM "$backend"
	wait "$backend"
	sed 's/^/back-end: /' "$tmp/backend"
	is_empty "$tmp/backend"
}

# Without KVM, QEMU 7.2 ends by SIGSEGV in msix_set_vector_notifiers() when the guest's
# driver starts a vhost-user-net that has MSI-X.
no_msix()
{
	[ "${version%%.*}" -ge 10 ] || echo ,vectors=0
}

# guest OPTIONS-OF-THE-DEVICE
guest()
{
	local netdev="vhost-user,id=net,chardev=net,queues=$pairs"

	run timeout 400 env QEMU="$peer" "$vm" --mem 512M --shared-memory \
		--qemu "-chardev socket,id=net,path=$socket,$(reconnect)" \
		--qemu "-netdev $netdev" \
		--qemu "-device virtio-net-pci,netdev=net,disable-legacy=on$(no_msix),$1" \
		-- bash -c "host=$host bytes=$bytes; $(cat "$tmp/guest")"
	[ "$status" -eq 0 ] && grep -qx "queues $pairs" "$tmp/out"
}

# statistic NAME: of the back-end that has ended.
statistic()
{
	grep -o "\"$1\": *[0-9]*" "$tmp/stats" | grep -o '[0-9]*$'
}

# streams PAIRS OPTIONS-OF-THE-DEVICE
streams()
{
	local result=0

	pairs=$1
	serve
	listen && guest "$2" && same_streams || result=1
	end_listeners
	end_backend && [ "$result" -eq 0 ]
}

with_offloads()
{
	streams 1 mrg_rxbuf=on && [ "$(statistic tx-offloads)" -gt 0 ] &&
		[ "$(statistic rx-offloads)" -gt 0 ] && [ "$(statistic rx-merged)" -gt 0 ]
}

# What the driver may not ask for it does not do.
no_offloads=csum=off,gso=off,guest_csum=off,guest_tso4=off,guest_tso6=off,guest_ecn=off
no_offloads+=,guest_ufo=off,host_tso4=off,host_tso6=off,host_ecn=off,host_ufo=off
without_offloads()
{
	streams 1 "$no_offloads" && [ "$(statistic tx-offloads)" -eq 0 ] &&
		[ "$(statistic rx-offloads)" -eq 0 ]
}

# Three back-ends one after the other, and then one that stays until there is a file that
# says enough. Not more: streams wait longer after each time that nothing got through.
serve_and_die()
{
	local i

	for ((i = 1; i <= 3; i++)); do
		serve
		# QEMU tries once a second to connect.
		sleep 2.5
		kill -KILL "$backend"
		wait "$backend"
		echo "$i" >"$tmp/kills"
	done
	serve
	until [ -e "$tmp/enough" ]; do
		sleep 0.1
	done
	end_backend
}

is_under_way()
{
	until grep -q '^under way' "$tmp/out"; do
		kill -0 "$1" || return
		sleep 0.1
	done
}

with_kills()
{
	local vm_pid killer result=0 pairs=1 bytes=64000000

	rm -f "$tmp/enough" "$tmp/kills"
	: >"$tmp/out"
	serve
	listen
	guest mrg_rxbuf=on &
	vm_pid=$!
	is_under_way "$vm_pid" || result=1
	kill -KILL "$backend"
	serve_and_die &
	killer=$!
	wait "$vm_pid" || result=1
	: >"$tmp/enough"
	wait "$killer" 2>/dev/null
	same_streams || result=1
	end_listeners
	echo "kills: $(cat "$tmp/kills")"
	[ "$result" -eq 0 ] && [ "$(cat "$tmp/kills")" -ge 2 ]
}

# with_qemu own|newer
with_qemu()
{
	local check=check

	find_peer "$1" qemu-system-x86_64 || check=not_here
	pairing "QEMU $version vhost-user-net, Debian guest" "vringlab backend net"
	$check "a guest's streams on a split ring, with offloads" with_offloads
	$check "a guest's streams on a split ring, without offloads" without_offloads
	$check "a guest's streams on a packed ring" streams 1 packed=on
	$check "a guest's streams without mergeable buffers" streams 1 mrg_rxbuf=off
	$check "a guest's streams without event indices" streams 1 event_idx=off
	$check "a guest's streams on two pairs of virtqueues" streams 2 mq=on
	$check "a guest's streams on two pairs of packed rings" streams 2 mq=on,packed=on
	$check "a guest's streams go on when the back-end is killed" with_kills
}

ktap_print_header
ktap_set_plan 16
with_qemu own
with_qemu newer
ktap_finished
