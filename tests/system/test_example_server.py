# SPDX-License-Identifier: BSD-2-Clause
"""The server of docs/writing-a-server.md, `servers/example/mailbox`: what it does, and that nobody notices its deaths; and a service that keeps its memory,
but that the system can do without: it is started, stopped, replaced and held like any other."""
import re

import inject_faults
from conftest import BUILD, TOP

INJECTOR = {"/etc/bardo/inject.svc": TOP / "tests/inject/inject.manifest", "/lib/bardo/inject": BUILD / "services/inject"}
UP = "service up mailbox && service wait mailbox && mknod /tmp/m c 241 0 || exit; "
# 300 letters through it, in order; two readers would share them
LETTERS = """
( i=0; while [ $i -lt 300 ]; do echo letter $i; i=$((i + 1)); done >/tmp/m ) &
i=0; while read -r x; do [ "$x" = "letter $i" ] || echo "wrong: $x, not $i"; i=$((i + 1)); [ $i = 300 ] && break; done </tmp/m; wait; echo "$i letters"
"""


def test_letters(boot, program):
    """Each write is a letter, each letter is read once, by the piece if need be; an empty one, and a full one, keep waiting, or do not if that is wanted."""
    out = boot(UP + "/mailbox_calls; rm /tmp/m; service down mailbox", add={"/mailbox_calls": program("mailbox_calls")}).out
    assert [line for line in out.splitlines() if not line.startswith("ok ")] == [] and out.count("ok ") == 6


def test_nobody_notices(boot):
    """It is killed every 0.3 ms, then dies at its Nth store in each step, for many N, while letters go through it, and while somebody waits."""
    fuses = "\n".join(f"service fuse mailbox {n}; echo again >/tmp/m; head -n 1 /tmp/m" for n in range(1, 200, 7))
    result = boot(UP + f"service storm mailbox 300{LETTERS}service storm mailbox 0\n{fuses}\nservice fuse mailbox 0\n"
                  "head -n 1 /tmp/m & usleep 100000; service kill mailbox; usleep 100000; echo late >/tmp/m; wait; service status mailbox", icount=True, leak_check=False)
    lines = result.out.splitlines()
    assert lines[:30] == ["300 letters"] + ["again"] * 29
    assert lines[30] == "late"
    assert int(re.search(r"^restarts +(\d+)$", result.out, re.M)[1]) > 100
    assert "mailbox: given up" not in result.klog


def test_as_others_are(boot):
    """A fresh copy when somebody asks for one, which knows of no letters; down, up, held; what would come next."""
    result = boot(UP + """
        echo old >/tmp/m; p=$(pidof mailbox); service kill mailbox; [ $(pidof mailbox) = $p ] && echo the same
        service restart mailbox; service wait mailbox; [ $(pidof mailbox) = $p ] || echo another
        echo new >/tmp/m; head -n 1 /tmp/m
        cat /tmp/m 2>&1 | grep -o 'Input/.*' & usleep 200000; service down mailbox; wait; cat /tmp/m 2>&1 | grep -o 'Input/.*'
        service up mailbox; service wait mailbox; service hold mailbox; service kill mailbox; usleep 200000; service status mailbox | grep '^state'
        service restart mailbox; service wait mailbox; echo fresh >/tmp/m; head -n 1 /tmp/m
        service policy mailbox | head -n 9; service restart vfs; service down ds; service down mailbox""")
    assert result.out.splitlines()[:8] == ["the same", "another", "new", "Input/output error", "Input/output error", "state             held", "fresh",
                                           "mailbox: up; letters: each write is one, and is read once"]
    assert "there is a fresh copy" in result.out
    assert result.out.count("not permitted (only root may, and what the system cannot do without stays)") == 2
    assert "mailbox: down" in result.klog and "mailbox: held for inspection" in result.klog


def fault(function, code):
    at = inject_faults.Program("mailbox").functions[function][0].address
    return f"mknod /tmp/inject c 240 0; echo 'mailbox {at:#x} text {at:#x} {code}' >/tmp/inject"


def test_request_that_spins(boot):
    """It hangs in one request each time: who asked for it gets EIO, the process goes on, and another program waits all the while for its letter."""
    result = boot(UP + f"p=$(pidof mailbox); head -n 1 /tmp/m & usleep 100000; {fault('letters_write', 'ebfe')}; echo one 2>&1 >/tmp/m | grep -o 'Input.*'; [ $(pidof mailbox) = $p ] && echo the same; "
                  "service status mailbox | grep 'last defect'; service restart mailbox; service wait mailbox; echo two >/tmp/m; wait", add=INJECTOR, leak_check=False)
    assert result.out.splitlines() == ["Input/output error", "the same", "last defect       heartbeat", "two"], result.out
    assert result.klog.count("a request that kills is refused") == 1


def test_when_nothing_helps(boot):
    """Whatever begins again dies at once: after a hundred deaths a fresh copy follows, and who has waited is served by that one. The system goes on."""
    result = boot(UP + f"p=$(pidof mailbox); head -n 1 /tmp/m & usleep 100000; {fault('undo_return', '0f0b')}; service kill mailbox; until grep -q 'mailbox exit 71' /proc/recovery; do usleep 10000; done; "
                  "service wait mailbox; [ $(pidof mailbox) = $p ] || echo another; echo fresh >/tmp/m; wait", add=INJECTOR, leak_check=False)
    assert result.out.splitlines() == ["another", "fresh"], result.out
    assert "mailbox: exit 71" in result.klog
