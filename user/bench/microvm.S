/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The firmware that QEMU's microvm runs as the peer of our hello guest: prints
 * the sum of 2 and 2 and a newline on the serial port, then ends QEMU through
 * isa-debug-exit with status 2 * 0x2a + 1 = 85, which nothing else yields.
 *
 * 64 KiB, mapped to end at 4 GiB; the CPU starts 16 bytes before the end.
 */
#define SERIAL_PORT	0x3f8
#define DEBUG_EXIT_PORT	0xf4
#define DEBUG_EXIT_CODE	0x2a

	.code16
	.text
	.org	0xff00
start:
	movw	$SERIAL_PORT, %dx
	movb	$2, %al
	addb	$2, %al
	addb	$'0', %al
	outb	%al, %dx
	movb	$'\n', %al
	outb	%al, %dx
	movb	$DEBUG_EXIT_CODE, %al
	outb	%al, $DEBUG_EXIT_PORT
1:	hlt
	jmp	1b

	.org	0xfff0
	jmp	start
	.org	0x10000
