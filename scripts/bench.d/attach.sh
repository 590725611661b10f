# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# How long the module takes to attach its hooks and to detach them.

# NAME LIMIT; the names are those that bench-attach prints.
attach_parts=("vring-add 1 s" "vring-del 0.5 s" "discover-on 1 s" "discover-off 0.5 s")
attach_runs=3

bench_attach()
{
	local kernel=$1 entry out name limit reason module names=()

	for entry in "${attach_parts[@]}"; do
		read -r name limit <<<"$entry"
		declare_entry "attach-$kernel-$name" ns 1.00 "limit: $limit"
		! pending "attach-$kernel-$name" || names+=("$name")
	done
	[ ${#names[@]} -gt 0 ] || return 0
	echo "  attach-$kernel-*" >&2
	prepare_hops "$kernel"
	if [ -n "$reason" ]; then
		skip "${names[*]/#/attach-$kernel-}" "$reason"
		return
	fi
	# vhost's modules have hooks too
	# shellcheck disable=SC2016  # the machine's shell expands it
	out=$("$src/scripts/vm" --kernel "$kernel" --icount --timeout 600 --rw "$build" -- \
		sh -c 'modprobe -a vhost_net vhost_vsock vhost_scsi; exec "$@"' sh \
		"$bin/bench-attach" "$module" "$attach_runs" 2>>"$log")
	emit_parts "attach-$kernel" "$out" $? "${names[@]}"
}
