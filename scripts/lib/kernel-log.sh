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

# without_own_races FILE: the log without KCSAN's reports in which no function of the
# module takes part; they are the kernel's own, and go to FILE.
without_own_races()
{
	awk -v own="$1" '
		function flush() {
			if (report ~ /\[vringlab\]/) printf "%s", report
			else printf "%s", report >>own
			report = ""
			inside = 0
		}
		/BUG: KCSAN: / { inside = 1; bar = "" }
		/==========/ && !inside { bar = $0 "\n"; next }
		inside { report = report $0 "\n" }
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
