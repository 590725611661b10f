# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Packages of suites of the distribution that this machine's apt does not know.
# Source it after packages.sh. Neither apt's configuration, nor its lists, nor what
# is installed changes.

# need_debian WHAT: die where there are no such suites.
need_debian() {
	have_apt || die 4 "$1 are fetched with apt, which is not here"
	[[ $(os_release ID) == debian && $(dpkg --print-architecture) == amd64 ]] ||
		die 4 "only Debian's amd64 suites are supported as a source of $1"
}

# The mirror of this machine's own suite has the other suites too.
mirror() {
	local codename

	codename=$(os_release VERSION_CODENAME)
	# shellcheck disable=SC2016 # apt's own variables
	apt-get indextargets --format '$(ORIGIN) $(RELEASE) $(COMPONENT) $(REPO_URI)' \
		'Created-By: Packages' |
		awk -v suite="$codename" '$1 == "Debian" && $2 == suite && $3 == "main" {
			print $4; exit }'
}

# use_suites DIR SUITE...: from here on apt is one of its own, in DIR, that knows
# these suites and no installed package.
use_suites() {
	local dir=$1 uri

	shift
	uri=$(mirror)
	[[ -n $uri ]] || die 4 "apt's configuration names no mirror of Debian's own suite"
	mkdir -p "$dir"/{lists/partial,cache/archives/partial,parts}
	: >"$dir/status"
	cat >"$dir/suite.sources" <<END
Types: deb
URIs: $uri
Suites: $*
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
END
	apt_options=(-o "Dir::Etc::SourceList=$dir/suite.sources"
		-o "Dir::Etc::SourceParts=$dir/parts" -o "Dir::Etc::PreferencesParts=$dir/parts"
		-o Dir::Etc::Preferences=/dev/null -o "Dir::State::lists=$dir/lists"
		-o "Dir::State::status=$dir/status" -o "Dir::Cache=$dir/cache"
		-o Acquire::Languages=none)
	say "reading the lists of $*"
	apt_get update || die 1 "cannot read the lists of $*; check the network"
}

# can_install PACKAGE...
can_install() {
	apt_get -y --no-install-recommends --simulate install "$@" >/dev/null 2>&1
}

# obtain DIR PACKAGE...: the packages' files, with all that they depend on.
obtain() {
	local dir=$1

	shift
	apt_get -y --no-install-recommends --download-only -o Debug::NoLocking=1 \
		-o "Dir::Cache::archives=$dir" install "$@" >&2 ||
		die 1 "cannot download $*; check the network"
}

# unpack_all DIR ROOT: what only runs needs no documentation.
unpack_all() {
	local package

	mkdir "$2"
	for package in "$1"/*.deb; do
		dpkg-deb --fsys-tarfile "$package" | tar -x -C "$2" --no-same-owner \
			--exclude=./usr/share/{doc,info,locale,man} "${@:3}"
	done
}
