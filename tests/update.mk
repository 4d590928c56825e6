# Programs that servers are updated to (test_update.py): the same sources, other machine code in every function.
OTHERS := rs ds pm vfs
.PHONY: others
others: $(OTHERS:%=$(B)/services/%) # by one make: they share objects
	@$(MAKE) --no-print-directory B=$(B)/other EXTRA_CFLAGS='-O1 -Wno-format-truncation' BASE=$(B) $(OTHERS:%=$(B)/other/update/%)
