#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# vringlab doctor beside the real things: before the module is loaded and after, ftrace
# switched off, KVM unloaded, another network namespace, and files of the module that the
# kernel would take or not.

. "$(dirname "$0")/../lib/ktap.sh"
. "$(dirname "$0")/../lib/doctor.sh"

[ "$(id -u)" -eq 0 ] || skip_all "loads a module: run as root"
[ -n "${VRINGLAB_KO:-}" ] || skip_all "no module: set VRINGLAB_KO=, or use scripts/check"
[ ! -e /sys/module/vringlab ] || skip_all "vringlab is loaded already: rmmod vringlab"

release=$(uname -r)
modules=/lib/modules/$release
vendor=$(sed -n 's/^flags.* \(svm\|vmx\)\( .*\|\)$/\1/p' /proc/cpuinfo | head -n 1)
case $vendor in
svm) vendor=kvm_amd ;;
vmx) vendor=kvm_intel ;;
esac

doctor()
{
	run "$vringlab" doctor
	is_empty "$tmp/err"
}

# What is hooked and for what, in the table that was printed last, without the state
hooks()
{
	sed -n 's/^[a-z]*  *\(hook\.[^ ]*\)  .*, for \(.*\)/\1 \2/p' "$tmp/out"
}

hops="hop.exit hop.kick hop.wake hop.call hop.inject hop.entry"

without_the_module()
{
	doctor && [ "$status" -eq 1 ] && are missing module.loaded || return 1
	# shellcheck disable=SC2086 # several
	are ok kernel.release kernel.ftrace_enabled permission.net_admin tracefs.mounted \
		tracefs.readable btf.vmlinux io_uring.ring kvm.device kvm.ioeventfd kvm.irqfd $hops
	hooks >"$tmp/expected"
}

with_the_module()
{
	insmod "$VRINGLAB_KO" && doctor && [ "$status" -eq 0 ] || return 1
	# shellcheck disable=SC2086 # several
	are ok module.loaded module.version module.netlink $hops
}

knows_what_the_module_hooks()
{
	[ -s "$tmp/expected" ] && hooks | diff - "$tmp/expected"
}

# A program before this one may have needed it.
vhost_comes()
{
	[ ! -e /sys/module/vhost_net ] || rmmod vhost_net && doctor || return 1
	are limited vhost.vhost-net && modprobe vhost_net && doctor &&
		are ok vhost.vhost-net btf.vhost hook.vhost_vring_ioctl hook.handle_tx_kick
}

in_another_network_namespace()
{
	run unshare --net "$vringlab" doctor
	[ "$status" -eq 1 ] && are missing module.netlink && are ok module.loaded
}

ftrace_switched_off()
{
	echo 0 >/proc/sys/kernel/ftrace_enabled
	doctor
	echo 1 >/proc/sys/kernel/ftrace_enabled
	[ "$status" -eq 1 ] && are missing kernel.ftrace_enabled && doctor && [ "$status" -eq 0 ]
}

# Before discovery and during it
kprobes_switched_off()
{
	local kprobes=/sys/kernel/debug/kprobes/enabled good

	[ "$(cat "$kprobes")" = 1 ] && echo 0 >"$kprobes" || return 1
	doctor && [ "$status" -eq 0 ] && are limited kernel.kprobes &&
		are ok hook.vhost_vring_ioctl && "$vringlab" discover on && doctor &&
		[ "$status" -eq 0 ] && are missing hook.vhost_vring_ioctl &&
		are ok hook.vhost_disable_notify && grep -q "kprobes/enabled" "$tmp/out"
	good=$?
	echo 1 >"$kprobes"
	[ "$good" -eq 0 ] && doctor && are ok kernel.kprobes hook.vhost_vring_ioctl
	good=$?
	"$vringlab" discover off
	return "$good"
}

# It is a limit, not a failure; and to look at KVM does not load it.
kvm_unloaded()
{
	rmmod "$vendor" kvm
	doctor && [ "$status" -eq 0 ] && [ ! -e /sys/module/kvm ] &&
		are missing kvm.device hook.kvm_entry hop.exit hop.entry && are limited hop.call &&
		are ok hop.kick hook.eventfd_write &&
		grep -q "^missing  *hook.kvm_exit  *kvm is not loaded, for exit" "$tmp/out"
}

# installed STATE SIGNATURE: with what lies in the modules' folder, under lockdown
installed()
{
	# shellcheck disable=SC2016 # it is for another shell
	run unshare --mount sh -ec 'mount -t tmpfs none /sys/kernel/security
		echo "none [integrity] confidentiality" >/sys/kernel/security/lockdown
		exec "$1" doctor' sh "$vringlab"
	[ "$status" -eq 1 ] && are "$1" module.installed && are "$2" module.signature
}

# lay FILE: it is the module that modprobe knows
lay()
{
	mkdir -p "$modules/updates"
	rm -f "$modules/updates/"*
	cp "$1" "$modules/updates/$2" && echo "updates/$2:" >"$modules/modules.dep"
}

# What the kernel would say of each is not asked: it cannot be locked down for a while.
files_are_told_apart()
{
	mount -t tmpfs modules "$modules" || return 1
	{
		cat "$VRINGLAB_KO"
		printf '~Module signature appended~\n'
	} >"$tmp/signed"
	LC_ALL=C sed "s/vermagic=$release /vermagic=5${release#?} /" "$VRINGLAB_KO" >"$tmp/other"
	gzip -c "$tmp/signed" >"$tmp/packed"

	installed unknown unknown && lay "$VRINGLAB_KO" vringlab.ko && installed ok missing &&
		lay "$tmp/signed" vringlab.ko && installed ok limited &&
		lay "$tmp/other" vringlab.ko && installed limited missing &&
		lay "$tmp/packed" vringlab.ko.gz && installed ok unknown &&
		grep -q "^unknown  *module.signature .* is packed" "$tmp/out" &&
		: >"$modules/modules.dep" && installed limited unknown &&
		grep -q "^unknown  *module.signature  *none is installed" "$tmp/out"
}

ktap_print_header
ktap_set_plan 10

[ -z "$vendor" ] || modprobe "$vendor"
check "before the module: exit 1, and what the kernel has" without_the_module
check "with it: exit 0, every hop is seen" with_the_module
check "the list of hooks is the module's" knows_what_the_module_hooks
check "vhost-net is seen when it comes" vhost_comes
check "from another network namespace the module is not reached" in_another_network_namespace
if echo 1 2>/dev/null >/proc/sys/kernel/ftrace_enabled && echo 0 2>/dev/null \
	>/proc/sys/kernel/ftrace_enabled; then
	check "ftrace switched off: exit 1" ftrace_switched_off
else
	skip "ftrace switched off: exit 1" "this kernel does not let it be: use one before 7.3"
fi
check "kprobes switched off: what discovery lacks then" kprobes_switched_off
if [ -n "$vendor" ] && [ -e /sys/module/kvm/initstate ]; then
	check "KVM unloaded: which hops that costs, exit 0" kvm_unloaded
	modprobe "$vendor"
else
	skip "KVM unloaded" "KVM is not loaded as a module: use scripts/check, which has a VM"
fi
rmmod vhost_net vhost 2>/dev/null
check "the module unloads" rmmod vringlab
check "a module's file that the kernel would not take is told" files_are_told_apart
umount "$modules" 2>/dev/null

ktap_finished
