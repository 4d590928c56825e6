# SPDX-License-Identifier: BSD-2-Clause
"""Servers that keep their memory die over a mounted ext4, alone and together with all that stands below it: programs notice nothing, contents are right, and so is the file
system afterwards. Longer: more ROUNDS, and LINKS."""
import os
import re

import pytest

from conftest import TOP
from test_disk import PLACES, attached
from test_ext4 import check, make
from test_rolled_back import deaths

KEEPERS = ["rs", "ds", "vm", "pm", "vfs", "net", "ram"]
FRESH = ["ext4", "disk", "ahci"]
SEED = "6f0a1c52-7a3e-4d52-9d5b-0c1f2e3d4b5a"  # an image like the one before: so instructions are, too
ROUNDS, LINKS = 1, 8
WORK = f"""
bad() {{ echo "BAD: $*"; }}
r=0; while [ $r -lt {ROUNDS} ]; do r=$((r + 1))
    cp /data a || bad cp; cmp a /data || bad copy; dd if=/data of=b bs=7777 conv=fsync 2>/dev/null || bad dd; cmp b /data || bad synced
    mkdir d || bad mkdir; n=0
    while [ $n -lt 40 ]; do echo $n >d/$n && mv d/$n d/x$n && ln d/x$n d/y$n && sync d/x$n || bad name $n; n=$((n + 1)); done
    [ "$(ls d | wc -l)" = 80 ] || bad ls
    for k in x y; do [ "$(cat d/$k* | sort -n | md5sum)" = "$(seq 0 39 | md5sum)" ] || bad $k; done
    rm d/x* || bad rm; [ "$(stat -c %h d/y* | sort -u)" = 1 ] || bad links
    n=0; while [ $n -lt 40 ]; do echo line $n >>log || bad append $n; n=$((n + 1)); done; [ "$(wc -l <log)" = $((40 * r)) ] || bad log
    exec 5<>a; rm a || bad rm a; [ "$(md5sum <&5)" = "$(md5sum </data)" ] || bad deleted; exec 5<&-
    mkdir d/s && mv d/s e && rmdir e || bad folder; truncate -s 100000 b || bad truncate; head -c 100000 /data | cmp - b || bad truncated
    mv b keep || bad mv; cat keep >c & rm -r d || bad rm -r; wait; cmp c keep || bad background
done
mkdir l; n=0; while [ $n -lt 20 ]; do echo $n >l/x$n; ln -s x$n l/s$n; n=$((n + 1)); done
r=0; while [ $r -lt {LINKS} ]; do r=$((r + 1)); n=0
    while [ $n -lt 20 ]; do x=; read x <l/s$n; [ "$x" = $n ] || bad link $n "$x"; mv l/x$n l/y && mv l/y l/x$n || bad move $n; n=$((n + 1)); done
done
"""


def patient(service):
    """Its manifest, with a budget that is never used up."""
    kept = [line for line in (TOP / PLACES[service]).read_text().splitlines() if line.split()[:1] not in (["budget"], ["backoff"])]
    return {f"/etc/bardo/{service}.svc": "\n".join(kept + ["budget 1000 2", "backoff 1000 10 100"]) + "\n"}


@pytest.mark.parametrize("storms, least", [({"vfs": 200}, 1000), ({"vfs": 200, "ext4": 4000}, 100), ({**dict.fromkeys(KEEPERS, 2000), **dict.fromkeys(FRESH, 7000)}, 100)], ids=["vfs", "vfs-ext4", "all"])
def test_storm(boot, tmp_path, storms, least):
    image = make(tmp_path / "e.img", "-U", SEED, "-E", f"hash_seed={SEED}")
    start, end = ("".join(f"service storm {name} {us if on else 0}\n" for name, us in storms.items()) for on in (True, False))
    result = boot("mkdir -p /mnt && mount -t ext4 /dev/sda /mnt && cd /mnt\n" + start + WORK + end + "echo ==; service list; echo ==; cd /; umount /mnt || echo BAD: umount", icount=True, timeout=100, leak_check=False,
                  add={"/data": bytes(os.urandom(700000)), **{place: text for name in FRESH for place, text in patient(name).items()}}, qemu=attached(image))
    work, listed, left = result.out.split("==\n")
    assert work + left == ""
    assert "undo:" not in result.klog and "core server" not in result.klog
    died = deaths(listed)
    assert min(died[name] for name in storms) >= least, died
    check(image)


def test_answers_by_grant(boot, tmp_path):
    """What RS writes into VFS's memory while VFS waits for it and is killed (the name of the file server that it starts) is not lost: each is stopped again."""
    image = make(tmp_path / "e.img", "-U", SEED, "-E", f"hash_seed={SEED}")
    out = boot("mkdir -p /mnt; service storm vfs 60; for n in $(seq 30); do mount -t ext4 /dev/sda /mnt || echo BAD $n; umount /mnt || echo BAD umount $n; done; service storm vfs 0\n"
               "service list", icount=True, timeout=100, leak_check=False, qemu=attached(image)).out
    assert "BAD" not in out and not re.search(r"^ext4\.", out, re.M), out
    assert deaths(out)["vfs"] > 500
    check(image)


def test_mounted_at_once(boot, tmp_path):
    """A disk that two mount at the same moment while VFS is killed: it has one file server, and whoever is killed while mounting leaves it to others."""
    image = make(tmp_path / "e.img", "-U", SEED, "-E", f"hash_seed={SEED}")
    out = boot("""mkdir -p /a /b; service storm vfs 60; n=0
        while [ $n -lt 12 ]; do mount -t ext4 /dev/sda /a 2>/dev/null & mount -t ext4 /dev/sda /b 2>/dev/null & wait; grep -c ^/dev/sda /proc/mounts
        umount /a 2>/dev/null || umount /b; mount -t ext4 /dev/sda /a & usleep ${n}000; kill -9 $! 2>/dev/null; wait; umount /a 2>/dev/null; n=$((n + 1)); done 2>/dev/null
        mount -t ext4 /dev/sda /a && umount /a && echo free; service storm vfs 0; service list""", icount=True, timeout=100, leak_check=False, qemu=attached(image)).out
    assert out.startswith("1\n" * 12 + "free\n") and not re.search(r"^ext4.* up ", out, re.M), out
    assert deaths(out)["vfs"] > 200
    check(image)
