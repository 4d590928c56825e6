/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/fs/device.h"

#include <errno.h>
#include <sys/uio.h>

#include "lib/rt/kernel.h"

enum { SEGMENTS_MAX = 1024 /* of a vector, as in Linux */, AT_ONCE = 16 };

long device_back(struct message *m, long result)
{
    struct file_reply *reply = message_words(m);

    if (message_via(m) == 0)
        return result;
    reply->result = result;
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
    const struct file_transfer_request *r = message_words(request); /* or another with `back` */

    if (result == SERVICE_NO_REPLY)
        return result;
    if (r->back & FILE_BACK)
        device_back_later(request, result);
    else
        ipc_reply_result(message_caller(request), result);
    return SERVICE_NO_REPLY;
}

long device_stat(struct message *m, uint64_t rdev, uint32_t mode, uint32_t gid)
{
    const struct file_stat_request *r = message_words(m);
    struct file_stat_reply *reply = message_words(m);
    struct fs_attributes a = {.mode = S_IFCHR | mode, .links = 1, .gid = gid, .rdev = rdev};
    struct stat out;

    if (!(r->back & FILE_BACK)) {
        fs_fill_stat(r->node, &a, &out);
        return copy_to(message_caller(m), r->address, &out, sizeof out);
    }
    message_halves(&reply->mode, a.mode, a.links);
    reply->size = 0;
    message_halves(&reply->uid, 0, a.gid);
    reply->rdev = a.rdev;
    reply->mtime_ns = 0;
    return device_back(m, 0);
}

long device_piece(const struct message *m, uint64_t done, uint64_t *address, uint64_t *length)
{
    const struct file_transfer_request *r = message_words(m);
    struct iovec v[AT_ONCE];

    *address = r->address + done;
    *length = r->length - done;
    if (m->type == FILE_READ || m->type == FILE_WRITE)
        return 0;
    *length = 0;
    if (r->length > SEGMENTS_MAX)
        return -EINVAL;
    for (uint64_t i = 0; i < r->length; i++) {
        uint64_t k = i % AT_ONCE, rest = r->length - i;

        if (k == 0 && copy_from(message_caller(m), r->address + i * sizeof *v, v,
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
