/* SPDX-License-Identifier: BSD-2-Clause */
/* Errors by their names, for logs. */
#ifndef RT_ERROR_H
#define RT_ERROR_H

/* "ENODEV", of an errno or of its negative; "error 133" for one that has no name here. Good until
 * the next call. */
const char *error_name(long error);

#endif
