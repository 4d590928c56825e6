# SPDX-License-Identifier: BSD-2-Clause
"""Disks whose blocks are checked: what a driver has changed, misplaced or not written is never handed on as right.

The lies are told through a second drive that shows the data of the same image: what is written there reaches the medium behind the back of the
disk server, as if the first one's driver had written it."""
import os
import re
import shutil
import subprocess

import pytest

from conftest import BUILD
from test_disk import LIBRARY, MB, attached, drive, patient, sha1
from test_ext4 import check, contents, make
from test_faults import detected, recoveries

GUARD = BUILD / "programs/blockguard"
AWAY = "dd if=/dev/sda bs=256k skip=80 count=8 of=/dev/null 2>/dev/null; "  # nothing of the first 20 MB is remembered


def formatted(*paths):
    for path in paths:
        path.unlink(missing_ok=True)
        subprocess.run(["truncate", "-s", "32M", path], check=True)
    subprocess.run([GUARD, "format", *paths], check=True)
    return paths[0]


def is_right(path):
    return subprocess.run([GUARD, "check", path]).returncode == 0


def behind(path, name="back"):
    return f" -drive driver=raw,offset=4096,file.filename={path},file.driver=file,file.locking=off,if=none,id={name},cache=unsafe -device virtio-blk-pci,drive={name}"


def unlocked(path):
    return f"-drive driver=raw,file.filename={path},file.driver=file,file.locking=off,if=none,id=d0,cache=unsafe -device ide-hd,drive=d0,bus=ide.0"


def test_lies(boot, tmp_path):
    """Changed, misplaced, not written: EIO and a complaint; what is written again is right again."""
    image = formatted(tmp_path / "d.img")
    piece = os.urandom(256 << 10)
    read = "dd if=/dev/sda bs=256k count=1 skip=%d 2>/dev/null | sha1sum; "
    result = boot("blockdev --getsize64 /dev/sda 2>/dev/null || cat /sys/block/sda/size; for n in 0 16 32 48; do dd if=/piece of=/dev/sda bs=256k seek=$n 2>/dev/null; done; sync; " + AWAY +
                  "dd if=/dev/vda of=/tmp/old bs=4k skip=3072 count=1 2>/dev/null; dd if=/new of=/dev/sda bs=4k seek=3072 count=1 2>/dev/null; sync; " + AWAY +
                  "dd if=/dev/zero of=/dev/vda bs=512 count=1 seek=8200 2>/dev/null; dd if=/dev/vda of=/dev/vda bs=4k skip=2048 seek=2049 count=1 2>/dev/null; "
                  "dd if=/tmp/old of=/dev/vda bs=4k seek=3072 2>/dev/null; sync; " + read % 0 +
                  "for n in 16 32 48; do dd if=/dev/sda of=/dev/null bs=256k count=1 skip=$n 2>&1 | grep -o 'Input/output error'; done; " +
                  "dd if=/piece of=/dev/sda bs=256k seek=16 2>/dev/null; " + AWAY + read % 16 + "cut -d' ' -f2,3 /proc/recovery | sort | uniq -c",
                  add={"/piece": piece, "/new": os.urandom(4096)}, qemu=unlocked(image) + behind(image), leak_check=False)
    lines = result.out.split("\n")
    assert lines[1:6] == [sha1(piece) + "  -", *3 * ["Input/output error"], sha1(piece) + "  -"]
    assert "ahci complaint" in result.out and "block 1025 from ahci is not what was written there" in result.klog
    assert "block 2049 from ahci" in result.klog and "block 3072 from ahci" in result.klog


def test_mirror(boot, tmp_path):
    """The same with a mirror behind another driver: right data, and the first disk is repaired."""
    first, second = tmp_path / "d.img", tmp_path / "m.img"
    formatted(first, second)
    piece = os.urandom(256 << 10)
    qemu = unlocked(first) + drive(second, "mirror") + " -device virtio-blk-pci,drive=mirror" + behind(first)
    result = boot("dd if=/dev/sda of=/dev/null count=1 2>/dev/null; ls /dev/sd* /dev/vd*; for n in 0 16; do dd if=/piece of=/dev/sda bs=256k seek=$n 2>/dev/null; done; sync; " + AWAY +
                  "dd if=/dev/zero of=/dev/vdb bs=4k count=9 seek=1030 2>/dev/null; sync; dd if=/dev/sda bs=256k count=1 skip=16 2>/dev/null | sha1sum",
                  add={"/piece": piece}, qemu=qemu, leak_check=False)
    assert result.out.split("\n")[:-1] == ["/dev/sda", "/dev/vdb", sha1(piece) + "  -"]
    assert "repaired from the mirror" in result.klog and is_right(first) and is_right(second)


