# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What seeing a hop costs, in instructions.

# NAME TARGET OTHER_NAME; the names are those that bench-hops prints. Two measures
# of the same thing differ by up to 17 of 10800 instructions: 1.002 is equality.
hops=(
	"idle 1.002 no module; with it loaded, no vring"
	"kick 1.00 limit of 150 instructions"
	"wake 1.00 limit of 150 instructions"
	"call-inject 1.00 limit of 300 instructions"
	"exit-entry 1.00 limit of 300 instructions"
	"cycle 1.00 limit of 800 instructions"
	"round 1.15 no module"
	"kprobes 0.33 ten kprobe trace events"
	"round-kprobes 0.80 ten kprobe trace events"
	"bpftrace 0.33 a bpftrace program"
	"round-bpftrace 0.80 a bpftrace program"
	"vcpus 1.05 one vring; with 64, each waiting for its vCPU"
	"vrings 1.05 64 vrings; with 1024"
	"reasons 1.00 limit of 75 instructions"
	"discover-kick 1.00 limit of 75 instructions"
	"discover-call 1.00 limit of 75 instructions"
	"foreign 0.15 the ten kprobe trace events; this vring is not traced"
)

# Sets $module, or $reason to why the hops of kernel $1 cannot be counted.
prepare_hops()
{
	local kdir release

	reason=
	if ! kdir=$("$src/scripts/kernels" kdir "$1" 2>>"$log") ||
		! release=$("$src/scripts/kernels" release "$1" 2>>"$log"); then
		reason="no kernel $1: run scripts/setup"
		return
	fi
	module=$build/kmod/$release/module/vringlab.ko
	[ -z "$build_first" ] ||
		make -C "$src" --no-print-directory O="$build" KDIR="$kdir" module >>"$log" 2>&1
	[ -e "$module" ] || reason="no module for $release: the end of $log says why"
}

# emit_parts PREFIX OUT STATUS NAME...: of what a program in a VM has printed, the pairs
# of each NAME, and how the VM ended, as PREFIX-NAME
emit_parts()
{
	local prefix=$1 out=$2 status=$3 name line

	shift 3
	for name; do
		while read -r line; do
			emit pair "$prefix-$name" "${line% *}" "${line#* }"
		done < <(awk -F '\t' -v name="$name" '$2 == name { print $3, $4 }' <<<"$out")
		[ "$status" -eq 0 ] ||
			emit fail "$prefix-$name" "exit status $status of scripts/vm; see $log"
	done
}

# Counts them, and tells bench-report of those that are wanted.
count_hops()
{
	local kernel=$1 out

	shift
	out=$("$src/scripts/vm" --kernel "$kernel" --icount --timeout 600 --rw "$build" -- \
		"$bin/bench-hops" "$module" "$hop_runs" 2>>"$log")
	emit_parts "hop-$kernel" "$out" $? "$@"
}

bench_hops()
{
	local kernel=$1 entry name target other reason module names=()

	for entry in "${hops[@]}"; do
		read -r name target other <<<"$entry"
		declare_entry "hop-$kernel-$name" instr "$target" "$other"
		! pending "hop-$kernel-$name" || names+=("$name")
	done
	[ ${#names[@]} -gt 0 ] || return 0
	echo "  hop-$kernel-*" >&2
	prepare_hops "$kernel"
	command -v bpftrace >/dev/null ||
		skip "hop-$kernel-bpftrace hop-$kernel-round-bpftrace" \
			"no bpftrace: run scripts/setup"
	if [ -z "$reason" ]; then
		count_hops "$kernel" "${names[@]}"
	else
		skip "${names[*]/#/hop-$kernel-}" "$reason"
	fi
}
