# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# scripts/run-ring: what the kernel has to say of the module, in its log and
# elsewhere. A debug kernel (scripts/kernels --debug) says more. Source it.

complaints='WARNING|BUG|Oops|lockdep|RCU|rcu:|rcu_|general protection fault|Call Trace|KASAN|UBSAN'
complaints+='|ODEBUG|kmemleak|blocked for more than|soft lockup|refcount_t'
complaints+='|ftrace (failed|faulted)|leaked'

kmemleak=/sys/kernel/debug/kmemleak
lockdep=/proc/lockdep_stats

# The kernel log since the mark, or all of it if it has wrapped.
log_since()
{
	dmesg | awk -v mark="$1" '
		{ all = all $0 "\n" }
		index($0, mark) { all = "" }
		END { printf "%s", all }'
}

# without_own_races FILE: the log without KCSAN's reports of the kernel's own races, which
# go to FILE. The module's are those in which one of its functions, or what that calls,
# makes one of the accesses; but for the kernel's fast clock, which reads again when it has
# been overtaken.
without_own_races()
{
	awk -v own="$1" '
		function flush() {
			if (ours) printf "%s", report
			else printf "%s", report >>own
			report = ""
			inside = 0
		}
		/BUG: KCSAN: / { inside = 1; ours = 0; depth = 99; bar = "" }
		/==========/ && !inside { bar = $0 "\n"; next }
		inside { report = report $0 "\n" }
		inside && / of [0-9]+ bytes by / { depth = 0 }
		inside && /\+0x[0-9a-f]+\/0x[0-9a-f]+/ {
			if (++depth <= 2 && /\[vringlab\]/) ours = 1
			if (/ ktime_get_mono_fast_ns\+/) depth = 99
		}
		/==========/ && inside { flush() }
		!inside && !/==========/ { printf "%s%s\n", bar, $0; bar = "" }
		END { if (inside) flush() }'
}

# Lockdep switches itself off with its first report, or for another's.
lockdep_is_on()
{
	grep -q '^ *debug_locks: *1$' "$lockdep"
}

# leaks FILE: fails when there are leaks of the module's; all go to FILE. An object
# counts when two scans, more than 5 s apart, have not found it. By then the module
# is gone, so its functions have no names: nor have those of no other.
leaks()
{
	echo scan >"$kmemleak" && sleep 6 && echo scan >"$kmemleak" && cat "$kmemleak" >"$1" ||
		return
	! awk -v RS='unreferenced object' '/\[vringlab\]|\n +0xffffffff[0-9a-f]+\n/' "$1" |
		grep -q .
}
