# SPDX-License-Identifier: BSD-2-Clause
"""What an unprivileged user takes, others still have."""
import re

import pytest


BOMB = """chmod 755 /bomb; /bomb {users} >/tmp/groups; sleep 2
echo "processes $(ls -d /proc/[1-9]* | wc -l)"
for i in 1 2 3 4 5 6 7 8 9 10; do (true) && cat /etc/hostname; done
for i in 1 2 3; do
    kill -9 $(pidof e1000); sleep 1
    ping -c 1 -W 5 10.0.2.2 | grep -c '1 packets received'
done
service list e1000
kill -9 $(cat /tmp/groups); rm /tmp/groups
sleep 1; echo "processes $(ls -d /proc/[1-9]* | wc -l)"
"""


def bomb(boot, program, users):  # noqa: F811
    out = boot(BOMB.format(users=users), add={"/bomb": program("bomb")}, nics=["e1000"], timeout=200, leak_check=False).out
    during, after = map(int, re.findall(r"^processes (\d+)$", out, re.M))
    assert out.count("bardo\n") == 10 and len(re.findall(r"^1$", out, re.M)) == 3
    assert re.search(r"^e1000 +\d+ up +\d+ s +3 killed", out, re.M)
    return during, after


def test_fork_bomb(boot, program):
    """One user has no more processes than RLIMIT_NPROC says; root goes on, and a driver that dies meanwhile comes back."""
    during, after = bomb(boot, program, "1000")
    assert 256 < during < 300 and after < 60


def test_fork_bombs(boot, program):
    """Several users together would take all slots there are: the last ones are root's."""
    during, after = bomb(boot, program, "1000 1001 1002")
    assert 400 < during < 540 and after < 60


def test_init_lives(boot, program):
    """Nobody ends init by a signal, and reboot(2) does nothing of what it does not know."""
    out = boot("chmod 755 /init_lives; /init_lives; echo alive", add={"/init_lives": program("init_lives")}, leak_check=False).out
    assert out == "ok exit signals\nok signals\nok commands\nalive\n"


@pytest.mark.parametrize("step, kilobytes", [(499, 16000), (499, 40), (13, 0)], ids=["in parts", "at once", "vfork"])
def test_kill_of_a_group_that_forks(boot, program, step, kilobytes):
    """Nobody outlives it, at whatever moment it comes, be it that the space of a child is being copied. (On a machine that takes 8 ns for an instruction, so that a fork takes long.)"""
    out = boot(f"chmod 755 /kill_forks; /kill_forks 60 {step} {kilobytes}; ps | grep -c '[k]ill_forks'", add={"/kill_forks": program("kill_forks")},
               icount=True, qemu="-icount shift=3,sleep=off", timeout=20, leak_check=False, expect=1).out
    assert out == "60 groups, 0 of which somebody is left\n0\n"


def test_terminal_with_many_readers(boot):
    """A hundred programs of a user wait for a terminal: who comes after them waits as well, and is not sent away."""
    out = boot("chmod 666 /dev/ttyS1; su -s /bin/sh user -c 'for n in $(seq 100); do head -c 1 /dev/ttyS1 & done; sleep 20' >/dev/null 2>&1 & sleep 2; echo readers $(pidof head | wc -w); "
               "timeout 1 head -c 1 /dev/ttyS1; echo $?; kill -9 $(pidof head) $!; wait; chmod 660 /dev/ttyS1", qemu="-chardev null,id=line -device isa-serial,chardev=line,index=1", leak_check=False).out
    assert out == "readers 100\nTerminated\n143\n"
