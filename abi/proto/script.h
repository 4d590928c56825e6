/* SPDX-License-Identifier: BSD-2-Clause */
/* What the policy runner tells RS with RS_SCRIPT_DONE, beside the exit status of a script (0 to 255): that it
 * could not be run, or not to its end. */
#ifndef ABI_PROTO_SCRIPT_H
#define ABI_PROTO_SCRIPT_H

enum script_status {
    SCRIPT_MISSING = 256,
    SCRIPT_NOT_EXECUTABLE, /* or no file */
    SCRIPT_TOO_LATE /* it was ended at its deadline */
};

#endif
