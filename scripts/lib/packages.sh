# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Packages of the distribution that are only unpacked, never installed. Source it
# after common.sh. What fetches must call drop_downloads at its end, by a trap.

# For every apt command; scripts/peers asks about another suite with them.
apt_options=()
# Here the .download-* folders come and go.
download_area=$vl_cache
downloads=()

# --- what the distribution has ---------------------------------------------

# unlisted PACKAGE...: those of which apt lists none of exactly this name. Its other
# commands take a name they do not know, and that has a dot, for a pattern: asked to
# download linux-image-6.12, apt-get downloads every package whose name contains that.
unlisted() {
	printf '%s\n' "$@" |
		grep -Fxv -f <(apt-cache "${apt_options[@]}" pkgnames) || true
}

listed() {
	[[ -z $(unlisted "$1") ]]
}

# The version that apt would download of a package; empty if none.
candidate() {
	listed "$1" || return 0
	apt-cache "${apt_options[@]}" policy "$1" | sed -n 's/^  Candidate: //p' |
		sed '/^(none)$/d'
}

# The packages that a package depends on, one a line, alternatives as first named.
depends() {
	listed "$1" || return 0
	apt-cache "${apt_options[@]}" show --no-all-versions "$1" 2>/dev/null |
		sed -n 's/^\(Pre-\)\?Depends: //p' | tr ',' '\n' |
		sed 's/|.*//; s/(.*//; s/[[:space:]]//g'
}

# --- fetching --------------------------------------------------------------

# apt_get ARGUMENT...: as any user; root's apt would hand the work to a user who
# may not write here.
apt_get() {
	local options=("${apt_options[@]}")

	[[ $(id -u) != 0 ]] || options+=(-o APT::Sandbox::User=root)
	apt-get -qq "${options[@]}" "$@"
}

# download DIR PACKAGE...: the packages' files, in DIR, as any user.
download() {
	local dir=$1 unknown

	shift
	unknown=$(unlisted "$@" | paste -s -d ' ')
	[[ -z $unknown ]] || die 4 "this distribution has no package $unknown"
	say "downloading $*"
	(cd "$dir" && apt_get download "$@") ||
		die 1 "cannot download $*; check the network, and refresh apt's lists" \
			"with: apt-get update (as root)"
}

# Leaves the name of a new folder in $work; drop_downloads removes it.
make_download_folder() {
	work=$(mktemp -d "$download_area/.download-XXXXXX")
	downloads+=("$work")
}

# unpack DIR PACKAGE...: download and unpack into DIR, leaving no package file.
unpack() {
	local dir=$1 work package

	shift
	make_download_folder
	download "$work" "$@"
	mkdir -p "$dir"
	for package in "$work"/*.deb; do
		dpkg-deb -x "$package" "$dir"
	done
	rm -rf "$work"
}

drop_downloads() {
	[[ ${#downloads[@]} == 0 ]] || rm -rf "${downloads[@]}"
}
