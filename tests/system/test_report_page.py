# SPDX-License-Identifier: BSD-2-Clause
"""The report of the demo as a browser shows it: it fits its window, its labels do not lie on one another, and its columns are words with units."""
import copy
import json
import os
import random
import subprocess

import pytest

from browser import browser
from conftest import BUILD, TOP
from test_demo import GOOD, RUN

KILLS = ["0", "1", "2", "4", "8", "15"]


def long_job(job, operations):
    """As after a demo of the usual length, with figures of the usual size."""
    chance, runs = random.Random(1), []
    for operation in operations:
        for kill in map(float, KILLS):
            length = 40.0
            samples = [[at / 10, int(at * 11.3e6)] for at in range(1, 400)]
            deaths = [int((1 + n * kill) * 1e9) for n in range(int(length / kill))] if kill else []
            recoveries = [f"{n + 1} e1000 killed 9 2 5 6 adopted " + " ".join(str(at + chance.randrange(10000) + 50000 * step) for step in range(7)) + " 0.0" * 6 for n, at in enumerate(deaths)]
            runs.append(dict(copy.deepcopy(RUN), op=operation, kill_s=kill, recoveries=recoveries, files=[{"begin": 1.0, "end": 1.0 + length, "status": 0, "sum_ok": True, "samples": samples}]))
    return dict(GOOD, job=job, device="virtio-block", victim="driver", size_mb=1024, kills=KILLS, operations=operations, runs=runs, fsck="clean")


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    (folder / "runs.json").write_text(json.dumps([long_job("net", ["net"]), long_job("disk", ["raw", "read", "write"])]))
    subprocess.run([TOP / "tools/report", folder / "runs.json"], check=True, env=dict(os.environ, B=str(BUILD), REPORT=str(folder)), capture_output=True)
    with browser() as window:
        yield window, folder


@pytest.mark.parametrize("width", [700, 1000, 1440])
def test_fits(shown, width):
    window, folder = shown
    window.open(f"file://{folder}/index.html", width, 900)
    assert window.too_wide() == []
    headings = window.evaluate("[...document.querySelectorAll('th')].map(e => e.textContent)")
    assert "throughputMB/s" in headings and "loss%" in headings and not [text for text in headings if "_" in text]
    assert window.evaluate("[...document.querySelectorAll('img')].every(e => e.naturalWidth > 0)") and window.complaints() == []


@pytest.mark.parametrize("job", ["net", "disk"])
def test_labels_apart(shown, job):
    window, folder = shown
    window.open(f"file://{folder}/{job}.svg", 1000, 900)
    assert window.evaluate("document.querySelectorAll('text').length") > 20
    assert window.overlapping_texts("svg") == []
