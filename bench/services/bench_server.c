/* SPDX-License-Identifier: BSD-2-Clause */
/* The other end of the IPC measurement: answers every call at once. */
#include "abi/message.h"
#include "lib/rt/kernel.h"
#include "lib/service/service.h"

int main(void)
{
    struct message m = {0};
    endpoint_t caller = 0;

    service_ready(RS_READY_FRESH);
    service_publish("bench_server");
    for (;;) {
        ipc_reply_receive(caller, &m, 0);
        caller = m.type == MESSAGE_NOTIFY ? 0 : message_caller(&m);
        m.type = 0;
    }
}
