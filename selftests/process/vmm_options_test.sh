#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# vringlab vmm, as far as it comes without KVM: options, and a KVM device that is
# not there, not one, or not ours.

. "$(dirname "$0")/../lib/ktap.sh"

[ -x "$vringlab" ] || skip_all "no $vringlab: run make, or give VRINGLAB="

# refused TEXT ARGUMENT...: exit 2, nothing on stdout, TEXT on stderr
refused()
{
	local text=$1

	shift
	run "$vringlab" vmm "$@"
	[ "$status" -eq 2 ] && is_empty "$tmp/out" && grep -qF -- "$text" "$tmp/err" &&
		grep -q "vringlab vmm --help" "$tmp/err"
}

ping_refused()
{
	local text=$1

	shift
	refused "$text" --guest ring-ping --socket /nowhere "$@"
}

device_refused()
{
	local text=$1

	shift
	refused "$text" --guest ring-ping --device rng,queue-size=32 "$@"
}

# unsupported COMMAND... -- TEXT...: exit 4 and one line that has each TEXT
unsupported()
{
	local command=() text

	while [ "$1" != -- ]; do
		command+=("$1")
		shift
	done
	shift
	run "${command[@]}"
	[ "$status" -eq 4 ] && is_empty "$tmp/out" && one_line "$tmp/err" || return 1
	for text; do
		grep -qF -- "$text" "$tmp/err" || return 1
	done
}

# root passes any mode, so it becomes nobody
without_permission()
{
	local as=()

	: >"$tmp/kvm"
	chmod 0 "$tmp/kvm"
	chmod 0755 "$tmp"
	[ "$(id -u)" -ne 0 ] || as=(setpriv --reuid=65534 --clear-groups)
	unsupported "${as[@]}" "$vringlab" vmm --guest hello --kvm "$tmp/kvm" -- \
		"$tmp/kvm" "Permission denied" "join its group"
}

help_states_each_option()
{
	local option

	run "$vringlab" vmm --help
	[ "$status" -eq 0 ] || return 1
	for option in append bench count cpus depth device doorbell dump-regs eventfds explain \
		guest help house-keeping initrd irqchip json kernel kvm memory no-sandbox pages \
		pin priority queue-size reconnect size socket timeout trace wait; do
		grep -q -- "^  --$option " "$tmp/out" || return 1
	done
}

no_backend()
{
	run "$vringlab" vmm --guest ring-ping --socket "$tmp/none.sock"
	[ "$status" -eq 1 ] && is_empty "$tmp/out" && one_line "$tmp/err" &&
		grep -q "$tmp/none.sock" "$tmp/err"
}

# failed TEXT ARGUMENT...: exit 1, nothing on stdout, TEXT in one line on stderr
failed()
{
	local text=$1

	shift
	run "$vringlab" vmm "$@"
	[ "$status" -eq 1 ] && is_empty "$tmp/out" && one_line "$tmp/err" &&
		grep -qF -- "$text" "$tmp/err"
}

# It is looked at before KVM is.
kernel_failed()
{
	local text=$1

	shift
	failed "$text" --kvm "$tmp/no-kvm" --kernel "$@"
}

# Only a header, that of a bzImage of 8 MiB.
truncated_kernel()
{
	head -c 8192 /dev/zero >"$tmp/vmlinuz"
	{
		printf '\x55\xaa\xeb\x66HdrS\x0f\x02'
		head -c 9 /dev/zero
		printf '\x01'
	} | dd of="$tmp/vmlinuz" bs=1 seek=$((0x1fe)) conv=notrunc status=none
	printf '\x00\x00\x08\x00' |
		dd of="$tmp/vmlinuz" bs=1 seek=$((0x1f4)) conv=notrunc status=none
	printf '\x01' | dd of="$tmp/vmlinuz" bs=1 seek=$((0x236)) conv=notrunc status=none
	kernel_failed "vmlinuz is truncated: 8192 of at least 8391168 bytes" "$tmp/vmlinuz"
}

