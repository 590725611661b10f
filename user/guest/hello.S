/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The smallest guest that shows something: 16-bit real mode, adds 2 and 2,
 * writes the sum and a newline to the console, and halts; or, if the VMM has put
 * something into cx, because a halt would not end it, writes 0 to the exit port.
 */
	.code16
	.section .text.start, "ax"
	.globl	_start
_start:
	mov	$0x3f8, %dx		/* VMM_GUEST_CONSOLE_PORT */
	mov	$2, %al
	add	$2, %al
	add	$'0', %al
	out	%al, (%dx)
	mov	$'\n', %al
	out	%al, (%dx)
	jcxz	1f
	mov	$0x501, %dx		/* VMM_GUEST_EXIT_PORT */
	xor	%ax, %ax
	out	%al, (%dx)
1:	hlt

	.section .note.GNU-stack, "", @progbits
