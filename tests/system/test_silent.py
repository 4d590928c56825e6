# SPDX-License-Identifier: BSD-2-Clause
"""File servers that live and do not answer (tests/services/ext4_ill.c): VFS complains, and the fresh copy answers. By the guest's clock, on a disk in memory."""
import os
import re

from conftest import BUILD
from test_ext4 import make
from test_integrity import lying

# since COMMAND: what it writes, and the seconds that it takes
BEGIN = """since() { t=$(cut -d. -f1 /proc/uptime); "$@" 2>&1; echo "took $(($(cut -d. -f1 /proc/uptime) - t))"; }
    service up ramdisk; dd if=/image of=/dev/ram0 bs=64k 2>/dev/null; mkdir -p /mnt; mount -t ext4 /dev/ram0 /mnt && cd /mnt && echo kept >kept
    """


def ill(boot, tmp_path, command, more=None):
    image = make(tmp_path / "e.img", size="8M")
    result = boot(BEGIN + command, add={"/image": image, "/lib/bardo/ext4": BUILD / "services/ext4_ill", **(more or {})}, icount=True, leak_check=False, timeout=120)
    return result, [int(seconds) for seconds in re.findall(r"^took (\d+)$", result.out, re.M)]


def complaints(out):
    return re.findall(r"^\d+ (\S+) complaint 2 (\d+) \d+ \d+ (\w+) ", out, re.M)


def test_one_copy_is_silent(boot, tmp_path):
    """A request that was lost is found within 15 s, whoever else is answered; one that stands still, and a server that answers nothing at all, after a minute. The fresh
    copy answers; it goes on with what is not on the disk yet, unless the last one was silent soon, too."""
    result, seconds = ill(boot, tmp_path, """sleep 90; (sleep 13; echo late >late) & since cat lose1; wait; cat late; since dd if=kept bs=779 2>/dev/null; since cat stall3; since cat mute4; cat late
        since cat /dev/lose1; since cat /proc/lose1; cat /proc/recovery; cd /; umount /mnt && echo unmounted""",
                          more={"/lib/bardo/dev": BUILD / "services/dev_ill", "/lib/bardo/proc": BUILD / "services/proc_ill"})
    lost, read, stands, mute, dev, proc = seconds
    assert all(10 <= s <= 16 for s in (lost, read, dev, proc)) and all(65 <= s <= 80 for s in (stands, mute))
    assert complaints(result.out) == [("ext4", "2", "adopted"), *(("ext4", n, "fresh") for n in "345"), ("dev", "2", "fresh"), ("proc", "2", "fresh")]
    assert result.out.count("No such file") == 5 and result.out.count("late\n") == 2 and result.out.endswith("unmounted\n")


def test_each_copy_is_silent(boot, tmp_path):
    """Who asks gets EIO when three copies have not answered, and others are served."""
    result, seconds = ill(boot, tmp_path, "since cat lose; since cat kept; cat /proc/recovery; cd /; umount /mnt && echo unmounted")
    assert result.out.startswith("cat: can't open 'lose': Input/output error\n") and seconds[0] <= 50 and seconds[1] <= 1
    assert len(complaints(result.out)) == 3 and result.out.endswith("unmounted\n")


def test_sync_and_umount(boot, tmp_path):
    """Of a file server that forgets them: within 15 s each, and nothing is missing. Of one of which each copy does: within 50 s, and the log says what became of it; so
    is the end of the machine, which waits for 30 s."""
    silent = make(tmp_path / "silent.img", "-L", "silent", size="8M")
    result, seconds = ill(boot, tmp_path, """cat forget1 & usleep 100000; echo more >>kept; since sync; cat forget2 & usleep 100000; cd /; since umount /mnt; wait
        mount -t ext4 /dev/ram0 /mnt; cat /mnt/kept; umount /mnt; echo ==
        dd if=/silent of=/dev/ram0 bs=64k 2>/dev/null; mount -t ext4 /dev/ram0 /mnt; since sync; since umount /mnt; grep -c ram0 /proc/mounts; mount -t ext4 /dev/ram0 /mnt""",
                          more={"/silent": silent})
    before, after = result.out.split("==\n")
    assert seconds[0] <= 16 and seconds[1] <= 16 and "kept\nmore\n" in before, result.out
    assert seconds[2] <= 50 and seconds[3] <= 50 and after.endswith("\n0\n"), result.out
    assert "vfs: ext4 has lost a request" in result.klog and "init: the disks are not unmounted after 30 s" in result.serial


def test_sync_and_umount_of_a_dead_disk(boot, tmp_path):
    """From some moment on no copy of its driver does anything: EIO after three of them, and the log says what became of it."""
    image = make(tmp_path / "e.img", size="8M")
    os.truncate(image, 9 << 20)
    setting = lying(image, "dead", 1)
    result = boot(BEGIN.replace("/dev/ram0 /mnt", "/dev/sda /mnt").replace("service up ramdisk; dd if=/image of=/dev/ram0 bs=64k 2>/dev/null; ", "") +
                  "sync; dd if=/dev/zero of=/dev/sda bs=4k seek=2303 count=1 2>&1 | grep rror & echo more >>kept; since sync; wait; cd /; since umount /mnt; grep -c sda /proc/mounts; true",
                  icount=True, leak_check=False, timeout=120, **setting)
    seconds = [int(n) for n in re.findall(r"^took (\d+)$", result.out, re.M)]
    assert seconds[0] <= 45 and seconds[1] <= 45 and result.out.endswith("\n0\n") and "Input/output error" in result.out
    assert "nothing is changed from now on" in result.klog and "/dev/sda: not everything could be written (EIO)" in result.klog
