# SPDX-License-Identifier: BSD-2-Clause
"""Strategies, ladders, and what follows at the end: who is restarted with whom, what is tried of one that does not last, and when nothing has helped."""
import json
import re

from conftest import BUILD
from test_faults import MANIFEST
from test_service import NIC, manifest
from test_ext4 import check, contents, make
from test_disk import attached

# wait_for SERVICE PATTERN: until its line in `service list` matches; ten seconds at most
WAIT = """wait_for() { n=0; until service list $1 | grep -q "$2"; do n=$((n + 1)); [ $n -lt 500 ] || return 1; usleep 20000; done; }
counts() { for s in "$@"; do service list $s | sed -n "s/^$s .* s  *\\([0-9]*\\) .*/\\1/p"; done | tr "\\n" " "; echo; }
"""


def service(name, fault="none", delay=0, times=0, **changes):
    """A copy of the driver that misbehaves, called `name`."""
    changes.setdefault("parameters", f"fault={fault} delay_ms={delay} times={times}")
    changes = {key.replace("_", "-"): value for key, value in changes.items()}
    kept = [line for line in MANIFEST.splitlines() if line.split()[:1] and line.split()[0] not in changes]
    return {f"/etc/bardo/{name}.svc": "\n".join(kept + [f"{key} {value}" for key, value in changes.items()]) + "\n", f"/lib/bardo/{name}": BUILD / "services/faulty"}


def test_strategies(boot):
    """A group of three that name one another, and net, which keeps its memory: who fails, and who is fresh afterwards; one that is down stays down. Two that name each
    other and die within the same moment do not go round in circles."""
    group = "first second third net"
    add = {**service("first", start=5, dependents=group, strategy="all"), **service("second", start=6, dependents=group, strategy="rest"),
           **service("third", start=7, dependents=group, strategy="one"), **service("user", start=8, calls="rs ds alone"), **service("alone", start=7, strategy="rest"),
           **service("a", "exit", delay=300, times=1, dependents="b", instances="on-request"), **service("b", "exit", delay=300, times=1, dependents="a", instances="on-request")}
    result = boot(WAIT + """again() { was=$(counts $1); service kill $1; n=0; until [ "$(counts $1)" != "$was" ] || [ $n = 500 ]; do n=$((n + 1)); usleep 20000; done
            service wait $1; usleep 100000; for s in first second third user alone; do service wait $s --timeout 1 2>/dev/null; done; counts first second third net user alone; }
        for s in first second third user alone; do service wait $s; done; pid=$(pidof net)
        again first; again second; again third; again alone; service down third; wait_for third ' down '; again first; service list third | grep -c ' down '
        [ $pid = $(pidof net) ] && echo net goes on; service policy second --json; service policy alone | grep -A 1 restarted
        grep -c ' update ' /proc/recovery; service status first | grep failures; service up a; service up b; for s in a b; do wait_for $s 'up .* s  *[1-9]'; done; usleep 500000
        counts a b; usleep 500000; counts a b""", add=add, leak_check=False)
    lines = result.out.splitlines()
    assert lines[:5] == ["1 1 1 0 0 0 ", "1 2 2 0 0 0 ", "1 2 3 0 0 0 ", "1 2 3 0 1 1 ", "2 3 3 0 1 1 "] and lines[5:7] == ["1", "net goes on"], result.out
    foretold = json.loads(result.out[result.out.index("{"):result.out.index("}]}") + 3])
    assert (foretold["strategy"], foretold["dependents"]) == ("rest", ["third"]) and all(step["dependents"] for step in foretold["steps"][:-1])
    assert "these are restarted, too:\n    user\n" in result.out and re.search(r"^failures +0 ", result.out, re.M)
    assert lines[-1] == lines[-2] and all(1 <= int(n) <= 2 for n in lines[-1].split()), result.out
    updates = len(re.findall(r"(?:first|second|third|user): restarted with (?:first|second|alone) ", result.klog))
    assert updates == 5 and "\n5\n" in result.out, result.klog


