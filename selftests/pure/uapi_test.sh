#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The netlink specification and the UAPI header say the same: as the kernel's
# generator sees it, and once more from the rules of genetlink's naming alone.

. "$(dirname "$0")/../lib/ktap.sh"

[ -n "$src" ] || skip_all "needs the sources: give VRINGLAB_SRC="
cc=${CC:-cc}
spec=$src/Documentation/netlink/specs/vringlab.yaml

# One _Static_assert for each number in the specification.
assertions()
{
	"$python" - "$spec" <<'END'
import sys
import yaml

with open(sys.argv[1]) as f:
    spec = yaml.safe_load(f)
family = spec["name"]


def name(*words):
    return "_".join(words).upper().replace("-", "_")


def expect(symbol, value):
    print(f'_Static_assert({symbol} == {value}, "{symbol}");')


def numbered(entries, start):
    value = start - 1
    for entry in entries:
        value = entry.get("value", value + 1)
        yield entry["name"], value


print("#include <linux/vringlab.h>")
for d in spec["definitions"]:
    if d["type"] == "const":
        expect(name(family, d["name"]), d["value"])
    else:
        for entry, value in numbered(d["entries"], 0):
            value = 1 << value if d["type"] == "flags" else value
            expect(name(family, d["name"], entry), value)
for s in spec["attribute-sets"]:
    if "subset-of" in s:
        continue
    last = 0
    for entry, last in numbered(s["attributes"], 1):
        expect(name(family, "a", s["name"], entry), last)
    expect(name(family, "a", s["name"], "max"), last)
last = 0
for entry, last in numbered(spec["operations"]["list"], 1):
    expect(name(family, "cmd", entry), last)
expect(name(family, "cmd", "max"), last)
print(f'_Static_assert(!__builtin_strcmp(VRINGLAB_FAMILY_NAME, "{family}"), "family");')
for g in spec["mcast-groups"]["list"]:
    symbol = name(family, "mcgrp", g["name"])
    print(f'_Static_assert(!__builtin_strcmp({symbol}, "{g["name"]}"), "{symbol}");')
END
}

header_has_every_number()
{
	assertions >"$tmp/uapi.c" || return 1
	[ "$(grep -c _Static_assert "$tmp/uapi.c")" -gt 50 ] || return 1
	# shellcheck disable=SC2086  # CC may be a compiler and its options
	$cc -Wall -Werror -I"$src/include/uapi" -fsyntax-only "$tmp/uapi.c"
}

# A comparison that nobody has seen fail is none.
a_changed_number_is_noticed()
{
	mkdir -p "$tmp/uapi/linux"
	sed 's/VRINGLAB_HIST_BUCKETS\t312/VRINGLAB_HIST_BUCKETS\t313/' \
		"$src/include/uapi/linux/vringlab.h" >"$tmp/uapi/linux/vringlab.h"
	# shellcheck disable=SC2086
	! $cc -I"$tmp/uapi" -fsyntax-only "$tmp/uapi.c" 2>"$tmp/mutant" &&
		grep -q VRINGLAB_HIST_BUCKETS "$tmp/mutant"
}

for python in python3 /usr/bin/python3 ""; do
	[ -n "$python" ] || skip_all "python3 has no yaml module: run scripts/setup"
	"$python" -c 'import yaml' 2>/dev/null && break
done

ktap_print_header
ktap_set_plan 3
run "$src/scripts/ynl-regen" --check
if [ "$status" -eq 4 ]; then
	ktap_test_skip "header is what the kernel's generator makes: $(cat "$tmp/err")"
else
	check "header is what the kernel's generator makes" test "$status" -eq 0
fi
check "header has every number of the specification" header_has_every_number
check "a changed number is noticed" a_changed_number_is_noticed
ktap_finished
