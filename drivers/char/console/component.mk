# The font of a framebuffer: what code page 437 has, of GNU Unifont (Debian's package unifont).
console_NEEDS := $(B)/gen/font.h
$(B)/gen/font.h: tools/font
	@mkdir -p $(@D)
	@tools/font /usr/share/unifont/unifont.hex >$@.new
	@mv $@.new $@
