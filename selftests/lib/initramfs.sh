# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What a guest's initramfs is made of; for tests, and for scripts/guest-initrd.

# put_modules FOLDER NAME...: those that are not built in, in the order of loading; of
# this kernel, or of the release $modules_of
put_modules()
{
	local folder=$1 path n=100

	shift
	mkdir -p "$folder"
	while read -r path; do
		n=$((n + 1))
		case $path in
		*.xz) xz -dc "$path" ;;
		*.zst) zstd -dcq "$path" ;;
		*.gz) gzip -dc "$path" ;;
		*) cat "$path" ;;
		esac >"$folder/$n" || return
	done < <(modprobe -S "${modules_of:-$(uname -r)}" -a --show-depends "$@" |
		awk '$1 == "insmod" && !seen[$2]++ { print $2 }')
}

# make_initramfs FOLDER FILE: all that is in the folder
make_initramfs()
{
	(cd "$1" && find . | cpio -o -H newc -R 0:0 --quiet) >"$2"
}
