# SPDX-License-Identifier: BSD-2-Clause
"""Raw disks: what is read and written is right, whoever dies meanwhile."""
import hashlib
import os
import socket
import subprocess
import threading
import time

import pytest

from conftest import BUILD, TOP
import qemu

MB = 1 << 20
BUDGET = {"budget": "1000 60", "backoff": "1000 10 100"}
PLACES = {"ahci": "drivers/block/ahci/ahci.svc", "virtio-block": "drivers/block/virtio/virtio-block.svc", "ide": "drivers/block/ide/ide.svc", "nvme": "drivers/block/nvme/nvme.svc",
          "disk": "servers/disk/disk.svc"}
# driver: how its first disk is called, and QEMU's kind
DRIVERS = {disk.service: (disk.name, kind) for kind, disk in qemu.DISKS.items()}
every_driver = pytest.mark.parametrize("driver", DRIVERS)
# kill_all SERVICE MICROSECONDS: kill it again and again, in the background, until stop
LIBRARY = """
kill_all() { { cd /; while :; do kill -9 $(pidof $1); usleep $2; done; } 2>/dev/null & killer=$!; }
stop() { kill $killer; wait $killer 2>/dev/null; [ $(grep -cw "$1 killed" /proc/recovery) -ge $2 ] && echo often enough; }
"""


def patient(service):
    """Its manifest, with a budget that the test does not use up."""
    kept = [line for line in (TOP / PLACES[service]).read_text().splitlines() if line.split()[:1] and line.split()[0] not in BUDGET]
    return {f"/etc/bardo/{service}.svc": "\n".join(kept + [f"{key} {value}" for key, value in BUDGET.items()]) + "\n"}


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "disk.img"
    path.write_bytes(os.urandom(32 * MB))
    return path


def attached(path, driver="ahci", options="", properties=""):
    return " ".join(qemu.disk(path, DRIVERS[driver][1], options=options, properties=properties))


def sha1(data):
    return hashlib.sha1(data).hexdigest()


@every_driver
def test_read(boot, image, driver):
    name = DRIVERS[driver][0]
    out = boot(f"sha1sum </dev/{name}; dd if=/dev/{name} bs=1000 skip=3333 count=777 2>/dev/null | sha1sum; [ -b /dev/{name} ] && ls /dev/{name[:2]}*; cat /proc/partitions",
               qemu=attached(image, driver)).out
    data = image.read_bytes()
    assert out.split("\n")[:3] == [sha1(data) + "  -", sha1(data[3333000:4110000]) + "  -", f"/dev/{name}"]
    assert out.split("\n")[5].split()[2:] == ["32768", name]


@every_driver
def test_write(boot, image, driver):
    """Whole pieces and odd ones; beyond the end there is no space."""
    data = bytearray(image.read_bytes())
    piece = os.urandom(3 * MB + 777)
    disk = "/dev/" + DRIVERS[driver][0]
    out = boot(f"dd if=/piece of={disk} bs=1000 seek=1001 2>/dev/null; dd if=/piece of={disk} bs=1M seek=8 2>/dev/null; sync; "
               f"dd if=/piece of={disk} bs=1M seek=31 2>&1 | grep -c 'No space'", add={"/piece": piece}, qemu=attached(image, driver)).out
    data[1001000:1001000 + len(piece)] = piece
    data[8 * MB:8 * MB + len(piece)] = piece
    data[31 * MB:] = piece[:MB]
    assert out == "1\n" and image.read_bytes() == data


@pytest.mark.parametrize("victim", [*DRIVERS, "disk"])
def test_killed_while_reading_and_writing(boot, image, victim):
    driver = victim if victim in DRIVERS else "ahci"
    disk = "/dev/" + DRIVERS[driver][0]
    piece = os.urandom(4 * MB)
    out = boot(LIBRARY + f"kill_all {victim} 10000; for n in 1 2; do sha1sum <{disk}; done; for n in 0 8 16 24; do dd if=/piece of={disk} bs=64k seek=$((n * 16)) 2>/dev/null; "
               f"done; sha1sum <{disk}; stop {victim} 20", add={**patient(victim), "/piece": piece}, qemu=attached(image, driver), timeout=120, leak_check=False).out
    before = image.read_bytes()
    assert out.split("\n")[2:4] == [sha1(before) + "  -", "often enough"]
    assert len(set(out.split("\n")[:2])) == 1 and all(before[n * MB:n * MB + len(piece)] == piece for n in (0, 8, 16, 24))


@pytest.mark.parametrize("label, names", [("dos", "sda sda1 sda2 sda5"), ("gpt", "sda sda1 sda2 sda3")])
def test_partitions(boot, image, label, names):
    script = {"dos": "2048,4096,83\n8192,1000,82\n10240,40000,5\n12288,2048,83\n", "gpt": "2048,4096\n8192,1000\n12288,2048\n"}[label]
    subprocess.run(["/sbin/sfdisk", "-q", image], input=f"label: {label}\n{script}", text=True, check=True)
    last = names.split()[-1]
    names += " sda3" if label == "dos" else ""
    out = boot(f"cd /dev; echo sd*; sha1sum <{last}; dd if=/dev/zero of=sda2 bs=1M 2>&1 | grep -c 'No space'", qemu=attached(image)).out.split("\n")
    data = image.read_bytes()
    assert sorted(out[0].split()) == sorted(names.split())
    assert out[1] == sha1(data[12288 * 512:(12288 + 2048) * 512]) + "  -"
    assert out[2] == "1" and data[8192 * 512:9192 * 512] == bytes(1000 * 512) and data[9192 * 512:9193 * 512] != bytes(512)