# not_this_cpu COMMAND...: that runs on one CPU, and is to be on another
not_this_cpu()
{
	local cpus

	mapfile -t cpus < <(python3 -c 'import os; print(*os.sched_getaffinity(0), sep="\n")')
	run taskset -c "${cpus[0]}" "$@" --pin "${cpus[1]}"
	[ "$status" -eq 1 ] && is_empty "$tmp/out" && one_line "$tmp/err" &&
		grep -qF "may not run on CPU ${cpus[1]}, but on ${cpus[0]}" "$tmp/err"
}

# Where seccomp(2) is not known: by an older call that it has replaced.
without_seccomp()
{
	cat >"$tmp/without.py" <<-'END'
		import ctypes, os, struct, sys
		LD_NR, JEQ, RET = 0x20, 0x15, 0x06
		SECCOMP, ERRNO, ENOSYS, ALLOW = 317, 0x50000, 38, 0x7fff0000
		code = b"".join(struct.pack("HBBI", *insn) for insn in (
		    (LD_NR, 0, 0, 0), (JEQ, 0, 1, SECCOMP),
		    (RET, 0, 0, ERRNO | ENOSYS), (RET, 0, 0, ALLOW)))
		insns = ctypes.create_string_buffer(code)
		prog = struct.pack("HxxxxxxQ", len(code) // 8, ctypes.addressof(insns))
		libc = ctypes.CDLL(None, use_errno=True)
		if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, prog, 0, 0):
		    sys.exit(os.strerror(ctypes.get_errno()))
		os.execv(sys.argv[1], sys.argv[1:])
	END
	unsupported python3 "$tmp/without.py" "$vringlab" vmm --guest hello --kvm "$tmp/no-kvm" -- \
		"no seccomp filters" "CONFIG_SECCOMP_FILTER" "--no-sandbox" || return
	# then it is KVM that is missing
	unsupported python3 "$tmp/without.py" "$vringlab" vmm --guest hello --no-sandbox \
		--kvm "$tmp/no-kvm" -- "$tmp/no-kvm"
}

# unprivileged TEXT ARGUMENT...: without CAP_SYS_NICE
unprivileged()
{
	local as=() text=$1

	shift
	[ "$(id -u)" -ne 0 ] || as=(setpriv "--bounding-set=-sys_nice" "--inh-caps=-sys_nice")
	run prlimit --rtprio=0 "${as[@]}" "$vringlab" vmm --guest hello "$@"
	[ "$status" -eq 1 ] && is_empty "$tmp/out" && one_line "$tmp/err" &&
		grep -qF "needs CAP_SYS_NICE" "$tmp/err" && grep -qF -- "$text" "$tmp/err"
}

more_than_the_host_has()
{
	kernel_failed "the host has" /dev/null --memory 1048576G
}

ktap_print_header
ktap_set_plan 84

check "help states each option" help_states_each_option
check "a guest is needed" refused "--guest hello or --guest ring-ping"
check "an unknown guest is named" refused "no guest 'nosuch'" --guest nosuch
check "an unknown option is named" refused "'--nosuch'" --guest hello --nosuch
check "an argument is refused" refused "'more'" --guest hello more
check "a missing value is named" refused "'--guest' needs a value" --guest
check "ring-ping needs a socket" refused "needs --socket" --guest ring-ping
check "hello has no socket" refused "--socket is for --guest ring-ping only" \
	--guest hello --socket /nowhere
check "hello has no count" refused "--count is for" --guest hello --count 3
check "exit-cost has no depth" refused "--depth is for --guest ring-ping only" \
	--guest exit-cost --depth 2
check "irq-cost has no doorbells" refused \
	"is for --guest ring-ping or --guest doorbell-storm only" \
	--guest irq-cost --doorbell pio
