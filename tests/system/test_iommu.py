# SPDX-License-Identifier: BSD-2-Clause
"""Devices reach what is theirs (docs/security.md, DMA): all that works without an IOMMU works with one, and a driver that points its device elsewhere is named."""
import hashlib
import os
import re
import socketserver
import subprocess
import threading

import pytest

import inject_faults
from conftest import BUILD, TOP
from test_audio import GAP, RATE, REST, frame, heard, song
from test_campaign import INJECTOR
from test_faults import NETWORK, detected, faulty, recoveries

RECEIVE_RING = 0x720000008000  # e1000: QUEUE_WINDOW + QUEUE_CHIP_OFFSET, 256 descriptors
POINT = ("mknod /tmp/inject c 240 0; ping -c 1 10.0.2.2; {before} echo 'e1000 0 point {at:#x} 256' >/tmp/inject; head -n 1 /tmp/inject; "
         "{after} ping -c 3 -W 1 -w 6 10.0.2.2; head -n 1 /tmp/inject; sleep 0.2; cat /proc/recovery; {last}")


def point(before=":;", after=":;", last=":"):
    return POINT.format(before=before, after=after, last=last, at=RECEIVE_RING)


def baits(out):
    """The injector's answers: what the page is like that the card was told to write to, before and after frames have come."""
    return re.findall(r"^triggered \d+ 0 (intact|changed)\n", out, re.M)


def defects(out, name):
    return re.findall(rf"^\d+ {name} (\w+ \d+)", out, re.M)


def test_dma_elsewhere_is_named(boot):
    """Receive descriptors that point to memory of somebody else: nothing is written there, the driver is replaced, as soon as the next frame has come, and traffic goes on."""
    result = boot(point(last="ping -c 2 10.0.2.2"), nics=["e1000"], add=INJECTOR, icount=True, iommu=True, leak_check=False, timeout=200)
    row, = recoveries(result.out, "e1000")
    assert 0 < detected("e1000 elsewhere", row, int(re.search(r"^triggered (\d+) 0 intact", result.out, re.M)[1]) / 1e9) < 1000  # (the next frame is the answer to a ping, which the host sends)
    assert baits(result.out) == ["intact", "intact"]
    assert defects(result.out, "e1000") == ["dma 5"], "one, and none of the fresh copy"
    assert "2 packets received" in result.out
    assert re.search(r"pci: 00:01\.0: kept from writing [0-9a-f]+ \(reason 5\)", result.klog)


def test_without_an_iommu_it_lands(boot):
    """The same without: what docs/security.md says of a driver that is trusted. (And the test above can fail.)"""
    result = boot(point(), nics=["e1000"], add=INJECTOR, leak_check=False, timeout=200)
    assert baits(result.out)[1:] == ["changed"]  # (net may have asked the gateway something already when it is looked at first)
    assert "dma" not in " ".join(defects(result.out, "e1000"))


def test_without_an_iommu_the_driver_is_found_out(boot):
    """The frames that it reports are not where they should be, but old ones are."""
    until = "until grep -q 'e1000 complaint' /proc/recovery; do ping -c 1 -W 1 10.0.2.2 >/dev/null; done; ping -c 2 10.0.2.2"
    result = boot(point(last=until), nics=["e1000"], add=INJECTOR, leak_check=False, timeout=100)
    assert result.out.rstrip().split("\n")[-2].startswith("2 packets transmitted, 2 packets received"), result.out


def test_no_hole_while_pci_is_away(boot):
    """The PCI server keeps the tables. While it is dead, and while a fresh copy takes over, they hold; what was stopped meanwhile is told."""
    kills = "(service kill pci --every 30 --count 30) >/dev/null 2>&1 &"
    result = boot(point(before=kills, last="wait; ping -c 2 10.0.2.2; service list pci"), nics=["e1000"], add=INJECTOR, iommu=True, leak_check=False, timeout=200)
    assert baits(result.out) == ["intact", "intact"]
    assert defects(result.out, "e1000") and set(defects(result.out, "e1000")) == {"dma 5"}
    assert "2 packets received" in result.out
    assert int(re.search(r"^pci +\d+ up +\d+ s +(\d+) killed", result.out, re.M)[1]) >= 20


