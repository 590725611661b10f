# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# scripts/kernels: compiler, make and all that Kbuild runs, of a suite newer than
# this machine. Kbuild's own programs there ask for a newer C library than ours.
#
#   toolchain/usr     the packages, unpacked
#   toolchain/run     runs a command with that usr in the place of /usr
#   toolchain/.wanted what was asked for, written last
#
# All of a merged-usr system's programs and libraries are below /usr, so the rest of
# the machine stays as it is: the project, /proc, /dev, /tmp. Root needs a mount
# namespace for it, anybody else a user namespace as well. Source it after suites.sh.

toolchain=$vl_cache/kernels/toolchain
toolchain_packages=(
	bash
	binutils
	coreutils
	dash
	diffutils
	findutils
	gawk
	gcc-14
	grep
	gzip
	kmod
	libelf1t64
	libssl3t64
	make
	mawk
	pahole
	perl-base
	sed
	tar
	util-linux
	xz-utils
	zstd
)

have_toolchain() {
	[[ $(cat "$toolchain/.wanted" 2>/dev/null) == "${toolchain_packages[*]}" ]]
}

# In place of apt's and dpkg's scripts, which never ran: what packages only link then.
finish_toolchain() {
	[[ -e $1/usr/bin/awk ]] || ln -s mawk "$1/usr/bin/awk"
	[[ -e $1/usr/bin/sh ]] || ln -s dash "$1/usr/bin/sh"
	mkdir -p "$1"/usr/{local,src}
	cat >"$1/run" <<'END'
#!/bin/sh
# Written by scripts/kernels: run COMMAND [ARGUMENT]..., with the usr that lies here
# in the place of /usr. What people keep below /usr stays where it is.
here=$(dirname "$(readlink -f "$0")")
as=-m
[ "$(id -u)" = 0 ] || as=-Urm
unshare $as true 2>/dev/null || {
	echo "$0: this user may make no namespaces: build as root," \
		"or allow user namespaces (sysctl kernel.unprivileged_userns_clone=1)" >&2
	exit 4
}
# shellcheck disable=SC2016 # it is for another shell
exec unshare $as -- /bin/sh -c 'for kept in src local; do
	[ ! -d "/usr/$kept" ] || mount --rbind "/usr/$kept" "$0/usr/$kept" || exit
done
mount --rbind "$0/usr" /usr && exec "$@"' "$here" "$@"
END
	chmod 755 "$1/run"
}

# With apt set to the suites that have it.
fetch_toolchain() {
	local work

	! have_toolchain || return 0
	make_download_folder
	say "downloading ${toolchain_packages[*]}, with what they need"
	obtain "$work" "${toolchain_packages[@]}"
	unpack_all "$work" "$work/root"
	mkdir "$work/toolchain"
	mv "$work/root/usr" "$work/toolchain/"
	finish_toolchain "$work/toolchain"
	printf '%s\n' "${toolchain_packages[*]}" >"$work/toolchain/.wanted"
	rm -rf "$toolchain"
	mv "$work/toolchain" "$toolchain"
	rm -rf "$work"
}

# use_toolchain KDIR: whoever runs make there gets the right compiler by itself; make
# reads a GNUmakefile first. O= takes the place of the installed folder that these
# headers' Makefile names.
use_toolchain() {
	cat >"$1/GNUmakefile" <<END
# Written by scripts/kernels.
first := \$(firstword \$(MAKECMDGOALS) all)
.PHONY: \$(first) \$(MAKECMDGOALS)
\$(first):
	+@exec '$toolchain/run' make -f Makefile O='\$(CURDIR)' \$(MAKECMDGOALS)
\$(filter-out \$(first),\$(MAKECMDGOALS)): \$(first) ; @:
END
}

# uses_toolchain KDIR
uses_toolchain() {
	[[ -e $1/GNUmakefile ]]
}
