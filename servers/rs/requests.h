/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What others ask of RS (abi/proto/rs.h), a function each: main.c has them by type. The result is that
 * of the answer; -EINPROGRESS: it is given later. caller: the service that asks.
 */
#ifndef RS_REQUESTS_H
#define RS_REQUESTS_H

#include "servers/rs/rs.h"

/* ---- service.c ---- */
long request_set_realtime(struct message *m, struct service *caller);

/* ---- corpse.c, kept.c ---- */
long request_corpse(struct message *m, struct service *caller);
long request_corpse_area(struct message *m, struct service *caller);
long request_corpse_memory(struct message *m, struct service *caller);

/* ---- device.c ---- */
long request_device_work(struct message *m, struct service *caller);
long request_devices(struct message *m, struct service *caller);

/* ---- driver.c ---- */
long request_device_found(struct message *m, struct service *caller);
long request_device_done(struct message *m, struct service *caller);
long request_device_memory(struct message *m, struct service *caller);
long request_device_fault(struct message *m, struct service *caller);
long request_iommu_status(struct message *m, struct service *caller);

/* ---- update.c ---- */
long request_program(struct message *m, struct service *caller);

/* ---- iommu.c ---- */
long request_firmware(struct message *m, struct service *caller);
long request_iommu(struct message *m, struct service *caller);

/* ---- queue.c ---- */
long request_queue(struct message *m, struct service *caller);

/* ---- control.c ---- */
long request_lookup(struct message *m, struct service *caller);
long request_who(struct message *m, struct service *caller);
long request_list(struct message *m, struct service *caller);
long request_control(struct message *m, struct service *caller);
long request_kill(struct message *m, struct service *caller);
long request_mark(struct message *m, struct service *caller);
long request_over_memory(struct message *m, struct service *caller);
long request_core(struct message *m, struct service *caller);

/* ---- authority.c ---- */
long request_may_publish(struct message *m, struct service *caller);
long request_complain(struct message *m, struct service *caller);

/* ---- instance.c ---- */
long request_instance(struct message *m, struct service *caller);

/* ---- record.c ---- */
long request_recoveries(struct message *m, struct service *caller);

/* ---- script.c ---- */
long request_script(struct message *m, struct service *caller);
long request_script_done(struct message *m, struct service *caller);

#endif