RDI, RDX = (inject_faults.REGISTERS.index(name) for name in ("rdi", "rdx"))
OFFSETS = '''#include <stddef.h>
#include <stdio.h>
#include "drivers/block/{}/chip.h"
int main(void) {{ printf("%zu %zu %zu\\n", {}); }}'''


def calls_in(service, function, callee):
    """The addresses of the calls of `callee` there."""
    program = inject_faults.Program(service)
    to = program.functions[callee][0].address
    return [one.address for one in program.functions[function] if one.mnemonic in ("call", "jmp") and one.op_str == f"{to:#x}"]


def call_in(service, function, callee):
    return calls_in(service, function, callee)[0]


@pytest.fixture
def offsets(tmp_path):
    """Of a driver's structures, as its own header says: where the first address of data is, from one to the next, how many."""
    def compute(driver, expressions):
        (tmp_path / "offsets.c").write_text(OFFSETS.format(driver, expressions))
        subprocess.run(["gcc", "-std=gnu17", "-w", "-I.", tmp_path / "offsets.c", "-o", tmp_path / "offsets"], cwd=TOP, check=True)
        return [int(word) for word in subprocess.run([tmp_path / "offsets"], capture_output=True, check=True).stdout.split()]
    return compute


DISKS = {  # kind: (service, name, folder of the driver, where it gives the device a command, offsets)
    "ahci": ("ahci", "sda", "ahci", ("issue", "mmio_write32"), "(size_t)CHIP_TABLES + offsetof(struct ahci_table, region), sizeof(struct ahci_table), (size_t)BLOCK_SLOTS"),
    "nvme": ("nvme", "nvme0n1", "nvme", ("give", "mmio_write32"),
             "offsetof(struct nvme_memory, command) + offsetof(struct nvme_command, data), sizeof(struct nvme_command), (size_t)ENTRIES"),
    "virtio": ("virtio-block", "vda", "virtio", ("end", "virtqueue_give"),
               "offsetof(struct virtio_memory, part), sizeof(struct virtio_descriptor), (size_t)HEADS * PARTS"),
}
BLOCK_CHIP = 0x720000010000  # QUEUE_WINDOW + BLOCK_CHIP_OFFSET


@pytest.mark.parametrize("kind", DISKS)
def test_disk_elsewhere_is_named(boot, tmp_path, offsets, kind):
    """A disk's driver that gives its device addresses of somebody else's, in the commands that it is about to give: nothing is written there, the driver is named
    and replaced, and what was asked for is there, and right."""
    service, name, folder, trap, expressions = DISKS[kind]
    at, stride, count = offsets(folder, expressions)
    data = os.urandom(4 << 20)
    image = tmp_path / "disk"
    image.write_bytes(data)
    out = boot(f"""mknod /tmp/inject c 240 0; until [ -b /dev/{name} ]; do usleep 50000; done; head -c 65536 /dev/{name} | md5sum
        echo '{service} {call_in(service, *trap):#x} point {BLOCK_CHIP + at:#x} {count} {stride}' >/tmp/inject; head -n 1 /tmp/inject
        dd if=/dev/{name} bs=1M skip=2 2>/dev/null | md5sum; head -n 1 /tmp/inject; cat /proc/recovery""", disks=[f"{image}:{kind}"], add=INJECTOR, iommu=True,
               leak_check=False, timeout=200).out
    assert re.search(r"^armed 0 0\n", out, re.M) and baits(out) == ["intact"]
    assert re.findall(r"^(\w{32})  -$", out, re.M) == [hashlib.md5(data[:65536]).hexdigest(), hashlib.md5(data[2 << 20:]).hexdigest()]
    assert len(found := defects(out, service)) == 1 and re.fullmatch("dma [56]", found[0])


