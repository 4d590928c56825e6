# SPDX-License-Identifier: BSD-2-Clause
"""A request that kills its server each time fails with EIO, for its caller alone: of every server that keeps its memory. Meanwhile programs of every kind go on (tests/programs/others.c), and
in the end there is as much memory as before, and nobody has been replaced by a fresh copy."""
import re

import pytest

from conftest import TOP
from test_campaign import INJECTOR
from test_rolled_back import address_in, bytes_at, deaths

EXCEPTION, HANG = "0f0b", "ebfe"  # ud2; a jump to itself
REQUESTS = {  # server: the function where it dies, what comes there, and what is said when it failed and when not
    "rs": ("control_storm", "service storm null 0 2>&1", "service: storm null: I/O error", ""),
    "ds": ("list", "service store net 2>&1 | tail -n 1 | cut -d' ' -f1,2", "service: /dev/bardo-store:", "net "),
    "vm": ("sys_mremap", "request move", "move: I/O error", "move: ok"),
    "pm": ("sys_getpriority", "request nice", "nice: I/O error", "nice: ok"),
    "vfs": ("symlink_at", "request link", "link: I/O error", "link: ok"),
    "net": ("listen_on", "request listen", "listen: I/O error", "listen: ok"),
    "ram": ("make_symlink", "request link", "link: I/O error", "link: ok")}
PLACES = {"ram": "servers/fs/ram/ram.svc"}
TIMES = 3


def quick(server):
    """Its manifest: who hangs is found soon."""
    return {f"/etc/bardo/{server}.svc": re.sub(r"heartbeat .*", "heartbeat 100", (TOP / PLACES.get(server, f"servers/{server}/{server}.svc")).read_text())}


def planted(server, function, code):
    """Shell: plant it, and take it back."""
    place = address_in(server, function)
    return tuple(f"echo '{server} 0 text 0x{place} {what}' >&4" for what in (code, bytes_at(server, place, len(code) // 2)))


@pytest.mark.parametrize("server, code", [*((server, EXCEPTION) for server in REQUESTS), *((server, HANG) for server in REQUESTS if server != "rs")],
                         ids=lambda value: {EXCEPTION: "exception", HANG: "hang"}.get(value, value))  # RS that hangs: test_poison_of_rs
def test_poison(boot, program, server, code):
    function, request, failed, done = REQUESTS[server]
    plant, mend = planted(server, function, code)
    defect = "exception 6" if code == EXCEPTION else "heartbeat [01]"
    result = boot(f"""mknod /tmp/inject c 240 0; exec 4>/tmp/inject; chmod 755 /bin/request /bin/others
        others "{plant}; {f"{request}; " * TIMES}{mend}; {request}"
        exec 4>&-; rm /tmp/inject; sleep 0.1; echo ==; grep -c '^[0-9]* {server} {defect} .* rolled-back' /proc/recovery; service list""",
                  add={**INJECTOR, **quick(server), "/bin/request": program("request"), "/bin/others": program("others")}, icount=True, leak_check=code == EXCEPTION)
    said, after = result.out.split("==\n")
    assert said.splitlines() == [failed] * TIMES + [done] * (done != ""), said
    assert int(after.split()[0]) >= 1 and result.klog.count(f"{server}: undo: a request that kills is refused") >= TIMES, result.out
    died = deaths(after)
    assert died[server] >= TIMES and sum(died.values()) == died[server], after
