#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# vringlab vmm boots this machine's own kernel, in which nothing is changed, to a shell
# on its console: from its bzImage and from the ELF image in that, with one vCPU and with
# two. It has nothing to complain of, and its ends are told apart.
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

both_run()
{
	tell 'taskset 1 true && taskset 2 true && grep LOC: /proc/interrupts' &&
		awk '{ exit !($2 > 0 && $3 > 0) }' "$tmp/answer"
}

# It has the memory that is not the kernel's own.
has_memory()
{
	tell 'grep MemTotal: /proc/meminfo' &&
		awk -v least="$1" '{ print; exit !($2 > least) }' "$tmp/answer"
}

is_kvms()
{
	says 'cat /sys/devices/system/clocksource/clocksource0/current_clocksource' -- kvm-clock
}

loads_pvpanic()
{
	load_modules && tell 'ls /sys/bus/platform/drivers/pvpanic-mmio'
	cat "$tmp/answer"
	grep -q QEMU0001 "$tmp/answer"
}

panics()
{
	loads_pvpanic && ends 'echo c >/proc/sysrq-trigger' 1 "has panicked"
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
ktap_set_plan 14

make_root pvpanic_mmio || ktap_exit_fail_msg "cannot make an initramfs"

if [ -n "$bzimage" ]; then
	check "a bzImage boots to a shell" start_guest "$bzimage"
	check "it is this kernel" says "uname -r" -- "$(uname -r)"
	check "with one processor" says nproc -- 1
	check "its clock is KVM's" is_kvms
	check "it has its memory" has_memory 180000
	check "it has no errors to report" no_errors
	check "it powers off" ends "poweroff -f" 0 ""
else
	skip_some 7 "no bzImage of this kernel: install its package, or use scripts/vm"
fi

if [ -n "$elf" ]; then
	check "an ELF image boots to a shell" start_guest "$elf" --cpus 2
	check "it has two processors" says nproc -- 2
	check "they run" both_run
	check "it has no errors to report" no_errors
	check "it reboots, which ends it" ends "reboot -f" 1 "has reset its machine"
else
	skip_some 5 "no ELF image of this kernel: use scripts/vm, which unpacks it"
fi

check "another boots" start_guest "$kernel"
if [ -n "$(ls "$tmp/root/modules")" ]; then
	check "its panic is told" panics
else
	skip "its panic is told" "this kernel has no pvpanic-mmio: use a distribution's"
fi

ktap_finished