@pytest.mark.parametrize("kind", DISKS)
def test_disk_elsewhere_while_nobody_looks(boot, tmp_path, offsets, kind):
    """The same while the PCI server is away, whose device's refused transfers say so only to the IOMMU: nothing that the driver calls done is believed until they have been looked at."""
    service, name, folder, trap, expressions = DISKS[kind]
    at, stride, count = offsets(folder, expressions)
    data = os.urandom(4 << 20)
    image = tmp_path / "disk"
    image.write_bytes(data)
    out = boot(f"""mknod /tmp/inject c 240 0; until [ -b /dev/{name} ]; do usleep 50000; done; head -c 65536 /dev/{name} | md5sum; service hold pci; service kill pci
        echo '{service} {call_in(service, *trap):#x} point {BLOCK_CHIP + at:#x} {count} {stride}' >/tmp/inject; head -n 1 /tmp/inject
        (usleep 300000; echo now; service up pci) & dd if=/dev/{name} bs=1M skip=2 2>/dev/null | md5sum; wait; head -n 1 /tmp/inject; cat /proc/recovery""",
               disks=[f"{image}:{kind}"], add=INJECTOR, iommu=True, leak_check=False, timeout=200).out
    assert re.search(r"^armed 0 0\n", out, re.M) and baits(out) == ["intact"]
    assert re.findall(r"^(?:now|\w{32}  -)$", out, re.M) == [f"{hashlib.md5(data[:65536]).hexdigest()}  -", "now", f"{hashlib.md5(data[2 << 20:]).hexdigest()}  -"]
    assert (found := defects(out, service)) and all(re.fullmatch("dma [56]", one) for one in found)


def test_whose_it_was_is_not_known(boot):
    """pci says that some device was kept from memory, and not which: RS counts it in the queue of every driver, where its client sees it."""
    result = boot("usleep 300000; service kill ahci; usleep 900000", add={"/lib/bardo/pci": BUILD / "services/pci_late", **faulty("count", delay=1000, **NETWORK)}, icount=True, leak_check=False)
    assert int(re.search(r"may have been kept from memory: (\d+)", result.klog)[1]) >= 1


def test_disk_elsewhere_and_nobody_ever_looks(boot, tmp_path, offsets):
    """The PCI server does not come back: after ten seconds what cannot be believed is an error, and nothing is handed on."""
    service, name, folder, trap, expressions = DISKS["virtio"]
    at, stride, count = offsets(folder, expressions)
    image = tmp_path / "disk"
    image.write_bytes(os.urandom(4 << 20))
    out = boot(f"""mknod /tmp/inject c 240 0; until [ -b /dev/{name} ]; do usleep 50000; done; head -c 65536 /dev/{name} | md5sum; service hold pci; service kill pci
        echo '{service} {call_in(service, *trap):#x} point {BLOCK_CHIP + at:#x} {count} {stride}' >/tmp/inject; head -n 1 /tmp/inject; read a r </proc/uptime
        dd if=/dev/{name} of=/tmp/got bs=1M skip=2 2>&1 | grep -o 'Input/output error'; read b r </proc/uptime; wc -c </tmp/got; echo ${{a%.*}} ${{b%.*}}; head -n 1 /tmp/inject""",
               disks=[f"{image}:virtio"], add=INJECTOR, iommu=True, icount=True, leak_check=False, timeout=60).out
    began, ended = map(int, re.search(r"^(\d+) (\d+)$", out, re.M).groups())
    assert re.search(r"^Input/output error\n0$", out, re.M) and 9 <= ended - began <= 60, out
    assert baits(out) == ["intact"]


@pytest.mark.parametrize("nic", ["rtl8139", "virtio"])
def test_other_cards_elsewhere_are_named(boot, nic):
    """The rtl8139 has no descriptors: the address in a register, of a frame to be sent, is changed when it is about to be written. A virtio card's
    descriptors of buffers for frames."""
    if nic == "rtl8139":
        service, fault = nic, f"{call_in(nic, 'rtl8139_transmit', 'mmio_write32'):#x} register {RDX} 29"
    else:
        service, fault = "virtio-net", f"0 point {RECEIVE_RING:#x} 256"
    result = boot(f"mknod /tmp/inject c 240 0; ping -c 1 10.0.2.2; echo '{service} {fault}' >/tmp/inject; ping -c 3 -W 1 -w 6 10.0.2.2; head -n 1 /tmp/inject; "
                  "sleep 0.2; cat /proc/recovery; ping -c 2 10.0.2.2", nics=[nic], add=INJECTOR, iommu=True, leak_check=False, timeout=200)
    assert re.search(r"^triggered \d+ 0", result.out, re.M) and " changed" not in result.out
    assert len(found := defects(result.out, service)) == 1 and re.fullmatch("dma [56]", found[0])
    assert "2 packets received" in result.out