def test_journal(boot, tmp_path):
    """After a power failure the journal cannot be read: mounting fails at once, and says why."""
    image = formatted(tmp_path / "d.img")
    system = make(tmp_path / "e.img", "-b", "4096", size="24M")
    boot("dd if=/e.img of=/dev/sda bs=256k 2>/dev/null; mkdir -p /mnt; mount -t ext4 /dev/sda /mnt; cd /mnt; for n in $(seq 50); do echo $n >$n; done; sync; poweroff -f",
         add={"/e.img": system}, qemu=attached(image), leak_check=False, timeout=100, expect=125)
    subprocess.run([GUARD, "extract", image, system], check=True)
    blocks = subprocess.run(["/sbin/debugfs", "-R", "blocks <8>", system], capture_output=True, text=True, check=True).stdout.split()
    with open(image, "r+b") as file:
        for block in blocks[1:]:  # the first one is its superblock
            file.seek((1 + int(block)) * 4096)
            if file.read(4) == b"\xc0\x3b\x39\x98":  # it describes others, or commits
                file.seek((1 + int(block)) * 4096 + 100)
                file.write(b"wrong")
    result = boot("mkdir -p /mnt; mount -t ext4 /dev/sda /mnt || echo no; dd if=/dev/sda of=/dev/null bs=4k count=1 skip=4000 2>/dev/null && echo goes on", qemu=attached(image), leak_check=False, timeout=100)
    assert result.out.endswith("\nno\ngoes on\n")
    assert "its journal cannot be replayed (EIO)" in result.klog


def lying(path, kind, every):
    return {"add": {"/lib/bardo/ahci": BUILD / "services/ahci_liar"},
            "qemu": f"-drive file={path},if=none,id=d0,format=raw,cache=unsafe -device ide-hd,drive=d0,bus=ide.0,serial=lie-{kind}-{every}"}


def lie_that_was_found(klog):
    """When the driver had read another block in place of the one that is complained of first."""
    found = re.search(r"block (\d+) from ahci is not what was written there", klog)
    sector = (1 + int(found[1])) * 8  # (the first block is the disk's header)
    lies = re.findall(r"\[ *([\d.]+)\] ahci: lied about (\d+) sectors from (\d+)", klog[:found.start()])
    return max(float(when) for when, count, first in lies if int(first) <= sector < int(first) + int(count))


@pytest.mark.parametrize("kind, every", [("misplace", 9), ("drop", 9), ("flip", 9), ("misread", 20)])
def test_lying_driver(boot, tmp_path, kind, every):
    """One block in N is not where it should be, not there, or not what it was: EIO, a complaint, and the ladder. With a mirror: repaired."""
    pieces = [os.urandom(64 << 10) for _ in range(24)]
    sums = [sha1(piece) + "  -" for piece in pieces]
    script = ("for n in $(seq 0 23); do dd if=/all of=/dev/sda bs=64k count=1 skip=$n seek=$((n * 5)) 2>/dev/null || echo write $n; done; sync; " + AWAY +
              "for n in $(seq 0 23); do dd if=/dev/sda of=/tmp/p bs=64k count=1 skip=$((n * 5)) 2>/dev/null && sha1sum </tmp/p || echo none; done; cut -d' ' -f2,3,8 /proc/recovery; cat /proc/recovery")
    for mirrored in (False, True):
        first, second = tmp_path / "d.img", tmp_path / "m.img"
        formatted(first, *([second] if mirrored else []))
        setting = lying(first, kind, every)
        setting["add"]["/all"] = b"".join(pieces)
        setting["qemu"] += drive(second, "mirror") + " -device virtio-blk-pci,drive=mirror" if mirrored else ""
        result = boot(script, leak_check=False, timeout=120, icount=kind == "misread", **setting)
        lines = result.out.split("\n")
        read = lines[:24]
        assert all(line in (right, "none") for line, right in zip(read, sums)), "wrong data, or a write that failed"
        assert mirrored or kind == "misread" or "none" in read
        assert not mirrored or ("none" not in read and "repaired from the mirror" in result.klog)
        assert "ahci complaint reset" in lines and "from ahci is not what was written there" in result.klog
        if kind == "misread":
            assert 0 < detected("a disk's wrong block", recoveries(result.out, "ahci")[0], lie_that_was_found(result.klog)) < 20
        assert "\x1b" not in result.klog and "all is well" in result.klog and "\n[    0.000001]" not in result.klog


