# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# For tests that boot this machine's own kernel in a guest; after ktap.sh.
# shellcheck disable=SC2034 # what is set here is for them

# Images of the running kernel: one to start, and by format; "" what is not there.
kernel='' bzimage='' elf=''
for file in "/lib/modules/$(uname -r)"/vmlinu{x,z} "/boot/vmlinuz-$(uname -r)"; do
	[ -r "$file" ] || continue
	kernel=${kernel:-$file}
	if head -c 4 "$file" | grep -q ELF; then
		elf=$file
	else
		bzimage=$file
	fi
done

# put_modules FOLDER NAME...: those that are not built in, in the order of loading
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
	done < <(modprobe -a --show-depends "$@" |
		awk '$1 == "insmod" && !seen[$2]++ { print $2 }')
}

# make_initramfs FOLDER FILE: all that is in the folder
make_initramfs()
{
	(cd "$1" && find . | cpio -o -H newc -R 0:0 --quiet) >"$2"
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
