#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# vringlab vmm boots this machine's own kernel, in which nothing is changed, to a shell
# on its console: from its bzImage and from the ELF image in that, with one vCPU and with
# four, on small pages and on huge ones, and with interrupts by pins where it wants no
# messages. It has nothing to complain of, and its ends are told apart.
#
# In this ring because it is the one that runs where KVM executes a guest, if only in an
# emulated machine; on one processor, for with several of them in one thread that emulation
# lets an interrupt in where a guest does not want one, and it waits for itself for ever.

. "$(dirname "$0")/../lib/ktap.sh"
. "$(dirname "$0")/../lib/linux_guest.sh"
. "$(dirname "$0")/../lib/vmm_guest.sh"

# For each step of a guest; and for all of it.
deadline=120
guest_deadline=240

need_guest

all_run()
{
	# shellcheck disable=SC2016 # the guest's shell does it
	tell 'for c in 0 1 2 3; do taskset -c $c true || break; done; grep LOC: /proc/interrupts' &&
		awk '{ exit !($2 > 0 && $3 > 0 && $4 > 0 && $5 > 0) }' "$tmp/answer"
}

# Of the machine that the guest is in, whose settings are as before in the end.
nr_hugepages=/proc/sys/vm/nr_hugepages
had_hugepages=$(cat "$nr_hugepages" 2>/dev/null)
shmem_enabled=/sys/kernel/mm/transparent_hugepage/shmem_enabled
had_shmem=$(sed -n 's/.*\[\(.*\)\].*/\1/p' "$shmem_enabled" 2>/dev/null)

restore()
{
	[ -z "$had_hugepages" ] || { echo "$had_hugepages" >"$nr_hugepages"; } 2>/dev/null
	[ -z "$had_shmem" ] || { echo "$had_shmem" >"$shmem_enabled"; } 2>/dev/null
	finish
}
trap restore EXIT

# KiB or pages.
meminfo()
{
	awk -v name="$1:" '$1 == name { print $2 }' /proc/meminfo
}

# As many as --pages hugetlb wants for a guest's default memory; all of them go back.
reserve_huge_pages()
{
	{ echo 128 >"$nr_hugepages"; } 2>/dev/null && [ "$(meminfo HugePages_Free)" -eq 128 ]
}

has_thp()
{
	grep ShmemHugePages /proc/meminfo && [ "$(meminfo ShmemHugePages)" -gt 0 ]
}

free_huge_pages()
{
	[ "$(meminfo HugePages_Free)" -eq "$1" ]
}

