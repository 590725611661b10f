#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A Linux in which nothing is changed has the devices that vringlab vmm gives it, on PCI
# and by virtio-mmio, with every kind of back-end behind them: what it reads and writes
# there is what the host has, by hash; and the module has counted the interrupts that
# the guest has.

. "$(dirname "$0")/../lib/ktap.sh"
. "$(dirname "$0")/../lib/linux_guest.sh"
. "$(dirname "$0")/../lib/vmm_guest.sh"
. "$(dirname "$0")/../lib/vmm_backends.sh"
. "$(dirname "$0")/../lib/peers.sh"

deadline=120
guest_deadline=300

# The host's in the network of each kind of back-end; the guest's end in .2.
vhost_host=192.0.2.1
user_host=198.51.100.1
vmm_host=203.0.113.1
mac=02:00:00:00:00:02
cid=42
# Of which the guest writes an eighth.
disk_bytes=1048576
written_bytes=131072

need_guest
[ "$(id -u)" -eq 0 ] || skip_all "loads a module, makes a tap: run as root"
[ -n "${VRINGLAB_KO:-}" ] || skip_all "no module: set VRINGLAB_KO=, or use scripts/check"
[ ! -e /sys/module/vringlab ] || skip_all "vringlab is loaded already: rmmod vringlab"
for program in ip python3; do
	command -v "$program" >/dev/null || skip_all "no $program: run scripts/setup"
done
need_devices vhost_net vhost_vsock tun
need_drivers virtio_pci virtio_mmio virtio_net virtio_blk vmw_vsock_virtio_transport \
	virtio_rng virtio_console

# What is in /tmp may be in memory, which the VMM reads in another way.
disk0=$(mktemp /var/tmp/vringlab-disk.XXXXXX)
clean_up()
{
	rm -f "$disk0"
	ip link delete vluser 2>/dev/null
	finish_all
}
trap clean_up EXIT

hash_of()
{
	sha256sum | cut -d ' ' -f 1
}

make_disks()
{
	head -c "$disk_bytes" /dev/urandom >"$disk0" &&
		head -c "$disk_bytes" /dev/urandom >"$tmp/disk1" && : >"$tmp/port"
}

serve_blk()
{
	serve blk blk --file "$tmp/disk1" "$@"
}

# start TRANSPORT OPTION...: of all but net and vsock, which are on PCI
start()
{
	start_guest "$kernel" \
		--device "net,tap=vlvhost,mac=$mac,address=$vhost_host/24" \
		--device "blk,file=$disk0,transport=$1" \
		--device "blk,socket=$tmp/blk.socket,transport=$1" \
		--device "rng,transport=$1" --device "console,output=$tmp/port,transport=$1" \
		"${@:2}"
}

# With each kind of back-end that has the device.
start_all()
{
	start pci --device "vsock,cid=$cid" --device "net,socket=$tmp/net.socket" \
		--device "net,tap=vlvmm,vhost=off,packed=on,address=$vmm_host/24"
}

# All of them are driven: DRIVER_OK, and what comes before it.
has_drivers()
{
	load_modules && says 'cat /sys/bus/virtio/devices/*/status | sort | uniq -c | tr -s " "' \
		-- "$1 0x0000000f"
}

# pings INTERFACE HOST TAP
pings()
{
	echo 1 >"/proc/sys/net/ipv6/conf/$3/disable_ipv6"
	tell "ip address add ${2%.*}.2/24 dev $1 && ip link set $1 up" &&
		tell "ping -c 2 -W 20 $2"
}

has_mac()
{
	says 'cat /sys/class/net/eth0/address' -- "$mac"
}

# downloads HOST: over HTTP, its disk
downloads()
{
	"$busybox" httpd -f -p "$1:80" -h "$tmp" &
	server=$!
	eventually tell "wget -q -O /tmp/got http://$1/disk1" &&
		says 'sha256sum </tmp/got' -- "$(sha256sum <"$tmp/disk1")"
	set -- $?
	kill "$server"
	return "$1"
}

# is_read DISK FILE
is_read()
{
	says "dd if=/dev/$1 bs=64k iflag=direct 2>/dev/null | sha256sum" -- "$(sha256sum <"$2")"
}