@pytest.mark.parametrize("kind, words", [("stop", "ends no request any more"), ("deaf", "does not look at its queue any more")])
def test_quiet_driver(boot, tmp_path, kind, words):
    """A driver that is alive and ends nothing any more, every 30 requests: found in a second or so, not with the deadline of a request."""
    image = tmp_path / "d.img"
    image.write_bytes(os.urandom(24 * MB))
    result = boot("read a r </proc/uptime; sha1sum </dev/sda; read b r </proc/uptime; grep -c 'ahci complaint' /proc/recovery; echo $a $b", leak_check=False, timeout=120, **lying(image, kind, 30))
    digest, count, times = result.out.split("\n")[:3]
    began, ended = map(float, times.split())
    assert digest == sha1(image.read_bytes()) + "  -" and words in result.klog
    assert int(count) >= 3 and ended - began < 10 * int(count)


@pytest.mark.parametrize("kind, complaints", [("gone", True), ("refuse", True), ("fail", False)])
def test_bad_news_of_an_ill_driver(boot, tmp_path, kind, complaints):
    """Now and then it says that its disk is gone, that a read makes no sense, or that it cannot be done, three times. Another place was read well
    just before. No program hears of it, raw or through a checked disk's filter: a fresh driver, or one more try, shows that all is well."""
    for checked in (False, True):
        image = tmp_path / "d.img"
        data = os.urandom(24 * MB)
        if checked:
            (tmp_path / "data").write_bytes(data)
            formatted(image)
            subprocess.run([GUARD, "fill", image, tmp_path / "data"], check=True)
        else:
            image.write_bytes(data)
        result = boot("dd if=/dev/sda bs=256k count=90 2>/tmp/said | sha1sum; grep error /tmp/said; grep -c 'ahci complaint 5' /proc/recovery; true", leak_check=False, timeout=120,
                      **lying(image, kind, 17))
        digest, count = result.out.split("\n")[:2]
        assert digest == sha1(data[:90 * (256 << 10)]) + "  -", result.out
        assert (int(count) >= 3) == complaints, result.out  # (one where no other place was known yet)


@pytest.mark.parametrize("checked", [False, True])
def test_disk_that_is_gone(boot, tmp_path, checked):
    """The next driver does not find it either: programs are told so, soon, and that costs no more than the one driver."""
    image = tmp_path / "d.img"
    image.write_bytes(bytes(24 * MB))
    if checked:
        formatted(image)
    result = boot("read a r </proc/uptime; dd if=/dev/sda of=/dev/null bs=256k 2>&1 | grep -o 'No such device.*'; dd if=/dev/sda of=/dev/null count=1 2>&1 | grep -o 'No such.*'; "
                  "read b r </proc/uptime; grep -c 'ahci complaint 5' /proc/recovery; echo $a $b", leak_check=False, timeout=60, **lying(image, "pulled", 17))
    read, again, count, times = result.out.split("\n")[:4]
    began, ended = map(float, times.split())
    assert read == "No such device or address" and again.startswith("No such") and count == "1", result.out
    assert ended - began < 3


def test_disk_that_comes_back(boot, tmp_path):
    """A checked disk was pulled, and is put in again: what is read then is what is on it, from its first block on. (For the header its blocks are read
    unchecked, and such were handed on as the contents.)"""
    image, data = tmp_path / "d.img", os.urandom(24 * MB)
    (tmp_path / "data").write_bytes(data)
    formatted(image)
    subprocess.run([GUARD, "fill", image, tmp_path / "data"], check=True)
    out = boot("n=0; while dd if=/dev/sda of=/dev/null bs=256k 2>/tmp/said && [ $n -lt 40 ]; do n=$((n + 1)); done; grep -o 'No such device.*' /tmp/said; echo reset ahci >/proc/bardo/control; "
               "n=0; until dd if=/dev/sda of=/dev/null count=1 2>/dev/null || [ $n -gt 100 ]; do n=$((n + 1)); usleep 50000; done; dd if=/dev/sda bs=256k count=90 2>/dev/null | sha1sum",
               leak_check=False, timeout=60, **lying(image, "replug", 700)).out
    assert out.endswith("No such device or address\n" + sha1(data[:90 * (256 << 10)]) + "  -\n"), out