check "a storm needs an eventfd" refused "--eventfds 0: out of range; it takes 1 to 16" \
	--guest doorbell-storm --eventfds 0
check "more eventfds are refused" refused "out of range" --guest doorbell-storm --eventfds 17
check "ring-ping has no choice of irqchips" refused "--irqchip is for --guest hello only" \
	--guest ring-ping --socket /nowhere --irqchip pc
check "a kernel is not explained" refused "--explain is for" --kernel /nowhere --explain
check "a device is for a kernel or ring-ping" refused \
	"--device is for --guest ring-ping or --kernel only" --guest hello --device rng
check "ring-ping has a socket or a device" ping_refused "exclude each other" --device rng
check "ring-ping has one device" device_refused "drives one --device, not 2" --device rng
check "a device has no doorbell to choose" device_refused "--doorbell goes with --socket" \
	--doorbell mmio
check "a device reconnects by itself" device_refused "--reconnect goes with --socket" --reconnect
check "a device that is not good is named" refused "rng: transport takes pci or mmio" \
	--guest ring-ping --device rng,transport=usb
check "a virtqueue is not larger than the device's" device_refused \
	"--queue-size 64: the device has queue-size=32" --queue-size 64
check "a disk is read in sectors" refused "--size 100: of this device, buffers must be of 512 to" \
	--guest ring-ping --device blk,null-size=1M --size 100
check "whole ones" refused "--size 1000: a disk is read in whole sectors" \
	--guest ring-ping --device blk,null-size=1M --size 1000
check "a chain of a disk has 3 descriptors" refused \
	"depth must be 1 to 85, for a chain has 3 descriptors of 256" \
	--guest ring-ping --device blk,null-size=1M --depth 86
check "--trace is for a device" ping_refused "--trace goes with --device" --trace
check "an unknown kind of device is named" refused "--device nosuch" \
	--kernel /nowhere --device nosuch
check "an unknown benchmark is named" refused "--bench blk,gpu: it takes net, blk and vsock" \
	--kernel /nowhere --bench blk,gpu
check "a benchmark stands once" refused "each once" --kernel /nowhere --bench blk,blk
check "a benchmark needs its device" refused "--bench blk needs one --device blk, not 0" \
	--kernel /nowhere --device rng --bench blk
check "and no second one" refused "not 2" \
	--kernel /nowhere --device blk,file=/a --device blk,file=/b --bench blk
check "the echo needs an address" refused "address=A.B.C.D/LEN" \
	--kernel /nowhere --device net,tap=vl --bench net
check "with room for a guest" refused "LEN at most 30" \
	--kernel /nowhere --device net,tap=vl,address=192.0.2.1/31 --bench net
check "a micro-guest has no benchmark of Linux" refused "--bench is for --kernel only" \
	--guest hello --bench blk
check "an unknown irqchip is refused" refused "none, lapic or pc" --guest hello --irqchip apic
check "explaining is no JSON" refused "exclude each other" --guest hello --explain --json
check "a count of 0 is refused" ping_refused "--count 0: out of range; it takes 1 to" --count 0
check "a count that is no number is refused" ping_refused "--count x: not a number" --count x
check "a negative count is refused" ping_refused "not a number" --count -1
check "a size of 0 is refused" ping_refused "--size 0: out of range" --size 0
check "a size above 1M is refused" ping_refused "out of range" --size 2M
check "a queue size that is no power of two is refused" ping_refused "power of two" \
	--queue-size 3
check "a queue size of 1 is refused" ping_refused "power of two from 2" --queue-size 1
check "a queue size above 32768 is refused" ping_refused "out of range" --queue-size 65536
check "a depth above half of the queue is refused" ping_refused "depth must be 1 to 128" \
	--depth 129
check "an unknown doorbell is refused" ping_refused "pio or mmio" --doorbell bell
check "an unknown wait is refused" ping_refused "halt or spin" --wait sleep
check "a duration without unit is refused" ping_refused "with the unit" --timeout 5
check "memory that does not hold the guest is refused" refused "out of range" \
	--guest hello --memory 64K