def test_many_partitions(boot, image):
    """All 128 of a GPT, in /dev, /proc/partitions and for who opens them; what is beyond is said."""
    table = "label: gpt\ntable-length: 132\n" + "".join(f"{2048 + n * 192},{n + 1}\n" for n in range(131))
    subprocess.run(["/sbin/sfdisk", "-q", image], input=table, text=True, check=True)
    result = boot("""echo /dev/sd* | wc -w; grep -c sda /proc/partitions; grep -w sda128 /proc/partitions | wc -l; sha1sum </dev/sda16; sha1sum </dev/sda128; stat -c '%t %T' /dev/sda15 /dev/sda16
        kill -9 $(pidof disk); usleep 100000; dd if=/dev/zero of=/dev/sda77 2>&1 | grep -c 'No space'; ls -l /dev/sda16 | cut -c1""", qemu=attached(image), leak_check=False)
    data = image.read_bytes()
    sums = [sha1(data[(2048 + (n - 1) * 192) * 512:][:n * 512]) + "  -" for n in (16, 128)]
    assert result.out.split("\n")[:-1] == ["129", "129", "1", *sums, "8 f", "103 10", "1", "b"]
    assert data[(2048 + 76 * 192) * 512:][:77 * 512] == bytes(77 * 512) and data[(2048 + 76 * 192 + 77) * 512:][:512] != bytes(512)
    assert "sda: its partitions with numbers beyond 128 are left out (3)" in result.klog


# (QEMU's ATA disks have none.)
@pytest.mark.parametrize("driver, label", [("virtio-block", "g"), ("nvme", "g"), ("nvme", "o")])
def test_big_blocks(boot, tmp_path, driver, label):
    """A disk whose blocks have 4096 bytes: raw, by its GPT or MBR, and with ext4 on a partition, through kills."""
    image, system, piece = tmp_path / "big.img", tmp_path / "e.img", os.urandom(3 * MB + 777)
    name = DRIVERS[driver][0]
    part = name + ("p1" if name[-1].isdigit() else "1")
    image.write_bytes(bytes(48 * MB))
    primary = "p\n" if label == "o" else ""
    subprocess.run(["/sbin/fdisk", "-b", "4096", image], input=f"{label}\nn\n{primary}1\n256\n+9999\nn\n{primary}2\n10500\n+99\nw\n", text=True, check=True, stdout=subprocess.DEVNULL)
    with system.open("wb") as f:
        f.truncate(10000 * 4096)
    subprocess.run(["/sbin/mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", system], check=True)
    with image.open("r+b") as f:
        f.seek(256 * 4096)
        f.write(system.read_bytes())
    out = boot(LIBRARY + f"""until [ -b /dev/{part} ]; do usleep 20000; done; cat /proc/partitions | grep -w '{name}.*' -o | tr '\n' ' '; echo; mkdir -p /mnt; mount -t ext4 /dev/{part} /mnt; kill_all {driver} 20000
        for n in 1 2 3; do cp /piece /mnt/f$n; sync; sha1sum </mnt/f$n; done; dd if=/piece of=/dev/{part[:-1]}2 bs=1000 count=333 2>/dev/null; stop {driver} 5; umount /mnt; sync
        dd if=/dev/{part[:-1]}2 bs=1000 count=333 2>/dev/null | sha1sum""", add={**patient(driver), "/piece": piece}, qemu=attached(image, driver, properties=",logical_block_size=4096,physical_block_size=4096"), timeout=60, leak_check=False).out.split("\n")
    assert out[0].split() == [name, part, part[:-1] + "2"]
    assert out[1:] == 3 * [sha1(piece) + "  -"] + ["often enough", sha1(piece[:333000]) + "  -", ""]
    data = image.read_bytes()
    assert data[10500 * 4096:][:333000] == piece[:333000]
    system.write_bytes(data[256 * 4096:][:10000 * 4096])
    subprocess.run(["/sbin/e2fsck", "-fn", system], check=True, stdout=subprocess.DEVNULL)


def test_bad_sector(boot, image, tmp_path):
    """Retried, then EIO to who reads it; everything else goes on, also several commands at once."""
    (tmp_path / "blkdebug").write_text('[inject-error]\nevent = "read_aio"\nerrno = "5"\nsector = "40960"\nonce = "off"\n')
    drive = attached(f"blkdebug:{tmp_path}/blkdebug:{image}")
    result = boot("dd if=/dev/sda of=/tmp/x bs=256k 2>&1 | grep error; dd if=/tmp/x of=/dev/null 2>&1 | head -1; rm /tmp/x; "
                  "dd if=/dev/sda bs=1M skip=24 2>/dev/null | sha1sum; service status ahci | grep restarts", qemu=drive)
    data = image.read_bytes()
    assert result.out.split("\n")[:3] == ["dd: /dev/sda: Input/output error", "40960+0 records in", sha1(data[24 * MB:]) + "  -"]
    assert result.out.split("\n")[3].split() == ["restarts", "0"] and "port 0: error" in result.klog


