# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# scripts/vm: find a kernel and its modules, and bring them into the form that
# boots fastest, a "stage": a folder in the cache with
#
#   kernel                the image, unpacked if QEMU can start it so
#   initramfs             busybox, vm-init.sh, vm-session.sh, the few modules
#   lib/modules/RELEASE   the modules' index, which an unpacked package lacks, and
#                         the image again, as vmlinux, for machines in the machine,
#                         and the one it was unpacked from, as vmlinuz
#
# Source it after common.sh. Sets k_image, k_release, k_modules (folder, empty for
# a build tree) and k_tree.

# What the guest needs before it sees a file system, and for nested KVM.
boot_modules=(virtio_pci virtio_console 9p 9pnet_virtio overlay)
kvm_modules=(svm:kvm_amd vmx:kvm_intel)
applets=(cat cp dd dmesg grep hostname insmod ip kill ln mkdir mkfifo mount mv poweroff
	sed setsid sh sleep stty switch_root sync umount uname)

# number FILE OFFSET BYTES: a little-endian number of the image's header.
number() {
	od -An -v -tu"$3" -j"$2" -N"$3" --endian=little "$1" | tr -d ' '
}

# What uname -r will say (Documentation/arch/x86/boot.rst, kernel_version).
image_release() {
	local offset

	[ "$(dd if="$1" bs=1 skip=$((0x202)) count=4 2>/dev/null)" = HdrS ] ||
		die 125 "$1: not an x86 kernel image"
	offset=$(number "$1" $((0x20e)) 2)
	dd if="$1" bs=1 skip=$((offset + 0x200)) count=256 2>/dev/null |
		tr '\0' '\n' | sed -n '1s/ .*//p'
}

kernel_of_image() {
	local near base sub

	k_image=$(realpath "$1")
	k_release=$(image_release "$k_image")
	k_tree=
	near=$(dirname "$k_image")
	for base in "$near" "$(dirname "$near")"; do
		for sub in . "lib/modules/$k_release" "usr/lib/modules/$k_release"; do
			k_modules=$base/$sub
			if [ -d "$k_modules/kernel" ] && [ -e "$k_modules/modules.builtin" ]; then
				k_modules=$(realpath "$k_modules")
				return
			fi
		done
	done
	die 125 "$1: no modules for $k_release near it (looked for lib/modules/$k_release)"
}

kernel_of_folder() {
	local pattern images=()

	if [ -e "$1/include/config/kernel.release" ] && [ -e "$1/arch/x86/boot/bzImage" ]; then
		k_tree=$(realpath "$1")
		k_image=$k_tree/arch/x86/boot/bzImage
		k_release=$(<"$k_tree/include/config/kernel.release")
		k_modules=
		return
	fi
	for pattern in 'boot/vmlinuz-*' 'vmlinuz-*' 'usr/lib/modules/*/vmlinuz' \
		'lib/modules/*/vmlinuz' vmlinuz; do
		mapfile -t images < <(compgen -G "$1/$pattern")
		[ ${#images[@]} -eq 0 ] || break
	done
	case ${#images[@]} in
	0) die 125 "$1: no kernel found: neither an unpacked image package (boot/vmlinuz-*)" \
		"nor a built tree (arch/x86/boot/bzImage)" ;;
	1) kernel_of_image "${images[0]}" ;;
	*) die 2 "$1: more than one kernel; name one of ${images[*]}" ;;
	esac
}

