/* SPDX-License-Identifier: BSD-2-Clause */
/* A pci that is slow to say where a device's MSIs go: its driver has long begun to use it then. And each time it says that some
 * device was kept from memory, and that it is not known which. */
#include "abi/proto/rs.h"
#include "lib/rt/kernel.h"
#include "servers/pci/pci.h"

#define LATE_NS 100000000ull

long __real_device_msi(struct function *f, uint32_t address, uint32_t data);
long __wrap_device_msi(struct function *f, uint32_t address, uint32_t data);

long __wrap_device_msi(struct function *f, uint32_t address, uint32_t data)
{
    uint64_t end = clock_now() + LATE_NS;

    struct message any =
        message_of(RS_DEVICE_FAULT, (struct rs_device_fault_request){.place = RS_DEVICE_ANY});

    while (clock_now() < end) {
    }
    ipc_call(service_info()->rs, &any);
    return __real_device_msi(f, address, data);
}
