# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# For shell tests: . "$(dirname "$0")/../lib/ktap.sh"
#
# KTAP comes from the kernel's ktap_helpers.sh, which the build puts beside this
# file. Added: where the command is, running it, a folder that is removed, and a
# total that says what was not run.

lib=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
[ -e "$lib/ktap_helpers.sh" ] || {
	echo "1..0 # SKIP runs where it is built: make selftests, then build/selftests/RING/NAME"
	exit 4
}
# shellcheck source=/dev/null
. "$lib/ktap_helpers.sh"

# For the tests that source this.
# shellcheck disable=SC2034
vringlab=${VRINGLAB:-$(cd "$lib/.." && pwd)/bin/vringlab}
# The project, for tests that look at its sources; "" in an installed tree.
# shellcheck disable=SC2034
src=${VRINGLAB_SRC:-}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# run COMMAND...: leaves $status, and the output in $tmp/out and $tmp/err.
run()
{
	status=0
	"$@" </dev/null >"$tmp/out" 2>"$tmp/err" || status=$?
}

# check DESCRIPTION COMMAND...: one test point, with its reason when it fails.
check()
{
	local description=$1

	shift
	if "$@" >"$tmp/check" 2>&1; then
		ktap_test_pass "$description"
		return 0
	fi
	ktap_test_fail "$description"
	printf '# failed: %s\n' "$*"
	printf '# status %s\n' "${status:-none}"
	for file in check out err; do
		[ ! -s "$tmp/$file" ] || sed "s/^/# $file: /" "$tmp/$file" | head -n 20
	done
	return 0
}

# eventually COMMAND...: until it succeeds, for $deadline seconds at most.
eventually()
{
	local end=$((SECONDS + ${deadline:?}))

	until "$@"; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.2
	done
}

# skip DESCRIPTION REASON: one test point that cannot run here.
skip()
{
	__ktap_test ok "$1" "SKIP $2"
	KTAP_CNT_SKIP=$((KTAP_CNT_SKIP + 1))
}

# skip_all REASON: none of it can run here; the reason names the cure.
skip_all()
{
	ktap_print_header
	ktap_skip_all "$*"
	exit "$KSFT_SKIP"
}

# need_vmm: skip all where vringlab vmm has no KVM.
need_vmm()
{
	[ -x "$vringlab" ] || skip_all "no $vringlab: run make, or give VRINGLAB="
	if [ ! -r /dev/kvm ] || [ ! -w /dev/kvm ]; then
		skip_all "needs /dev/kvm: load kvm_intel or kvm_amd, join group kvm"
	fi
}

is_empty()
{
	[ ! -s "$1" ]
}

# one_line FILE
one_line()
{
	[ "$(wc -l <"$1")" -eq 1 ]
}
