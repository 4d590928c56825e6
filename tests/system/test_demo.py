# SPDX-License-Identifier: BSD-2-Clause
"""tools/demo: every service of the system is killed in turn, ten a second, while files move and a script of a thousand forks runs; and what the demo must not pass."""
import copy
import json
import os
import re
import subprocess

import pytest

from conftest import BUILD, LOADED, TOP

SERVERS = {"rs", "ds", "vm", "pm", "vfs", "net", "ram", "disk", "proc", "dev", "tty", "pci", "log", "ahci"}


def demo(folder, **options):
    environment = dict(os.environ, B=str(BUILD), REPORT=str(folder), **options)
    return subprocess.run([TOP / "tools/demo"], capture_output=True, text=True, env=environment, timeout=60 * LOADED)


@pytest.mark.parametrize("job, others", [("net", {"e1000"}), ("disk", {"ext4"})])
def test_all_in_turn(tmp_path, job, others):
    """No wrong byte, no error of any program, nobody gone, the system lives: else the demo fails."""
    done = demo(tmp_path, JOB=job, VICTIM="all", SIZE="16", KILL="0.1", VERIFY="sum", OPS="write")
    assert done.returncode == 0, done.stdout + done.stderr
    died = set(re.findall(r"^(\w+) +[1-9]\d* +[\d.]+ +[\d.]+ +[\d.]+$", done.stdout, re.M))
    assert died >= SERVERS | others, done.stdout
    forks = [int(n) for n in re.findall(r"^RESULT .* forks=(\d+) ", done.stdout, re.M)]
    assert forks and min(forks) >= 1000, done.stdout


@pytest.mark.parametrize("victim, job, said", [("init", "net", "VICTIM is driver, rs, "), ("ext4", "net", "JOB=net does not use ext4: VICTIM is one of driver rs "),
                                               ("net", "disk", "JOB=disk does not use net"), ("disk", "all", "JOB=net does not use disk")])
def test_no_such_victim(tmp_path, victim, job, said):
    done = demo(tmp_path, JOB=job, VICTIM=victim)
    assert done.returncode == 1 and said in done.stderr and not done.stdout


RUN = {"op": "net", "files": [{"begin": 1.0, "end": 2.0, "status": 0, "sum_ok": True, "samples": [[0.5, 1], [1.0, 1 << 20]]}], "forks_right": 1}
BACK = "1 pm killed 9 2 5 5 rolled-back 100 110 120 130 140 150 - 0.0 0.0 0.0 0.0 0.0 -"
GOOD = {"job": "net", "device": "e1000", "driver": "e1000", "victim": "all", "size_mb": 1, "verify": "sum", "status": 0, "kills": ["0", "0.1"], "operations": ["net"], "problems": [],
        "runs": [dict(RUN, kill_s=0, recoveries=[]), dict(RUN, kill_s=0.1, recoveries=[BACK])]}


def spoil(what):
    result = copy.deepcopy(GOOD)
    if what == "byte":
        result["runs"][1]["files"][0]["sum_ok"] = False
    elif what == "error":
        result["problems"].append("cat: read error: Input/output error")
    elif what == "gone":
        result["runs"][1]["recoveries"][0] = "1 pm killed 9 2 5 0 - 100 110 120 - - - - 0.0 0.0 - - - -"
    elif what == "nobody":
        result["runs"][1]["recoveries"] = []
    elif what == "forks":
        result["runs"][1]["forks_right"] = 0
    elif what == "run":
        del result["runs"][1]
    return result


@pytest.mark.parametrize("what, status", [("nothing", 0), ("byte", 1), ("error", 1), ("gone", 1), ("nobody", 1), ("forks", 1), ("run", 1)])
def test_report_of(tmp_path, what, status):
    file = tmp_path / "runs.json"
    file.write_text(json.dumps([spoil(what)]))
    done = subprocess.run([TOP / "tools/report", file], capture_output=True, text=True, env=dict(os.environ, B=str(BUILD), REPORT=str(tmp_path)))
    assert done.returncode == status, done.stdout + done.stderr
