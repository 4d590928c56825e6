# SPDX-License-Identifier: BSD-2-Clause
"""The heartbeat's two marks: slow, and then replaced. (What counts begins with the last look at which it was alive: up to half a low mark before the fault.)"""
import re

from test_authority import hostile
from test_faults import WAIT, faulty, recoveries


def test_slow_and_back(boot):
    """It computes for a second and a half: called slow while it does, in the log once, and not replaced."""
    result = boot("""service up faulty; n=0; until service list faulty | grep ' slow '; do n=$((n + 1)); [ $n -lt 500 ] || break; usleep 5000; done; service status faulty | grep ^state
        service wait faulty && echo counts as up; n=0; until service list faulty | grep ' up '; do n=$((n + 1)); [ $n -lt 500 ] || break; usleep 5000; done""", icount=True,
                  add=faulty("slow", heartbeat="100 5000", cpu="500", instances="on-request", parameters="fault=slow delay_ms=100 times=1 slow_ms=1500"), timeout=240)
    assert re.fullmatch(r"faulty +\d+ slow .* 0 none .*\nstate +slow\ncounts as up\nfaulty +\d+ up .* 0 none .*\n", result.out), result.out
    said, = re.findall(r"\[ *([\d.]+)\] rs: faulty: slow: it has not come back to its loop for (\d+) ms", result.klog)
    began = float(re.search(r"\[ *([\d.]+)\] faulty: fault on demand", result.klog).group(1))
    print(f"DETECTED slow: the low mark of 100 ms after {(float(said[0]) - began) * 1e3:.1f} ms")
    assert 0.05 <= float(said[0]) - began < 0.2 and 100 <= int(said[1]) < 200


def test_replaced_at_the_high_mark(boot):
    """Not at the low one."""
    result = boot(WAIT + "wait_for 'up .* 1 heartbeat'; cat /proc/recovery", icount=True, add=faulty("spin", heartbeat="50 700", cpu="500"), timeout=240)
    row, = recoveries(result.out)
    began = float(re.search(r"\[ *([\d.]+)\] faulty: fault on demand", result.klog).group(1))
    said = float(re.search(r"\[ *([\d.]+)\] rs: faulty: slow: ", result.klog).group(1))
    print(f"DETECTED spin: heartbeat, marks of 50 and 700 ms, after {(said - began) * 1e3:.1f} and {int(row['detected_ns']) / 1e6 - began * 1e3:.1f} ms")
    assert row["defect"] == "heartbeat" and 0.65 <= int(row["detected_ns"]) / 1e9 - began < 0.8
    assert 0.02 <= said - began < 0.11


def test_waits_for_one_that_is_not_let_run(boot):
    """DS is not let run for 0.9 s by one that is more urgent: who waits for its answer is not ill, though it has no heartbeat."""
    names = hostile("publish", "seconds=1", priority="2", cpu="900", heartbeat="30", restart="no")
    greedy = faulty("slow", priority="2", heartbeat="5000", cpu="1000", parameters="fault=slow delay_ms=300 times=1 slow_ms=900")
    result = boot("sleep 1.5; service list hostile; cat /proc/recovery", icount=True, add={**names, **greedy}, timeout=240, leak_check=False)
    assert re.search(r"^hostile +\d+ up .* 0 none ", result.out, re.M) and not recoveries(result.out), result.out
    assert "hostile: attack over: publish" in result.klog
