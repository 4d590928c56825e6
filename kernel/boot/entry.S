/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The two entries, both 32-bit with paging off: PVH (Xen's x86/HVM direct boot ABI; QEMU -kernel)
 * and multiboot2 (GRUB). Both leave the loader's information pointer and which it is, set up early
 * page tables (identity and kernel image by 2-MB pages, direct map of the first 512 GB by 1-GB
 * pages) and jump to boot_start() in the high half.
 */
#define KERNEL_BASE 0xffffffff80000000
#define MULTIBOOT2_MAGIC 0xe85250d6

    .section .note.pvh, "a", @note
    .balign 4
    .long 4, 4, 18 /* name size, descriptor size, XEN_ELFNOTE_PHYS32_ENTRY */
    .asciz "Xen"
    .long pvh_entry

    .section .boot.multiboot, "a"
    .balign 8
multiboot2_header:
    .long MULTIBOOT2_MAGIC, 0, multiboot2_end - multiboot2_header
    .long -(MULTIBOOT2_MAGIC + (multiboot2_end - multiboot2_header))
    .balign 8
    .short 6, 0 /* modules at page boundaries */
    .long 8
    .short 0, 0 /* end tag */
    .long 8
multiboot2_end:

    .section .boot.text, "ax"
    .code32
    .globl pvh_entry, multiboot2_entry
pvh_entry:
    xorl %eax, %eax
multiboot2_entry: /* eax: 0 PVH, else multiboot2's magic; ebx: information */
    cli
    cld
    movl $boot_stack_end, %esp
    movl %eax, %edi
    movl %ebx, %esi
    /* Early tables. One level-3 table serves the direct map: 512 pages of 1 GB. */
    movl $boot_directory, %eax
    movl $0x83, %edx
    xorl %ecx, %ecx
1:  movl %edx, (%eax,%ecx,8) /* first GB by 2-MB pages */
    addl $0x200000, %edx
    incl %ecx
    cmpl $512, %ecx
    jne 1b
    xorl %ecx, %ecx
    xorl %edx, %edx /* low word of the address */
    xorl %ebp, %ebp /* high word */
2:  movl %edx, %eax
    orl $0x83, %eax
    movl %eax, boot_direct(,%ecx,8)
    movl %ebp, %eax
    orl $0x80000000, %eax /* no execute */
    movl %eax, boot_direct + 4(,%ecx,8)
    addl $0x40000000, %edx
    adcl $0, %ebp
    incl %ecx
    cmpl $512, %ecx
    jne 2b
    movl $boot_directory + 3, boot_low
    movl $boot_directory + 3, boot_low + 510 * 8 /* KERNEL_BASE: top 2 GB */
    movl $boot_low + 3, boot_root
    movl $boot_direct + 3, boot_root + 256 * 8
    movl $boot_low + 3, boot_root + 511 * 8
    movl $0x80000001, %eax
    pushl %edi
    pushl %esi
    cpuid
    popl %esi
    popl %edi
    testl $1 << 26, %edx /* 1-GB pages */
    jz 9f
    movl %cr4, %eax
    orl $1 << 5, %eax /* PAE */
    movl %eax, %cr4
    movl $boot_root, %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx /* EFER: SCE, LME, NXE */
    rdmsr
    orl $0x901, %eax
    wrmsr
    movl %cr0, %eax
    orl $0x80010001, %eax /* PG, WP, PE */
    movl %eax, %cr0
    lgdt boot_gdt_pointer
    ljmp $8, $3f
9:  movl $boot_old, %esi /* say it on COM1 and the debug console, and stop */
    movw $0x3f8, %dx
8:  lodsb
    outb %al, %dx
    outb %al, $0xe9
    testb %al, %al
    jnz 8b
7:  hlt
    jmp 7b
    .code64
3:  movl $0x10, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movq $boot_start, %rax
    movq $kernel_stack_end, %rsp
    jmp *%rax

    .section .boot.data, "aw"
boot_old: .asciz "Bardo needs a processor with 1-GB pages\r\n"
    .balign 8
boot_gdt:
    .quad 0, 0x00af9a000000ffff, 0x00cf92000000ffff
boot_gdt_pointer:
    .short 23
    .long boot_gdt

    .section .boot.bss, "aw"
    .balign 4096
    .globl boot_root, boot_low, boot_direct
boot_root: .skip 4096
boot_low: .skip 4096
boot_directory: .skip 4096
boot_direct: .skip 4096
    .skip 256
boot_stack_end:

    .section .bss
    .balign 4096
    .globl kernel_stack_guard, kernel_stack_end
kernel_stack_guard: .skip 4096 /* unmapped by arch_start() */
    .skip 16384
kernel_stack_end:
    .section .note.GNU-stack, "", @progbits
