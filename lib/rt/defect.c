/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/rt/defect.h"

#include <stdio.h>

#include "abi/proto/rs.h"

const char *defect_name(uint32_t defect)
{
    static const char *const names[DEFECTS] = {
        [DEFECT_NONE] = "none",           [DEFECT_EXIT] = "exit",
        [DEFECT_EXCEPTION] = "exception", [DEFECT_KILLED] = "killed",
        [DEFECT_HEARTBEAT] = "heartbeat", [DEFECT_COMPLAINT] = "complaint",
        [DEFECT_UPDATE] = "update",       [DEFECT_BUDGET] = "budget",
        [DEFECT_STORM] = "storm",         [DEFECT_DMA] = "dma",
    };

    return defect < DEFECTS ? names[defect] : "?";
}

const char *complaint_name(uint32_t why)
{
    static const char *const names[] = {
        [COMPLAINT_PROTOCOL] = "protocol", [COMPLAINT_DEADLINE] = "deadline",
        [COMPLAINT_DATA] = "data",         [COMPLAINT_SILENCE] = "silence",
        [COMPLAINT_USELESS] = "useless",   [COMPLAINT_INDEX] = "index",
        [COMPLAINT_LENGTH] = "length",
    };

    return why < sizeof names / sizeof *names ? names[why] : NULL;
}

const char *defect_text(uint32_t defect, uint32_t detail)
{
    static char text[32];
    const char *why = defect == DEFECT_COMPLAINT ? complaint_name(detail) : NULL;

    if (why)
        snprintf(text, sizeof text, "%s %s", defect_name(defect), why);
    else
        snprintf(text, sizeof text, "%s %u", defect_name(defect), detail);
    return text;
}
