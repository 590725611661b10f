# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# scripts/kernels --debug: kernels built from the distribution's source package with
# a small configuration and the checks of one flavour, in the form of an unpacked
# package, so that all else takes them as one more release:
#
#   debug-kasan -> ABI          the newest build of that flavour
#   ABI/boot/vmlinuz-ABI        ABI: 6.12.117-kasan-KEY, KEY of the source package's
#   ABI/lib/modules/ABI/        version and of the configuration
#   ABI/usr/src/linux-headers-ABI/  the tree it was built in, without what was built
#
# Source it after packages.sh; it wants $kernels and source_package.

debug_flavours=(kasan kcsan)
debug_configs=$vl_root/scripts/kernels.d
# What the build needs besides the packages that all else does; scripts/setup --torture.
debug_programs=(bc bison flex gcc make pahole perl)

debug_config() {
	cat "$debug_configs/debug.config" "$debug_configs/$1.config"
}

# debug_key FLAVOUR PACKAGE-VERSION
debug_key() {
	{
		echo "$2"
		debug_config "$1"
	} | sha256sum | cut -c-8
}

need_debug_programs() {
	local program

	for program in "${debug_programs[@]}"; do
		have "$program" || die 4 "$program is missing, for building a kernel;" \
			"run scripts/setup --torture"
	done
}

# unpack_tree PACKAGE-FILE DIR: the whole source, without other architectures.
unpack_tree() {
	mkdir -p "$2"
	source_stream "$1" | tar -x -C "$2" --strip-components=1 \
		--exclude='*/arch/*/boot/dts' --exclude='*/Documentation/*/*' ||
		die 1 "cannot unpack ${1##*/}"
}

# All that was asked for must have been granted: Kconfig drops in silence what
# depends on something else.
configure_debug() {
	local tree=$1 flavour=$2 key=$3 line denied=()

	{
		debug_config "$flavour"
		echo "CONFIG_LOCALVERSION=\"-$flavour-$key\""
	} >"$tree/.asked"
	make -s -C "$tree" KCONFIG_ALLCONFIG=.asked allnoconfig >"$tree/.log" 2>&1 ||
		die 1 "cannot configure the $flavour kernel: $(tail -n 3 "$tree/.log")"
	while IFS= read -r line; do
		grep -qxF -- "$line" "$tree/.config" || denied+=("$line")
	done < <(grep -E '^(# )?CONFIG_' "$tree/.asked")
	[[ ${#denied[@]} == 0 ]] ||
		die 1 "this source does not give the $flavour kernel: ${denied[*]}"
}

make_debug() {
	local tree=$1 dir=$2 abi=$3 target

	for target in all modules_install; do
		nice make -s -C "$tree" -j"$(nproc)" INSTALL_MOD_PATH="$dir" \
			INSTALL_MOD_STRIP=1 "$target" >>"$tree/.log" 2>&1 ||
			die 1 "cannot build $abi ($target): $(grep -m 3 -iE 'error|\*\*\*' \
				"$tree/.log"); the log is $tree/.log"
	done
	mkdir -p "$dir/boot"
	cp "$tree/arch/x86/boot/bzImage" "$dir/boot/vmlinuz-$abi"
}

# What building a module needs stays, and vmlinux, which also tells what an address is.
prune_tree() {
	find "$1" -type f \( -name '*.[coa]' -o -name '*.ko' -o -name '.*.cmd' -o -name '*.rst' \
		-o -name '*.mod' \) -not -path "$1/scripts/*" -delete
	rm -rf "$1"/{.git*,vmlinux.o,arch/x86/boot,drivers,sound,.tmp_*}
	find "$1" -depth -type d -empty -delete
}

# build_debug FLAVOUR PACKAGE VERSION: unless it is there.
build_debug() {
	local flavour=$1 package=$2 version=$3 key abi dir tree work

	key=$(debug_key "$flavour" "$version")
	abi=${version%%-*}-$flavour-$key
	dir=$kernels/$abi
	tree=$dir/usr/src/linux-headers-$abi
	lock_part "lock-$flavour"
	if [[ ! -e $dir/.image ]]; then
		need_debug_programs
		make_download_folder
		download "$work" "$package"
		say "building $abi; this takes some minutes"
		rm -rf "$dir"
		unpack_tree "$(echo "$work"/*.deb)" "$tree"
		rm -rf "$work"
		configure_debug "$tree" "$flavour" "$key"
		make_debug "$tree" "$dir" "$abi"
		prune_tree "$tree"
		echo "$version" | tee "$dir/.headers" >"$dir/.image"
	fi
	ln -sfn "$abi" "$kernels/debug-$flavour"
}

debug() {
	local flavour package

	[[ $# -gt 0 ]] || set -- "${debug_flavours[@]}"
	for flavour; do
		[[ " ${debug_flavours[*]} " == *" $flavour "* ]] ||
			die 2 "'$flavour' is no debug kernel: there are ${debug_flavours[*]}"
	done
	need_apt
	package=$(source_package) || die 4 "this distribution has no kernel source package"
	for flavour; do
		build_debug "$flavour" "$package" "$(candidate "$package")"
	done
}
