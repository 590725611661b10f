#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A QEMU in which nothing is changed, with a Linux in which nothing is changed: its
# virtqueues of vhost-net and vhost-vsock are found, what passes there is counted, and
# the drivers of the guest have counted the same.
#
# qemu_guest.c is all that runs in the guest, and has its commands.

. "$(dirname "$0")/../lib/ktap.sh"
. "$(dirname "$0")/../lib/linux_guest.sh"

qemu=${QEMU:-qemu-system-x86_64}
# Of an emulated machine's emulated KVM: it boots in 15 s where nothing else runs.
deadline=150

mac=02:00:00:00:00:02
host=192.0.2.1 host_mac=02:00:00:00:00:01
guest=192.0.2.2
port=5000
stream=1000000

[ "$(id -u)" -eq 0 ] || skip_all "loads a module: run as root"
[ -n "${VRINGLAB_KO:-}" ] || skip_all "no module: set VRINGLAB_KO=, or use scripts/check"
[ ! -e /sys/module/vringlab ] || skip_all "vringlab is loaded already: rmmod vringlab"
for program in "$qemu" cpio python3; do
	command -v "$program" >/dev/null || skip_all "no $program: run scripts/setup"
done
[ -c /dev/kvm ] || skip_all "no /dev/kvm: load kvm_amd or kvm_intel"
[ -n "$kernel" ] || skip_all "no image of this kernel: install its package, or use scripts/vm"
modprobe -a vhost_net vhost_vsock tun 2>/dev/null
for file in /dev/vhost-net /dev/vhost-vsock /dev/net/tun; do
	[ -c "$file" ] || skip_all "no $file: modprobe vhost_net vhost_vsock tun"
done
modprobe -na virtio_pci virtio_net vmw_vsock_virtio_transport 2>/dev/null ||
	skip_all "this kernel has no drivers for the guest: use a distribution's"
grep -q vhost_vring_ioctl /proc/kallsyms || skip_all "no vhost_vring_ioctl() in this kernel"

make_root()
{
	local program file

	program=$(dirname "$0")/qemu_guest
	put_modules "$tmp/root/modules" virtio_pci virtio_net vmw_vsock_virtio_transport || return
	cp "$program" "$tmp/root/init"
	for file in $(ldd "$program" | grep -o '/[^ ]*'); do
		mkdir -p "$tmp/root${file%/*}" && cp -L "$file" "$tmp/root$file" || return
	done
}

# In a network of its own: nothing but the two sends there.
in_network()
{
	exec unshare --net bash -c "echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6
		ip tuntap add vltap mode tap && ip link set vltap address $host_mac up &&
		ip address add $host/24 dev vltap &&
		ip neighbour add $guest lladdr $mac nud permanent dev vltap &&
		exec \"\$@\"" bash "$@"
}

# Without XSAVE: 7.3 does not like what the emulated machine says of it, and panics.
# Nor AVX then, which 7.2 takes without asking for XSAVE.
start_guest()
{
	open_console || return
	in_network "$qemu" -accel kvm -cpu host,xsave=off,avx=off -no-reboot -M q35 -nodefaults \
		-no-user-config -display none -m 256M -kernel "$kernel" -initrd "$tmp/initramfs" \
		-append "console=ttyS0 loglevel=1 ipv6.disable=1 panic=-1 cryptomgr.notests \
			tsc=reliable no_timer_check" \
		-chardev "pipe,id=c,path=$tmp/console" -serial chardev:c \
		-netdev tap,id=n,ifname=vltap,script=no,downscript=no,vhost=on \
		-device virtio-net-pci,netdev=n,romfile=,mac=$mac \
		-device vhost-vsock-pci,guest-cid=42 </dev/null >"$tmp/qemu" 2>&1 3>&- 4>&- &
	qemu_pid=$!
	answer
}

answer()
{
	read_answer && return
	answered="the guest does not answer"
	cat "$tmp/qemu"
	return 1
}

