/* SPDX-License-Identifier: BSD-2-Clause */
/* The ioctls of virtual consoles that chvt, fgconsole and openvt need: ioctl_console(2). */
#include <errno.h>

#include "lib/rt/kernel.h"
#include "servers/tty/tty.h"

/* Linux's numbers: linux/kd.h, linux/vt.h. */
enum {
    KDGKBTYPE = 0x4b33,
    KDSETMODE = 0x4b3a,
    KDGETMODE = 0x4b3b,
    KDGKBMODE = 0x4b44,
    VT_OPENQRY = 0x5600,
    VT_GETMODE = 0x5601,
    VT_GETSTATE = 0x5603,
    VT_ACTIVATE = 0x5606,
    VT_WAITACTIVE = 0x5607,
    KB_101 = 2, /* the type of keyboards with so many keys */
    KD_TEXT = 0, /* the mode of a console: it shows text */
    K_UNICODE = 3, /* the mode of its keyboard: keys come as UTF-8 */
    VT_AUTO = 0, /* who switches consoles asks nobody */
};
struct vt_mode {
    uint8_t mode, waits;
    int16_t release_signal, acquire_signal, unused;
};
struct vt_state {
    uint16_t active, signal, used; /* used: bit n: console n, 0: that which is shown */
};

static uint16_t number_shown(void)
{
    return (uint16_t)(console_shown() - console_at(0) + 1);
}

/* Who sits at a console may look at another one, and root. */
static bool may_switch(const struct message *m)
{
    struct person who;

    if (!person_ask(message_caller(m), &who))
        return false;
    for (uint32_t n = 0; n < SCREENS; n++)
        if (who.session != 0 && console_at(n)->session == who.session)
            return true;
    return who.uid == 0;
}

static long activate(const struct message *m)
{
    const struct file_ioctl_request *r = message_words(m);

    if (!may_switch(m))
        return -EPERM;
    if (r->argument == 0 || r->argument > SCREENS)
        return -ENXIO;
    if (r->argument != number_shown()) {
        console_show((uint32_t)r->argument - 1);
        keyboard_save();
    }
    return 0;
}

/* VT_ACTIVATE is done when it returns: there is nothing to wait for but another person. */
static long wait_active(const struct message *m)
{
    const struct file_ioctl_request *r = message_words(m);

    if (r->argument == 0 || r->argument > SCREENS)
        return -ENXIO;
    return r->argument == number_shown() ? 0 : -EINTR;
}

static long give(const struct message *m, const void *value, size_t size)
{
    const struct file_ioctl_request *r = message_words(m);

    return copy_to(message_caller(m), r->argument, value, size) < 0 ? -EFAULT : 0;
}

static long give_state(const struct message *m)
{
    struct vt_state state = {.active = number_shown(), .used = 1};

    for (uint32_t n = 0; n < SCREENS; n++)
        state.used |= (uint16_t)((console_at(n)->session > 0) << (n + 1));
    return give(m, &state, sizeof state);
}

static long give_free(const struct message *m)
{
    int32_t number = -1;

    for (uint32_t n = SCREENS; n-- > 0;)
        if (console_at(n)->session == 0)
            number = (int32_t)n + 1;
    return give(m, &number, sizeof number);
}

static long give_mode(const struct message *m)
{
    struct vt_mode mode = {.mode = VT_AUTO};

    return give(m, &mode, sizeof mode);
}

long vt_control(const struct message *m)
{
    const struct file_ioctl_request *r = message_words(m);
    static const uint8_t keyboard_type = KB_101;
    static const int32_t text = KD_TEXT, unicode = K_UNICODE;

    switch (r->request) {
    case VT_ACTIVATE:
        return activate(m);
    case VT_WAITACTIVE:
        return wait_active(m);
    case VT_GETSTATE:
        return give_state(m);
    case VT_OPENQRY:
        return give_free(m);
    case VT_GETMODE:
        return give_mode(m);
    case KDGKBTYPE:
        return give(m, &keyboard_type, sizeof keyboard_type);
    case KDGETMODE:
        return give(m, &text, sizeof text);
    case KDSETMODE:
        return r->argument == KD_TEXT ? 0 : -EINVAL;
    case KDGKBMODE:
        return give(m, &unicode, sizeof unicode);
    default:
        return -ENOTTY;
    }
}
