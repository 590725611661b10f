# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What vhost and vhost-user devices take a Linux guest.

# Of each of the two guests; it takes most of a minute.
traffic_boots=2

bench_traffic()
{
	local names

	linux_entries instr 1.02 "qemu -M microvm, the same back-end" \
		{vhost,user}-net-{rt,tx,rx} user-blk-{rt,read} vhost-vsock-rt || return 0
	echo "  linux-{vhost,user}-*" >&2
	linux_measure linux-traffic "$traffic_boots" --icount
}