def test_many_wait(boot, image, tmp_path):
    """Every program that there is may wait for a disk: nobody is sent away because others do."""
    out = boot("i=0; while [ $i -lt 100 ]; do (dd if=/dev/sda of=/dev/null bs=256k count=1 skip=$i 2>/dev/null && echo $i >>/tmp/done || echo failed) & i=$((i + 1)); done; wait; wc -l </tmp/done; rm /tmp/done",
               qemu=attached(image, options=",throttling.iops-total=15"), timeout=120, leak_check=False).out
    assert out == "100\n"


def test_no_disk(boot):
    out = boot("ls /dev/sd* 2>&1 | grep -c 'No such'; service status ahci | grep state").out
    assert out.split() == ["1", "state", "up"]


@pytest.mark.parametrize("driver, properties", [("virtio-block", ",vectors=0"), ("virtio-block", ",vectors=2"), ("nvme", "")], ids=["virtio-pin", "virtio", "nvme"])
def test_interrupts(boot, image, tmp_path, driver, properties):
    """By its pin and by MSI-X, also when the server that has programmed the table is a fresh one."""
    trace = tmp_path / "trace"
    out = boot(f"for n in 1 2 3; do head -c 4194304 </dev/{DRIVERS[driver][0]} | sha1sum; kill -9 $(pidof pci); kill -9 $(pidof {driver}); usleep 200000; done; for s in {driver} pci; do service status $s | grep restarts; done",
               qemu=attached(image, driver, properties=properties) + f" -trace msix_write_config -D {trace}").out.split("\n")
    assert out[:3] == 3 * [sha1(image.read_bytes()[:4 * MB]) + "  -"] and [line.split()[1] for line in out[3:5]] == ["3", "3"]
    assert ("enabled 1" in trace.read_text()) == (properties != ",vectors=0")


def test_late_vector(boot, image):
    """pci says where the MSIs go long after the driver has begun: what has come before is looked after then, and no request waits for a reset."""
    result = boot("sha1sum </dev/sda", add={"/lib/bardo/pci": BUILD / "services/pci_late"}, qemu=attached(image), leak_check=False)
    assert result.out == sha1(image.read_bytes()) + "  -\n" and "complains of ahci" not in result.klog


def drive(path, name):
    return f" -drive file={path},if=none,id={name},format=raw,cache=unsafe"


def test_stalled(boot, tmp_path):
    """Disks that do not answer any more: after three deadlines and resets EIO, while everything else goes on; then they answer again.
    (Not AHCI: QEMU itself stands still while its AHCI waits for the end of such a request.)"""
    paths = [tmp_path / f"{name}.img" for name in ("vda", "hda", "sda")]
    for path in paths:
        path.write_bytes(os.urandom(4 * MB))
    monitor = tmp_path / "monitor"

    def throttle():
        with socket.socket(socket.AF_UNIX) as s:
            while s.connect_ex(str(monitor)):
                time.sleep(0.05)
            for seconds, rate in ((2, 1), (40, 0), (3, 0)):
                time.sleep(seconds)
                s.sendall(b"".join(b"block_set_io_throttle %s %d 0 0 0 0 0\n" % (disk, rate) for disk in (b"d0", b"d1")))

    thread = threading.Thread(target=throttle)
    thread.start()
    # (QEMU lets one request through before it begins to throttle.)
    out = boot("""sleep 4; for d in vda hda; do { dd if=/dev/$d of=/dev/null bs=64k count=1 skip=20; dd if=/dev/$d of=/dev/null bs=64k count=1 skip=40; } 2>/tmp/$d & done
        sleep 15; sha1sum </dev/sda; read a b </proc/uptime; wait; read b c </proc/uptime; cat /tmp/vda /tmp/hda | grep -o 'Input/output error'
        [ ${b%.*} -gt $((${a%.*} + 8)) ] && echo later; rm /tmp/?da
        sleep 12; sha1sum </dev/vda; sha1sum </dev/hda""",
               qemu=f"-monitor unix:{monitor},server,nowait {drive(paths[0], 'd0')} -device virtio-blk-pci,drive=d0 {drive(paths[1], 'd1')} -device piix3-ide,id=pata "
                    f"-device ide-hd,drive=d1,bus=pata.0 {drive(paths[2], 'd2')} -device ide-hd,drive=d2,bus=ide.0", leak_check=False, timeout=110).out
    thread.join()
    vda, hda, sda = (sha1(path.read_bytes()) + "  -" for path in paths)
    assert out.split("\n") == [sda, "Input/output error", "Input/output error", "later", vda, hda, ""]