# has_memory MIB: and no more than a MiB of it is none
has_memory()
{
	local first last bytes=0

	tell "grep 'System RAM' /proc/iomem"
	while IFS=' -' read -r first last _; do
		bytes=$((bytes + 16#$last + 1 - 16#$first))
	done <"$tmp/answer"
	cat "$tmp/answer"
	[ "$bytes" -le $(($1 << 20)) ] && [ "$bytes" -gt $((($1 - 1) << 20)) ]
}

# A part of it is above the window for devices.
has_memory_above()
{
	has_memory "$1" && grep "^100000000-" "$tmp/answer"
}

# A guest whose TSC is invariant prefers that.
is_kvms()
{
	local clocks=/sys/devices/system/clocksource/clocksource0

	tell "cat $clocks/available_clocksource; cat $clocks/current_clocksource"
	cat "$tmp/answer"
	head -n 1 "$tmp/answer" | grep -qw kvm-clock &&
		tail -n 1 "$tmp/answer" | grep -qx 'kvm-clock\|tsc'
}

# Without MSI-X a device on PCI has a pin of the IOAPIC, and takes it back when the
# driver has read why it was raised.
is_interrupted_by_pin()
{
	load_modules && says 'dd if=/dev/vda bs=64k iflag=direct 2>/dev/null | sha256sum' \
		-- "$(sha256sum <"$tmp/disk")" && tell 'grep -w virtio0 /proc/interrupts' || return
	cat "$tmp/answer"
	awk '{ exit !($2 >= 16 && /IO-APIC.*fasteoi/) }' "$tmp/answer"
}

loads_pvpanic()
{
	tell 'ls /sys/bus/platform/drivers/pvpanic-mmio'
	cat "$tmp/answer"
	grep -q QEMU0001 "$tmp/answer"
}

panics()
{
	loads_pvpanic && ends 'echo c >/proc/sysrq-trigger' 1 "has panicked"
}

# check_guest DESCRIPTION COMMAND...: of a kernel that asks KVM for the time, and has no need
# of timers that an emulated machine is too slow for
check_guest()
{
	if grep -qw kvm_clock_get_cycles /proc/kallsyms; then
		check "$@"
	else
		skip "$1" "this kernel has no CONFIG_KVM_GUEST: use a distribution's"
	fi
}

# check_huge DESCRIPTION COMMAND...
check_huge()
{
	if [ "$pages" = hugetlb ]; then
		check "$@"
	else
		skip "$1" "no 128 huge pages of 2M: a kernel with CONFIG_HUGETLBFS, more memory"
	fi
}

# skip_some NR REASON
skip_some()
{
	local i

	for ((i = 1; i <= $1; i++)); do
		skip "of what would have been started, $i of $1" "$2"
	done
}

ktap_print_header
ktap_set_plan 19

make_root pvpanic_mmio virtio_pci virtio_blk || ktap_exit_fail_msg "cannot make an initramfs"
head -c 1048576 /dev/urandom >"$tmp/disk" || ktap_exit_fail_msg "cannot make a disk"

if [ -n "$bzimage" ]; then
	check "a bzImage boots to a shell" start_guest "$bzimage"
	check "it is this kernel" says "uname -r" -- "$(uname -r)"
	check "with one processor" says nproc -- 1
	check_guest "its clock is KVM's" is_kvms
	check "it has its memory" has_memory 256
	check_guest "it has no errors to report" no_errors
	check "it powers off" ends "poweroff -f" 0 ""
else
	skip_some 7 "no bzImage of this kernel: install its package, or use scripts/vm"
fi

pages=hugetlb
reserve_huge_pages || pages=base
if [ -n "$elf" ]; then
	check "an ELF image boots to a shell" start_guest "$elf" --cpus 4 --pages "$pages"
	check "it has four processors" says nproc -- 4
	check "they run" all_run
	check_huge "its memory is of huge pages" free_huge_pages 0
	check_guest "it has no errors to report" no_errors
	check "it reboots, which ends it" ends "reboot -f" 1 "has reset its machine"
	check_huge "its huge pages are free again" free_huge_pages 128
else
	skip_some 7 "no ELF image of this kernel: use scripts/vm, which unpacks it"
fi

pages=base
! { echo advise >"$shmem_enabled"; } 2>/dev/null || pages=thp
# What its disk reads to is then where it takes memory first, above 4 GiB.
memory_mib=5120
[ "$(meminfo MemTotal)" -gt $((5500 << 10)) ] || memory_mib=256
check "another boots" start_guest "$kernel" --pages "$pages" --memory "${memory_mib}M" \
	--device "blk,file=$tmp/disk" --append "$append pci=nomsi"
if [ "$memory_mib" -gt 4096 ]; then
	check "it has memory above 4 GiB" has_memory_above "$memory_mib"
else
	skip "it has memory above 4 GiB" "too little memory here: scripts/vm --mem 6G"
fi
if [ "$pages" = thp ]; then
	check "some of its memory is of transparent huge pages" has_thp
else
	skip "some of its memory is of transparent huge pages" \
		"no $shmem_enabled: a kernel with CONFIG_TRANSPARENT_HUGEPAGE"
fi
if modprobe -na virtio_pci virtio_blk 2>/dev/null; then
	check "its disk interrupts it by a pin" is_interrupted_by_pin
else
	load_modules
	skip "its disk interrupts it by a pin" "this kernel has no drivers: use a distribution's"
fi
if modprobe -n pvpanic_mmio 2>/dev/null; then
	check "its panic is told" panics
else
	skip "its panic is told" "this kernel has no pvpanic-mmio: use a distribution's"
fi

ktap_finished