# tell COMMAND...: the guest does it.
tell()
{
	echo "$*" >&3
	answer
	echo "$*: $answered"
	[ "$answered" = "done" ]
}

# is_true EXPRESSION: net and vsock have the vrings of each by queue, c() is what a
# counter has gained since begin_phase, s() how many values a span has; guest is what
# the guest's drivers have counted, tap what the host's device has since then.
is_true()
{
	tap=$(sed -n 's/^ *vltap://p' "/proc/$qemu_pid/net/dev")
	"$vringlab" stat --json >"$tmp/stat" && "$vringlab" stat --vcpus --json >"$tmp/vcpus" &&
		python3 - "$1" "$tmp" "$tap" "$old_tap" <<'END'
import collections, json, sys
from itertools import zip_longest
expression, tmp, tap, old_tap = sys.argv[1:]
def vrings(name):
    return json.load(open(f"{tmp}/{name}"))["vrings"]
old = {v["label"]: v["counters"] for v in vrings("old")}
net, vsock = ({v["queue"]: v for v in vrings("stat") if v["backend"] == kind}
              for kind in ("vhost-net", "vhost-vsock"))
vcpus = json.load(open(f"{tmp}/vcpus"))["vcpus"]
guest = collections.Counter({name: int(count) for name, count in
                             (line.split() for line in open(f"{tmp}/answer"))})
tap = [int(n) - int(o) for n, o in zip_longest(tap.split(), old_tap.split(), fillvalue=0)]
tap = {"rx": tap[1], "tx": tap[9]}
RX, TX = 0, 1

def c(v, *names):
    was = old.get(v["label"], {})
    return sum(v["counters"][name] - was.get(name, 0) for name in names)

def s(v, span):
    return next(s["count"] for s in v["spans"] if s["span"] == span)

def is_decided(v):
    return c(v, "notifies") == c(v, "calls-vhost", "notifies-suppressed-event") and \
        c(v, "kicks") == c(v, "kicks-kvm") and c(v, "calls") == c(v, "calls-vhost") and \
        c(v, "injects") == c(v, "calls") == c(v, "injects-atomic") and \
        c(v, "taken") == c(v, "used") and not c(v, "acausal", "missed")

if eval(f"({expression})"):
    sys.exit()
print("guest", dict(guest), "tap", tap)
for v in [*net.values(), *vsock.values()]:
    print({k: v[k] for k in v if k not in ("counters", "spans")})
    print(v["label"], {name: c(v, name) for name in v["counters"] if c(v, name)})
sys.exit(1)
END
}

# What follows is counted from here.
begin_phase()
{
	cp "$tmp/stat" "$tmp/old"
	old_tap=$tap
}

# They have all that a driver makes a VMM set up.
are_found()
{
	is_true 'all(net[q]["size"] == 256 and vsock[q]["size"] == 128 and
		all({"kick-eventfd-id", "call-eventfd-id", "vm", "ioeventfds", "irqfds"} <=
			v.keys() for v in (net[q], vsock[q])) for q in (RX, TX))'
}

is_whose()
{
	is_true "all(v['owner-pid'] == v['vm-pid'] == $qemu_pid and v['found'] and
		v['vm'] == net[TX]['vm'] and v['owner-comm'].startswith('qemu-system')
		for v in [*net.values(), *vsock.values()])"
}

loads_drivers()
{
	tell load && eventually are_found && begin_phase && tell up "$guest" "$host" "$host_mac"
}

# With one processor the guest takes each interrupt before the driver asks for the
# next, and it sends nothing but what it was told to.
is_counted()
{
	tell stat && is_true "tap['rx'] == tap['tx'] == $1 and
		guest['rx_packets'] == guest['tx_packets'] == $1 and
		c(net[TX], 'used') == c(net[RX], 'used') == $1 and
		c(net[TX], 'kicks-kvm') == guest['tx_kicks'] > 0 and
		c(net[RX], 'kicks-kvm') == guest['rx_kicks'] and
		c(net[TX], 'injects') == guest['irq:virtio0-output.0'] == c(net[TX], 'entries') and
		c(net[RX], 'injects') == guest['irq:virtio0-input.0'] == c(net[RX], 'entries') and
		all(map(is_decided, net.values()))"
}

