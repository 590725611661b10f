#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# vringlab vmm boots this machine's own kernel, in which nothing is changed, to a shell
# on its console: from its bzImage and from the ELF image in that, with one vCPU and with
# two. It has nothing to complain of, and its ends are told apart.
#
# In this ring because it is the one that runs where KVM executes a guest, if only in
# an emulated machine: there it takes 10 s to the shell where nothing else runs.

. "$(dirname "$0")/../lib/ktap.sh"
. "$(dirname "$0")/../lib/linux_guest.sh"

# For each step of a guest; and for all of it.
deadline=120
guest_deadline=240

[ -x "$vringlab" ] || skip_all "no $vringlab: run make, or give VRINGLAB="
if [ ! -r /dev/kvm ] || [ ! -w /dev/kvm ]; then
	skip_all "no /dev/kvm: load kvm_amd or kvm_intel"
fi
[ -n "$kernel" ] || skip_all "no image of this kernel: install its package, or use scripts/vm"
busybox=$(command -v busybox) || skip_all "no busybox: run scripts/setup"
! ldd "$busybox" >/dev/null 2>&1 || skip_all "busybox is not static: run scripts/setup"
command -v cpio >/dev/null || skip_all "no cpio: run scripts/setup"

make_root()
{
	mkdir -p "$tmp/root"/{bin,dev,proc,sys} && cp "$busybox" "$tmp/root/bin/busybox" || return
	put_modules "$tmp/root/modules" pvpanic_mmio 2>/dev/null
	# It does what it is told: a line is a command, whose status ends its answer.
	cat >"$tmp/root/init" <<-'END'
		#!/bin/busybox sh
		/bin/busybox --install -s /bin
		mount -t proc proc /proc
		mount -t sysfs sys /sys
		mount -t devtmpfs dev /dev
		stty -echo
		while echo "= $?" && read -r line; do
			eval "$line"
		done
	END
	chmod +x "$tmp/root/init"
}

# Without XSAVE: QEMU's emulated SVM does not tell KVM of XSETBV, after which the sizes
# that CPUID tells are wrong; 7.3 panics of that.
start_guest()
{
	local image=$1

	shift
	rm -f "$tmp"/console.*
	mkfifo "$tmp/console.in" "$tmp/console.out"
	exec 3<>"$tmp/console.in" 4<>"$tmp/console.out"
	"$vringlab" vmm --kernel "$image" --initrd "$tmp/initramfs" --timeout "${guest_deadline}s" \
		--append "console=ttyS0 quiet panic=-1 noxsave" "$@" \
		<"$tmp/console.in" >"$tmp/console.out" 2>"$tmp/err" 3>&- 4>&- &
	guest=$!
	answer
}

# The guest's lines until the status, which is returned.
answer()
{
	local line

	: >"$tmp/answer"
	while read -t "$deadline" -r -u 4 line; do
		line=${line%$'\r'}
		[[ $line != "= "* ]] || return "${line#= }"
		echo "$line" >>"$tmp/answer"
	done
	cat "$tmp/answer" "$tmp/err"
	return 1
}

tell()
{
	echo "$*" >&3
	answer
}

# says COMMAND... -- LINE: that is all that the command prints
says()
{
	local command=()

	while [ "$1" != -- ]; do
		command+=("$1")
		shift
	done
	tell "${command[@]}"
	[ "$(cat "$tmp/answer")" = "$2" ] || {
		cat "$tmp/answer"
		return 1
	}
}

# Messages of the levels emerg to err; but for that of 6.1 where no device is on PCI,
# because it takes configuration space for real only if there is a bridge in it.
no_errors()
{
	tell "dmesg -r | grep '^<[0-3]>' || true" &&
		! grep -v "PCI: Fatal: No config space access function found" "$tmp/answer"
}

# ends COMMAND STATUS TEXT: of vringlab vmm, and what it says
ends()
{
	echo "$1" >&3
	status=0
	wait "$guest" || status=$?
	guest=
	cat "$tmp/err"
	[ "$status" -eq "$2" ] && if [ -n "$3" ]; then
		one_line "$tmp/err" && grep -q "$3" "$tmp/err"
	else
		is_empty "$tmp/err"
	fi
}

finish()
{
	[ -z "$guest" ] || kill -KILL "$guest"
	rm -rf "$tmp"
}
guest=
trap finish EXIT

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
	# shellcheck disable=SC2016 # the guest's shell does it
	tell 'for m in /modules/*; do insmod $m; done; ls /sys/bus/platform/drivers/pvpanic-mmio'
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

{ make_root && make_initramfs "$tmp/root" "$tmp/initramfs"; } ||
	ktap_exit_fail_msg "cannot make an initramfs"

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
