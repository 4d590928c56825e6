/* SPDX-License-Identifier: BSD-2-Clause */
/* VM: the table of what it does. */
#include <sys/syscall.h>

#include "lib/service/service.h"
#include "servers/vm/vm.h"

static const struct service_entry entries[] = {
    {MESSAGE_PAGE_FAULT, page_fault},
    {SYS_mmap, sys_mmap},
    {SYS_munmap, sys_munmap},
    {SYS_mprotect, sys_mprotect},
    {SYS_brk, sys_brk},
    {SYS_mremap, sys_mremap},
    {SYS_madvise, sys_madvise},
    {SYS_msync, sys_msync},
    {SYS_mincore, sys_mincore},
    {VM_FORK, vm_fork},
    {VM_SHARE_SPACE, vm_share_space},
    {VM_EXIT, vm_exit},
    {VM_EXEC, vm_exec},
    {VM_MAP, vm_map},
    {VM_MAP_FROM, vm_map_from},
    {VM_BRK_START, vm_brk_start},
    {VM_UNMAP, vm_unmap},
    {VM_PROTECT, vm_protect},
    {VM_VICTIM, vm_victim},
    {VM_RULES, vm_rules},
    {VM_USAGE, vm_usage},
    {VM_MAPS, vm_maps},
};

static void notified(uint64_t bits)
{
    if (bits & NOTIFY_BIT(NOTIFY_BIT_ALARM))
        work_alarm();
}

int main(void)
{
    service_ready(RS_READY_FRESH);
    service_run(&(struct service_table){
        .entries = entries, .count = sizeof entries / sizeof *entries, .notified = notified});
}
