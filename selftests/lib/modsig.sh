# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154 # tmp is ktap.sh's
#
# For shell tests, after ktap.sh: keys to sign a module with, and whether it was.

# make_key DIR: DIR/key.pem and DIR/cert.der
make_key()
{
	openssl req -new -x509 -nodes -days 36500 -subj "/CN=vringlab test key" \
		-newkey rsa:2048 -keyout "$1/key.pem" -outform DER -out "$1/cert.der" 2>/dev/null
}

# signed_by CERT MODULE: by that key, over all of the module. At its end are the
# signature, 12 bytes about it with the signature's size last, and a mark.
signed_by()
{
	local mark='~Module signature appended~' size length

	size=$(($(stat -c %s "$2") - 28))
	[ "$(tail -c 28 "$2" | tr -d '\n\0')" = "$mark" ] || return 1
	length=$(tail -c 32 "$2" | od -An -tu4 -N4 --endian=big | tr -d ' ')
	size=$((size - 12 - length))
	[ "$size" -gt 0 ] || return 1
	head -c "$size" "$2" >"$tmp/signed"
	tail -c +$((size + 1)) "$2" | head -c "$length" >"$tmp/signature"
	openssl x509 -inform DER -in "$1" -out "$tmp/signer" &&
		openssl cms -verify -binary -inform DER -in "$tmp/signature" \
			-content "$tmp/signed" -certfile "$tmp/signer" -nointern \
			-noverify -out /dev/null
}
