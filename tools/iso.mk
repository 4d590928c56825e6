# A CD image that GRUB boots by multiboot2, on BIOS and on UEFI machines.

# GFX=1024x768: GRUB sets up a picture of that size, which the driver `console` paints on, in place of a VGA's text; on UEFI machines,
# which have no text, there is always one.
# No menu; GRUB's own messages on the serial line, too.
define grub_cfg
serial --unit=0 --speed=115200
terminal_input console serial
terminal_output console serial
set timeout=0
insmod all_video
menuentry Bardo {
	multiboot2 /boot/kernel.elf $(APPEND)
	module2 /boot/boot.cpio
	$(if $(GFX),set gfxpayload=$(GFX),if [ "$$grub_platform" = pc ]; then set gfxpayload=text; fi)
}
endef

ISO := $(B)/bardo.iso
.PHONY: iso
iso: export GRUB_CFG = $(grub_cfg)
iso: $(B)/kernel.elf $(B)/boot.cpio ## a bootable CD image, build/bardo.iso (APPEND="kernel command line", GFX=1024x768: with a picture)
	@echo "  ISO   $(ISO)"
	@grub-file --is-x86-multiboot2 $(B)/kernel.elf || { echo "$(B)/kernel.elf: no multiboot2 header"; exit 1; }
	@rm -rf $(ISO:.iso=) $(ISO)
	@mkdir -p $(ISO:.iso=)/boot/grub
	@cp $(B)/kernel.elf $(B)/boot.cpio $(ISO:.iso=)/boot
	@printf '%s\n' "$$GRUB_CFG" >$(ISO:.iso=)/boot/grub/grub.cfg
	@grub-mkrescue -o $(ISO) $(ISO:.iso=) >$(ISO:.iso=.log) 2>&1 || { cat $(ISO:.iso=.log); exit 1; }
