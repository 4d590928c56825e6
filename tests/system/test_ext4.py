# SPDX-License-Identifier: BSD-2-Clause
"""The ext4 file server: what mke2fs made is read, what is written e2fsck accepts, and whoever dies meanwhile is not noticed."""
import os
import re
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from conftest import BUILD, TOP
from test_vfs_calls import all_ok
from test_disk import attached, patient, sha1, DRIVERS, LIBRARY, PLACES

MB = 1 << 20
MOUNT = "mkdir -p /mnt && mount -t ext4 /dev/sda /mnt && cd /mnt; "
UMOUNT = "; cd /; umount /mnt || echo busy"
PLACES["ext4"] = "servers/fs/ext4/ext4.svc"


def make(path, *options, size="64M", tree=None):
    """A file system by the host's mke2fs."""
    path.unlink(missing_ok=True)
    source = ["-d", str(tree)] if tree else []
    subprocess.run(["truncate", "-s", size, path], check=True)
    subprocess.run(["/sbin/mke2fs", "-q", "-F", "-t", "ext4", *source, *options, path], check=True)
    return path


def check(path, *, replay=False):
    """e2fsck finds nothing (after replaying the journal)."""
    if replay:
        subprocess.run(["/sbin/e2fsck", "-p", "-E", "journal_only", path], capture_output=True, check=False)
    done = subprocess.run(["/sbin/e2fsck", "-fn", path], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def contents(path, name):
    """Of a file in the image, by debugfs."""
    return subprocess.run(["/sbin/debugfs", "-R", f"cat {name}", path], capture_output=True, check=True).stdout


@pytest.fixture
def tree(tmp_path):
    top = tmp_path / "tree"
    (top / "d/e").mkdir(parents=True)
    (top / "big").write_bytes(os.urandom(9 * MB + 1234))
    (top / "small").write_text("hello\n")
    (top / "d/e/empty").touch()
    (top / "short").symlink_to("small")
    (top / "long").symlink_to("d/e/../e/../e/../e/../e/../e/../e/../e/../e/../e/../e/../e/../../small")
    with open(top / "sparse", "wb") as f:
        for at in (0, 100000, 5 * MB):
            f.seek(at)
            f.write(b"x" * 5000)
    for n in range(300):
        (top / f"d/{n}-{'n' * (n % 200)}").write_text(str(n))
    return top


@pytest.mark.parametrize("options", ["-b 1024", "-b 2048", "-b 4096", "-O ^metadata_csum,^64bit", "-O ^extent,^64bit,^metadata_csum,^has_journal"])
def test_read(boot, tmp_path, tree, options):
    image = make(tmp_path / "e.img", *options.split(), tree=tree)
    read_only = "mkdir -p /mnt && mount -r -t ext4 /dev/sda /mnt && cd /mnt; " if "^extent" in options else MOUNT
    out = boot(read_only + "sha1sum big sparse; cat short long; ls d | wc -l; for n in 0 7 150 299; do cat d/$n-*; echo; done; stat -c %s d/e/empty; touch x 2>/dev/null && echo written" + UMOUNT,
               qemu=attached(image), leak_check=False).out.split("\n")
    assert out[:2] == [f"{sha1((tree / name).read_bytes())}  {name}" for name in ("big", "sparse")]
    assert out[2:11] == ["hello", "hello", "301", "0", "7", "150", "299", "0", "" if "^extent" in options else "written"]
    check(image)


@pytest.mark.parametrize("options", ["-b 1024", "-b 4096"])
def test_write(boot, tmp_path, options):
    image = make(tmp_path / "e.img", *options.split())
    data = os.urandom(7 * MB + 77)
    out = boot(MOUNT + """cp /data a; dd if=/data of=b bs=777 2>/dev/null; mkdir d; mv b d/b; ln a hard; ln -s d/b soft; i=0
        while [ $i -lt 500 ]; do echo $i >d/$i; i=$((i + 1)); done; rm d/1?; echo more >>d/20; mkdir d/sub; rmdir d/sub; mv d/30 d/31
        dd if=/dev/zero of=holes bs=1 count=1 seek=3M 2>/dev/null; truncate -s 1234567 hard; truncate -s 2M hard; chown 12:3456 d/40; chmod 4750 d/40; touch -d '2031-02-03 04:05:06' d/41
        mknod dev b 8 300; mkfifo pipe; fallocate -l 1M reserved; mkdir -p x/y/z; mv x/y d/y; stat -c '%a %u %g' d/40; stat -c %Y d/41; stat -c '%h %s' a; stat -c %b holes reserved
        cat soft | sha1sum; ls d | wc -l""" + UMOUNT, add={"/data": data}, qemu=attached(image), leak_check=False).out.split("\n")
    assert out[0] == "4750 12 3456" and out[2] == "2 2097152" and int(out[3]) < 20 and int(out[4]) >= 2048
    assert out[1] == "1927857906" and out[5] == sha1(data) + "  -" and out[6] == str(500 - 10 - 1 + 2)
    check(image)
    assert contents(image, "a") == data[:1234567] + bytes(2 * MB - 1234567)
    assert contents(image, "d/b") == data
    assert contents(image, "d/31") == b"30\n" and contents(image, "d/20") == b"20\nmore\n"


@pytest.mark.parametrize("victim", [*DRIVERS, "disk", "ext4"])
def test_killed(boot, tmp_path, tree, victim):
    """Whoever is killed while files are read, written, created, renamed, removed."""
    image = make(tmp_path / "e.img", tree=tree, size="128M")
    driver = victim if victim in DRIVERS else "ahci"
    out = boot(LIBRARY + MOUNT.replace("sda", DRIVERS[driver][0]) + f"""exec 3<small 4>>log; rm small; kill_all {victim} 10000
        for n in 1 2 3 4 5; do sha1sum big; cp big copy$n; sha1sum copy$n; done; sync; i=0
        while [ $i -lt 300 ]; do echo $i >new$i; mv new$i f$i; echo $i >&4; i=$((i + 1)); done; rm f1?; mkdir -p a/b/c; rm -r a; stop {victim} 20
        cat <&3; cat f* | wc -l; sort -nu log | wc -l; wc -l <log; exec 3<&- 4<&-""" + UMOUNT,
               add=patient(victim), qemu=attached(image, driver), timeout=120, leak_check=False)
    lines = out.out.split("\n")
    data = (tree / "big").read_bytes()
    assert lines[:10] == [f"{sha1(data)}  {name}" for n in range(1, 6) for name in ("big", f"copy{n}")]
    assert lines[10:-1] == ["often enough", "hello", "290", "300", "300"]
    check(image)
    assert all(contents(image, f"copy{n}") == data for n in (1, 5))


def test_open_that_failed_is_forgotten(boot, tmp_path):
    """A device that nobody serves, a terminal that there is not: when ext4 dies, VFS goes through all that is open."""
    image = make(tmp_path / "e.img")
    out = boot(MOUNT + """mknod /tmp/nobodys c 77 1; echo one >a; exec 4<a; i=0
        while [ $i -lt 40 ]; do (exec 3<>/dev/tty) 2>/dev/null; (exec 3</tmp/nobodys) 2>/dev/null; setsid sh -c 'exec 3<>/dev/tty' 2>/dev/null; i=$((i + 1)); done
        (exec 3</tmp/nobodys) 2>/dev/null || echo refused; kill -9 $(pidof ext4); echo two >b; cat b <&-; cat <&4; exec 4<&-; rm /tmp/nobodys""" + UMOUNT, qemu=attached(image), leak_check=False).out
    assert out == "refused\ntwo\none\n"
    check(image)


@pytest.mark.parametrize("victims", ["ahci ext4", "disk ahci", "disk ext4", "ahci disk ext4"])
def test_killed_together(boot, tmp_path, tree, victims):
    """By one kill -9, again and again: none of them waits for what another has forgotten."""
    image = make(tmp_path / "e.img", tree=tree, size="128M")
    out = boot(MOUNT + f"""{{ cd /; while :; do kill -9 $(pidof {victims}); usleep 100000; done; }} 2>/dev/null & killer=$!
        for n in 1 2; do cp big copy; sync; rm -f last; mv copy last; sync; sha1sum last; done; n=0; while [ $n -lt 5 ]; do echo $n >f$n; sync; n=$((n + 1)); done; cat f*
        kill $killer; wait $killer 2>/dev/null; for v in {victims}; do [ $(grep -cw "$v killed" /proc/recovery) -ge 3 ] && echo often enough; done""" + UMOUNT,
               add={place: text for victim in victims.split() for place, text in patient(victim).items()}, qemu=attached(image), timeout=200, leak_check=False).out.split("\n")
    data = (tree / "big").read_bytes()
    assert out[:2] == 2 * [f"{sha1(data)}  last"] and out[2:7] == list("01234") and out[7:-1] == ["often enough"] * len(victims.split())
    check(image)


def test_power_failure(program, boot, tmp_path):
    """What was synced is there, and what was written so (O_SYNC, O_DSYNC); the journal is replayed by us as by e2fsck."""
    image = make(tmp_path / "e.img")
    data = os.urandom(3 * MB)
    boot(MOUNT + "mkdir d; cp /data d/data; i=0; while [ $i -lt 200 ]; do echo $i >d/$i; i=$((i + 1)); done; rm d/1*; sync; mkdir s; chmod 755 /synced; cd s; /synced; poweroff -n -f",
         add={"/data": data, "/synced": program("synced")}, qemu=attached(image), leak_check=False, expect=125)
    copy = tmp_path / "copy.img"
    copy.write_bytes(image.read_bytes())
    check(copy, replay=True)
    assert contents(copy, "d/data") == data and contents(copy, "d/25") == b"25\n"
    assert contents(copy, "s/many") == b"m" * (3 << 20) and [contents(copy, f"s/{name}") for name in ("append", "write", "pwrite")] == [b"first\nsecond\n", b"one\n", b"new\n"]
    result = boot(MOUNT + "sha1sum d/data; cat d/25; ls d | wc -l" + UMOUNT, qemu=attached(image), leak_check=False)
    assert result.out == f"{sha1(data)}  d/data\n25\n{1 + 200 - 111}\n" and "were put in place" in result.klog
    check(image)


def test_full(boot, tmp_path):
    """ENOSPC at the last block; what was there before is not torn; room that is freed can be used again."""
    image = make(tmp_path / "e.img", "-m", "0", size="16M")
    out = boot(MOUNT + """echo first >first; dd if=/dev/zero of=fill bs=64k 2>&1 | grep -c 'No space'; echo x >more 2>/dev/null || echo no more; cat first; df . | tail -1 | awk '{print $4 < 20}'
        rm fill; dd if=/dev/zero of=again bs=1M count=8 2>/dev/null && stat -c %s again; i=0; while echo $i >n$i; do i=$((i + 1)); done 2>/dev/null; rm -f n*; echo last >last; cat last""" + UMOUNT,
               qemu=attached(image), leak_check=False, timeout=120).out.split("\n")
    assert out[:-1] == ["1", "no more", "first", "1", str(8 * MB), "last"]
    check(image)


def test_errors(boot, tmp_path, tree):
    image = make(tmp_path / "e.img", tree=tree)
    commands = {
        "mount -t ext4 /dev/sda /mnt": "Resource busy",
        "mount -t ext4 /dev/sdb /mnt": "No such file or directory",
        "mount -t ext4 /dev/null /mnt": "Block device required",
        "mount -t ext4 /dev/sda small": "Not a directory",
        "umount /mnt": "busy",
        "mkdir d": "File exists",
        "rmdir d": "not empty",
        "mv d d/e/f": "Invalid argument",
        "ln d other": "not permitted",
        "cat d/nothing": "No such file or directory",
        "cat small/x": "Not a directory",
    }
    script = MOUNT + "; ".join(f"({command}) 2>&1 | grep -ci '{error}'" for command, error in commands.items())
    out = boot(script + UMOUNT + "; mount -r -t ext4 /dev/sda /mnt; touch /mnt/x 2>&1 | grep -c Read-only; umount /mnt", qemu=attached(image), leak_check=False).out
    assert out.split() == ["1"] * (len(commands) + 1)
    check(image)


@pytest.mark.parametrize("damage, said", [("foreign", "it has no ext4 file system"), ("short", "the device has"), ("features", "features that are not known")])
def test_refused(boot, tmp_path, damage, said):
    image = make(tmp_path / "e.img")
    if damage == "foreign":
        image.write_bytes(os.urandom(8 * MB))
    elif damage == "short":
        subprocess.run(["truncate", "-s", "20M", image], check=True)
    else:
        subprocess.run(["/sbin/debugfs", "-w", "-R", "feature inline_data", image], check=True, capture_output=True)
    result = boot("mkdir -p /mnt; mount -t ext4 /dev/sda /mnt 2>/dev/null || echo refused; mount -t ext4 /dev/sda /mnt 2>/dev/null || echo refused", qemu=attached(image), leak_check=False)
    assert result.out == "refused\nrefused\n" and said in result.klog


def test_many_mounts(boot, tmp_path):
    """Mounting and unmounting leaves nothing behind; a mount is used again for another disk."""
    image, second = make(tmp_path / "e.img"), make(tmp_path / "f.img", "-b", "1024")
    out = boot("""mkdir -p /a /b; cycle() { mount -t ext4 /dev/sda /a && mount -t ext4 /dev/sdb /b && echo $1 >/a/n && cp /a/n /b/n && umount /a && umount /b; }
        cycle 0; cycle 1; free() { usleep 1300000; awk '/^frames_(free|mirror)/ { n += $2 } END { print n }' /proc/bardo/kernel; }; before=$(free); i=2; while [ $i -lt 22 ]; do cycle $i || echo failed; i=$((i + 1)); done; after=$(free); [ "$before" = "$after" ] || echo $before $after""",
               qemu=attached(image) + f" -drive file={second},if=none,id=d1,format=raw,cache=unsafe -device ide-hd,drive=d1,bus=ide.1", leak_check=False).out
    assert out == "" and contents(image, "n") == b"21\n" and contents(second, "n") == b"21\n"
    check(image)
    check(second)


def test_mounted_at_once(boot, tmp_path):
    """Of two who mount one disk, or over one directory, one is refused, whoever comes first: a disk has one file server. Who was refused, or dies meanwhile, leaves nothing."""
    image, second = make(tmp_path / "e.img"), make(tmp_path / "f.img")
    out = boot("""mkdir -p /a /b; rows() { echo $1 $(grep -c '^/dev/sd' /proc/mounts) $(service list | grep -c '^ext4.* up '); }
        at_once() { mount -t ext4 $1 $2 2>/dev/null & mount -t ext4 $3 $4 2>/dev/null & wait; }
        for n in 1 2 3 4 5 6; do at_once /dev/sda /a /dev/sda /b; rows disk; umount /a 2>/dev/null || umount /b; at_once /dev/sda /a /dev/sdb /a; rows directory; umount /a
        mount -t ext4 /dev/sda /a & usleep ${n}000; kill -9 $! 2>/dev/null; wait; umount /a 2>/dev/null; done
        mount -t ext4 /dev/sda /a && umount /a 2>/dev/null & umount /a 2>/dev/null; wait
        mount -t ext4 /dev/sda /a; mount -t ext4 /dev/sdb /b; echo one >/a/f; echo two >/b/f; rows both; umount /a; umount /b; rows none""",
               qemu=attached(image, options=",throttling.iops-total=300") + f" -drive file={second},if=none,id=d1,format=raw,cache=unsafe,throttling.iops-total=300 -device ide-hd,drive=d1,bus=ide.1", leak_check=False).out
    assert out.splitlines() == 6 * ["disk 1 1", "directory 1 1"] + ["both 2 2", "none 0 0"]
    assert contents(image, "f") == b"one\n" and contents(second, "f") == b"two\n"
    check(image)
    check(second)


def test_overlapping_disks(boot, tmp_path):
    """A disk and its partitions, those with high numbers, too, are not mounted together, nor opened for oneself alone (O_EXCL, by blockguard) while any of it is; neighbours and other disks are."""
    image, whole, system = tmp_path / "p.img", make(tmp_path / "whole.img"), make(tmp_path / "s.img", size="8M")
    image.write_bytes(bytes(40 * MB))
    table = "label: gpt\n1: start=2048,size=16384\n2: start=20480,size=16384\n17: start=40960,size=16384\n"
    subprocess.run(["/sbin/sfdisk", "-q", image], input=table, text=True, check=True)
    with image.open("r+b") as f:
        for start in (2048, 20480, 40960):
            f.seek(start * 512)
            f.write(system.read_bytes())
    out = boot("""mkdir -p /a /b /c /d; try() { mount -t ext4 /dev/$1 /$2 2>&1 | grep -oi 'resource busy\\|invalid argument'; }; rows() { grep -o '^/dev/sd[^ ]*' /proc/mounts | tr '\\n' ' '; echo; }
        alone() { for d in "$@"; do blockguard format /dev/$d 2>&1; done; }
        try sda1 a; try sda b; try sda2 c; try sda17 d; rows; alone sda sda1 sda17; umount /a; umount /c; try sda b; umount /d; try sda b; try sdb b; rows; umount /b
        exec 3</dev/sda1; try sda1 a; rows; umount /a""",
               qemu=attached(image) + f" -drive file={whole},if=none,id=d1,format=raw,cache=unsafe -device ide-hd,drive=d1,bus=ide.1", leak_check=False).out
    busy = "blockguard: /dev/%s: Resource busy"
    assert [line.strip() for line in out.splitlines()] == ["resource busy", "/dev/sda1 /dev/sda2 /dev/sda17", *(busy % n for n in ("sda", "sda1", "sda17")), "resource busy", "Invalid argument", "/dev/sdb", "/dev/sda1"]


def test_remounted(boot, tmp_path):
    """What cannot be changed is refused, and nothing is changed; what is so already is no error."""
    image = make(tmp_path / "e.img")
    out = boot("""mkdir -p /mnt; try() { mount -o remount,$1 $2 >/tmp/said 2>&1 && r=done || r=no; echo $1 $r $(grep -o 'Invalid arg.*\\|Read-only.*' /tmp/said); }
        mount -t ext4 /dev/sda /mnt; try ro /mnt; echo x >/mnt/x && cat /mnt/x; try rw /mnt; try noatime /mnt; try rw,nosuid /mnt; try rw,sync /mnt; grep -o '/mnt ext4 [a-z,]*' /proc/mounts; mkdir /mnt/d; try rw /mnt/d; umount /mnt
        mount -t ext4 -o noatime /dev/sda /mnt; try noatime /mnt; try rw /mnt; umount /mnt
        mount -r -t ext4 /dev/sda /mnt; try ro /mnt; try rw /mnt; touch /mnt/y 2>/dev/null || echo read-only; umount /mnt; try rw /; try ro /; rm /tmp/said""", qemu=attached(image), leak_check=False).out
    assert out.splitlines() == ["ro no Invalid argument", "x", "rw done", "noatime no Invalid argument", "rw,nosuid done", "rw,sync no Invalid argument", "/mnt ext4 rw,nosuid,relatime", "rw no", "noatime done", "rw done",
                                "ro done", "rw no Read-only file system", "read-only", "rw done", "ro no Invalid argument"]
    check(image)


@pytest.mark.parametrize("where", ["ram", "ext4"])
def test_set_ids(program, boot, tmp_path, where):
    """A program with the set-uid bit runs with its owner's rights, with the set-gid bit with its group's, if that may run it; who is given one does not lend it his."""
    image = make(tmp_path / "e.img")
    mount, umount = ("mount -t ext4 /dev/sda /tmp; ", "; umount /tmp") if where == "ext4" else ("", "")
    out = boot(mount + """cp /whose /tmp/w; for mode in 755 4755 2755 6755 2745; do chown 1234:4321 /tmp/w; chmod $mode /tmp/w; /tmp/w; done
        for owner in 7:8 7 :8; do chmod 6755 /tmp/w; chown $owner /tmp/w; /tmp/w; stat -c %a /tmp/w; done; chmod 2745 /tmp/w; chown 0:0 /tmp/w; stat -c %a /tmp/w; mkdir /tmp/d; chmod 2755 /tmp/d; chown 7:8 /tmp/d; stat -c %a /tmp/d; rm -r /tmp/[dw]""" + umount,
               add={"/whose": program("whose")}, qemu=attached(image), leak_check=False).out
    assert out.splitlines() == ["0 0 0 0", "1234 0 0 0", "0 4321 0 0", "1234 4321 0 0", "0 0 0 0"] + 3 * ["0 0 0 0", "755"] + ["2745", "2755"]


@pytest.mark.parametrize("where", ["ram", "ext4"])
def test_set_ids_written(program, boot, tmp_path, where):
    """Whoever is not root and changes what a file contains takes the set-uid bit off, and the set-gid bit of what its group may run: by write, writev, O_APPEND, truncate, O_TRUNC, fallocate. Root keeps
    them, and so does who only looks, or writes nothing."""
    image = make(tmp_path / "e.img")
    mount, umount = ("mount -t ext4 /dev/sda /tmp; ", "; umount /tmp") if where == "ext4" else ("", "")
    out = boot(mount + "chmod 755 /change; for uid in 0 7; do for how in write writev append parts truncate ftruncate trunc allocate nothing read; do for mode in 6777 2767; do echo old >/tmp/w; chmod $mode /tmp/w; /change $uid $how /tmp/w; echo $uid $how $mode $(stat -c %a /tmp/w); "
               "done; done; done; rm /tmp/w" + umount, add={"/change": program("change")}, qemu=attached(image), leak_check=False).out
    rows = [line.split() for line in out.splitlines()]
    assert len(rows) == 40 and all(len(row) == 4 for row in rows), out
    assert [row for row in rows if row[3] != (row[2] if row[0] == "0" or row[1] in ("nothing", "read") else {"6777": "777", "2767": "2767"}[row[2]])] == []


def test_mount_flags(program, boot, tmp_path):
    """nosuid, nodev and noexec are kept: no set-uid program gets its owner's rights, no device is opened, nothing is run (nor a script, nor a loader, nor pages that may be run, be it later on); a later
    remount changes them, and statvfs() shows them. An option that nobody keeps is refused."""
    image = make(tmp_path / "e.img")
    out = boot("""mkdir -p /mnt; mount -t ext4 /dev/sda /mnt; chmod 755 /map_run; cp /whose /mnt/w; chown 1234:4321 /mnt/w; chmod 6755 /mnt/w; mknod /mnt/null c 1 3; mknod /mnt/sda b 8 0; printf '#!/bin/sh\necho script\n' >/mnt/s; chmod 755 /mnt/s; umount /mnt
        printf '#!/mnt/w\n' >/tmp/by; chmod 755 /tmp/by
        said() { sed 's/.*: //'; }; try() { echo "$1: $(/mnt/w 2>&1 | said) | $( (echo x >/mnt/null) 2>&1 | said) | $(/mnt/s 2>&1 | said) | $(/tmp/by 2>&1 | said) | $(/map_run /mnt/w) | $(grep -o 'ext4 [a-z,]*' /proc/mounts)"; }
        for o in relatime nosuid nodev noexec nosuid,nodev,noexec,noatime; do mount -o $o -t ext4 /dev/sda /mnt; try $o; umount /mnt; done
        mount -o nodev -t ext4 /dev/sda /mnt; mkdir /tmp/d; mount -t ext4 /mnt/sda /tmp/d 2>&1 | grep -o 'Perm.*'; for o in nosuid,dev,noexec suid,exec; do mount -o remount,$o /mnt; try $o; done; umount /mnt
        mount -o sync -t ext4 /dev/sda /mnt 2>&1 | grep -o 'Invalid.*'; umount -l /proc; mount -o ro,nosuid -t proc proc /proc; grep -o '/proc proc .*' /proc/mounts; (echo x >/proc/bardo/control) 2>&1 | grep -o 'Read-only.*'; rm -r /tmp/by /tmp/d""",
               add={"/whose": program("whose"), "/map_run": program("map_run")}, qemu=attached(image), leak_check=False).out
    ids, own, no = "1234 4321 0 0", "0 0 0 0", "Permission denied"
    refused = f"{no} | %s| {no} | {no} | Operation not permitted, {no}, {no}, flags %s |"
    assert [" ".join(line.split()) for line in out.splitlines()] == [
        f"relatime: {ids} | | script | {ids} | yes, yes, yes, flags | ext4 rw,relatime", f"nosuid: {own} | | script | {own} | yes, yes, yes, flags nosuid | ext4 rw,nosuid,relatime",
        f"nodev: {ids} | {no} | script | {ids} | yes, yes, yes, flags nodev | ext4 rw,nodev,relatime", "noexec: " + refused % ("", "noexec") + " ext4 rw,noexec,relatime",
        "nosuid,nodev,noexec,noatime: " + refused % (f"{no} ", "nosuid nodev noexec") + " ext4 rw,nosuid,nodev,noexec,noatime", no,
        "nosuid,dev,noexec: " + refused % ("", "nosuid noexec") + " ext4 rw,nosuid,noexec,relatime", f"suid,exec: {ids} | | script | {ids} | yes, yes, yes, flags | ext4 rw,relatime", "Invalid argument", "/proc proc ro,nosuid 0 0",
        "Read-only file system"]


def test_fstab(boot, tmp_path):
    """Mounted at boot, unmounted at the end."""
    image = make(tmp_path / "e.img")
    out = boot("mount | grep -c sda; echo x >/mnt/x; df /mnt | tail -1 | awk '{print $6}'", add={"/etc/fstab": "/dev/sda /mnt ext4 rw 0 0\n"}, qemu=attached(image), leak_check=False).out
    assert out.split() == ["1", "/mnt"] and contents(image, "x") == b"x\n"
    check(image)


def test_root(boot, tmp_path):
    """Programs on the disk, under a root of their own; everything below them is killed, again and again."""
    top = tmp_path / "root"
    (top / "bin").mkdir(parents=True)
    (top / "etc").mkdir()
    (top / "etc/issue").write_text("from the disk\n")
    shutil.copy("/bin/busybox", top / "bin/busybox")
    for name in "sh ls cat sha1sum kill pidof grep mkdir echo cp".split():
        (top / "bin" / name).symlink_to("busybox")
    image = make(tmp_path / "r.img", tree=top)
    command = """cat /etc/issue; echo /*; for n in 1 2 3 4 5; do for v in ahci disk ext4; do kill -9 $(pidof $v); sha1sum /bin/busybox; done; done; grep -c killed /proc/recovery
        mkdir -p /tmp/d /tmp/d; cp /bin/busybox /tmp/d/x; ls /tmp/d"""
    arguments = [TOP / "tools/guest", "--timeout", "60", "--disk", image, "--root", "sda", "--", command]
    out = subprocess.run(arguments, capture_output=True, text=True, env=dict(os.environ, B=str(BUILD)), check=True).stdout.split("\n")
    digest = sha1((top / "bin/busybox").read_bytes())
    assert out == ["from the disk", "/bin /dev /etc /lost+found /proc /tmp"] + [f"{digest}  /bin/busybox"] * 15 + ["15", "x", ""]
    check(image)
    assert contents(image, "tmp/d/x") == (top / "bin/busybox").read_bytes()


@pytest.mark.parametrize("name", ["calls_file", "calls_groups", "calls_rename", "calls_fsize", "calls_large", "calls_lock", "calls_fifo", "calls_unix", "calls_xattr"])
def test_calls(boot, tmp_path, program, name):
    """The programs of test_vfs_calls, in a folder on ext4: as on Linux."""
    image = make(tmp_path / "e.img")
    out = boot("chmod 755 /calls; mount -t ext4 /dev/sda /tmp && chmod 1777 /tmp; /calls; cp /calls /tmp/.; sync", add={"/calls": program(name)}, qemu=attached(image), leak_check=False, timeout=120, expect=None).out
    assert out == all_ok(name)
    check(image)


def test_xattrs(boot, tmp_path, tree, program):
    """Those in the inode and those in a block of their own."""
    image = make(tmp_path / "e.img", tree=tree)
    expected = {"user.colour": "blue", "user.big": "b" * 300, "security.label": "s" * 60, "trusted.t": "1"}
    for name, value in expected.items():
        subprocess.run(["/sbin/debugfs", "-w", "-R", f"ea_set small {name} {value}", image], check=True, capture_output=True)
    out = boot("chmod 755 /xattrs; " + MOUNT + "/xattrs small; echo --; /xattrs d; rm small" + UMOUNT, add={"/xattrs": program("xattrs")}, qemu=attached(image), leak_check=False).out
    assert sorted(out.split("\n--\n")[0].split("\n")) == sorted(f"{name}={value}" for name, value in expected.items()) and out.endswith("--\n")
    check(image)


def test_debian_tools(boot, tmp_path):
    """mkfs.ext4 and e2fsck as Debian ships them, with their libraries."""
    image = tmp_path / "e.img"
    subprocess.run(["truncate", "-s", "64M", image], check=True)
    listed = subprocess.run(["ldd", "/sbin/mke2fs", "/sbin/e2fsck"], capture_output=True, text=True, check=True).stdout
    add = {name: Path(name) for name in set(re.findall(r"(/\S*\.so\S*)", listed))}
    add |= {"/sbin/mkfs.ext4": Path("/sbin/mke2fs"), "/sbin/e2fsck": Path("/sbin/e2fsck")}
    out = boot("mkfs.ext4 -q -F /dev/sda && mount -t ext4 /dev/sda /mnt && echo x >/mnt/x && umount /mnt && e2fsck -fn /dev/sda >/tmp/log 2>&1; echo $?; grep -c 'Pass 5' /tmp/log; rm /tmp/log",
               add=add, qemu=attached(image), leak_check=False, timeout=120).out
    assert out == "0\n1\n"
    check(image)
    assert contents(image, "x") == b"x\n"


def test_bad_sectors(boot, tmp_path):
    """EIO for the file that lies there, and everything else goes on."""
    image = make(tmp_path / "e.img", "-b", "4096")
    out = boot(MOUNT + "cp /data a; cp /data b; sync" + UMOUNT, add={"/data": os.urandom(2 * MB)}, qemu=attached(image), leak_check=False).out
    place = subprocess.run(["/sbin/debugfs", "-R", "bmap a 100", image], capture_output=True, text=True, check=True).stdout.split()[-1]
    (tmp_path / "blkdebug").write_text(f'[inject-error]\nevent = "read_aio"\nerrno = "5"\nsector = "{int(place) * 8}"\nonce = "off"\n')
    out = boot(MOUNT + "cat a >/dev/null 2>/e || grep -c 'Input/output' /e; cat b | wc -c; dd if=a bs=4k count=50 2>/dev/null | wc -c; echo x >c; cat c" + UMOUNT,
               qemu=attached(f"blkdebug:{tmp_path}/blkdebug:{image}"), leak_check=False).out
    assert out.split() == ["1", str(2 * MB), "204800", "x"]
    check(image)


def test_pulled(boot, tmp_path):
    """The disk is gone in the middle of a write: errors, no hang, and the system goes on. What was synced is there, and what
    is mounted says that it is read-only from then on."""
    image, monitor = make(tmp_path / "e.img"), tmp_path / "monitor"

    def pull():
        with socket.socket(socket.AF_UNIX) as s:
            while True:
                try:
                    s.connect(str(monitor))
                    break
                except OSError:
                    time.sleep(0.05)
            for _ in range(200):
                if b"kept\n" in image.read_bytes():
                    break
                time.sleep(0.2)
            time.sleep(3)
            s.sendall(b"drive_del d0\n")
            time.sleep(1)

    puller = threading.Thread(target=pull)
    puller.start()
    out = boot(MOUNT + """echo kept >kept; sync; grep -o 'ext4 r.' /proc/mounts; n=0; while dd if=/dev/zero of=x bs=64k count=20 conv=fsync 2>/dev/null; do n=$((n + 1)); done; [ $n -gt 0 ] && echo failed
        n=0; until grep -q 'ext4 ro' /proc/mounts || [ $n = 20 ]; do n=$((n + 1)); sleep 1; done; mount | grep -o 'ext4 (r.'
        echo y >y 2>&1 | head -1; touch z 2>/dev/null || echo no more; cat kept; cd /; umount /mnt && echo unmounted; echo on""",
               qemu=attached(image) + f" -monitor unix:{monitor},server,nowait", leak_check=False, timeout=60).out
    puller.join()
    assert out.split("\n")[:3] == ["ext4 rw", "failed", "ext4 (ro"] and "no more" in out and out.endswith("unmounted\non\n")
    check(image, replay=True)
    assert contents(image, "kept") == b"kept\n"


def test_slow_disk(boot, tmp_path):
    """A disk that does 50 requests a second: it takes its time, and nobody complains."""
    image = make(tmp_path / "e.img", "-b", "4096")
    data = os.urandom(2 * MB)
    result = boot(MOUNT + "cp /data a; sync; sha1sum a" + UMOUNT, add={"/data": data}, qemu=attached(image, options=",throttling.iops-total=50"), leak_check=False)
    assert result.out.split()[0] == sha1(data) and "complains" not in result.klog
    check(image)


def test_hundred_thousand(boot, tmp_path, program):
    image = make(tmp_path / "e.img", "-N", "120000", size="256M")
    out = boot("chmod 755 /names; " + MOUNT + "mkdir d; cd d; /names 100000; echo * | wc -w; [ -f 77777 ] && [ ! -f 100001 ] && echo right; seq 1 20 100000 | xargs rm; echo * | wc -w" + UMOUNT,
               add={"/names": program("names")}, qemu=attached(image), leak_check=False, timeout=200).out
    assert out.split() == ["100000", "right", "95000"]
    check(image)


def test_many_walk(boot, tmp_path, program):
    """Two hundred programs walk paths at once, on a disk that takes its time: each is served."""
    top = tmp_path / "walked"
    for n in range(200):
        (top / f"{n}").mkdir(parents=True)
        (top / f"{n}/file").touch()
    image = make(tmp_path / "e.img", tree=top)
    out = boot("chmod 755 /walkers; mkdir -p /mnt && mount -t ext4 /dev/sda /mnt; /walkers 200; umount /mnt", add={"/walkers": program("walkers")},
               qemu=attached(image, options=",throttling.iops-total=100"), leak_check=False, timeout=120).out
    assert out == "200 found\n"


def test_signal_that_comes_in_exec(boot, tmp_path):
    """While the program is read from the disk, and nobody may be interrupted: it is not lost."""
    count, top = 20, tmp_path / "programs"
    for n in range(count):
        (top / f"{n}").mkdir(parents=True)
        shutil.copy("/bin/busybox", top / f"{n}/sleep")
    image = make(tmp_path / "e.img", tree=top)
    out = boot(f"mkdir -p /mnt && mount -t ext4 /dev/sda /mnt; i=0; while [ $i -lt {count} ]; do (exec /mnt/$i/sleep 2) & usleep $((i * 200)); kill $!; wait $! 2>/dev/null; echo $?; i=$((i + 1)); done; umount /mnt",
               qemu=attached(image), icount=True, leak_check=False).out
    assert re.findall(r"^\d+$", out, re.M) == ["143"] * count


def test_many_deleted(boot, tmp_path, program):
    """Four thousand deleted files are held open, and ext4 dies meanwhile: to delete one more takes no longer, and all have gone when their programs have ended."""
    image = make(tmp_path / "e.img", "-N", "8000")
    result = boot("chmod 755 /deleted; " + MOUNT + "/deleted 8 500; /deleted 8 500 'kill -9 $(pidof ext4)'; echo *" + UMOUNT,
                  add={"/deleted": program("deleted")}, qemu=attached(image), icount=True, leak_check=False)
    times = [int(us) for us in re.findall(r"^(?:none|all|ended) (\d+)$", result.out, re.M)]
    assert len(times) == 6 and "lost+found\n" in result.out and "ext4: killed 9" in result.klog
    assert max(times) < 2 * times[0], times
    assert "has not given back" not in result.klog
    check(image)


def test_many_deleted_at_a_power_failure(boot, tmp_path, program):
    """They go when the disk is mounted again; e2fsck knows all of them, too."""
    image = make(tmp_path / "e.img", "-N", "8000")
    boot("chmod 755 /deleted; " + MOUNT + "/deleted 8 250 'sync; poweroff -n -f'", add={"/deleted": program("deleted")}, qemu=attached(image), icount=True, leak_check=False, expect=125)
    copy = tmp_path / "copy.img"
    shutil.copy(image, copy)
    cleared = subprocess.run(["/sbin/e2fsck", "-fy", copy], capture_output=True, text=True).stdout
    assert cleared.count("Clearing orphaned inode") == 2000, cleared[-2000:]
    check(copy)
    out = boot(MOUNT + "n=0; used() { df -i . | awk 'NR == 2 { print $3 }'; }; until [ $(used) = 11 ] || [ $n -gt 600 ]; do usleep 100000; n=$((n + 1)); done; used" + UMOUNT, qemu=attached(image), icount=True, leak_check=False).out
    assert out == "11\n", out
    check(image)