LADDER = "restart dependents alternate give-up"


def test_ladder_to_its_end(boot):
    """Rung by rung, as it was foretold: the dependents, the other program, which climbs it again, the end long before the budget's; then a script, which is
    told why, and not asked twice in a row when it starts the service again. Beside it one that is held at the end of its budget, and goes on from there, and one of whom a script decides from a rung on."""
    add = {**service("faulty", "exit", delay=60, alternate="spare", ladder=LADDER, dependents="user", budget="20 60", instances="on-request", at_end="script /etc/bardo/policy/end.sh a b"),
           "/lib/bardo/spare": BUILD / "services/faulty", **service("user"),
           "/etc/bardo/policy/end.sh": "#!/bin/sh\necho \"$@\" >/tmp/told\nservice status $1 | grep ^state >>/tmp/told\n",
           **service("again", "exit", delay=0, budget="1 60", instances="on-request", at_end="script /etc/bardo/policy/again.sh"),
           "/etc/bardo/policy/again.sh": "#!/bin/sh\necho $1 >>/tmp/again\nservice up $1\n",
           **service("kept", "exit", delay=0, budget="1 60", instances="on-request", at_end="hold"),
           **service("asked", "exit", delay=60, times=2, ladder="restart restart script", policy="/etc/bardo/policy/test.sh", instances="on-request"),
           "/etc/bardo/policy/test.sh": "#!/bin/sh\necho $1 $3 >>/tmp/asked\nservice restart $1\n"}
    result = boot(WAIT + """sleep 0.3; service policy faulty --json; service policy faulty; service check /etc/bardo/faulty.svc; service up faulty; wait_for faulty given-up; counts faulty user
        n=0; until grep -q state /tmp/told 2>/dev/null || [ $n = 200 ]; do n=$((n + 1)); usleep 20000; done; cat /tmp/told; service up kept; wait_for kept held; counts kept; service corpse kept | grep -c ^kept:
        service policy kept | grep -A 1 -e '^    [0-9]' -e held; service restart kept; usleep 50000; wait_for kept held; counts kept; service corpse | grep -c 'kept .* held'
        service policy asked | grep script; service up asked; wait_for asked 'up .* 2 exit' && cat /tmp/asked
        service up again; n=0; until service log again | grep -q 'has not helped' || [ $n = 200 ]; do n=$((n + 1)); usleep 20000; done; usleep 300000; cat /tmp/again; service list again | grep -c given-up""", add=add, leak_check=False)
    out = result.out
    foretold = json.loads(out[:out.index("}]}") + 3])
    assert [(step["what"], step["dependents"]) for step in foretold["steps"]] == [("restart", True), ("alternate", True)] and foretold["at_end"] == "script", out
    assert "Then this script is run, with the reason:\n    /etc/bardo/policy/end.sh a b\n" in out and "faulty.svc: good\n" in out
    # (two of the first program; of the other the first, that on the rung of the dependents, and that on the rung of the alternate, which it is already)
    assert re.search(r"^4 3 \nfaulty 1 3 ladder a b\nstate +given-up\n0 \n2\n", out, re.M), out
    assert "from now on its alternate, spare, is tried" in result.klog and "faulty: given up after 3 failures in 60 s, at the end of its ladder by its alternate, spare (last: exit 3)" in result.klog
    assert re.search(r"^    2 +given up, and held\n(.*\n)+Given up, it is held for inspection, .*\n.*\n0 \n1\nFrom failure 2 on a script decides first:\nasked 2\nagain\n1\n$", out, re.M), out
    assert result.klog.count("kept: given up after 2 failures in 60 s") == 2 and result.klog.count("kept: held for inspection") == 2


