/* SPDX-License-Identifier: BSD-2-Clause */
/* Defects and complaints (abi/proto/rs.h) by their names: one table for RS's log, for fs/proc and fs/dev,
 * and for service(8). */
#ifndef RT_DEFECT_H
#define RT_DEFECT_H

#include <stdint.h>

const char *defect_name(uint32_t defect); /* enum rs_defect: "killed"; "?": none of them */
const char *complaint_name(uint32_t why); /* enum rs_complaint: "deadline"; NULL: none of them */
/* "killed 9", "complaint deadline". Good until the next call. */
const char *defect_text(uint32_t defect, uint32_t detail);

#endif