# pings NR BATCH ALL: NR more, that is ALL since the driver was loaded.
pings()
{
	tell ping "$1" "$2" && eventually is_counted "$3"
}

# What is not the guest's stays: only its doorbells and interrupts go.
unloads_driver()
{
	tell unload virtio_net &&
		eventually is_true "not any({'ioeventfds', 'irqfds'} & v.keys()
			for v in net.values())"
}

all_hops()
{
	is_true 'all(s(v, span) > 0 for v in (net[TX], vsock[TX]) for span in ("exit-kick",
		"kick-wake", "wake-call", "call-inject", "inject-entry", "kick-entry"))'
}

# Takes all that a guest sends, and sends as much.
serve()
{
	python3 - "$port" "$1" <<'END'
import socket, sys
listener = socket.socket(socket.AF_VSOCK)
listener.bind((socket.VMADDR_CID_ANY, int(sys.argv[1])))
listener.listen()
open(sys.argv[2], "w")
guest, (cid, port) = listener.accept()
data = bytearray()
while piece := guest.recv(65536):
    data += piece
guest.sendall(data)
print(cid, len(data))
END
}

# The driver has one interrupt for both virtqueues, and may find work of both in one.
stream_is_counted()
{
	tell stat && is_true "all(map(is_decided, vsock.values())) and
		all(c(vsock[q], 'used') > 0 and c(vsock[q], 'kicks') > 0 for q in (RX, TX)) and
		max(c(vsock[q], 'entries') for q in (RX, TX)) <= guest['irq:virtio1-virtqueues'] <=
			sum(c(vsock[q], 'injects') for q in (RX, TX)) and
		not any(c(v, 'kicks', 'calls', 'used') for v in net.values())"
}

streams()
{
	begin_phase
	serve "$tmp/listening" >"$tmp/served" &
	eventually test -e "$tmp/listening" && tell stream "$port" "$stream" && wait $! &&
		[ "$(cat "$tmp/served")" = "42 $stream" ] && eventually stream_is_counted
}

vcpu_is_its()
{
	is_true "[(v['vm'], v['vcpu-id'], v['pid']) for v in vcpus] ==
			[(net[TX]['vm'], 0, $qemu_pid)] and net[TX]['vcpu'] == 0 and
		vcpus[0]['counters']['exits'] > c(net[TX], 'kicks')"
}

is_gone()
{
	"$vringlab" stat --json | python3 -c 'import json, sys
sys.exit(bool(json.load(sys.stdin)["vrings"]))' && [ ! -e "/proc/$qemu_pid" ]
}

goes()
{
	kill "$qemu_pid"
	wait "$qemu_pid"
	eventually is_gone
}

ktap_print_header
ktap_set_plan 12

{ make_root && make_initramfs "$tmp/root" "$tmp/initramfs"; } ||
	ktap_exit_fail_msg "cannot make an initramfs"
insmod "$VRINGLAB_KO" || ktap_exit_fail_msg "cannot load $VRINGLAB_KO"
"$vringlab" discover on || ktap_exit_fail_msg "cannot turn discovery on"
"$vringlab" stat --json >"$tmp/old"
old_tap=

check "a guest boots" start_guest
check "virtqueues of vhost-net and vhost-vsock are found" loads_drivers
check "they are QEMU's, of one VM" is_whose
check "packets one by one: all is as the guest has counted it" pings 100 1 100
check "packets in batches: likewise" pings 320 32 420
check "a stream through vsock, there and back" streams
check "all hops of what the guest sends are seen" all_hops
check "its vCPU is of the same VM" vcpu_is_its
check "a driver that is unloaded leaves the vrings" unloads_driver
check "loaded again, the same ones count on" loads_drivers
check "as the guest does" pings 100 1 100
check "they go with QEMU" goes
rmmod vringlab

ktap_finished