check "memory that does not hold the buffers is refused" ping_refused "give it more" \
	--memory 2M --size 1M
check "memory above 3G is refused" ping_refused "out of range" --memory 4G
check "a list of CPUs that is none" refused "it takes a list of CPUs" --guest hello --pin 1-
check "a range that ends before it begins" refused "it takes a list of CPUs" \
	--guest hello --house-keeping 1-0
check "a CPU number that is too large" refused "at most 1023" --guest hello --pin 1024
check "more CPUs than vCPUs" refused "--pin: 2 CPUs for 1 vCPUs" --guest hello --pin 0,0
check "fewer CPUs than vCPUs" refused "--pin: 1 CPUs for 2 vCPUs" \
	--kernel /nowhere --cpus 2 --pin 0
check "a policy that there is not" refused "--priority d:1: it takes o:NICE" \
	--guest hello --priority d:1
check "a priority that there is not" refused "--priority f:100: it takes" \
	--guest hello --priority f:100
check "a CPU that there is not" failed "--house-keeping: there is no CPU 1023" \
	--guest hello --house-keeping 1023
if [ "$(nproc)" -gt 1 ]; then
	check "a CPU that is not ours" not_this_cpu "$vringlab" vmm --guest hello
else
	skip "a CPU that is not ours" "there is one CPU: run it with two"
fi
check "FIFO without privileges" unprivileged "ulimit -r 7" --priority f:7
check "round-robin without privileges" unprivileged "--priority r:7 needs" --priority r:7
check "a nice value without privileges" unprivileged "ulimit -e 25" --priority o:-5
check "a kernel without seccomp" without_seccomp
check "a missing back-end is named" no_backend
check "a missing KVM device is named with the cure" \
	unsupported "$vringlab" vmm --guest hello --kvm "$tmp/no-kvm" -- \
	"$tmp/no-kvm" "No such file or directory" "kvm_intel or kvm_amd"
check "a device that is not KVM is named" \
	unsupported "$vringlab" vmm --guest hello --kvm /dev/null -- \
	"KVM_GET_API_VERSION on /dev/null" "not a KVM device"
check "a KVM device without permission is named with the cure" without_permission
check "a kernel and a guest are too many" refused "which of the two" \
	--kernel /nowhere --guest hello
check "a kernel has no count" refused "--count is for" --kernel /nowhere --count 3
check "hello has no initrd" refused "--initrd is for --kernel only" --guest hello --initrd /nowhere
check "exit-cost has no memory of its own size" refused "--memory is for" \
	--guest exit-cost --memory 4M
check "no vCPU is too few" refused "--cpus 0: out of range; it takes 1 to 64" \
	--kernel /nowhere --cpus 0
check "65 are too many" refused "--cpus 65: out of range" --kernel /nowhere --cpus 65
check "memory of 0 bytes is refused" refused "--memory 0: out of range" \
	--kernel /nowhere --memory 0
check "an odd size is refused" refused "whole pages of 4K" --kernel /nowhere --memory 16777217
check "a size that hugetlb has not is refused" refused "whole pages of 2M" \
	--kernel /nowhere --memory 16388K --pages hugetlb
check "unknown pages are refused" refused "base, thp or hugetlb" --kernel /nowhere --pages big
check "more memory than the host has is refused" more_than_the_host_has
check "a missing kernel is named" kernel_failed "cannot open $tmp/none" "$tmp/none"
check "a folder is no kernel" kernel_failed "not a regular file" "$tmp"
check "a text is no kernel" kernel_failed "neither a bzImage (vmlinuz) nor an ELF" "$0"
check "an ELF program is no kernel" kernel_failed "PVH entry" "$vringlab"
check "a truncated kernel is told" truncated_kernel

ktap_finished