# What the guest has made up is where it has put it, and the rest as it was.
is_written()
{
	local disk=$1 file=$2 rest

	rest=$(tail -c +$((written_bytes + 1)) "$file" | hash_of)
	tell "head -c $written_bytes /dev/urandom >/tmp/new" || return
	tell "dd if=/tmp/new of=/dev/$disk bs=64k oflag=direct 2>/dev/null && sync" || return
	says 'sha256sum </tmp/new' -- "$(head -c "$written_bytes" "$file" | sha256sum)" &&
		[ "$(tail -c +$((written_bytes + 1)) "$file" | hash_of)" = "$rest" ] &&
		[ "$(stat -c %s "$file")" -eq "$disk_bytes" ]
}

# Nobody listens there: it is the guest that says so.
vsock_answers()
{
	python3 - "$cid" <<'END'
import errno, socket, sys
s = socket.socket(socket.AF_VSOCK)
s.settimeout(60)
try:
    s.connect((int(sys.argv[1]), 5000))
except OSError as e:
    print(e)
    sys.exit(e.errno != errno.ECONNRESET)
sys.exit("connected to nobody")
END
}

# serve_stream PORT|SOCKET: to one that connects, in exchange for as much. Not until its
# end, of which vhost-device-vsock does not tell its unix socket.
serve_stream()
{
	python3 - "$1" "$tmp" <<'END'
import socket, sys
address, tmp = sys.argv[1:]
if address.isdigit():
    listener = socket.socket(socket.AF_VSOCK)
    address = socket.VMADDR_CID_ANY, int(address)
else:
    listener = socket.socket(socket.AF_UNIX)
listener.settimeout(60)
listener.bind(address)
listener.listen()
open(f"{tmp}/listening", "w").close()
s, _ = listener.accept()
s.settimeout(60)
with open(f"{tmp}/stream", "rb") as f:
    stream = f.read()
with open(f"{tmp}/stream.got", "wb") as f:
    while f.tell() < len(stream) and (part := s.recv(65536)):
        f.write(part)
s.sendall(stream)
END
}

# vsock_carries PORT|SOCKET: more than the credit of either side, there and back; the
# socket's name ends in the port
vsock_carries()
{
	local bytes=600000 server

	rm -f "$tmp/listening"
	head -c "$bytes" /dev/urandom >"$tmp/stream"
	serve_stream "$1" &
	server=$!
	eventually test -e "$tmp/listening" || return
	tell "head -c $bytes /dev/urandom >/tmp/out && \
		vsock_cat ${1##*_} </tmp/out >/tmp/in" || return
	wait "$server" && says 'sha256sum </tmp/out' -- "$(sha256sum <"$tmp/stream.got")" &&
		says 'sha256sum </tmp/in' -- "$(sha256sum <"$tmp/stream")"
}

gives_bytes()
{
	says 'dd if=/dev/hwrng bs=64 count=1 2>/dev/null | wc -c' -- 64
}

writes_lines()
{
	tell 'echo "a line of the guest" >/dev/hvc0' &&
		eventually grep -q "^a line of the guest" "$tmp/port"
}

# interrupts NAME...: that the guest has had so far of each
interrupts()
{
	tell 'cat /proc/interrupts' || return
	awk -v names="$*" '{ taken[$NF] = $2 }
		END {
			n = split(names, name, " ")
			for (i = 1; i <= n; i++) printf "%s%s", taken[name[i]], i < n ? " " : "\n"
		}' "$tmp/answer"
}

# counts EXPRESSION LABEL...: of the counters of each vring, as c
counts()
{
	"$vringlab" stat --json | python3 -c 'import json, sys
vrings = {v["label"]: v["counters"] for v in json.load(sys.stdin)["vrings"]}
for label in sys.argv[2:]:
    c = vrings.get(label)
    if not c or not eval(f"({sys.argv[1]})"):
        sys.exit(f"{label}: {c and {k: n for k, n in c.items() if n}}")' "$@"
}

# labels: of all vrings that are registered
labels()
{
	"$vringlab" stat --json | python3 -c 'import json, sys
print(*sorted(v["label"] for v in json.load(sys.stdin)["vrings"] if not v["found"]))'
}

has_labels()
{
	labels
	[ "$(labels)" = "$*" ]
}

