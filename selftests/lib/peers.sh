# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# For tests with programs of others, after ktap.sh: this machine's own, and the newer
# ones that scripts/peers keeps.

: "${src?}" "${tmp?}"

# pairing FRONT-END BACK-END: what the test points that follow are about, for the table
# that scripts/pairings makes.
pairing()
{
	echo "# pairing: $1 -> $2"
}

# not_here DESCRIPTION COMMAND...: instead of check, where there is no peer.
not_here()
{
	skip "$1" "$why"
}

# newer_command PROGRAM: leaves a command in $peer, or the reason in $why.
newer_command()
{
	[ -x "$src/scripts/peers" ] || {
		why="no scripts/peers: give the project's folder in VRINGLAB_SRC="
		return 1
	}
	why=$("$src/scripts/peers" path "$1" 2>&1) || return
	mkdir -p "$tmp/newer"
	peer=$tmp/newer/$1
	printf '#!/bin/sh\nexec %q run %q "$@"\n' "$src/scripts/peers" "$1" >"$peer"
	chmod +x "$peer"
}

# find_peer own|newer PROGRAM: leaves the command in $peer and its version in $version;
# or fails, with the reason and the cure in $why.
find_peer()
{
	local ask=(--version)

	if [ "$1" = newer ]; then
		version=newer
		newer_command "$2" || return
	else
		version=
		why="no $2: run scripts/setup --interop"
		peer=$(type -P "$2") || return
	fi
	[ "$2" != dpdk-testpmd ] || ask=(-v --no-huge -m 1 --no-pci --no-telemetry --no-shconf)
	version=$("$peer" "${ask[@]}" </dev/null 2>&1 |
		grep -Eo '[0-9]+(\.[0-9]+)+[^ )'\'']*' | head -n 1)
	why="$2 does not run: $("$peer" "${ask[@]}" </dev/null 2>&1 | head -n 1)"
	[ -n "$version" ]
}

# reconnect: what makes the chardev of this QEMU connect again; from 10.0 on the option
# has the unit in its name.
reconnect()
{
	[ "${version%%.*}" -ge 10 ] && echo reconnect-ms=1000 || echo reconnect=1
}

# in_namespace "$@": go on in a network namespace of the test's own.
in_namespace()
{
	local options=-rn

	[ "$(id -u)" != 0 ] || options=-n
	if [ -n "${VRINGLAB_NAMESPACE:-}" ]; then
		busybox ip link set lo up
		return
	fi
	unshare "$options" true 2>/dev/null ||
		skip_all "no network namespace: run as root, or allow user namespaces"
	rm -rf "$tmp"
	VRINGLAB_NAMESPACE=1 exec unshare "$options" "$0" "$@"
}