@pytest.mark.parametrize("iommu", [True, False])
def test_sound_elsewhere_is_named(boot, tmp_path, iommu):
    """A sound card has no descriptors either: the position of the first song goes into the register of the address, by one bit of the register's number. With an
    IOMMU its driver is named, and all of both songs is heard; without one, what happens to lie there is played, and nobody knows."""
    out, at = tmp_path / "out.wav", calls_in("es1370", "es1370_set_position", "pio_write32")[-1]
    songs = {"/a.wav": song(tmp_path, 0.4), "/b.wav": song(tmp_path, 0.5, "b.wav", round(0.4 * RATE))}
    result = boot(f"mknod /tmp/inject c 240 0; service wait es1370; echo 'es1370 {at:#x} register {RDI} 2' >/tmp/inject; play -q /a.wav; head -n 1 /tmp/inject; cat /proc/recovery; play -q /b.wav{REST}",
                  sound=f"wav:{out}", add=dict(INJECTOR, **songs), icount=True, iommu=iommu, leak_check=False, timeout=100)
    assert re.search(r"^triggered \d+ 0", result.out, re.M)
    assert defects(result.out, "es1370") == (["dma 6"] if iommu else [])
    if iommu:
        heard(out, [frame(k) for k in range(round(0.9 * RATE))])
        assert re.search(r"pci: 00:\w\w\.0: kept from reading [0-9a-f]+ \(reason 6\)", result.klog)


def test_sound_goes_on_within_it(boot, tmp_path):
    """Its driver and the PCI server, which keeps the tables, die all the time: every sample is heard, and nobody is blamed."""
    out, seconds = tmp_path / "out.wav", 1.5
    result = boot(f"""(while usleep 170000; do service kill pci; done) >/dev/null 2>&1 & pci=$!; service kill es1370 --every 190 >/dev/null & killer=$!
        play -q /song.wav{REST.replace('usleep', 'kill $killer $pci; cat /proc/recovery; usleep')}""", sound=f"wav:{out}", add={"/song.wav": song(tmp_path, seconds)},
                  icount=True, iommu=True, leak_check=False, timeout=100)
    assert set(defects(result.out, r"\S+")) == {"killed 9"} and len(defects(result.out, "es1370")) >= 5 and len(defects(result.out, "pci")) >= 3
    assert max(heard(out, [frame(k) for k in range(round(seconds * RATE))]), default=0) < GAP
    assert "1 IOMMU: devices reach what is theirs" in result.klog and "kept from" not in result.klog


class Giver(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.sendall(self.server.content)


@pytest.fixture
def giver():
    """A peer on the host that sends 3 MB to whoever connects: (port, MD5)."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Giver) as server:
        server.content = os.urandom(3 << 20)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1], hashlib.md5(server.content).hexdigest()
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("disk,name,driver", [("ahci", "sda", "ahci"), ("virtio", "vda", "virtio-block")])
def test_work_goes_on_within_it(boot, tmp_path, giver, disk, name, driver):
    """A download onto a disk, read back after a second mount (memory that the disk's device reaches only since then), its driver killed
    meanwhile, through each kind of disk; nobody is blamed."""
    image, (port, digest) = tmp_path / "disk", giver
    subprocess.run(["truncate", "-s", "24M", image], check=True)
    subprocess.run(["/sbin/mke2fs", "-q", "-F", "-t", "ext4", image], check=True)
    result = boot(f"""until [ -b /dev/{name} ]; do usleep 50000; done; mkdir /tmp/m; mount -t ext4 /dev/{name} /tmp/m
        nc 10.0.2.2 {port} </dev/null >/tmp/m/got; sync; service kill {driver}; umount /tmp/m; mount -t ext4 /dev/{name} /tmp/m; md5sum /tmp/m/got
        service kill {driver}; umount /tmp/m; cat /proc/recovery""", nics=["e1000" if disk != "virtio" else "virtio"],
                  disks=[f"{image}:{disk}"], iommu=True, leak_check=False, timeout=200)
    assert digest in result.out
    assert set(defects(result.out, r"\S+")) == {"killed 9"}
    assert "1 IOMMU: devices reach what is theirs" in result.klog and "kept from" not in result.klog
    assert subprocess.run(["/sbin/e2fsck", "-fn", image], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0
