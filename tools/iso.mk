# A CD image that GRUB boots by multiboot2, on BIOS and, where GRUB's EFI modules are installed (grub-efi-amd64-bin), on UEFI machines.

# No menu; GRUB's own messages on the serial line, too.
define grub_cfg
serial --unit=0 --speed=115200
terminal_input console serial
terminal_output console serial
set timeout=0
menuentry Bardo {
	multiboot2 /boot/kernel.elf $(APPEND)
	module2 /boot/boot.cpio
}
endef

.PHONY: iso
iso: export GRUB_CFG = $(grub_cfg)
iso: $(B)/kernel.elf $(B)/boot.cpio ## a bootable CD image, build/bardo.iso (APPEND="kernel command line")
	@echo "  ISO   $(B)/bardo.iso"
	@grub-file --is-x86-multiboot2 $(B)/kernel.elf || { echo "$(B)/kernel.elf: no multiboot2 header"; exit 1; }
	@rm -rf $(B)/iso $(B)/bardo.iso
	@mkdir -p $(B)/iso/boot/grub
	@cp $(B)/kernel.elf $(B)/boot.cpio $(B)/iso/boot
	@printf '%s\n' "$$GRUB_CFG" >$(B)/iso/boot/grub/grub.cfg
	@grub-mkrescue -o $(B)/bardo.iso $(B)/iso >$(B)/iso.log 2>&1 || { cat $(B)/iso.log; exit 1; }
