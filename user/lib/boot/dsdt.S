/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The compiled dsdt.asl, which dsdt.mk builds before this file. */

	.section .rodata

	.globl	boot_dsdt_start
	.globl	boot_dsdt_end
	.balign	16
boot_dsdt_start:
	.incbin	"dsdt.aml"
boot_dsdt_end:

	.section .note.GNU-stack, "", @progbits
