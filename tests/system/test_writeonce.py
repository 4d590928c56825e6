# SPDX-License-Identifier: BSD-2-Clause
"""The write-once disc: nobody can repeat what its driver dies over. Who wrote is told at once and says so; nothing is written twice."""
import os
import re
import struct

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


def test_slow(boot):
    """A burner that takes four seconds for a request, and longer than anything took before, is not complained of: that would spoil the disc."""
    result = boot(UP + "burn /data /dev/wo0; burn -s /dev/wo0", icount=True, add={"/data": os.urandom(100000), **slow(16)}, leak_check=False)
    assert result.out.startswith("100352 bytes at 0\n") and states(result.out) == [(100352, 0)]
    assert "complain" not in result.klog


def test_stuck(boot):
    """One that does not get on is complained of all the same: here a block takes two seconds, and reads took none."""
    result = boot(UP + "burn /data /dev/wo0 2>/dev/null; echo $?; burn -s /dev/wo0", icount=True, add={"/data": os.urandom(100000), **slow(1)}, leak_check=False)
    assert result.out.startswith("1\n") and states(result.out) in ([(0, 0)], [(2048, 0)])
    assert "disk: driver writeonce ends no request any more" in result.klog and "disk complains of writeonce (deadline)" in result.klog


DEATHS = """{ while usleep 100000; do service kill writeonce; done; } >/dev/null 2>&1 & killer=$!
    n=0; while [ $n -lt 12 ]; do burn -a /data /dev/wo0 2>/dev/null && echo whole; n=$((n + 1)); done; kill $killer; wait $killer 2>/dev/null; burn -a /data /dev/wo0 && echo whole; burn -s /dev/wo0"""


def check_deaths(result):
    """Where the files are that are there whole."""
    places = [int(at) for at in re.findall(r"^301056 bytes at (\d+)$", result.out, re.M)]
    (end, refused), = states(result.out)
    assert refused == 0 and 1 <= len(places) == result.out.count("whole") < 13
    assert all(b - a >= 301056 for a, b in zip(places, places[1:] + [end]))
    assert result.klog.count("writeonce: killed") >= 5
    return places, end


def test_many_deaths(boot):
    """File after file, the driver killed every 100 ms: each is there whole or is said not to be; the device has refused nothing."""
    check_deaths(boot(UP + DEATHS, add={"/data": os.urandom(300000)}, leak_check=False))


# ---- on a disk ----

HEADER, BLOCK = 0x10000, 2048  # drivers/block/writeonce/disc.h


def disc(folder, label=b"WORM", size=4 << 20):
    """A blank one, as docs/disks.md says how to make it. What is behind the header is the host's rubbish."""
    path = folder / "disc.img"
    path.write_bytes(label.ljust(HEADER, b"\0") + b"\xa5" * (size - HEADER))
    return path


