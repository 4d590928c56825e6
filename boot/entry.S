/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The two entries, both 32-bit with paging off: PVH (Xen's x86/HVM direct boot ABI; QEMU -kernel)
 * and multiboot2 (GRUB). Both leave the loader's information pointer and which it is, set up early
 * page tables (identity and kernel image by 2-MB pages, direct map of the first 512 GB by 1-GB
 * pages, or of the first 4 GB by 2-MB pages), call boot_start(), and enter the kernel in the high half.
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
    .short 4, 1 /* if there is a choice: */
    .long 12, 2 /* text is as good as */
    .balign 8
    .short 5, 1 /* a picture */
    .long 20, 0, 0, 0 /* of any size and depth */
    .balign 8
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
    movl $0x80000000, %eax
    call extended_features
    cmpl $0x80000001, %eax
    movl $boot_no_64, %ebp
    jb 9f
    movl $0x80000001, %eax
    call extended_features
    testl $1 << 29, %edx /* long mode */
    jz 9f
    movl $boot_no_nx, %ebp
    testl $1 << 20, %edx
    jz 9f
    /* Early tables. The first 4 GB by 2-MB pages; the direct map by 512 pages of 1 GB, or, when there are none, of these tables;
     * the rest then comes later (paging_map_rest()). */
    movl $boot_directory, %eax
    movl $0x83, %ebx
    xorl %ecx, %ecx
1:  movl %ebx, (%eax,%ecx,8)
    addl $0x200000, %ebx
    incl %ecx
    cmpl $2048, %ecx
    jne 1b
    movl $512, %ecx
    movl $0x83, %eax /* low word of the address */
    movl $0x40000000, %ebx
    testl $1 << 26, %edx /* 1-GB pages */
    jnz 1f
    movl $4, %ecx
    movl $boot_directory + 3, %eax
    movl $0x1000, %ebx
1:  movl $boot_direct, %edx
    movl $0x80000000, %ebp /* high word, and no execute */
2:  movl %eax, (%edx)
    movl %ebp, 4(%edx)
    addl %ebx, %eax
    adcl $0, %ebp
    addl $8, %edx
    loop 2b
    movl $boot_directory + 3, boot_low
    movl $boot_directory + 3, boot_low + 510 * 8 /* KERNEL_BASE: top 2 GB */
    movl $boot_low + 3, boot_root
    movl $boot_direct + 3, boot_root + 256 * 8
    movl $boot_low + 3, boot_root + 511 * 8
    movl %cr4, %eax
    orl $1 << 5, %eax /* PAE */
    movl %eax, %cr4
    movl $boot_root, %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx /* EFER: LME, NXE */
    rdmsr
    orl $0x900, %eax
    wrmsr
    movl %cr0, %eax
    orl $0x80010001, %eax /* PG, WP, PE */
    movl %eax, %cr0
    lgdt boot_gdt_pointer
    ljmp $8, $3f
extended_features: /* keeps esi and edi */
    pushl %edi
    pushl %esi
    cpuid
    popl %esi
    popl %edi
    ret
/* Say why on the screen, on COM1 and the debug console, end QEMU, and stop: in instructions that are the same in 64-bit code. */
9:  movl $0xb8000, %edi
    movl $80, %ecx
    movw $0x0f20, %ax
    rep stosw /* what the firmware has left in that line */
    movl $0xb8000, %edi
8:  movb (%ebp), %al
    testb %al, %al
    jz 7f
    movb $0x0f, %ah
    stosw
    movw $0x3f8, %dx
    outb %al, %dx
    outb %al, $0xe9
    addl $1, %ebp
    jmp 8b
7:  movb $0x7e, %al
    movw $0x501, %dx
    outb %al, %dx
    hlt
    jmp 7b
    .code64
3:  movl $0x10, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl $0x80000001, %eax /* only now: Intel's say 0 outside 64-bit code */
    cpuid
    movl $boot_no_syscall, %ebp
    testl $1 << 11, %edx
    jz 9b
    movl $0xc0000080, %ecx /* EFER: SCE; whoever has no SYSCALL faults at that bit */
    rdmsr
    orl $1, %eax
    wrmsr
    call boot_start
    movq $kernel_stack_end, %rsp
    movq $kernel_main, %rax
    call *%rax

    .section .boot.data, "aw"
boot_no_64: .asciz "Bardo needs a 64-bit processor"
boot_no_nx: .asciz "Bardo needs a processor with no-execute pages (NX)"
boot_no_syscall: .asciz "Bardo needs a processor with SYSCALL and SYSRET"
    .balign 8
boot_gdt:
    .quad 0, 0x00af9a000000ffff, 0x00cf92000000ffff
boot_gdt_pointer:
    .short 23
    .long boot_gdt

    .section .boot.bss, "aw"
    .balign 4096
    .globl boot_root, boot_low, boot_directory, boot_direct
boot_root: .skip 4096
boot_low: .skip 4096
boot_directory: .skip 4 * 4096
boot_direct: .skip 4096
    .skip 4096
boot_stack_end:
    .section .note.GNU-stack, "", @progbits
