# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Commands beside a script, none of which outlives it.

# beside COMMAND [ARGUMENT]...: in the background, as a process group of its own, so
# that end_jobs ends all of it
beside()
{
	set -m
	"$@" </dev/null &
	set +m
}

end_jobs()
{
	local pid

	for pid in $(jobs -p); do
		kill -TERM -- "-$pid" 2>/dev/null || true
	done
	wait
}

# Whatever ends the script, from here on.
end_with_jobs()
{
	trap end_jobs EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
}
