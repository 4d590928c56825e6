# System calls by chance, and system calls that ask for too much (docs/testing.md). Neither is in the ordinary image.
SYSCALLS_COMMON := $(addprefix tests/syscalls/,calls.c arguments.c)
all: $(B)/tests/fuzz $(B)/tests/worst

$(B)/tests/worst: $(wildcard tests/syscalls/scenarios*.c) tests/syscalls/worst.h
$(B)/tests/fuzz $(B)/tests/worst: $(B)/tests/%: tests/syscalls/%.c $(SYSCALLS_COMMON) tests/syscalls/calls.h | $(GEN)
	@mkdir -p $(@D) && echo "  CC    $@"
	@$(CC_SERVICE) $(filter-out -MMD -MP,$(PROGRAM_CFLAGS)) $(SERVICE_LDFLAGS) -s -o $@ $(filter %.c,$^)

.PHONY: fuzz-syscalls
fuzz-syscalls: all ## system calls by chance, of users and of root in a chroot: SECONDS=60 SEED=N
	@B=$(B) tools/fuzz-syscalls --seconds '$(or $(SECONDS),60)' $(if $(SEED),--seed '$(SEED)')
