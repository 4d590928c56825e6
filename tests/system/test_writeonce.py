# SPDX-License-Identifier: BSD-2-Clause
"""The write-once disc: nobody can repeat what its driver dies over. Who wrote is told at once and says so; nothing is written twice."""
import os
import re

import pytest

from conftest import TOP
from test_faults import recoveries

UP = "service up writeonce; until [ -b /dev/wo0 ]; do usleep 10000; done; "
# VICTIM dies while COMMAND writes, once some of it is written; the status of COMMAND
KILLED = """killed() { victim=$1; shift; { while burn -s /dev/wo0 | grep -q ' 0 bytes written'; do usleep 50000; done; service kill $victim; } & "$@"; echo status $?; wait; }
"""


def slow(speed=8):
    """A burner that takes half a minute and more for each piece of 256 kB."""
    text = (TOP / "drivers/block/writeonce/writeonce.svc").read_text()
    assert "speed=4096" in text
    return {"/etc/bardo/writeonce.svc": text.replace("speed=4096", f"speed={speed}")}


def states(out):
    """(bytes written, sectors refused) of each `burn -s`."""
    return [(int(written), int(refused)) for written, refused in re.findall(r"wo0: (\d+) bytes written, \d+ free, (\d+) sectors refused", out)]


def test_burns(boot):
    """Once, and not again; a second file behind the first; what is no sector, or does not fit, is refused before anything is written."""
    data = os.urandom(300001)
    out = boot("[ -e /dev/wo0 ] || echo none; " + UP + "burn /data /dev/wo0; head -c 300001 /dev/wo0 | cmp - /data && echo same; burn /data /dev/wo0; burn -a /data /dev/wo0; burn -s /dev/wo0; "
               "tail -c +301057 /dev/wo0 | head -c 300001 | cmp - /data && echo same; dd if=/data of=/dev/wo0 bs=2048 count=1 2>&1 | head -1; dd if=/data of=/dev/wo0 bs=1000 seek=700 count=1 2>&1 | head -1; "
               "dd if=/dev/zero of=/big bs=1M count=9 2>/dev/null; burn -a /big /dev/wo0; burn /data /dev/null; burn /nothing /dev/wo0; burn; burn --help | head -1; burn -s /dev/wo0; rm /big; "
               "service down writeonce; service up writeonce; until burn -s /dev/wo0 2>/dev/null; do usleep 10000; done", add={"/data": data}, leak_check=False).out
    assert out.startswith("none\n301056 bytes at 0\nsame\nburn: /dev/wo0: is not blank (-a: append)\n301056 bytes at 301056\n")
    assert out.count("same\n") == 2
    assert "dd: error writing '/dev/wo0': Input/output error" in out and "dd: error writing '/dev/wo0': Invalid argument" in out
    assert "burn: /dev/wo0: there is too little room on the disc; nothing was written" in out
    assert "burn: /dev/null: is no device that is written once" in out and "burn: /nothing: No such file or directory" in out
    assert out.count("usage: burn") == 2
    assert states(out) == 3 * [(602112, 0)]


@pytest.mark.parametrize("writer", ["burn -a /data /dev/wo0", "dd if=/data of=/dev/wo0 bs=256k"])
def test_driver_dies(boot, program, writer):
    """EIO, at once, nonzero status, a clear word; then the disc goes on from behind the spoiled place. At once: from when RS knows of the death until the program has said what
    there is to say, and has ended, by the guest's clock, which counts instructions; the piece that is being written would take half a minute."""
    data = os.urandom(2000000)
    out = boot(UP + KILLED + f"killed writeonce ended {writer} 2>&1; burn -s /dev/wo0; burn -a /etc/hostname /dev/wo0; burn -s /dev/wo0; cat /proc/recovery", icount=True,
               add={"/data": data, "/bin/ended": program("ended"), **slow()}, leak_check=False, timeout=200).out
    assert ("burn: /dev/wo0: I/O error\nburn: of the file the first" if writer.startswith("burn") else "dd: error writing '/dev/wo0': Input/output error\n") in out
    status, ended = re.search(r"ended with (-?\d+) at (\d+)", out).groups()
    death, = recoveries(out, "writeonce")
    took = (int(ended) - int(death["detected_ns"])) / 1e6
    print(f"TOLD {writer.split()[0]}: its program ended {took:.3f} ms after the driver's death")
    assert status == "1" and 0 < took < 5
    (spoiled, _), (end, refused) = states(out)
    assert 0 < spoiled < 2000000 and f"\n2048 bytes at {spoiled}\n" in out
    assert end == spoiled + 2048 and refused == 0


def test_disk_server_dies(boot):
    """VFS makes the call once more with its successor; what was begun is not begun again."""
    out = boot(UP + KILLED + "killed disk burn -a /data /dev/wo0 2>&1; sleep 0.2; burn -s /dev/wo0; burn -a /data /dev/wo0; burn -s /dev/wo0", add={"/data": os.urandom(2000000)}, leak_check=False).out
    (spoiled, _), (end, refused) = states(out)
    assert end == spoiled + 2000896 and refused == 0
    assert "status 1\n" in out or "2000896 bytes at 0\n" in out


def test_many_deaths(boot):
    """File after file, the driver killed every 100 ms: each is there whole or is said not to be; the device has refused nothing."""
    result = boot(UP + """{ while usleep 100000; do service kill writeonce; done; } >/dev/null 2>&1 & killer=$!
        n=0; while [ $n -lt 12 ]; do burn -a /data /dev/wo0 2>/dev/null && echo whole; n=$((n + 1)); done; kill $killer; wait $killer 2>/dev/null; burn -s /dev/wo0""", add={"/data": os.urandom(300000)}, leak_check=False)
    places = [int(at) for at in re.findall(r"^301056 bytes at (\d+)$", result.out, re.M)]
    (end, refused), = states(result.out)
    assert refused == 0 and len(places) == result.out.count("whole") < 12
    assert all(b - a >= 301056 for a, b in zip(places, places[1:] + [end]))
    assert result.klog.count("writeonce: killed") >= 5
