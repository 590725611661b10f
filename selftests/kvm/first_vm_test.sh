#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What Documentation/first-vm.rst shows is what the command prints. Between two of its
# comments, "output of: ARGUMENTS" or "part of the output of: ARGUMENTS" and "end of
# output", the indented lines are the output; the others are prose.

. "$(dirname "$0")/../lib/ktap.sh"
. "$(dirname "$0")/../lib/loopback.sh"

doc=$src/Documentation/first-vm.rst
[ -r "$doc" ] || skip_all "needs the sources: set VRINGLAB_SRC="

# What differs from run to run and from one processor to the next: descriptors, where
# things are mapped, frequencies, when KVM moves rip, and whether a segment's type is that
# of one that was accessed, or ss alone has another.
normalise()
{
	sed -E 's/^ *//
		s/^[0-9]+  //
		s/\((kvm|vm|vcpu) [0-9]+/(\1 FD/
		s/fd [0-9]+/fd FD/g
		s/^= [1-9][0-9]*$/= N/
		s/^= 0x[0-9a-f]+$/= ADDRESS/
		s/userspace_addr 0x[0-9a-f]+/userspace_addr ADDRESS/
		s/^\| rip .* -> .*/| rip/
		/^\| ss: /d
		s/^(\| ds es fs gs) ss:/\1:/
		s/^(\| (cs|tr): .*)type [^,]*/\1type T/
		/^$/d'
}

# sections KIND: the arguments of each
sections()
{
	sed -n "s/^\.\. $1: //p" "$doc"
}

# shown KIND NUMBER: the lines of the NUMBERth section
shown()
{
	awk -v start="^[.][.] $1: " -v number="$2" '
		$0 ~ start { nr++; inside = nr == number; next }
		/^[.][.] end of output$/ { inside = 0 }
		inside && /^  / { print }' "$doc" | normalise
}

# print ARGUMENTS: to $tmp/printed
print()
{
	# shellcheck disable=SC2086  # several words
	run "$vringlab" vmm ${1/SOCKET/$sock}
	[ "$status" -eq 0 ] && is_empty "$tmp/err" || return 1
	normalise <"$tmp/out" >"$tmp/printed"
}

same()
{
	shown "$1" "$2" >"$tmp/shown"
	print "$3" && [ "$(wc -l <"$tmp/shown")" -gt 3 ] && diff "$tmp/shown" "$tmp/printed"
}

# Each line is there, in this order.
part()
{
	shown "$1" "$2" >"$tmp/shown"
	print "$3" && [ -s "$tmp/shown" ] && awk '
		NR == FNR { line[++nr] = $0; next }
		at < nr && $0 == line[at + 1] { at++ }
		END { if (at < nr) { print "not printed: " line[at + 1]; exit 1 } }' \
		"$tmp/shown" "$tmp/printed"
}

ktap_print_header
mapfile -t whole < <(sections "output of")
mapfile -t parts < <(sections "part of the output of")
ktap_set_plan $((${#whole[@]} + ${#parts[@]} + 2))

check "a back-end starts" start_backend
check "the document shows output" [ "${#whole[@]}" -ge 1 ]
for i in "${!whole[@]}"; do
	check "the output of ${whole[i]}" same "output of" $((i + 1)) "${whole[i]}"
done
for i in "${!parts[@]}"; do
	check "part $((i + 1)) of the output of ${parts[i]}" \
		part "part of the output of" $((i + 1)) "${parts[i]}"
done
ktap_finished