# kernel_find K: what --kernel means.
kernel_find() {
	local folder

	if [[ $1 != */* && ! -e $1 ]]; then
		folder=$("$vl_root/scripts/kernels" dir "$1") || exit
		kernel_of_folder "$folder"
	elif [ -d "$1" ]; then
		kernel_of_folder "$1"
	elif [ -e "$1" ]; then
		kernel_of_image "$1"
	else
		die 2 "--kernel $1: no such file or folder"
	fi
}

# unpack FILE: to stdout, whatever it is packed with.
unpack() {
	case $(od -An -v -tx1 -N6 "$1" | tr -d ' \n') in
	fd377a585a00) xz -dc --single-stream "$1" 2>/dev/null ;;
	28b52ffd*) head -c -"$2" "$1" | zstd -dcq 2>/dev/null ;;
	1f8b*) gzip -dc "$1" 2>/dev/null ;;
	*) return 1 ;;
	esac || true # the size that follows the payload is no part of its packing
}

# Unpacking takes seconds in an emulated guest. QEMU starts an ELF by its PVH entry.
stage_image() {
	local start length

	if [ "$(od -An -v -tx1 -N4 "$k_image")" != " 7f 45 4c 46" ]; then
		start=$((($(number "$k_image" $((0x1f1)) 1) + 1) * 512 +
			$(number "$k_image" $((0x248)) 4)))
		length=$(number "$k_image" $((0x24c)) 4)
		tail -c +$((start + 1)) "$k_image" | head -c "$length" >"$1/payload"
		if unpack "$1/payload" 4 >"$1/kernel" &&
			readelf -n "$1/kernel" 2>/dev/null | grep -q 'Xen .*(0x00000012)'; then
			rm "$1/payload"
			return
		fi
		rm -f "$1/payload" "$1/kernel"
	fi
	ln -s "$k_image" "$1/kernel"
}

stage_modules() {
	local base=$1/lib/modules/$k_release name

	mkdir -p "$base"
	ln -L "$1/kernel" "$base/vmlinux" 2>/dev/null || cp -L "$1/kernel" "$base/vmlinux"
	[ -L "$1/kernel" ] || ln -L "$k_image" "$base/vmlinuz" 2>/dev/null ||
		cp -L "$k_image" "$base/vmlinuz"
	if [ -n "$k_tree" ]; then
		make -s -C "$k_tree" modules_install INSTALL_MOD_PATH="$1" INSTALL_MOD_STRIP=1 >&2
		return
	fi
	ln -s "$k_modules/kernel" "$base/kernel"
	for name in modules.builtin modules.builtin.modinfo modules.order; do
		[ ! -e "$k_modules/$name" ] || cp "$k_modules/$name" "$base/"
	done
	depmod -b "$1" "$k_release"
}

# put_modules STAGE ROOT GROUP NAME...: into the initramfs, in load order.
put_modules() {
	local stage=$1 root=$2 group=$3 file name to n=0

	shift 3
	mkdir -p "$root/modules/$group"
	modprobe -d "$stage" -S "$k_release" -a --show-depends "$@" >"$stage/order" ||
		die 125 "kernel $k_release lacks a module of: $* (scripts/vm needs them)"
	while read -r _ file _; do
		name=$(basename "$file")
		! compgen -G "$root/modules/*/*-${name%%.ko*}.ko" >/dev/null || continue
		to=$root/modules/$group/$(printf %02d "$n")-${name%%.ko*}.ko
		case $file in
		*.xz) xz -dc "$file" >"$to" ;;
		*.zst) zstd -dcq "$file" >"$to" ;;
		*.gz) gzip -dc "$file" >"$to" ;;
		*) cp "$file" "$to" ;;
		esac
		n=$((n + 1))
	done < <(grep '^insmod ' "$stage/order")
	rm "$stage/order"
}

stage_initramfs() {
	local root=$1/initramfs.d busybox applet pair

	busybox=$(command -v busybox) || die 4 "busybox is missing; run scripts/setup"
	! grep -q /ld-linux "$busybox" ||
		die 4 "$busybox is not static: install busybox-static, or run scripts/setup"
	mkdir -p "$root"/{bin,dev,proc,sys,vm}
	cp "$busybox" "$root/bin/busybox"
	for applet in "${applets[@]}"; do
		ln -s busybox "$root/bin/$applet"
	done
	install -m 755 "$vl_root/scripts/lib/vm-init.sh" "$root/init"
	cp "$vl_root/scripts/lib/vm-session.sh" "$root/vm/session"
	put_modules "$1" "$root" boot "${boot_modules[@]}"
	for pair in "${kvm_modules[@]}"; do
		put_modules "$1" "$root" "${pair%:*}" "${pair#*:}"
	done
	(cd "$root" && find . | cpio -o -H newc -R 0:0 --quiet) >"$1/initramfs"
	rm -r "$root"
}

# Prints the stage's folder. It appears whole or not at all, so that machines
# may start side by side.
kernel_stage() {
	local salt stage work

	salt=$({
		stat -Lc '%n %Y %s' "$k_image" ${k_modules:+"$k_modules"}
		cat "$vl_root"/scripts/lib/vm-*.sh
	} | sha256sum | cut -c-12)
	stage=$vl_cache/boot/$k_release-$salt
	if [ ! -d "$stage" ]; then
		mkdir -p "$vl_cache/boot"
		work=$(mktemp -d "$vl_cache/boot/.new-XXXXXX")
		# shellcheck disable=SC2064 # now
		trap "rm -rf '$work'" EXIT
		stage_image "$work"
		stage_modules "$work"
		stage_initramfs "$work"
		# In the guest this folder lies over the real one.
		rm -f "$work/lib/modules/$k_release/kernel"
		chmod 755 "$work"
		mv -T "$work" "$stage" 2>/dev/null || [ -d "$stage" ]
		# Older forms of this kernel that no machine can still be using.
		find "$vl_cache/boot" -maxdepth 1 -name "$k_release-*" -mtime +1 \
			-exec rm -rf {} +
	fi
	printf '%s\n' "$stage"
}
