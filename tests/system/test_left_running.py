# SPDX-License-Identifier: BSD-2-Clause
"""A device that its driver left running writes into its queue and nowhere else: a card under a flood of frames, whose driver is killed again and again and given up in the end,
while a program takes and checks all the memory that others give back."""
import os
import re
import socket
import subprocess
import threading

import pytest

from test_campaign import ILL, INJECTOR
from test_net_recovery import manifest
from test_stall import entry

KILLS = int(os.environ.get("KILLS") or 100)  # make kills: 1000
MAC = "52:54:00:12:34:56"
CHIP, QUEUE_END = 0x8000, 0x120000  # of a NIC's queue: what its device reads and writes (abi/queue.h)
QUEUE = 0x720000000000


class Flood(threading.Thread):
    """Frames to QEMU's socket network, 64 to 1514 bytes of 0xa5, for nobody there; some hundreds to thousands a second."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.sent, self.ends = port, 0, threading.Event()

    def run(self):
        head = bytes.fromhex(MAC.replace(":", "")) + bytes.fromhex("02000000000188b5")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            while not self.ends.wait(0.004):
                for size in (64, 1514, 600, 1514):
                    s.sendto(head + b"\xa5" * (size - len(head)), ("127.0.0.1", self.port))
                    self.sent += 1

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ends.set()
        self.join()


DEVICES = {"virtio-net": "virtio-net-pci"}  # as QEMU calls them, where that is not their driver's name


def socket_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


COMMAND = """
frames() {{ sed -n 's/^ *e0: *[0-9]* *\\([0-9]*\\) .*/\\1/p' /proc/net/dev; }}
more() {{ n=$(($(frames) + 50)); until [ $(frames) -ge $n ]; do usleep 20000; done; echo frames come; }}
mknod /tmp/inject c 240 0; more
poison 80 /tmp/end1 & service kill {nic} --every 8 --count {kills} >/dev/null; touch /tmp/end1; wait; service list {nic} | tail -n 1
more
echo '{nic} {at:#x} text {at:#x} {ill}' >/tmp/inject; until service list {nic} | grep -q given-up; do usleep 20000; done; echo given up; usleep 200000
echo 'net 0 fill {queue:#x} {length}' >/tmp/inject; head -n 1 /tmp/inject
poison 80 /tmp/end2 & sleep 2; touch /tmp/end2; wait; head -n 1 /tmp/inject
service up {nic}; more"""


@pytest.mark.parametrize("nic", ["e1000", "e1000e", "rtl8139", "virtio-net"])
def test_left_running(boot, program, nic):
    to, at = socket_port(), entry(nic, "receive")
    add = dict(INJECTOR, **{"/bin/poison": program("poison"), f"/etc/bardo/{nic}.svc": manifest(nic, budget="0 60")})
    command = COMMAND.format(nic=nic, kills=KILLS, at=at, ill=ILL, queue=QUEUE + CHIP, length=QUEUE_END - CHIP)
    with Flood(to) as flood:
        out = boot(command, add=add, mem=144, leak_check=False, timeout=240 + KILLS,
                   qemu=f"-netdev socket,id=n,udp=127.0.0.1:{socket_port()},localaddr=127.0.0.1:{to} -device {DEVICES.get(nic, nic)},netdev=n,mac={MAC}").out
    assert flood.sent > 1000
    print(out)
    assert out.count("frames come\n") == 3
    assert re.search(rf"^{nic} +\d+ up +\d+ s +{KILLS} killed", out, re.M)
    assert len(re.findall(r"^intact \d+$", out, re.M)) == 2 and not re.search("^changed", out, re.M)
    assert re.findall(r"^triggered \d+ 0 (\w+)\n", out, re.M) == ["intact", "intact"]


def file_system(folder, name):
    """An image with one file, full of that letter."""
    (folder / name).mkdir()
    (folder / name / "file").write_text(name * 6000000)
    subprocess.run(["truncate", "-s", "24M", folder / f"{name}.img"], check=True)
    subprocess.run(["/sbin/mke2fs", "-q", "-F", "-t", "ext4", "-d", folder / name, folder / f"{name}.img"], check=True)
    return folder / f"{name}.img"


def test_disk_left_running(boot, tmp_path):
    """A slow disk whose driver is stopped while it reads for a file system: no reset hits it alone, so it goes on into that memory, which the next mount,
    of another disk, must not get."""
    slow = f"-drive file={file_system(tmp_path, 'a')},if=none,id=slow,format=raw,cache=unsafe,throttling.iops-total=4 -device ide-hd,drive=slow,bus=ide.0"
    out = boot("""until [ -b /dev/sda ] && [ -b /dev/vda ]; do usleep 50000; done; mkdir /tmp/a /tmp/b
        mount -t ext4 /dev/sda /tmp/a; cat /tmp/a/file >/dev/null 2>&1 & sleep 2; service down ahci; wait; umount /tmp/a
        mount -t ext4 /dev/vda /tmp/b; for n in 1 2; do echo "wrong: $(cat /tmp/b/file | tr -d b | wc -c) of $(cat /tmp/b/file | wc -c)"; sleep 1; done
        umount /tmp/b; service up ahci; mount -t ext4 /dev/sda /tmp/a; head -c 3 /tmp/a/file; echo; umount /tmp/a; service list | grep ext4""",
               disks=[f"{file_system(tmp_path, 'b')}:virtio"], qemu=slow, leak_check=False, timeout=200).out
    assert out.count("wrong: 0 of 6000000\n") == 2
    assert re.search(r"^aaa\next4 .*^ext4\.1 ", out, re.S | re.M), "two mounts, two memories; the first is used again after a reset"