def test_pace(boot, tmp_path):
    """Nothing waits for the next tick of a clock: 30 pieces that are read and written one after the other are done at once. (By the guest's
    clock, ten times as long as it takes at all; each waited for a second once.)"""
    image = formatted(tmp_path / "d.img")
    result = boot("read a r </proc/uptime; for n in $(seq 30); do dd if=/dev/zero of=/dev/sda bs=4k count=1 seek=$((n * 100)) 2>/dev/null; done; read b r </proc/uptime; echo $a $b", qemu=attached(image))
    began, ended = map(float, result.out.split())
    assert ended - began < 15


@pytest.mark.parametrize("mirrored", [False, True])
def test_ext4(boot, tmp_path, mirrored):
    """A file system on it while its driver, the disk server, both at once, and itself are killed; a second boot finds all of it; e2fsck is content."""
    image, mirror = tmp_path / "d.img", tmp_path / "m.img"
    formatted(image, *([mirror] if mirrored else []))
    qemu = attached(image) + (drive(mirror, "mirror") + " -device virtio-blk-pci,drive=mirror" if mirrored else "")
    data = os.urandom(3 * MB + 7)
    system = make(tmp_path / "e.img", "-b", "4096", size="24M")
    victims = ["ahci", "disk", "ahci disk", "virtio-block" if mirrored else "ext4"]
    add = {place: text for victim in ["ahci", "disk", victims[3]] for place, text in patient(victim).items()}
    result = boot(LIBRARY + "dd if=/e.img of=/dev/sda bs=256k 2>/dev/null; mkdir -p /mnt; mount -t ext4 /dev/sda /mnt; cd /mnt; for v in " + " ".join(f"'{v}'" for v in victims) + "; do kill_all \"$v\" 50000; "
               "for n in 1 2 3; do cp /data $n; sync; rm -f last; cp $n last; sha1sum <last; [ $n = 3 ] || rm $n; done; stop ${v%% *} 2; mv 3 \"of $v\"; done; cd /; umount /mnt || echo busy",
               add={**add, "/e.img": system, "/data": data}, qemu=qemu, leak_check=False, timeout=200)
    assert "is not what was written" not in result.klog and "repaired" not in result.klog
    assert result.out.split("\n")[:-1] == len(victims) * (3 * [sha1(data) + "  -"] + ["often enough"])
    assert is_right(image) and (not mirrored or is_right(mirror))
    out = boot("mkdir -p /mnt; mount -t ext4 /dev/sda /mnt; sha1sum <'/mnt/of disk'; umount /mnt", qemu=qemu, leak_check=False).out
    assert out == sha1(data) + "  -\n"
    for disk in (image, mirror)[:1 + mirrored]:
        subprocess.run([GUARD, "extract", disk, system], check=True)
        os.truncate(system, 24 * MB)
        check(system)
        for victim in victims:
            assert contents(system, f'"of {victim}"') == data


def test_fill(tmp_path):
    """What an image is filled with is right, and comes out again; what it has no room for is refused."""
    image, data = tmp_path / "d.img", os.urandom((5 << 20) + 1234)
    formatted(image)
    (tmp_path / "in").write_bytes(data)
    subprocess.run([GUARD, "fill", image, tmp_path / "in"], check=True)
    assert is_right(image)
    subprocess.run([GUARD, "extract", image, tmp_path / "out"], check=True)
    assert (tmp_path / "out").read_bytes().rstrip(b"\0") == data.rstrip(b"\0")
    with open(image, "r+b") as file:
        file.seek(4096 * 700)
        file.write(b"other")
    assert not is_right(image)
    (tmp_path / "in").write_bytes(bytes(32 * MB))
    assert subprocess.run([GUARD, "fill", formatted(image), tmp_path / "in"], capture_output=True, text=True).returncode == 1


def shown(path):
    """What blockguard says of it: {"member": "0 of 2", ...}."""
    out = subprocess.run([GUARD, "show", path], capture_output=True, text=True, check=True).stdout
    return {words[0]: " ".join(words[1:]) for words in map(str.split, out.splitlines())}


