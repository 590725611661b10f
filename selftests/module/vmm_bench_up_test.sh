#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# vringlab vmm --bench: what the guest's tool counts and feels is what the module has
# counted and measured of the same virtqueues at the same time.

. "$(dirname "$0")/../lib/ktap.sh"
. "$(dirname "$0")/../lib/linux_guest.sh"
. "$(dirname "$0")/../lib/vmm_guest.sh"

count=100

need_guest
[ "$(id -u)" -eq 0 ] || skip_all "loads a module, makes a tap: run as root"
[ -n "${VRINGLAB_KO:-}" ] || skip_all "no module: set VRINGLAB_KO=, or use scripts/check"
[ ! -e /sys/module/vringlab ] || skip_all "vringlab is loaded already: rmmod vringlab"
command -v python3 >/dev/null || skip_all "no python3: run scripts/setup"
need_devices vhost_net vhost_vsock tun
need_drivers virtio_pci virtio_net virtio_blk vmw_vsock_virtio_transport

# Interfaces are made by the command and by the guest, and say nothing by themselves: not
# by IPv6, nor by asking for a neighbour that is slow because the machine is.
patient=net.ipv4.neigh.default.delay_first_probe_time
measures()
{
	echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6
	echo 600 >"/proc/sys/${patient//.//}"
	run "$vringlab" vmm --kernel "$kernel" --initrd "$tmp/initramfs" --timeout 240s \
		--append "console=ttyS0 quiet panic=-1 noxsave ipv6.disable=1 sysctl.$patient=600" \
		--trace --json \
		--device net,tap=vlbench,address=192.0.2.1/24 --device "blk,file=$tmp/disk" \
		--device vsock,cid=43 --bench blk,net,vsock --count "$count"
	sed -n '/^{/,$p' "$tmp/out" >"$tmp/json"
	tail -n 20 "$tmp/out" "$tmp/err"
	[ "$status" -eq 0 ] && is_empty "$tmp/err"
}

# that KIND EXPRESSION: of b, that benchmark; q, counters by label; rtt; n, the count
that()
{
	python3 - "$tmp/json" "$@" "$count" <<'END'
import json, sys
path, kind, expression, n = sys.argv[1:]
n = int(n)
b, = [b for b in json.load(open(path))["bench"] if b["kind"] == kind]
q = {v["label"]: v["counters"] for v in b["vrings"]}
spans = {v["label"]: {s["span"]: s for s in v["spans"]} for v in b["vrings"]}
rtt = b["round-trip"]
if not eval(f"({expression})"):
    print(rtt)
    for label, c in q.items():
        print(label, {k: v for k, v in c.items() if v})
    sys.exit(1)
END
}

# Without the module, of a guest that has no driver: both are told.
tells_what_is_missing()
{
	mkdir -p "$tmp/empty/dev" && make_initramfs "$tmp/empty" "$tmp/empty.cpio" || return
	run "$vringlab" vmm --kernel "$kernel" --initrd "$tmp/empty.cpio" --timeout 240s \
		--append "console=ttyS0 quiet panic=-1 noxsave" \
		--device "blk,file=$tmp/disk" --bench blk
	[ "$status" -eq 1 ] && one_line "$tmp/err" && grep -q "scripts/guest-initrd" "$tmp/err"
}

ktap_print_header
ktap_set_plan 7

head -c 1048576 /dev/zero >"$tmp/disk" || ktap_exit_fail_msg "cannot make a disk"
make_root "${drivers[@]}" || ktap_exit_fail_msg "cannot make an initramfs"
check "a guest without drivers says what it lacks" tells_what_is_missing
insmod "$VRINGLAB_KO" || ktap_exit_fail_msg "cannot load $VRINGLAB_KO"
check "a guest measures three devices" measures
check "blk: each read is a kick, a wake, a call and an interrupt" that blk \
	'rtt["count"] == n and all(q["blk0.q0"][k] == n for k in
	("kicks-kvm", "wakes-io-uring", "calls-io-uring", "injects", "entries"))'
check "blk: the guest waits for at least what the module has measured" that blk \
	'rtt["sum-ns"] * 1.05 > spans["blk0.q0"]["kick-entry"]["sum-ns"] > 0'
check "net: each message is one packet out and one in" that net \
	'rtt["count"] == n == q["net0.tx0"]["taken"] == q["net0.rx0"]["used"] and
	0 < q["net0.tx0"]["kicks-kvm"] <= n and q["net0.rx0"]["injects"] > 0'
check "vsock: each message is one packet out and one in at least" that vsock \
	'rtt["count"] == n <= q["vsock0.tx"]["taken"] and n <= q["vsock0.rx"]["used"] and
	q["vsock0.tx"]["kicks-kvm"] > 0'
check "quantiles are in order" that net \
	'0 < rtt["min-ns"] <= rtt["p50-ns"] <= rtt["p99-ns"] <= rtt["max-ns"]'

rmmod vringlab

ktap_finished
