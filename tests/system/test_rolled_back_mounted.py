# SPDX-License-Identifier: BSD-2-Clause
"""Servers that keep their memory die over a mounted ext4, alone and together with all that stands below it: programs notice nothing, contents are right, and so is the file
system afterwards. A thousand deaths of each: ROUNDS=10 tools/test tests/system/test_rolled_back_mounted.py -k storm -s"""
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
ROUNDS = int(os.environ.get("ROUNDS") or 1)
LINKS = 8 * ROUNDS
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


@pytest.mark.parametrize("storms, least", [({"vfs": 200}, 1000), ({"vfs": 200, "ext4": 0}, 100), ({**dict.fromkeys(KEEPERS, 2000), **dict.fromkeys(FRESH, 7000)}, 100)], ids=["vfs", "vfs-ext4", "all"])
def test_storm(boot, program, tmp_path, storms, least):
    """VFS alone; and ext4 each time in one instant with it (tests/programs/kill_both.c); and all."""
    image = make(tmp_path / "e.img", "-U", SEED, "-E", f"hash_seed={SEED}")
    start, end = ("".join(f"service storm {name} {us if on else 0}\n" for name, us in storms.items() if us) for on in (True, False))
    both, ended = ("/both ext4 vfs 4000 >/tmp/both & both=$!\n", "kill $both; wait $both\n") if storms.get("ext4") == 0 else ("echo both 0 >/tmp/both\n", "")
    result = boot("chmod 755 /both; mkdir -p /mnt && mount -t ext4 /dev/sda /mnt && cd /mnt\n" + start + both + f"({WORK})\n" + ended + end + "echo ==; service list; cat /tmp/both; echo ==; cd /; umount /mnt || echo BAD: umount",
                  icount=True, timeout=100 * ROUNDS, leak_check=False,
                  add={"/both": program("kill_both"), "/data": bytes(os.urandom(700000)), **{place: text for name in FRESH for place, text in patient(name).items()}}, qemu=attached(image))
    work, listed, left = result.out.split("==\n")
    assert work + left == ""
    assert "undo:" not in result.klog and "essential server" not in result.klog
    died = deaths(listed)
    at_once = int(re.search(r"^both (\d+)$", listed, re.M)[1])
    print("DEATHS", died, "of VFS and ext4 in one instant", at_once)
    assert min(died[name] for name in storms) >= least * ROUNDS and (not both.startswith("/both") or at_once >= least * ROUNDS), (died, at_once)
    check(image)


@pytest.mark.parametrize("order, victim, number, least", [("storm", "vfs", 60, 500), ("fuse", "vfs", 40, 300), ("fuse", "rs", 60, 300)])
def test_answers_by_grant(boot, tmp_path, order, victim, number, least):
    """What RS writes into VFS's memory while VFS waits for it and is killed (the name of the file server that it starts) is not lost: each is stopped again. The same at the stores of both."""
    image = make(tmp_path / "e.img", "-U", SEED, "-E", f"hash_seed={SEED}")
    out = boot(f"mkdir -p /mnt; service {order} {victim} {number}; for n in $(seq 30); do mount -t ext4 /dev/sda /mnt || echo BAD $n; umount /mnt || echo BAD umount $n; done; service {order} {victim} 0\n"
               "service list", icount=True, timeout=100, leak_check=False, qemu=attached(image)).out
    assert "BAD" not in out and not re.search(r"^ext4\.", out, re.M), out
    assert deaths(out)[victim] > least, out
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