@pytest.mark.parametrize("sizes", [(8, 16), (16, 8)])
def test_second_header(boot, tmp_path, sizes):
    """Of a pair of unequal disks, too, either header will do: without the first, the disk is known by its last block, and nobody sees it unchecked."""
    paths = tmp_path / "d.img", tmp_path / "m.img"
    for path, size in zip(paths, sizes):
        subprocess.run(["truncate", "-s", f"{size}M", path], check=True)
    subprocess.run([GUARD, "format", *paths], check=True)
    whole = [shown(path) for path in paths]
    assert [disk["member"] for disk in whole] == ["0 of 2", "1 of 2"] and whole[0]["uuid"] == whole[1]["uuid"]
    for path in paths:
        with open(path, "r+b") as file:
            file.write(bytes(4096))
    assert [shown(path) for path in paths] == whole
    result = boot("ls /dev/sd* /dev/vd* 2>/dev/null; dd if=/dev/sda of=/dev/null bs=4k 2>&1 | grep records.in",
                  qemu=attached(paths[0]) + drive(paths[1], "mirror") + " -device virtio-blk-pci,drive=mirror", leak_check=False)
    assert result.out == f"/dev/sda\n{whole[0]['data'].split()[-1]}+0 records in\n" and "vda: mirror of sda" in result.klog