def test_script_at_the_end_of_no_use(boot):
    """It is run once, with its arguments; one that fails, hangs, is missing or may not be run is said so, within its deadline, and leaves nothing behind; so is one that
    nobody runs. Its service is given up meanwhile and afterwards, and may be started again."""
    scripts = {"fine": "#!/bin/sh\necho \"$@\" >>/tmp/fine\n", "fails": "#!/bin/sh\nexit 3\n", "hangs": "#!/bin/sh\nsleep 77 &\nwhile :; do :; done\n", "plain": "exit 0\n"}
    add = {f"/etc/bardo/policy/{name}.sh": text for name, text in scripts.items()}
    for name in ("fine", "fails", "hangs", "plain", "missing", "alone"):
        add.update(service(name, "exit", delay=0, times=2, budget="1 60", deadline=700, instances="on-request", at_end=f"script /etc/bardo/policy/{name}.sh 'a b' -c"))
    result = boot(WAIT + """sleep 0.3; for s in fine fails hangs plain missing; do service up $s; done; n=0
        until service log | grep -q 'hangs: the script at its end' || [ $n = 400 ]; do n=$((n + 1)); usleep 50000; done; cat /tmp/fine; ps | grep -c -e '[s]leep 77' -e '[h]angs.sh'
        for s in fine fails hangs plain missing; do service list $s | grep -c given-up; done; service up fine && wait_for fine 'up ' && echo up again
        kill $(pidof service); service up alone; n=0; until service log alone | grep -q 'at its end' || [ $n = 400 ]; do n=$((n + 1)); usleep 50000; done; service list alone | grep -c given-up""",
                  add=add, leak_check=False)
    assert result.out == "fine 1 2 budget 'a b' -c\n0\n" + 5 * "1\n" + "up again\n1\n", result.out
    said = dict(re.findall(r"(\w+): the script at its end, /etc/bardo/policy/\w+\.sh, (.*)", result.klog))
    assert said == {"fails": "failed with status 3", "hangs": "did not end within its deadline: status 258", "plain": "is not executable: status 257", "missing": "is not there: status 256", "alone": "is run by nobody"}, said
    began, ended = (float(re.search(rf"\[ *([\d.]+)\] rs: {text}", result.klog)[1]) for text in ("hangs: given up", "hangs: the script at its end"))
    assert 0.7 <= ended - began < 10  # (the host may be slow)


def test_poweroff_in_order(boot, tmp_path):
    """At the end the machine is switched off: what was written a moment before is on the disk, which is clean; a reboot that would come too early does not."""
    image = make(tmp_path / "disk.img", size="16M")
    add = {**service("early", "exit", budget="0 60", instances="on-request", at_end="reboot"), **service("last", "exit", budget="0 60", instances="on-request", at_end="poweroff")}
    result = boot(WAIT + "sleep 0.3; mkdir -p /mnt; mount -t ext4 /dev/sda /mnt; service up early; wait_for early given-up; usleep 300000; echo saved >/mnt/file; service up last; sleep 100",
                  add=add, qemu=attached(image), leak_check=False, expect=125)
    log = result.klog + result.serial
    assert "early: no reboot: the machine has run for less than 300 s" in log and "last: the machine is to poweroff, as its manifest says ('at-end poweroff')" in log
    assert "policy: last failed for good (defect 1, failure 1, budget): poweroff" in log and "nobody has ended the system in order" not in log
    check(image)
    assert contents(image, "file") == b"saved\n"


def test_reboot_without_a_runner(boot):
    """Nobody runs scripts any more: RS restarts the machine by itself, when it has waited for 5 s."""
    add = service("last", "exit", budget="0 60", instances="on-request", at_end="reboot 0")
    result = boot("kill $(pidof service); service up last; sleep 100", add=add, leak_check=False, expect=125, append="console=ttyS0")
    log = result.klog + result.serial
    asked = float(re.search(r"\[ *([\d.]+)\] rs: last: the machine is to reboot", log).group(1))
    ended = float(re.search(r"\[ *([\d.]+)\] rs: last: nobody has ended the system in order: it goes down now", log).group(1))
    assert 4.9 < ended - asked < 8, log
