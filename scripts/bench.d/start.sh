# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Start to exit of a VMM.

start_vringlab()
{
	"$bin/bench-startexit" 0 4 "$vringlab" vmm --guest hello
}

start_qemu()
{
	"$bin/bench-startexit" 85 4 qemu-system-x86_64 -M microvm -accel kvm -m 8 \
		-no-user-config -nodefaults -display none -serial stdio \
		-bios "$bin/microvm.bin" -device isa-debug-exit,iobase=0xf4,iosize=1
}

bench_start()
{
	declare_entry start-exit ms 0.25 "qemu -M microvm, the same guest"
	[ -w /dev/kvm ] ||
		skip start-exit "no access to /dev/kvm: load kvm_intel or kvm_amd, join group kvm"
	command -v qemu-system-x86_64 >/dev/null ||
		skip start-exit "no qemu-system-x86_64: run scripts/setup"
	compare start-exit start_vringlab start_qemu
}
