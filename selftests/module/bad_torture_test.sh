#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Does this debug kernel tell a bug of each kind? vringlab_bad.ko makes them, and
# each has to be found in the kernel log, with the module's name in it.
#
# What a kernel can tell is asked of itself. Lockdep's reports come before those
# that switch lockdep off: a lock inversion, and whatever taints memory (KASAN).

# shellcheck source=../lib/ktap.sh
. "$(dirname "$0")/../lib/ktap.sh"

bad=${VRINGLAB_BAD_KO:-}
kmemleak=/sys/kernel/debug/kmemleak

[ "$(id -u)" -eq 0 ] || skip_all "needs CAP_SYS_MODULE: run as root"
[ -e "$bad" ] || skip_all "needs the bad module's file: set VRINGLAB_BAD_KO="

has()
{
	grep -q " $1\$" /proc/kallsyms
}

has __asan_load1 || has __tsan_read1 ||
	skip_all "needs a debug kernel: scripts/kernels --debug"

locks_on()
{
	grep -q '^ *debug_locks: *1$' /proc/lockdep_stats
}

# make_bug NAME: load, unload; what the kernel had to say is in $tmp/log.
make_bug()
{
	local mark="vringlab-bad: $1 begins"

	echo "$mark" >/dev/kmsg
	insmod "$bad" bug="$1" && rmmod vringlab_bad
	dmesg | awk -v mark="$mark" 'seen; index($0, mark) { seen = 1 }' >"$tmp/log"
}

# tells NAME REPORT: the report is there, and names our module.
tells()
{
	make_bug "$1" || return
	grep -q "$2" "$tmp/log" && grep -q 'vringlab_bad' "$tmp/log" && return
	tail -n 40 "$tmp/log"
	return 1
}

# An object is a leak when it was not found twice and is more than 5 s old. The
# module stays, so that its frames have names.
tells_leak()
{
	insmod "$bad" bug=leak || return
	for _ in 1 2 3; do
		sleep 6
		echo scan >"$kmemleak"
		if grep -A 20 '^unreferenced object' "$kmemleak" | grep -q vringlab_bad; then
			rmmod vringlab_bad
			return
		fi
	done
	cat "$kmemleak"
	rmmod vringlab_bad
	return 1
}

sanitizer()
{
	check "kernel tells a shift that is too long" tells bad_shift \
		'UBSAN: shift-out-of-bounds'
	check "kernel tells an index that is too high" tells bad_index \
		'UBSAN: array-index-out-of-bounds'
	check "kernel tells an allocation that may sleep in atomic context" \
		tells sleep_in_atomic 'BUG: sleeping function called from invalid context'
}

objects()
{
	check "kernel tells an active timer that is initialized" tells init_active \
		'ODEBUG: init active'
	check "kernel tells an active timer that is freed" tells free_active 'ODEBUG: free active'
}

locks()
{
	check "lockdep is on" locks_on
	check "kernel tells a dereference outside of RCU's read side" tells rcu_misuse \
		'WARNING: suspicious RCU usage'
	check "lockdep is still on" locks_on
}

# An inversion is the last that lockdep tells.
memory()
{
	check "kernel tells a leak" tells_leak
	check "kernel tells a lock inversion" tells lock_inversion \
		'WARNING: possible circular locking dependency'
	check "kernel tells a use after free" tells use_after_free \
		'BUG: KASAN: .*use-after-free in use_after_free'
	check "kernel tells an access out of bounds, a second report" tells out_of_bounds \
		'BUG: KASAN: .*out-of-bounds in out_of_bounds'
}

ktap_print_header
if has __asan_load1; then
	ktap_set_plan 12
	locks
	sanitizer
	objects
	memory
else
	ktap_set_plan 4
	sanitizer
	check "kernel tells a data race" tells unlocked_race 'BUG: KCSAN: data-race in .*increment'
fi
ktap_finished
