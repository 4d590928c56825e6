# SPDX-License-Identifier: BSD-2-Clause
"""The data store as people see it (`service store`), and what is in it when its servers die."""
import json
import re

import pytest

from conftest import BUILD, TOP

WAIT = """until_there() { n=0; while ! service store "$1" >/dev/null 2>&1; do n=$((n + 1)); [ $n -lt 200 ] || break; usleep 50000; done; }
"""


def value(text, key):
    found = re.search(rf"^{re.escape(key)} +\S+ +\S+ +\d+  (.*)$", text, re.M)
    return found and found[1]


def test_list(boot):
    """Names, values and snapshots, with who has them; of snapshots there are but the lengths. Anybody may look."""
    result = boot(WAIT + "until_there net/e0/address; until_there clock/at_boot; date +%s; service store net/e0/address; service store '*/at_boot'; "
                  "su user -c 'service store --json' >/tmp/all; cat /tmp/all; service store 'no*such'; echo status $?; service store a b; echo status $?; "
                  "service store 'net/*' | head -1; echo x >/dev/bardo-store; true", nics=["e1000"], leak_check=False)
    assert value(result.out, "net/e0/address") == "10.0.2.15/24 via 10.0.2.2", result.out
    now = int(re.search(r"^\d{10}$", result.out, re.M)[0])
    assert 0 <= now - int(value(result.out, "clock/at_boot")) < 600
    entries = json.loads(re.search(r"^\[\{.*\}\]$", result.out, re.M | re.S)[0])
    assert [e["key"] for e in entries] == sorted(e["key"] for e in entries)
    by = {(e["owner"], e["key"]): e for e in entries}
    assert by["net", "net"]["type"] == "name" and by["net", "net/e0/address"]["type"] == "text"
    assert by["dev", "seed"] == {"key": "seed", "owner": "dev", "type": "snapshot", "length": 32, "value": None}
    assert by["clock", "clock/at_boot"]["length"] == 8 and isinstance(by["clock", "clock/at_boot"]["value"], int)
    assert by["tty", "chr/4"]["type"] == "name"
    assert "no key matches no*such" in result.out and result.out.count("status 1") == 1
    assert "status 2" in result.out and "Permission denied" in result.out


def test_outlives(boot):
    """A value is there while its owner dies, and DS: at any moment, again and again."""
    result = boot(WAIT + "until_there net/e0/address; n=0; service storm ds 300; "
                  "while [ $n -lt 20 ]; do n=$((n + 1)); kill -9 $(pidof net) $(pidof dev); service kill null; service store 'n*/*'; done; "
                  "service storm ds 0; service wait null; service store null/incarnations; service list ds", nics=["e1000"], leak_check=False)
    assert len(re.findall(r"^net/e0/address +net +text .*10\.0\.2\.15/24", result.out, re.M)) == 20, result.out
    counts = [int(n) for n in re.findall(r"^null/incarnations +null +integer +8  (\d+)$", result.out, re.M)]
    assert counts == sorted(counts) and counts[-1] == 21, counts
    assert int(re.search(r"^ds +\d+ up .*", result.out, re.M)[0].split()[5]) > 10, result.out


TURNS = 500
DS = (TOP / "servers/ds/ds.svc").read_text()  # which says who is notified


def player(peer, more=""):
    return f"class server\ncalls rs ds\nstart 31\npriority 3\nmemory 1M\nrestart no\ninstances on-request\nparameters peer={peer} turns={TURNS} {more}\n"


@pytest.mark.parametrize("order, number", [("storm", 300), ("fuse", 60)])
def test_no_change_is_lost(boot, order, number):
    """Two services (tests/services/pingpong.c) that go on only when all changes of the other have been told, by a pattern with wildcards, each once; DS dies at
    random instants, or at random stores, all the time."""
    program = BUILD / "services/pingpong"
    result = boot(f"service {order} ds {number}; service up pong; service up ping; n=0; until [ $(service log | grep -c 'p[io]ng: {TURNS} turns') = 2 ] || [ $n = 300 ]; do "
                  f"n=$((n + 1)); usleep 100000; done; service {order} ds 0; service list ds; service list ping; service list pong; service store 'p?ng/*'", icount=True, timeout=200, leak_check=False,
                  add={"/lib/bardo/ping": program, "/lib/bardo/pong": program, "/etc/bardo/ping.svc": player("pong", "serves"), "/etc/bardo/pong.svc": player("ping"), "/etc/bardo/ds.svc": DS.replace("vfs", "vfs ping pong")})
    for name in ("ping", "pong"):
        assert re.search(rf"\] {name}: {TURNS} turns, {4 * TURNS} changes$", result.klog, re.M), result.klog[-3000:]
        assert re.search(rf"^{name} +\d+ up +\d+ s +0 none", result.out, re.M), result.out
        for key, there in {f"{name}/{what}{n}": what != "ball" or n != 3 for what in ("ball", "wall") for n in range(4)}.items():
            assert value(result.out, key) == (str(TURNS - 1) if there else None), (key, result.out)
    deaths = int(re.search(r"^ds +\d+ up .*", result.out, re.M)[0].split()[5])
    print(f"{deaths} deaths of ds in {2 * TURNS} turns")
    assert deaths > 100, result.out


def test_nobody_waits_for_what_is_never_told(boot):
    """One that DS may not notify is told so when it subscribes."""
    result = boot("service up pong; sleep 0.3; service list pong", add={"/lib/bardo/pong": BUILD / "services/pingpong", "/etc/bardo/pong.svc": player("ping")}, leak_check=False)
    assert "pong: cannot subscribe to ping/b*l?: EPERM" in result.klog and re.search(r"^pong +0 down .* exit", result.out, re.M), result.out
