#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# dkms installs the module, upgrades it while it is loaded, and removes it; nothing
# but modprobe ever loads it. What dkms built for this kernel, and with what key, is in
# $VRINGLAB_DKMS: see scripts/dkms-build.

. "$(dirname "$0")/../lib/ktap.sh"
. "$(dirname "$0")/../lib/modsig.sh"

[ "$(id -u)" -eq 0 ] || skip_all "installs a module: run as root"
built=${VRINGLAB_DKMS:-}
[ -e "$built/2.version" ] ||
	skip_all "nothing built by dkms: use scripts/check without HOST=, after scripts/setup"
command -v dkms >/dev/null || skip_all "dkms is missing: run scripts/setup"
[ ! -e /sys/module/vringlab ] || skip_all "vringlab is loaded already: rmmod vringlab"
[ -z "$(dkms status vringlab)" ] ||
	skip_all "dkms has vringlab already: dkms remove vringlab/VERSION --all"

release=$(uname -r)
old=$(cat "$built/1.version")
new=$(cat "$built/2.version")

# installed VERSION: that one is modprobe's, and has its signature still
installed()
{
	local ko

	ko=$(modinfo -n vringlab) &&
		[ "${ko%%.ko*}" = "/lib/modules/$release/updates/dkms/vringlab" ] &&
		[ "$(modinfo -F version vringlab)" = "$1" ] &&
		[ "$(modinfo -F signer vringlab)" = "vringlab test key" ] || return 1
	case $ko in
	*.xz) xz -dc "$ko" >"$tmp/ko" ;;
	*.zst) zstd -dcq "$ko" >"$tmp/ko" ;;
	*.gz) gzip -dc "$ko" >"$tmp/ko" ;;
	*) cp "$ko" "$tmp/ko" ;;
	esac
	signed_by "$built/cert.der" "$tmp/ko"
}

# states_are TEXT...: what dkms says of each version, without this kernel's name
states_are()
{
	run dkms status vringlab
	[ "$status" -eq 0 ] && [ "$(sed "s|, $release, x86_64||" "$tmp/out" | sort)" = \
		"$(printf 'vringlab/%s\n' "$@" | sort)" ]
}

# install N VERSION: build it elsewhere, install it here
install_version()
{
	run dkms ldtarball "$built/$1.tar.gz"
	[ "$status" -eq 0 ] && [ -e "/usr/src/vringlab-$2/Kbuild" ] || return 1
	run dkms install "vringlab/$2"
	[ "$status" -eq 0 ] && installed "$2"
}

installs()
{
	install_version 1 "$old" && states_are "$old: installed"
}

# Neither at boot nor for whoever asks for its netlink family or its name in a device.
loads_by_modprobe_only()
{
	[ ! -e /sys/module/vringlab ] &&
		! grep -rqs vringlab /etc/modules /etc/modules-load.d /usr/lib/modules-load.d \
			/lib/modules-load.d /etc/modprobe.d /usr/lib/modprobe.d /lib/modprobe.d \
			"/lib/modules/$release/modules.alias" || return 1
	run "$vringlab" stat
	[ "$status" -eq 4 ] && [ ! -e /sys/module/vringlab ] && modprobe vringlab &&
		[ "$(cat /sys/module/vringlab/version)" = "$old" ]
}

# N: TAINT_TEST, O: TAINT_OOT_MODULE
is_marked_as_a_test()
{
	grep -q N /sys/module/vringlab/taint && grep -q O /sys/module/vringlab/taint &&
		[ $(($(cat /proc/sys/kernel/tainted) >> 18 & 1)) -eq 1 ]
}

upgrades_under_it()
{
	install_version 2 "$new" && states_are "$old: built" "$new: installed" &&
		[ "$(cat /sys/module/vringlab/version)" = "$old" ]
}

next_load_is_the_new_one()
{
	rmmod vringlab && modprobe vringlab &&
		[ "$(cat /sys/module/vringlab/version)" = "$new" ] && "$vringlab" stat
}

old_one_goes_alone()
{
	run dkms remove "vringlab/$old" --all
	[ "$status" -eq 0 ] && states_are "$new: installed" && installed "$new"
}

leaves_nothing()
{
	rmmod vringlab
	run dkms remove "vringlab/$new" --all
	[ "$status" -eq 0 ] && [ -z "$(dkms status vringlab)" ] &&
		[ ! -e /var/lib/dkms/vringlab ] && ! modinfo vringlab && ! modprobe vringlab &&
		[ -z "$(find "/lib/modules/$release/updates" -name 'vringlab*')" ] &&
		! grep -q vringlab "/lib/modules/$release/modules.dep"
}

# A folder of modules with nothing else in it: the index of a whole kernel takes an
# emulated machine minutes, each time. And what others need stays as it is.
make_modules()
{
	mount -t tmpfs modules "/lib/modules/$release" &&
		touch "/lib/modules/$release/"modules.{order,builtin,builtin.modinfo}
}

ktap_print_header
ktap_set_plan 7

make_modules || ktap_exit_fail_msg "cannot mount a folder for modules"
check "dkms installs it, signed" installs
check "nothing but modprobe loads it" loads_by_modprobe_only
check "the kernel knows it for a test" is_marked_as_a_test
check "dkms upgrades it while it is loaded" upgrades_under_it
check "the next load is the new one" next_load_is_the_new_one
check "the old version is removed, the new one stays" old_one_goes_alone
check "the new version is removed, and nothing is left" leaves_nothing
[ ! -e /sys/module/vringlab ] || rmmod vringlab
umount "/lib/modules/$release"
rm -rf "/usr/src/vringlab-$old" "/usr/src/vringlab-$new"

ktap_finished