# served_by BACKEND=LABEL...
served_by()
{
	"$vringlab" stat --json | python3 -c 'import json, sys
backends = {v["label"]: v["backend"] for v in json.load(sys.stdin)["vrings"]}
for backend, label in (argument.split("=") for argument in sys.argv[1:]):
    if backends.get(label) != backend:
        sys.exit(f"{label}: {backends.get(label)}")' "$@"
}

# Each kick was taken, or found one that was not taken yet; each call was an interrupt.
all_kicks='c["kicks"] == c["kicks-kvm"] and c["kicks"] > 0 and
	c["kicks"] == c["kick-coalesced"] + c["wakes"] - c["wake-unmatched"]'
all_calls='c["calls"] - c["call-coalesced"] == c["injects"] - c["inject-unmatched"] and
	c["entries"] > 0 and not c["acausal"]'

# Of devices in the VMM: by its io_uring.
counts_here()
{
	eventually counts "$all_kicks and $all_calls and c['wakes'] == c['wakes-io-uring'] and
		c['calls'] == c['calls-io-uring']" "$@"
}

counts_of_vhost()
{
	eventually counts "$all_kicks and c['wakes'] == c['wakes-vhost'] and
		c['taken'] and c['calls'] == c['calls-vhost']" net0.tx0 vsock0.tx &&
		eventually counts "$all_calls and c['used']" net0.rx0 vsock0.rx
}

# Its back-end takes kicks as it likes.
counts_of_vhost_user()
{
	eventually counts "c['kicks'] == c['kicks-kvm'] and $all_calls and not c['wakes']" \
		blk1.q0 net1.tx0
}

# entries LABEL...: that took an interrupt of each, as the module has counted them
entries()
{
	"$vringlab" stat --json | python3 -c 'import json, sys
entries = {v["label"]: v["counters"]["entries"] for v in json.load(sys.stdin)["vrings"]}
print(*(entries.get(label) for label in sys.argv[1:]))' "$@"
}

# caps_of THREAD: what of privileges it has in effect
caps_of()
{
	local thread

	for thread in "/proc/$guest/task/"*; do
		[ "$(cat "$thread/comm")" != "$1" ] ||
			sed -n 's/^CapEff:[[:space:]]*//p' "$thread/status"
	done
}

# The loop's thread may register virtqueues, by CAP_NET_ADMIN, and that of a vCPU nothing.
is_confined()
{
	echo "loop: $(caps_of vringlab), vCPU: $(caps_of vcpu0)"
	[ "$(caps_of vringlab)" = 0000000000001000 ] && [ "$(caps_of vcpu0)" = 0000000000000000 ] &&
		grep -q "^Seccomp:[[:space:]]*2" "/proc/$guest/status"
}

# Before it is loaded.
needs_module()
{
	run "$vringlab" vmm --kernel "$kernel" --trace
	[ "$status" -eq 4 ] && one_line "$tmp/err" && grep -q "vringlab.ko" "$tmp/err"
}

# Injects can be more: two of them before the guest is entered are one interrupt.
agrees()
{
	local guest module

	guest=$(interrupts virtio0-input.0 virtio0-output.0 virtio1-req.0 virtio2-req.0 \
		virtio6-input.0 virtio7-input.0)
	module=$(entries net0.rx0 net0.tx0 blk0.q0 blk1.q0 net1.rx0 net2.rx0)
	echo "guest: $guest, module: $module"
	[ "$guest" = "$module" ] && [[ $guest =~ ^([1-9][0-9]*\ ?){6}$ ]]
}

# A vhost-user back-end of others: guests' streams are unix sockets of its host.
start_vsock_peer()
{
	find_peer newer vhost-device-vsock && start_peer vsock "$peer" \
		--guest-cid "$cid" --socket "$tmp/vsock.socket" --uds-path "$tmp/streams"
}

taps_are_gone()
{
	[ ! -e /sys/class/net/vlvhost ] && [ ! -e /sys/class/net/vlvmm ]
}

ktap_print_header
ktap_set_plan 42

make_disks || ktap_exit_fail_msg "cannot make disks"
{ mkdir -p "$tmp/root/bin" && cp "$(dirname "$0")/vsock_cat" "$tmp/root/bin"; } ||
	ktap_exit_fail_msg "cannot copy the guest's vsock_cat"
