#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# make modules_install and make dkms_install, into folders: what comes to lie where,
# indexed, signed with a given key, and without a word; and for which kernels dkms
# is to leave it.

. "$(dirname "$0")/../lib/ktap.sh"
. "$(dirname "$0")/../lib/modsig.sh"

[ -e "$src/Kbuild" ] || skip_all "no sources: run in a source tree, or give VRINGLAB_SRC="
command -v openssl >/dev/null || skip_all "openssl is missing: run scripts/setup"
PATH=$PATH:/usr/sbin:/sbin
version=$(cat "$src/VERSION")
out=$(cd "$lib/../.." && pwd)
mapfile -t releases < <(for series in 6.1 6.12; do
	"$src/scripts/kernels" release "$series" 2>/dev/null
done)
[ "${#releases[@]}" -gt 0 ] || skip_all "no kernel in the cache: run scripts/setup"

# make TARGET [VARIABLE=...]...: as scripts/check does it, where it does it
make_target()
{
	run make -s -C "$src" O="$out" KDIR="$kdir" WERROR=1 "$@"
}

# install_by_hand ROOT [KEY CERT]: what make modules_install does, without looking
# whether the module is up to date
install_by_hand()
{
	run "$src/scripts/kmod-install" "$kdir" "$release" \
		"$out/kmod/$release/module/vringlab.ko" "$@"
}

# A system with the kernel in it, for depmod; nothing else of the kernel counts.
make_root()
{
	mkdir -p "$1/lib/modules/$release"
	touch "$1/lib/modules/$release/"modules.{order,builtin,builtin.modinfo}
}

is_indexed()
{
	[ "$(modprobe -d "$1" -S "$release" -n -v --ignore-install vringlab | tr -d ' ')" = \
		"insmod$1/lib/modules/$release/updates/vringlab.ko" ]
}

installs_and_indexes()
{
	make_root "$tmp/root"
	make_target modules_install INSTALL_MOD_PATH="$tmp/root"
	[ "$status" -eq 0 ] && is_empty "$tmp/err" && is_indexed "$tmp/root" &&
		[ "$(modinfo -F vermagic "$ko" | cut -d ' ' -f 1)" = "$release" ] &&
		[ "$(modinfo -F version "$ko")" = "$version" ] &&
		[ "$(modinfo -F test "$ko")" = Y ] &&
		[ -z "$(modinfo -F alias "$ko")$(modinfo -F signer "$ko")" ]
}

is_signed()
{
	[ "$status" -eq 0 ] && is_empty "$tmp/err" && signed_by "$tmp/cert.der" "$ko" &&
		[ "$(modinfo -F signer "$ko")" = "vringlab test key" ] && is_indexed "$tmp/root"
}

signs()
{
	make_target modules_install INSTALL_MOD_PATH="$tmp/root" SIGN_KEY="$tmp/key.pem" \
		SIGN_CERT="$tmp/cert.der"
	is_signed
}

# Stripped before it is signed, or the signature would be lost.
strips_and_signs()
{
	local before

	before=$(stat -c %s "$ko")
	INSTALL_MOD_STRIP=1 install_by_hand "$tmp/root" "$tmp/key.pem" "$tmp/cert.der"
	is_signed && [ "$(stat -c %s "$ko")" -lt "$before" ]
}

other_key_is_told_apart()
{
	mkdir "$tmp/other"
	make_key "$tmp/other"
	! signed_by "$tmp/other/cert.der" "$ko"
}

# A package's folder: one file
installs_one_file_alone()
{
	make_target modules_install DESTDIR="$tmp/alone"
	[ "$status" -eq 0 ] && is_empty "$tmp/err" &&
		[ "$(find "$tmp/alone" -type f)" = "$tmp/alone/${ko#"$tmp/root/"}" ]
}

