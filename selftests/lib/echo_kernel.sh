# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# For tests of vringlab vmm --kernel that need no Linux; after ktap.sh.

# make_echo_kernel FILE: a bzImage, of 32-bit code. On q, r and p at its serial port it
# powers off, resets and panics; it sends all else back.
make_echo_kernel()
{
	python3 - "$1" <<'END'
import struct, sys

CODE = bytes.fromhex(
    "66bafd03" "ec" "a801" "74f7"           # wait for a byte at COM1
    "66baf803" "ec"                         # take it
    "3c71" "740b" "3c72" "7412" "3c70" "7416"
    "ee" "ebe3"                             # send it back, again
    "66ba0406" "66b80034" "66ef" "f4"       # q
    "66ba1006" "b006" "ee" "f4"             # r
    "66ba0505" "b001" "ee" "f4"             # p
)

head = bytearray(5 * 512)
def put(offset, fmt, value):
    struct.pack_into("<" + fmt, head, offset, value)
# Documentation/arch/x86/boot.rst
put(0x1f1, "B", 4)
put(0x1f4, "I", 4096 // 16)
put(0x1fe, "H", 0xaa55)
put(0x200, "H", 0x66eb)
put(0x202, "I", 0x53726448)
put(0x206, "H", 0x020f)
put(0x211, "B", 1)
put(0x22c, "I", 0x7fffffff)
put(0x230, "I", 0x200000)
put(0x236, "H", 1)
put(0x238, "I", 255)
put(0x24c, "I", 4096)
put(0x258, "Q", 0x1000000)
put(0x260, "I", 0x100000)
open(sys.argv[1], "wb").write(head + CODE.ljust(4096, b"\xf4"))
END
}
