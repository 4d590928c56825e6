# Programs that servers are updated to (test_update.py): the same sources, other machine code in every function of the server's own. The library
# is the same. One make builds them all, since they share objects, in a folder of one name, which dependencies are noted by.
OTHERS := rs ds pm vfs
.PHONY: others
others: $(OTHERS:%=$(B)/services/%)
	@mkdir -p $(B)/other
	@cp -a -u $(B)/.setup $(B)/gen $(B)/undo $(UNDO_PLUGIN) $(B)/libbardo_undo.a $(B)/other
	@$(MAKE) --no-print-directory B=$(abspath $(B))/other EXTRA_CFLAGS='-O1 -Wno-format-truncation' BASE=$(abspath $(B)) $(OTHERS:%=$(abspath $(B))/other/update/%)
