#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# scripts/kernels says what is missing, and a module for a kernel of a newer suite
# is built by plain make, with that suite's tools and without a trace of them
# elsewhere.

. "$(dirname "$0")/../lib/ktap.sh"

kernels=$src/scripts/kernels
[ -x "$kernels" ] || skip_all "no scripts/kernels: run in a source tree, or give VRINGLAB_SRC="

# with_nothing ARGUMENT...: with a cache that is empty
with_nothing()
{
	run env VRINGLAB_CACHE="$tmp/empty" "$kernels" "$@"
}

names_the_cure()
{
	with_nothing "$1" 7.3
	[ "$status" -eq 4 ] && is_empty "$tmp/out" && one_line "$tmp/err" &&
		grep -q 'scripts/kernels fetch 7.3' "$tmp/err"
}

is_no_kernel()
{
	with_nothing dir "$1"
	[ "$status" -eq 2 ] && is_empty "$tmp/out" && one_line "$tmp/err"
}

# missing_of KERNEL [LINE]...: what fetch would download, in any order
missing_of()
{
	local kernel=$1

	shift
	with_nothing missing "$kernel"
	[ "$status" -eq 0 ] && diff <(sort "$tmp/out") <(printf '%s\n' "$@" \
		"kernel image $kernel" "kernel headers $kernel" "kernel source 6.12" | sort)
}

write_module()
{
	mkdir -p "$1"
	echo 'obj-m := answer.o' >"$1/Kbuild"
	cat >"$1/answer.c" <<-END
		#include <linux/module.h>
		static int __init answer_init(void)
		{
			return ANSWER;
		}
		module_init(answer_init);
		MODULE_DESCRIPTION("Answer");
		MODULE_LICENSE("GPL");
	END
}

# By ordinary make, with a variable and two goals.
builds_for()
{
	run make -C "$kdir" M="$1" KCFLAGS="-DANSWER=-42" modules kernelrelease
	[ "$status" -eq 0 ] && grep -qx "$release" "$tmp/out" &&
		modinfo -F vermagic "$1/answer.ko" | grep -q "^$release " &&
		grep -a -q "GCC: (Debian $(compiler)" "$1/answer.ko"
}

compiler()
{
	sed -n 's/^CONFIG_GCC_VERSION=\([0-9]*\)0\([0-9]\)00$/\1.\2./p' \
		"$kdir/include/config/auto.conf"
}

a_bad_module_fails()
{
	run make -C "$kdir" M="$1" KCFLAGS="-DANSWER=no_such_thing" modules
	[ "$status" -ne 0 ] && grep -q "no_such_thing" "$tmp/err"
}

status_is_passed_on()
{
	run "$tools" sh -c 'exit 37'
	[ "$status" -eq 37 ]
}

# Seen from inside and, meanwhile, from here.
only_its_own_process_sees_it()
{
	local before

	before=$(cat /proc/self/mountinfo)
	run "$tools" sh -c 'readlink -f /usr/bin/gcc-14 && [ ! -e /usr/bin/dpkg ] && pwd'
	[ "$status" -eq 0 ] && grep -qx "$PWD" "$tmp/out" &&
		[ -e /usr/bin/dpkg ] && [ "$before" = "$(cat /proc/self/mountinfo)" ]
}

somebody=()
[ "$(id -u)" != 0 ] || somebody=(setpriv --reuid 65534 --regid 65534 --clear-groups)

may_anybody()
{
	"${somebody[@]}" test -x "$tools" && "${somebody[@]}" unshare -Urm true
}

works_for_anybody()
{
	run "${somebody[@]}" "$tools" gcc-14 -dumpversion
	[ "$status" -eq 0 ] && one_line "$tmp/out"
}

ktap_print_header
ktap_set_plan 10

check "a kernel that is not there names the cure" names_the_cure dir
check "so do headers that are not there" names_the_cure kdir
check "the folder of the tools is no kernel" is_no_kernel toolchain
check "a path is no kernel" is_no_kernel ../kernels
if ! { command -v apt-cache && grep '^VERSION_CODENAME=bookworm' /etc/os-release; } >/dev/null; then
	skip "a newer kernel's tools are missing as well" "needs Debian 12 and its apt"
else
	check "a newer kernel's tools are missing as well" missing_of 7.3 \
		"compiler and programs of trixie, for kernels 7.3"
fi

if ! kdir=$("$kernels" kdir 7.3 2>"$tmp/why"); then
	for name in "plain make builds for it" "a module that is wrong fails" \
		"an exit status is passed on" "nobody else sees its /usr" \
		"it works without root"; do
		skip "$name" "$(cat "$tmp/why")"
	done
	ktap_finished
fi
release=$("$kernels" release 7.3)
tools=${kdir%/usr/src/*}/../toolchain/run
write_module "$tmp/module"
check "plain make builds for it" builds_for "$tmp/module"
check "a module that is wrong fails" a_bad_module_fails "$tmp/module"
check "an exit status is passed on" status_is_passed_on
check "nobody else sees its /usr" only_its_own_process_sees_it
if may_anybody 2>/dev/null; then
	check "it works without root" works_for_anybody
else
	skip "it works without root" "needs user namespaces, and a cache that all can read"
fi

ktap_finished
