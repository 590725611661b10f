# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Start to exit of a VMM, what it adds to an exit, and its memory.

start_vringlab()
{
	"$bin/bench-startexit" 0 4 "$vringlab" vmm --guest hello "$@"
}

# start_qemu MIB
start_qemu()
{
	"$bin/bench-startexit" 85 4 qemu-system-x86_64 -M microvm -accel kvm -m "$1" \
		-no-user-config -nodefaults -display none -serial stdio \
		-bios "$bin/microvm.bin" -device isa-debug-exit,iobase=0xf4,iosize=1
}

exits()
{
	"$bin/bench-exits" "$1"
}

# Private KiB of process $1, without its guest's memory.
private()
{
	awk '/^[0-9a-f]+-[0-9a-f]+ / { guest = /memfd:vringlab-guest/ }
		/^Private_/ && !guest { sum += $2 }
		END { print sum }' "/proc/$1/smaps"
}

# A guest of 128 MiB that runs, and whose back-end is another process.
measure_private()
{
	local sock=$scratch/vmm backend pid i kib=

	"$vringlab" backend loopback --socket "$sock" 2>>"$log" &
	backend=$!
	for ((i = 0; i < 1000; i++)); do
		[ ! -S "$sock" ] || break
		sleep 0.01
	done
	"$vringlab" vmm --guest ring-ping --memory 128M --socket "$sock" --count 4294967296 \
		>>"$log" 2>&1 &
	pid=$!
	for ((i = 0; i < 1000; i++)); do
		if grep -qsx vcpu0 "/proc/$pid/task/"*/comm; then
			kib=$(private "$pid")
			break
		fi
		sleep 0.01
	done
	kill "$pid" "$backend" 2>/dev/null
	wait "$pid" "$backend" 2>/dev/null
	[ -n "$kib" ] && emit pair vmm-private "$kib" 3072
}

bench_start()
{
	local names="start-exit start-exit-irqchip vmm-exit vmm-private" i

	declare_entry start-exit ms 0.25 "qemu -M microvm, the same guest"
	declare_entry start-exit-irqchip ms 0.60 "qemu -M microvm, 64 MiB and an irqchip"
	declare_entry vmm-private KiB 1.00 "3 MiB"
	declare_entry vmm-exit ns 1.10 "a bare KVM_RUN loop, a port write"
	[ -w /dev/kvm ] ||
		skip "$names" "no access to /dev/kvm: load kvm_intel or kvm_amd, join group kvm"
	command -v qemu-system-x86_64 >/dev/null ||
		skip "start-exit start-exit-irqchip" "no qemu-system-x86_64: run scripts/setup"
	compare start-exit start_vringlab "start_qemu 8"
	compare start-exit-irqchip "start_vringlab --irqchip pc --memory 64M" "start_qemu 64"
	compare vmm-exit "exits dispatch" "exits bare"
	pending vmm-private || return 0
	echo "  vmm-private" >&2
	make_scratch
	for ((i = 0; i < 5; i++)); do
		measure_private || { finish fail vmm-private "$(last_words)" && return; }
	done
	unset "pending[vmm-private]"
}
