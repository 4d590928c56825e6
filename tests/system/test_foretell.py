# SPDX-License-Identifier: BSD-2-Clause
"""service wait, service policy: what they say is what comes."""
import json
import re

from test_faults import faulty
from test_service import manifest

NIC = ["e1000"]


def test_wait(boot):
    """Until it is up; one that will not be is said to be so at once, one that is late when the time is over."""
    out = boot("""exec 2>&1; service wait e1000 && echo 1 up; service restart e1000 --delay 300; service wait e1000 && echo 2 still up
        service down e1000; until service list e1000 | grep -q ' down '; do :; done; service wait e1000; echo 3 $?; service up e1000; service wait e1000 --timeout 60 && echo 4 up
        service wait e1000 --timeout 0; echo 5 $?; service wait rtl8139; echo 6 $?; service wait nosuch; echo 7 $?
        service wait; echo 8 $?; service wait e1000 --timeout 1e3; echo 9 $?; service wait e1000 --timeout; echo 10 $?; service list --timeout 3; echo 11 $?; service wait a b; echo 12 $?
        service kill proc; service wait proc && echo 13 up""", nics=NIC, leak_check=False).out
    usage = "Try 'service --help'.\n"
    assert out == ("1 up\n2 still up\nservice: wait e1000: it is down: 'service up' starts it\n3 1\n4 up\n5 0\n"
                   "service: wait rtl8139: its device is not in this machine\n6 1\nservice: wait nosuch: there is no such service\n7 1\n"
                   f"service: which service?\n{usage}8 2\nservice: --timeout needs a number of seconds, 999999.999 at most: 1e3 is none\n{usage}9 2\n"
                   f"service: --timeout needs a number of seconds, 999999.999 at most\n{usage}10 2\nservice: --timeout does not go with list\n{usage}11 2\n"
                   f"service: one name at a time, not b\n{usage}12 2\n13 up\n")


def dying(**changes):
    """A driver that dies before it is ready, each time; it is not started at boot."""
    return faulty("exit", delay=0, times=0, instances="on-request", **changes)


def test_wait_for_one_that_is_late(boot):
    """It waits for ten minutes."""
    out = boot("""exec 2>&1; service up faulty; service wait faulty --timeout 0.3; echo $?; service policy faulty | grep '^    [0-9]'""",
               add=dying(budget="1 60", backoff="0 600000 600000"), leak_check=False).out
    assert out == "service: wait faulty: it is not up in time (backoff)\n1\n    2         given up\n"


def test_policy_comes_true(boot):
    """What is foretold, failure by failure; then they come."""
    result = boot("""service policy faulty --json; echo ==; service policy faulty; echo ==; service up faulty; service wait faulty; echo $?; service log faulty""",
                  add=dying(budget="2 60", backoff="1 50 1000", dependents="null", device="isa"), leak_check=False)
    before, text, after = result.out.split("==\n")
    first = json.loads(before)
    assert [(step["failure"], step["what"], step["delay_ms"], step["device"]) for step in first["steps"]] == [
        (1, "restart", 0, "reset"), (2, "restart", 50, "reset"), (3, "give-up", 0, "reset")]
    assert (first["failures"], first["budget"], first["window_s"], first["script"], first["dependents"], first["keeps_memory"]) == (0, 2, 60, None, ["null"], False)
    assert re.search(r"^    1 +at once, \+ others +reset by the fresh copy\n    2 +after 50 ms, \+ others +reset by the fresh copy\n    3 +given up +stopped", text, re.M)
    assert "these are restarted, too:\n    null\n" in text and max(map(len, text.splitlines())) < 81
    assert after.startswith("service: wait faulty: it is given up: 'service up' starts it again\n1\n")
    assert "faulty: 2 failures in 60 s; restart in 50 ms" in after and "faulty: given up after 3 failures in 60 s" in after and after.count("restart in") == 1


def test_policy_of_all_kinds(boot):
    """With an alternate, with a script, by an ISA device, without a restart, one that keeps its memory, RS itself; and who has none."""
    add = manifest(budget="1 60", backoff="1 50 1000", alternate="null", policy="/etc/bardo/policy/generic.sh -m root", deadline="700")
    add["/etc/bardo/null.svc"] = "class server\nrestart no\ncalls rs ds\n"
    out = boot("""service wait e1000; for s in e1000 uart null vfs rs uart.1; do service policy $s; echo ==; done; service policy nosuch 2>&1; echo $?; service check /etc/bardo/uart.svc; rm /etc/bardo/lp.svc; service policy lp 2>&1; echo $?
        service policy 2>&1; echo $?""", nics=NIC, add=add, leak_check=False).out
    e1000, uart, null, vfs, rs, second, rest = out.split("==\n")
    assert re.search(r"^    2 +its alternate, null +reset by the fresh copy$", e1000, re.M) and "a budget of its\nown: 1 failures in 60 s" in e1000
    assert "A script decides first:\n    /etc/bardo/policy/generic.sh -m root\nIt has 700 ms;" in e1000
    assert "reset by the fresh copy" in uart and "from outside" not in uart and second.startswith("uart.1: refused")
    assert "It stays down when it ends" in null and "FAILURE" not in null
    assert "keeps its memory" in vfs and "the system stops" in vfs and "after 100 deaths" in rs
    assert rest == ("service: policy nosuch: there is no such service\n1\n/etc/bardo/uart.svc: good\n"
                    "service: policy lp: its manifest in /etc/bardo is not there, or broken: 'service check' says how\n1\n"
                    "service: which service?\nTry 'service --help'.\n2\n")
