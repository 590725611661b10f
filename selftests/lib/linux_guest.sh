# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# For tests that boot this machine's own kernel in a guest; after ktap.sh.
# shellcheck disable=SC2034,SC2154 # what is set here is for them, and ktap.sh has the rest

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

# shellcheck source=initramfs.sh
. "$lib/initramfs.sh"

# The guest's console: written to by 3, read by read_answer
open_console()
{
	rm -f "$tmp"/console.*
	mkfifo "$tmp/console.in" "$tmp/console.out" &&
		exec 3<>"$tmp/console.in" 4<>"$tmp/console.out"
}

# Lines until the one that ends an answer: they are in $tmp/answer, what that one says in
# $answered. Fails if it does not come within $deadline seconds.
read_answer()
{
	local line

	: >"$tmp/answer"
	while read -t "${deadline:?}" -r -u 4 line; do
		line=${line%$'\r'}
		answered=${line#= }
		[ "$line" = "$answered" ] || return 0
		echo "$line" >>"$tmp/answer"
	done
	return 1
}