make_root "${drivers[@]}" || ktap_exit_fail_msg "cannot make an initramfs"
check "--trace needs the module" needs_module
insmod "$VRINGLAB_KO" || ktap_exit_fail_msg "cannot load $VRINGLAB_KO"

{ make_tap vluser "$user_host" && serve_blk && serve_net vluser; } ||
	ktap_exit_fail_msg "cannot start back-ends"
check "a guest boots with devices on PCI" start_all
check "it has drivers for all of them" has_drivers 8
check "the first one's address is what it was to be" has_mac
check "vhost-net: the host answers" pings eth0 "$vhost_host" vlvhost
check "vhost-net: what is loaded is what the host has" downloads "$vhost_host"
check "vhost-user-net: the host answers" pings eth1 "$user_host" vluser
check "vhost-user-net: what is loaded is what the host has" downloads "$user_host"
check "net in the VMM, packed: the host answers" pings eth2 "$vmm_host" vlvmm
check "net in the VMM, packed: what is loaded is what the host has" downloads "$vmm_host"
check "each virtqueue is registered by name" has_labels blk0.q0 blk1.q0 console0.rx \
	console0.tx net0.rx0 net0.tx0 net1.rx0 net1.tx0 net2.rx0 net2.tx0 rng0.q0 \
	vsock0.event vsock0.rx vsock0.tx
check "and with what serves it" served_by vmm=blk0.q0 vhost-user=blk1.q0 vmm=console0.tx \
	vhost-net=net0.rx0 vhost-user=net1.rx0 vmm=net2.rx0 vmm=rng0.q0 \
	vhost-vsock=vsock0.tx vhost-vsock=vsock0.event
check "its sandbox has what that takes, and no more" is_confined
check "blk in the VMM: what is read is what the host has" is_read vda "$disk0"
check "blk in the VMM: what is written is there" is_written vda "$disk0"
check "vhost-user-blk: what is read is what the host has" is_read vdb "$tmp/disk1"
check "vhost-user-blk: what is written is there" is_written vdb "$tmp/disk1"
check "vhost-vsock: the guest answers" vsock_answers
check "vhost-vsock: what is sent and received is the same" vsock_carries 5001
check "rng gives bytes" gives_bytes
check "console writes lines" writes_lines
check "all of vhost is counted" counts_of_vhost
check "all of the VMM is counted" counts_here blk0.q0 rng0.q0 console0.tx net2.tx0
check "vhost-user is counted, but for how it takes kicks" counts_of_vhost_user
check "the module has counted the guest's interrupts" eventually agrees
check "the guest has no errors to report" no_errors
check "it powers off" ends "poweroff -f" 0 ""
check "its virtqueues go with it" has_labels ""
check "the taps go with it" taps_are_gone

: >"$tmp/port"
die blk
serve_blk --trace theirs
# Its own vsock of the kernel is as good for the counts of all.
vsock="cid=$cid"
! start_vsock_peer || vsock="socket=$tmp/vsock.socket"
check "a guest boots with devices on virtio-mmio" start mmio --trace --device "vsock,$vsock"
check "it has drivers for all of them, too" has_drivers 6
if [ -n "${backend[vsock]-}" ]; then
	check "vhost-user-vsock: what is sent and received is the same" \
		vsock_carries "$tmp/streams_5002"
else
	skip "vhost-user-vsock: what is sent and received is the same" "$why"
fi
check "blk in the VMM by MMIO: read" is_read vda "$disk0"
check "blk in the VMM by MMIO: written" is_written vda "$disk0"
check "vhost-user-blk by MMIO: read" is_read vdb "$tmp/disk1"
check "vhost-user-blk by MMIO: written" is_written vdb "$tmp/disk1"
check "rng by MMIO gives bytes" gives_bytes
check "console by MMIO writes lines" writes_lines
check "a back-end that traces its virtqueue has it" has_labels blk0.q0 console0.rx \
	console0.tx net0.rx0 net0.tx0 rng0.q0 theirs.0 vsock0.event vsock0.rx vsock0.tx
check "all of both processes is counted" counts_here blk0.q0 theirs.0 rng0.q0 console0.tx
check "the guest has no errors to report, either" no_errors
check "it powers off, too" ends "poweroff -f" 0 ""

rmmod vringlab

ktap_finished
