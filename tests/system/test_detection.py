# SPDX-License-Identifier: BSD-2-Clause
"""Each class of defect, and how long it takes from the defect until RS knows (by the guest's clock, which counts instructions). What is only found with other
machines has its line elsewhere, of the same form: test_heartbeat.py (slow), test_stall.py (silence, deadline), test_integrity.py (data), test_iommu.py (dma)."""
import re

import pytest

from test_escalation import service
from test_faults import NETWORK, WAIT, detected, faulty, recoveries

# fault, how RS calls it, at most so many ms, manifest, devices
CLASSES = [
    ("exit", "exit 3", 1, {}, ""),
    ("panic", "exit 1", 1, {}, ""),
    ("null", "exception 14", 1, {}, ""),
    ("spin", "heartbeat 1", 300, {}, ""),
    ("flood", "heartbeat 1", 300, {"cpu": "500"}, ""),
    ("flood", "heartbeat 1|complaint 5", 300, {**NETWORK, "cpu": "500"}, ""),
    ("lengths", "complaint 7", 20, NETWORK, ""),
    ("garbage", "complaint 6", 20, NETWORK, ""),
    ("storm", "budget 100", 2500, {"cpu": "100"}, ""),
    ("hoard", "budget 0", 20, {"memory": "2M", "linux": "memory"}, ""),
    ("storm", "storm 500", 1000, NETWORK, ""),
    ("msi", "storm (0|500)", 1000, {**NETWORK, "device": "pci 1234:11e8"}, "-device edu"),
]


@pytest.mark.parametrize("fault, defect, most, manifest, devices", CLASSES)
def test_is_found(boot, fault, defect, most, manifest, devices):
    """What the driver does itself; it says when in the log."""
    result = boot(WAIT + "wait_for 'up .* s  *1 '; cat /proc/recovery", icount=True, qemu=devices, add=faulty(fault, delay=700, **manifest), leak_check=False, timeout=200)
    row, = recoveries(result.out)
    began = float(re.search(r"\[ *([\d.]+)\] faulty: fault on demand", result.klog)[1])
    took = detected(fault, row, began)
    assert re.fullmatch(defect, f"{row['defect']} {row['detail']}")
    assert took < most


@pytest.mark.parametrize("order, defect", [("kill", "killed 9"), ("restart", "update 0")])
def test_is_asked(boot, order, defect):
    """What a user does: from before the command is started."""
    result = boot(WAIT + f"wait_for 'up .* s  *0 '; cut -d' ' -f1 /proc/uptime; service {order} faulty; wait_for 'up .* s  *1 '; cat /proc/recovery", icount=True, add=faulty("none"), leak_check=False)
    row, = recoveries(result.out)
    took = detected(f"service {order}", row, float(result.out.split()[0]))
    assert f"{row['defect']} {row['detail']}" == defect and took < 30  # (the clock of /proc/uptime has hundredths)


BEGAN = r"\[ *([\d.]+)\] {}: fault on demand"  # in the log, by the guest's clock


# until each of them, in $s, has died so often and is back
BACK = """back() { n=0; until service list $s | grep -q "up .* s  *$1 " || [ $n = 500 ]; do n=$((n + 1)); usleep 20000; done; }
"""
IN_START = {"ends": ("exit", "exit 3", 1), "faults": ("null", "exception 14", 1), "hangs": ("spin", "heartbeat 0", 1500), "waits": ("asleep", "heartbeat 0", 2500)}  # fault, defect, at most so many ms


def test_in_a_start(boot):
    """Before it is ready: at its first start, and then in the midst of its recovery, since the fresh copy does so, too."""
    add = {path: content for name, (fault, *_) in IN_START.items() for path, content in service(name, fault, delay=0, times=2, instances="on-request").items()}
    result = boot(BACK + f"for s in {' '.join(IN_START)}; do service up $s; back 2; done; cat /proc/recovery", icount=True, add=add, leak_check=False, timeout=200)
    for name, (fault, defect, most) in IN_START.items():
        rows, began = recoveries(result.out, name), re.findall(BEGAN.format(name), result.klog)
        assert [f"{row['defect']} {row['detail']}" for row in rows] == [defect] * 2 and len(began) == 2, result.out
        assert [row["ready_ns"] == "-" for row in rows] == [True, False], "the second was not in a recovery"
        for when, row, begun in zip(("its first start", "its recovery"), rows, began):
            assert 0 < detected(f"{fault} in {when}", row, float(begun)) < most


TOGETHER = {"hangs": ("spin", "heartbeat 1"), "spins": ("deaf", "heartbeat 1"), "ends": ("exit", "exit 3"), "faults": ("null", "exception 14"), "hoards": ("hoard", "budget 0")}


def test_several_at_once(boot):
    """Two hang, and before they are found out others end, fault, and take too much memory: each is found for what it is."""
    manifests = {"memory": "2M", "linux": "memory", "cpu": "500", "instances": "on-request"}
    add = {path: content for name, (fault, _) in TOGETHER.items() for path, content in service(name, fault, delay=500, times=1, **manifests).items()}
    names = " ".join(TOGETHER)
    result = boot(BACK + f"for s in {names}; do service up $s; done; for s in {names}; do back 1; done; cat /proc/recovery", icount=True, add=add, leak_check=False, timeout=200)
    began = {name: float(re.search(BEGAN.format(name), result.klog)[1]) for name in TOGETHER}
    rows = {name: row for name in TOGETHER for row in recoveries(result.out, name)}
    assert {name: f"{row['defect']} {row['detail']}" for name, row in rows.items()} == {name: defect for name, (_, defect) in TOGETHER.items()}, result.out
    took = {name: detected(f"{name}, beside others", row, began[name]) for name, row in rows.items()}
    assert max(began.values()) - min(began.values()) < 0.1 and max(took["hangs"], took["spins"]) < 500 and max(took["ends"], took["faults"], took["hoards"]) < 100, took


def test_too_often(boot):
    """One that dies in each start: until RS gives it up."""
    result = boot(WAIT + "wait_for given-up; cat /proc/recovery", icount=True, add=faulty("exit", delay=0, times=0), leak_check=False)
    first = int(recoveries(result.out)[0]["detected_ns"]) / 1e6
    given_up = float(re.search(r"\[ *([\d.]+)\] rs: faulty: given up after 6 failures", result.klog)[1]) * 1e3
    print(f"DETECTED restart rate: given up {given_up - first:.1f} ms after the first of 6 deaths")
    assert given_up - first < 1000