# refused TEXT KEY CERT: says so, and leaves what was there
refused()
{
	install_by_hand "$tmp/root" "$2" "$3"
	[ "$status" -eq 1 ] && one_line "$tmp/err" && grep -qF -- "$1" "$tmp/err" &&
		[ "$(ls "${ko%/*}")" = vringlab.ko ] && signed_by "$tmp/cert.der" "$ko"
}

dkms_tree_is_whole()
{
	local tree=$tmp/dkms/usr/src/vringlab-$version

	make_target dkms_install DESTDIR="$tmp/dkms"
	[ "$status" -eq 0 ] && is_empty "$tmp/err" && is_empty "$tmp/out" &&
		[ -e "$tree/Kbuild" ] && [ -e "$tree/COPYING" ] &&
		[ -z "$(find "$tree" -type l)" ] &&
		diff -r "$src/module" "$tree/module" -x '*.o' -x '*.ko' -x '*.mod*' -x '.*' &&
		grep -qx "PACKAGE_VERSION=\"$version\"" "$tree/dkms.conf" &&
		[ "$(find "$tmp/dkms" -type f -name dkms.conf)" = "$tree/dkms.conf" ]
}

# dkms_takes RELEASE ARCH [OPTION=VALUE]...: does it begin to build for such a kernel? It
# cannot end: there is nothing but the kernel's configuration.
dkms_takes()
{
	local release=$1 arch=$2 option

	shift 2
	rm -rf "$tmp/kdir" "$tmp/tree"
	mkdir -p "$tmp/kdir/include" "$tmp/tree"
	for option in DYNAMIC_FTRACE_WITH_ARGS=y KPROBES=y TRACEPOINTS=y "$@"; do
		sed -i "/^CONFIG_${option%=*}=/d" "$tmp/kdir/.config" 2>/dev/null
		echo "CONFIG_$option" >>"$tmp/kdir/.config"
	done
	run env mok_signing_key="$tmp/key.pem" mok_certificate="$tmp/cert.der" \
		dkms build --dkmstree "$tmp/tree" --sourcetree "$tmp/dkms/usr/src" \
		"vringlab/$version" -k "$release/$arch" --kernelsourcedir "$tmp/kdir"
	cat "$tmp/out" "$tmp/err"
	case $status in
	77) return 1 ;;
	*) grep -q '^Building module' "$tmp/out" && grep -q "Bad return status" "$tmp/err" ;;
	esac
}

dkms_passes_over()
{
	! dkms_takes "$@" && [ "$status" -eq 77 ]
}

dkms_points()
{
	check "dkms takes 6.1" dkms_takes 6.1.0-56-amd64 x86_64
	check "dkms takes 6.12" dkms_takes 6.12.117+deb12-amd64 x86_64
	check "dkms takes 7.3" dkms_takes 7.3.4+deb13-amd64 x86_64
	check "dkms passes over 6.0" dkms_passes_over 6.0.12 x86_64
	check "dkms passes over 5.10" dkms_passes_over 5.10.0-9-amd64 x86_64
	check "dkms passes over another architecture" dkms_passes_over 6.12.1 aarch64
	check "dkms passes over a kernel without arguments in ftrace" \
		dkms_passes_over 6.12.1 x86_64 DYNAMIC_FTRACE_WITH_ARGS=n
	check "dkms takes PREEMPT_RT" dkms_takes 6.12.117+deb12-rt-amd64 x86_64 PREEMPT_RT=y
}

ktap_print_header
ktap_set_plan $((3 * ${#releases[@]} + 14))

make_key "$tmp"
for release in "${releases[@]}"; do
	kdir=$("$src/scripts/kernels" kdir "$release")
	ko=$tmp/root/lib/modules/$release/updates/vringlab.ko
	# What the build has to say is not the installation's.
	make_target module
	check "$release: it is installed, indexed, and nothing said" installs_and_indexes
	check "$release: it is signed with a key" signs
	check "$release: stripped, it is signed too" strips_and_signs
done
check "a signature by another key is none" other_key_is_told_apart
check "below DESTDIR is one file" installs_one_file_alone
check "a key without its certificate is refused" \
	refused "cannot read SIGN_CERT=''" "$tmp/key.pem" ""
check "a key that is not there is refused" \
	refused "cannot read SIGN_KEY='/nowhere'" /nowhere "$tmp/cert.der"
check "a key that is none is refused" \
	refused "cannot sign with SIGN_KEY='$tmp/cert.der'" "$tmp/cert.der" "$tmp/cert.der"
check "the source for dkms is whole, has the version, and no link" dkms_tree_is_whole
if command -v dkms >/dev/null; then
	dkms_points
else
	for point in 1 2 3 4 5 6 7 8; do
		skip "which kernels dkms takes, $point" "dkms is missing: run scripts/setup"
	done
fi

ktap_finished
