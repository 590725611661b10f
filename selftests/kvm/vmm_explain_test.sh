#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# vringlab vmm --explain tells what has happened, and all of it: strace sees the same
# calls, in the same order, with the same answers.

. "$(dirname "$0")/../lib/ktap.sh"
. "$(dirname "$0")/../lib/loopback.sh"

# told: each call of the explanation as "FD NAME ANSWER"; "open PATH ANSWER"
told()
{
	sed -nE 's/^ *[0-9]+  open\("(.*)"\)$/\1 open/p
		s/^ *[0-9]+  ioctl\(([a-z]+ )?([0-9]+), ([A-Z0-9_]+)\).*/\2 \3/p
		s/^    = (-?[0-9]+)( .*)?$/=\1/p' "$tmp/out" | paste -sd ' ' | sed 's/ =/=/g' |
		tr ' ' '\n' | paste -d ' ' - -
}

# seen: the same of strace's output
seen()
{
	sed -nE 's/^[0-9]+ +openat\(AT_FDCWD, "(\/dev\/kvm)".*\) += (-?[0-9]+).*/\1 open=\2/p
		s/^[0-9]+ +ioctl\(([0-9]+), (KVM_[A-Z0-9_]+).*\) += (-?[0-9]+).*/\1 \2=\3/p' \
		"$tmp/strace"
}

strace_agrees()
{
	run strace -f -o "$tmp/strace" -e trace=openat,ioctl "$vringlab" vmm --explain "$@"
	[ "$status" -eq 0 ] || return 1
	told >"$tmp/told"
	seen >"$tmp/seen"
	[ "$(wc -l <"$tmp/seen")" -gt 15 ] && diff "$tmp/told" "$tmp/seen"
}

exits_are_decoded()
{
	run "$vringlab" vmm --guest hello --explain
	[ "$status" -eq 0 ] && is_empty "$tmp/err" &&
		[ "$(grep -c '^    ! exit KVM_EXIT_IO (2): .* port 0x3f8' "$tmp/out")" -eq 2 ] &&
		[ "$(grep -c '^    ! exit KVM_EXIT_HLT (5)' "$tmp/out")" -eq 1 ] &&
		[ "$(grep -c '^    > ' "$tmp/out")" -eq 3 ] &&
		[ "$(grep -cx 4 "$tmp/out")" -eq 1 ] &&
		grep -q "^    | rax 0 -> 0x34$" "$tmp/out"
}

# Each purpose once, however often the request comes.
purposes_are_told_once()
{
	[ "$(grep -c 'KVM_RUN' "$tmp/out")" -eq 3 ] &&
		[ "$(grep -c 'Runs the guest until' "$tmp/out")" -eq 1 ]
}

steps_are_numbered()
{
	sed -nE 's/^ *([0-9]+)  (open|mmap|ioctl)\(.*/\1/p' "$tmp/out" >"$tmp/steps"
	seq "$(wc -l <"$tmp/steps")" | cmp - "$tmp/steps"
}

irqchip_ends_by_the_port()
{
	run "$vringlab" vmm --guest hello --irqchip "$1" --explain
	[ "$status" -eq 0 ] && grep -q "$2" "$tmp/out" &&
		! grep -q "! exit KVM_EXIT_HLT" "$tmp/out" &&
		grep -q '! exit KVM_EXIT_IO (2): write to port 0x501, .* data 00' "$tmp/out"
}

failing_step_and_cure()
{
	run "$vringlab" vmm --guest hello --kvm /dev/null --explain
	[ "$status" -eq 4 ] &&
		tail -n 3 "$tmp/out" | grep -q "ioctl(kvm [0-9]*, KVM_GET_API_VERSION)" &&
		tail -n 1 "$tmp/out" | grep -q "^    = -1 ENOTTY: Inappropriate ioctl" &&
		one_line "$tmp/err" && grep -q "this is not a KVM device" "$tmp/err"
}

no_device_is_a_step()
{
	run "$vringlab" vmm --guest hello --kvm "$tmp/none" --explain
	[ "$status" -eq 4 ] && tail -n 1 "$tmp/out" | grep -q "^    = -1 ENOENT: No such file" &&
		one_line "$tmp/err" && grep -q "kvm_intel or kvm_amd" "$tmp/err"
}

# A virtqueue's two eventfds, and not one exit: there may be millions.
set_up_only()
{
	run "$vringlab" vmm --guest ring-ping --socket "$sock" --count 5 --explain
	[ "$status" -eq 0 ] && is_empty "$tmp/err" &&
		[ "$(grep -c 'KVM_IOEVENTFD)' "$tmp/out")" -eq 1 ] &&
		grep -q '^    | addr 0x600, len 2, fd [0-9]*, flags 0x2 PIO$' "$tmp/out" &&
		[ "$(grep -c 'KVM_IRQFD)' "$tmp/out")" -eq 1 ] &&
		grep -q '^    | gsi 24: MSI, address 0xfee00000, data 0x30$' "$tmp/out" &&
		! grep -q 'KVM_RUN' "$tmp/out" &&
		[ "$(grep -c '^From here on the guest runs' "$tmp/out")" -eq 1 ] &&
		grep -q '^# guest ring-ping succeeded' "$tmp/out"
}

ktap_print_header
ktap_set_plan 11

check "each exit is decoded" exits_are_decoded
check "each purpose is told once" purposes_are_told_once
check "steps are numbered" steps_are_numbered
for args in "" "--irqchip pc --memory 64M"; do
	name="strace sees the same calls${args:+, with $args}"
	if command -v strace >/dev/null && strace -o /dev/null true; then
		# shellcheck disable=SC2086  # several words
		check "$name" strace_agrees --guest hello $args
	else
		skip "$name" "needs strace, and to be allowed to use it: run scripts/setup"
	fi
done
check "with a PC's irqchip" irqchip_ends_by_the_port pc "KVM_CREATE_IRQCHIP"
check "with local APICs only" irqchip_ends_by_the_port lapic "| cap 121, "
check "a request that fails is told, and its cure" failing_step_and_cure
check "a device that is not there is told" no_device_is_a_step
check "a back-end starts" start_backend
check "of ring-ping the set-up is told" set_up_only

ktap_finished
