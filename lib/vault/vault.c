/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/vault/vault.h"

#include <sys/mman.h>

#include "abi/proto/vm.h"
#include "lib/rt/kernel.h"
#include "lib/rt/log.h"

static const unsigned char zeros[PAGE_SIZE];

void *vault_map(size_t bytes, bool needed)
{
    int protection = PROT_READ | PROT_WRITE | (int)VM_PROTECTION_VAULT;
    void *at = mmap(NULL, bytes, needed ? protection : protection | (int)VM_PROTECTION_STORE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return at == MAP_FAILED ? NULL : at;
}

void vault_unmap(void *at, size_t bytes)
{
    munmap(at, bytes);
}

/* (A step that is repeated copies once more.) */
void vault_copy(void *to, const void *from, size_t bytes)
{
    if (bytes && copy_from_again(service_info()->self, (uint64_t)from, to, bytes) < 0)
        panic("what is to be copied from %p to %p in the vault is not there", from, to);
}

void vault_clear(void *at, size_t bytes)
{
    for (size_t done = 0, n; done < bytes; done += n) {
        n = bytes - done < sizeof zeros ? bytes - done : sizeof zeros;
        vault_copy((char *)at + done, zeros, n);
    }
}

void vault_log(const void *at, size_t bytes)
{
    undo_vault(at, bytes);
}

void vault_log_zero(const void *at, size_t bytes)
{
    undo_vault_zero(at, bytes);
}
