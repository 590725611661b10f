#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Each public header compiles alone, twice included, without a warning.

. "$(dirname "$0")/../lib/ktap.sh"

[ -n "$src" ] || skip_all "needs the sources: give VRINGLAB_SRC="
cc=${CC:-cc}
command -v "${cc%% *}" >/dev/null || skip_all "needs $cc: install a C compiler"
cd "$src" || exit 1

compiles_alone()
{
	local header=$1

	printf '#include <%s>\n#include <%s>\n' "$header" "$header" >"$tmp/alone.c"
	# shellcheck disable=SC2086  # CC may be a compiler and its options
	$cc -std=gnu11 -Wall -Wextra -Wshadow -Wstrict-prototypes -Wpointer-arith -Werror \
		-Iuser/include -Iinclude/uapi -fsyntax-only "$tmp/alone.c"
}

mapfile -t headers < <(cd user/include && ls vringlab/*.h; cd ../../include/uapi && ls linux/*.h)
[ "${#headers[@]}" -ge 2 ] || ktap_exit_fail_msg "no headers in $src"

ktap_print_header
ktap_set_plan "${#headers[@]}"
for header in "${headers[@]}"; do
	check "$header compiles alone" compiles_alone "$header"
done
ktap_finished
