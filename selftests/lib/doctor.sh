# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# For tests of vringlab doctor: after ktap.sh, . "$(dirname "$0")/../lib/doctor.sh".
# Reads the table that was printed last.

# shellcheck disable=SC2154  # $tmp is ktap.sh's
# state_of CHECK: in the table that was printed last
state_of()
{
	awk -v check="$1" '$2 == check { print $1 }' "$tmp/out"
}

# are STATE CHECK...
are()
{
	local state=$1 check

	shift
	for check; do
		[ "$(state_of "$check")" = "$state" ] || {
			echo "$check is '$(state_of "$check")', not '$state'"
			return 1
		}
	done
}
