/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/fs/device.h"

#include <errno.h>
#include <sys/uio.h>

#include "lib/rt/kernel.h"

enum { SEGMENTS_MAX = 1024 /* of a vector, as in Linux */, AT_ONCE = 16 };

long device_back(struct message *m, long result)
{
    if (message_via(m) == 0)
        return result;
    m->w[0] = (uint64_t)result;
    m->type = FILE_BACK_RESULT;
    ipc_forward(message_caller(m), message_via(m), m); /* fails only when it or VFS has died */
    return SERVICE_NO_REPLY;
}

void device_back_later(const struct message *request, long result)
{
    struct message m = *request;

    if (device_back(&m, result) != SERVICE_NO_REPLY)
        ipc_reply_result(message_caller(request), result);
}

long device_answer(const struct message *request, long result)
{
    if (result == SERVICE_NO_REPLY)
        return result;
    if (request->w[5] & FILE_BACK)
        device_back_later(request, result);
    else
        ipc_reply_result(message_caller(request), result);
    return SERVICE_NO_REPLY;
}

long device_stat(struct message *m, uint64_t rdev, uint32_t mode, uint32_t gid)
{
    struct fs_attributes a = {.mode = S_IFCHR | mode, .links = 1, .gid = gid, .rdev = rdev};
    struct stat out;

    if (!(m->w[5] & FILE_BACK)) {
        fs_fill_stat(m->w[0], &a, &out);
        return copy_to(message_caller(m), m->w[1], &out, sizeof out);
    }
    m->w[1] = a.mode | (uint64_t)a.links << 32;
    m->w[2] = 0;
    m->w[3] = (uint64_t)a.gid << 32;
    m->w[4] = a.rdev;
    m->w[5] = 0;
    return device_back(m, 0);
}

long device_piece(const struct message *m, uint64_t done, uint64_t *address, uint64_t *length)
{
    struct iovec v[AT_ONCE];

    *address = m->w[1] + done;
    *length = m->w[2] - done;
    if (m->type == FILE_READ || m->type == FILE_WRITE)
        return 0;
    *length = 0;
    if (m->w[2] > SEGMENTS_MAX)
        return -EINVAL;
    for (uint64_t i = 0; i < m->w[2]; i++) {
        uint64_t k = i % AT_ONCE, rest = m->w[2] - i;

        if (k == 0 && copy_from(message_caller(m), m->w[1] + i * sizeof *v, v,
                                (rest < AT_ONCE ? rest : AT_ONCE) * sizeof *v) < 0)
            return -EFAULT;
        if (done < v[k].iov_len) {
            *address = (uint64_t)v[k].iov_base + done;
            *length = v[k].iov_len - done;
            return 0;
        }
        done -= v[k].iov_len;
    }
    return 0;
}

long device_no_sync(struct message *m)
{
    return device_answer(m, -EINVAL);
}

long device_no_change(struct message *m)
{
    return device_back(m, -EINVAL);
}

long device_no_map(struct message *m)
{
    return device_back(m, -ENODEV);
}
