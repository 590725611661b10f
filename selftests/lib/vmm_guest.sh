# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# For tests that boot this machine's own kernel by vringlab vmm, to a shell on its
# console; after ktap.sh and linux_guest.sh. They set $deadline, for each step of a guest,
# and $guest_deadline, for all of it.
# shellcheck disable=SC2154 # and ktap.sh the rest

# need_guest: skip all where there is none.
need_guest()
{
	need_vmm
	[ -n "$kernel" ] ||
		skip_all "no image of this kernel: install its package, or use scripts/vm"
	busybox=$(command -v busybox) || skip_all "no busybox: run scripts/setup"
	! ldd "$busybox" >/dev/null 2>&1 || skip_all "busybox is not static: run scripts/setup"
	command -v cpio >/dev/null || skip_all "no cpio: run scripts/setup"
}

# need_drivers MODULE...: in $drivers, which the guest is to have of this kernel
need_drivers()
{
	drivers=("$@")
	modprobe -na "${drivers[@]}" 2>/dev/null ||
		skip_all "this kernel has no drivers for the guest: use a distribution's"
}

# need_devices MODULE...: this machine is to have what they serve
need_devices()
{
	local module file

	modprobe -a "$@" 2>/dev/null
	for module in "$@"; do
		case $module in
		tun) file=/dev/net/tun ;;
		*) file=/dev/${module//_/-} ;;
		esac
		[ -c "$file" ] || skip_all "no $file: modprobe $*"
	done
}

# make_root MODULE...: $tmp/initramfs, with modules to load by load_modules
make_root()
{
	mkdir -p "$tmp/root"/{bin,dev,proc,sys,tmp} && cp "$busybox" "$tmp/root/bin/busybox" ||
		return
	put_modules "$tmp/root/modules" "$@" 2>/dev/null
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
	chmod +x "$tmp/root/init" && make_initramfs "$tmp/root" "$tmp/initramfs"
}

load_modules()
{
	# shellcheck disable=SC2016 # the guest's shell does it
	tell 'for m in /modules/*; do insmod $m || break; done'
}

# Without XSAVE: QEMU's emulated SVM does not tell KVM of XSETBV, after which the sizes
# that CPUID tells are wrong; 7.3 panics of that.
append="console=ttyS0 quiet panic=-1 noxsave ipv6.disable=1"
# One that knows nothing of KVM, as a kernel of make torture, counts interrupts of its timer
# against a loop, and takes it for broken where four vCPUs share a processor that is emulated.
grep -qw kvm_clock_get_cycles /proc/kallsyms || append+=" no_timer_check"

start_guest()
{
	local image=$1

	shift
	open_console || return
	"$vringlab" vmm --kernel "$image" --initrd "$tmp/initramfs" --timeout "${guest_deadline}s" \
		--append "$append" "$@" \
		<"$tmp/console.in" >"$tmp/console.out" 2>"$tmp/err" 3>&- 4>&- &
	guest=$!
	answer
}

# The guest's lines until the status, which is returned.
answer()
{
	read_answer && return "$answered"
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

# Messages of the levels emerg to err.
no_errors()
{
	tell "dmesg -r | grep '^<[0-3]>' || true" && ! grep . "$tmp/answer"
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
