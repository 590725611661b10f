/* SPDX-License-Identifier: GPL-2.0-only */
/* Where the kernel enters a program: what is on the stack does not matter. */

	.globl	_start
_start:
	xor	%ebp, %ebp
	and	$-16, %rsp
	call	guest_main
	hlt

	.section .note.GNU-stack, "", @progbits