def as_host_sees(path):
    """(bytes written, sectors refused, what is behind the header)"""
    image = path.read_bytes()
    magic, blocks, refused = struct.unpack_from("<4sIQ", image)
    assert (magic, blocks) == (b"WORM", (len(image) - HEADER) // BLOCK)
    bits = int.from_bytes(image[16:HEADER], "little")
    assert bits & (bits + 1) == 0, "it is written in order, without holes"
    return bits.bit_length() * BLOCK, refused, image[HEADER:]


def assert_begins(found, wanted):
    """Block by block, but for the last that was begun: it may be of before, or anything in between, by whole sectors."""
    whole = len(found) - BLOCK
    assert found[:whole] == wanted[:whole]
    for at in range(whole, len(found), 512):
        assert found[at:at + 512] in (wanted[at:at + 512], b"\xa5" * 512)


def test_disk_burns_and_outlives(boot, tmp_path):
    """The machine is started anew, and the disc is as it was: what is written is refused, and what comes next goes behind it."""
    data, image = os.urandom(300001), disc(tmp_path)
    first = boot(UP + "burn /data /dev/wo0; burn -s /dev/wo0", add={"/data": data}, disks=[f"{image}:writeonce"], leak_check=False)
    assert first.out.startswith("301056 bytes at 0\n") and states(first.out) == [(301056, 0)]
    written, refused, content = as_host_sees(image)
    assert (written, refused) == (301056, 0)
    assert content[:300001] == data and content[301056:] == b"\xa5" * (len(content) - 301056)
    again = boot(UP + "burn -s /dev/wo0; head -c 300001 /dev/wo0 | cmp - /data && echo same; burn /data /dev/wo0; dd if=/new of=/dev/wo0 bs=2048 count=1 2>&1 | head -1; burn -a /new /dev/wo0; burn -s /dev/wo0",
                 add={"/data": data, "/new": b"n" * BLOCK}, disks=[f"{image}:writeonce"], leak_check=False)
    assert "same\nburn: /dev/wo0: is not blank (-a: append)\ndd: error writing '/dev/wo0': Input/output error\n2048 bytes at 301056\n" in again.out
    assert states(again.out) == [(301056, 0), (303104, 0)]
    assert as_host_sees(image)[2] == content[:301056] + b"n" * BLOCK + content[303104:]


def test_disk_driver_dies(boot, tmp_path):
    """In the middle of a burn; in the middle of the next the machine is gone. What was begun stays spent, the host finds nothing changed in it, and the disc goes on behind it."""
    data, image = os.urandom(1000000), disc(tmp_path)
    command = UP + KILLED + "killed writeonce burn /data /dev/wo0 2>&1; burn -s /dev/wo0; burn -an /etc/hostname /dev/wo0; burn -s /dev/wo0"
    out = boot(command, add={"/data": data, **slow()}, disks=[f"{image}:writeonce"], leak_check=False, timeout=200).out
    assert "burn: /dev/wo0: I/O error\nburn: of the file the first" in out and "status 1\n" in out
    (spoiled, _), (end, refused) = states(out)
    assert 0 < spoiled < 1000000 and end == spoiled + BLOCK and refused == 0
    written, refused, before = as_host_sees(image)
    assert (written, refused) == (end, 0) and before[end:] == b"\xa5" * (len(before) - end)
    assert_begins(before[:spoiled], data)
    assert before[spoiled:end].rstrip(b"\0").endswith(b"\n")
    cut = boot(UP + f"burn -an /data /dev/wo0 & while burn -s /dev/wo0 | grep -q ' {end} bytes written'; do usleep 50000; done; reboot -f", add={"/data": data, **slow()}, disks=[f"{image}:writeonce"], leak_check=False, expect=125,
               timeout=200)
    assert "bytes at" not in cut.out
    torn, refused, content = as_host_sees(image)
    assert torn > end and refused == 0 and content[:end] == before[:end]
    assert_begins(content[end:torn], data)
    out = boot(UP + "burn -s /dev/wo0; burn -a /data /dev/wo0; burn -s /dev/wo0", add={"/data": data}, disks=[f"{image}:writeonce"], leak_check=False).out
    (last, refused), (end, _) = states(out)
    assert (last, refused) == (torn, 0) and f"1001472 bytes at {torn}\n" in out
    written, refused, after = as_host_sees(image)
    assert (written, refused) == (torn + 1001472, 0)
    assert after[:torn] == content[:torn] and after[torn:torn + len(data)] == data


def test_disk_slow(boot, tmp_path):
    """13 s for a request, longer than any has, and a read that waits for it: on a disk one thing is done at a time."""
    data, image = os.urandom(262144), disc(tmp_path)
    result = boot(UP + "dd if=/data of=/dev/wo0 bs=256k 2>/dev/null & while burn -s /dev/wo0 | grep -q ' 0 bytes written'; do usleep 50000; done; dd if=/dev/wo0 bs=2048 skip=1000 count=1 2>/dev/null | wc -c; wait $!; echo $?; burn -s /dev/wo0",
                  add={"/data": data, **slow(20)}, disks=[f"{image}:writeonce"], leak_check=False)
    assert result.out.startswith("2048\n0\n") and states(result.out) == [(262144, 0)]
    assert "complain" not in result.klog
    assert as_host_sees(image)[2][:len(data)] == data


def test_disk_many_deaths(boot, tmp_path):
    """The processor carries every word, so most of them come in the middle of a sector: the drive still waits for the rest."""
    data, image = os.urandom(300000), disc(tmp_path, size=8 << 20)
    places, end = check_deaths(boot(UP + DEATHS, add={"/data": data}, disks=[f"{image}:writeonce"], leak_check=False, timeout=200))
    written, refused, content = as_host_sees(image)
    assert (written, refused) == (end, 0)
    assert all(content[at:at + len(data)] == data for at in places)


def test_disk_without_label(boot, tmp_path):
    """Nobody has said that it is a disc: not a byte of it is touched, no disc in memory comes in its place, and the log says why."""
    for label in (b"", b"WORM\xff\xff"):
        image = disc(tmp_path, label)
        before = image.read_bytes()
        result = boot("service up writeonce; until dmesg | grep -q 'left alone'; do usleep 50000; done; [ -e /dev/wo0 ] || echo none", disks=[f"{image}:writeonce"], leak_check=False)
        assert result.out == "none\n"
        assert ("a disk that is too small for its disc" if label else "a disk without the label of a disc") in result.klog
        assert image.read_bytes() == before
