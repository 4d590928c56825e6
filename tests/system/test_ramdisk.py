# SPDX-License-Identifier: BSD-2-Clause
"""The RAM disk: a block driver without a device, whose disk is in its queue."""
import os

import pytest

from test_disk import LIBRARY, MB, PLACES, attached, patient, sha1
from test_ext4 import check, contents, make

PLACES["ramdisk"] = "drivers/block/ramdisk/ramdisk.svc"
UP = "service up ramdisk; until [ -b /dev/ram0 ]; do usleep 10000; done; "


def test_raw(boot):
    """It is there when asked for; its contents outlive its driver, also one that is down for a while."""
    data = os.urandom(3 * MB + 512)
    out = boot("[ -e /dev/ram0 ] || echo none; " + UP + "grep -w ram0 /proc/partitions; dd if=/data of=/dev/ram0 bs=100k seek=5 2>/dev/null; "
               "kill -9 $(pidof ramdisk); dd if=/dev/ram0 bs=512 skip=1000 count=6145 2>/dev/null | sha1sum; service down ramdisk; "
               "dd if=/dev/ram0 of=/dev/null count=1 2>&1 | grep -o 'No such.*'; " + UP +
               "dd if=/dev/ram0 bs=512 skip=1000 count=6145 2>/dev/null | sha1sum; dd if=/data of=/dev/ram0 bs=1M seek=30 2>&1 | grep -o 'No space.*'",
               add={"/data": data}, leak_check=False).out.split("\n")
    assert out[0] == "none" and out[1].split() == ["1", "0", "32768", "ram0"]
    assert out[2] == out[4] == sha1(data) + "  -"
    assert out[3] == "No such device or address" and out[5] == "No space left on device"


@pytest.mark.parametrize("victim", ["ramdisk", "disk", "ext4"])
def test_killed(boot, tmp_path, victim):
    """A file system on it, while whoever has to do with it is killed."""
    image = make(tmp_path / "e.img", size="32M")
    data = os.urandom(4 * MB + 77)
    out = boot(LIBRARY + UP + f"""dd if=/dev/sda of=/dev/ram0 bs=1M 2>/dev/null; mkdir -p /mnt; mount -t ext4 /dev/ram0 /mnt; cd /mnt; kill_all {victim} 10000
        for n in 1 2 3 4 5; do cp /data copy$n; sync; sha1sum <copy$n; [ $n = 5 ] || rm copy$n; done
        i=0; while [ $i -lt 300 ]; do echo $i >new$i; mv new$i f$i; i=$((i + 1)); done; rm f1?; cat f* | wc -l; stop {victim} 10
        cd /; umount /mnt || echo busy; dd if=/dev/ram0 of=/dev/sda bs=1M 2>/dev/null""",
               add={**patient(victim), "/data": data}, qemu=attached(image), leak_check=False, timeout=120).out.split("\n")
    assert out[:-1] == 5 * [sha1(data) + "  -"] + ["290", "often enough"]
    check(image)
    assert contents(image, "copy5") == data and contents(image, "f299") == b"299\n"
