/* SPDX-License-Identifier: GPL-2.0-only */
/* The micro-guests' binaries, which guest/guest.mk builds before this file. */

	.section .rodata

	.macro guest symbol, file
	.globl	vmm_guest_\symbol\()_start
	.globl	vmm_guest_\symbol\()_end
	.balign	16
vmm_guest_\symbol\()_start:
	.incbin	"\file"
vmm_guest_\symbol\()_end:
	.endm

	guest doorbell_storm, doorbell-storm.bin
	guest exit_cost, exit-cost.bin
	guest hello, hello.bin
	guest hostile, hostile.bin
	guest irq_cost, irq-cost.bin
	guest linux_bench, "linux/bench" /* quoted: the name is a macro */
	guest ring_ping, ring-ping.bin

	.section .note.GNU-stack, "", @progbits