def test_pair_with_itself(tmp_path):
    """A disk is no mirror of itself, by whatever name; it is left as it was."""
    image, link, name = (tmp_path / name for name in ("d.img", "link", "name"))
    data = os.urandom(8 * MB)
    image.write_bytes(data)
    os.link(image, link)
    name.symlink_to(image)
    for first, second in [(image, image), (image, link), (link, image), (image, name), (name, name), (image, tmp_path / ".." / tmp_path.name / "d.img")]:
        done = subprocess.run([GUARD, "format", first, second], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (1, f"blockguard: {first} and {second} are the same disk\n")
    assert image.read_bytes() == data


def test_pair_with_itself_in_the_system(boot, tmp_path):
    """The same of a device, of which there may be several nodes."""
    image = tmp_path / "d.img"
    image.write_bytes(bytes(8 * MB))
    out = boot("cd /tmp; mknod other b 8 0; blockguard format /dev/sda other 2>&1; blockguard format /dev/sda /dev/sda 2>&1; dd if=/dev/sda bs=4k count=2 2>/dev/null | tr -d '\\0' | wc -c", qemu=attached(image)).out
    assert out == "blockguard: /dev/sda and other are the same disk\nblockguard: /dev/sda and /dev/sda are the same disk\n0\n"


def bad_places(tmp_path, image, *places, after_write=False):
    """The image as a disk that gives an error for reading those sectors, from the first write on."""
    rule = '[inject-error]\nevent = "read_aio"\niotype = "read"\nerrno = "5"\nonce = "off"\n' + ('state = "2"\n' if after_write else "")
    state = '[set-state]\nevent = "write_aio"\nstate = "1"\nnew_state = "2"\n' if after_write else ""
    (tmp_path / "blkdebug").write_text(state + "".join(f'{rule}sector = "{place}"\n' for place in places))
    return f"-drive driver=raw,file.driver=blkdebug,file.config={tmp_path}/blkdebug,file.image.driver=file,file.image.filename={image},file.image.locking=off,if=none,id=d0,cache=unsafe -device ide-hd,drive=d0,bus=ide.0"


@pytest.mark.parametrize("is_checked", [False, True])
def test_headers_unreadable(boot, tmp_path, is_checked):
    """When neither place can be read that says whether a disk is checked, it may be: it is not used, and the log says so. With one header left it is checked as ever; a plain disk with one bad place
    is a plain disk, which the log says, too. Its driver's return has it looked at again."""
    image = tmp_path / "d.img"
    image.write_bytes(bytes(32 * MB))
    if is_checked:
        formatted(image)
    size = str(int(shown(image)["data"].split()[-1]) * 8 if is_checked else 65536)
    look = "sleep 1; cat /sys/block/sda/size 2>/dev/null || awk '$4 == \"sda\" { print $3 * 2 }' /proc/partitions; "
    both = boot(look + "dd if=/dev/sda of=/dev/null count=1 2>&1 | grep -o 'No such.*'; ls /dev | grep -c sda; service down ahci; service up ahci; sleep 1", qemu=bad_places(tmp_path, image, 0, 65535), leak_check=False, expect=None)
    assert both.out == "No such file or directory\n0\n" and both.klog.count("sda: it cannot be read whether it is checked: not used") == 2
    for place in 0, 65535:
        one = boot(look, qemu=bad_places(tmp_path, image, place), leak_check=False)
        assert one.out == size + "\n" and ("shown unchecked" in one.klog) == (not is_checked)


def test_headers_lost_meanwhile(boot, tmp_path):
    """A fresh disk server that finds no header any more where its predecessor has seen one, for one place cannot be read, does not show the disk unchecked."""
    image = formatted(tmp_path / "d.img")
    result = boot("dd if=/dev/zero of=/dev/sda bs=256k seek=9 count=1 2>/dev/null; " + AWAY + "dd if=/dev/zero of=/dev/vda bs=4k seek=8190 count=1 2>/dev/null; sync; kill -9 $(pidof disk); sleep 1; dd if=/dev/sda of=/dev/null count=1 2>&1 | grep -o 'No such.*'; ls /dev | grep -c sda",
                  qemu=bad_places(tmp_path, image, 0, after_write=True) + behind(image), leak_check=False, expect=None)
    assert result.out == "No such file or directory\n0\n" and "sda: it cannot be read how it is checked: not used" in result.klog


def test_format_within(boot, tmp_path):
    """A partition, and the contents of a checked disk, are not formatted: nobody would look for a checked disk there. They are left as they were."""
    image, table = formatted(tmp_path / "d.img"), tmp_path / "t.img"
    table.write_bytes(bytes(16 * MB))
    subprocess.run(["/sbin/sfdisk", "-q", table], input="label: dos\n2048,4096,83\n", text=True, check=True)
    before = table.read_bytes(), image.read_bytes()
    out = boot("blockguard format /dev/sda 2>&1; blockguard format /dev/vda1 2>&1; blockguard format /dev/vda /dev/sda 2>&1; blockguard format /dev/sda /dev/vda1 2>&1; true",
               qemu=attached(image) + drive(table, "t") + " -device virtio-blk-pci,drive=t", leak_check=False).out
    checked = "blockguard: /dev/sda: it is checked already, and shows its contents alone; format it on another system\n"
    assert out == checked + "blockguard: /dev/vda1: a partition; format the whole disk, partitions go inside\n" + 2 * checked
    assert (table.read_bytes(), image.read_bytes()) == before


@pytest.mark.parametrize("mirrored", [False, True])
def test_copy(boot, tmp_path, mirrored):
    """A disk that was copied block by block, identity and all, is not used beside the one that it is a copy of, nor shown: of the two only one is
    written, and it is the same one whoever of disk server and drivers dies."""
    first, mirror, copy = (tmp_path / name for name in ("d.img", "m.img", "c.img"))
    original = mirror if mirrored else first
    formatted(first, *([mirror] if mirrored else []))
    shutil.copyfile(original, copy)
    before = original.read_bytes()
    qemu = attached(first) + (drive(mirror, "mirror") + " -device virtio-blk-pci,drive=mirror" if mirrored else "") + drive(copy, "copy") + " -device nvme,serial=copy,drive=copy"
    data = os.urandom(MB)
    victims = ["disk", "disk ahci", "ahci nvme", "nvme disk", "disk"]
    add = {place: text for victim in ("disk", "ahci", "nvme") for place, text in patient(victim).items()}
    result = boot("shown() { for x in sda vda nvme0n1; do dd if=/dev/$x of=/dev/null count=1 2>/dev/null && echo $x; done; }; shown; d=$(shown); dd if=/data of=/dev/$d bs=64k 2>/dev/null; n=1; "
                  "for v in " + " ".join(f"'{victim}'" for victim in victims) + "; do kill -9 $(pidof $v); shown; dd if=/dev/$d bs=64k count=16 2>/dev/null | sha1sum; dd if=/data of=/dev/$d bs=64k seek=$((n * 20)) 2>/dev/null; n=$((n + 1)); done; sync; "
                  "service log | grep 'a copy of'", add={**add, "/data": data}, qemu=qemu, leak_check=False, timeout=120)
    lines = result.out.split("\n")
    assert lines[0] in ("sda", "nvme0n1") and lines[1:11] == 5 * [lines[0], sha1(data) + "  -"], result.out
    said = [line.split("] ")[-1] for line in lines[11:-1]]
    assert 1 <= len(said) <= 1 + sum("disk" in victim for victim in victims) and len(set(said)) == 1, result.out
    assert (original.read_bytes() == before) != (copy.read_bytes() == before), "both are written, or none"
    used = copy if original.read_bytes() == before else original
    assert is_right(used) and (mirrored or (lines[0] == "sda") == (used == first))
