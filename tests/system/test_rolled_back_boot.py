# SPDX-License-Identifier: BSD-2-Clause
"""Servers that keep their memory die before they were ready, and in the midst of the boot, when those whom they serve are being started: by a debugger, since there is no shell yet."""
import random

import pytest

from deathpoint import STOP, DeathPoint
from test_rolled_back import deaths

# of each what runs again and again while the system boots, each time in a step of its own
AT_WORK = {"rs": ["request_ready", "request_may_publish", "request_queue"], "ds": ["publish", "retrieve", "subscribe"], "vm": ["page_fault_now", "vm_fork", "sys_mmap"],
           "pm": ["sys_rt_sigaction", "clone_do", "pm_exec"], "vfs": ["path_find_user", "sys_openat", "sys_close"], "net": ["notified", "with_socket"], "ram": ["attributes", "open_node"]}
DEATHS, APART = 4, 10  # so many hits at least between two deaths: a step that kills twice is refused


WORK = """
n=0; while [ $n -lt 10 ]; do [ "$(echo a$n | cat | cat)" = a$n ] || echo BAD pipe $n; n=$((n + 1)); done
head -c 500000 /dev/urandom >/tmp/a; cp /tmp/a /tmp/b; cmp /tmp/a /tmp/b; trap 'got=1' USR1; (kill -USR1 $$); [ "$got" = 1 ] || echo BAD signal
nc -l -p 7000 -e cat /tmp/a & usleep 50000; nc 127.0.0.1 7000 </dev/null | cmp - /tmp/a; wait
"""


def booted(boot, death):
    """The system boots, and all is well."""
    result = boot(WORK + "rm -rf /tmp/*; echo ==; service list", qemu=death.arguments + " -S", icount=True, timeout=12, leak_check=False)
    work, listed = result.out.split("==\n")
    assert work == "" and "undo:" not in result.klog, work
    return deaths(listed)


@pytest.mark.parametrize("server, point, steps", [(server, point, steps) for server in AT_WORK for point, steps in (("main", 0), ("spawn_fresh" if server == "rs" else "service_ready", 0))] + [("rs", "undo_mirror", 60)])
def test_before_it_was_ready(boot, tmp_path, server, point, steps):
    """In its first step, which is all that it does before its first message: at its beginning, and when it is about to say that it is ready (RS, which tells nobody: when it starts the first of
    the others); RS also when that step is done, of which it has a log of more than a megabyte, and not all of it is in the mirrors."""
    death = DeathPoint(tmp_path, server, [point], lambda hit, name: steps if hit == 1 else STOP)
    died = booted(boot, death)
    print(death.hits, death.deaths, died[server])
    assert death.deaths == 1 and died[server] == 1, died


@pytest.mark.parametrize("server", AT_WORK)
def test_in_the_boot(boot, tmp_path, server):
    """Some instructions after one of these functions was entered, from the first time on."""
    chance, last, died = random.Random(server), [-APART], []

    def decide(hit, name):
        if len(died) == DEATHS:
            return STOP
        if hit - last[0] < APART:
            return None
        last[0] = hit
        died.append(name)
        return chance.randrange(120)

    death = DeathPoint(tmp_path, server, AT_WORK[server], decide)
    listed = booted(boot, death)
    print(death.deaths, died, listed[server])
    assert death.deaths >= DEATHS - 1 and listed[server] == death.deaths, listed  # (one may come when the steps have led into the kernel)
