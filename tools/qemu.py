# SPDX-License-Identifier: BSD-2-Clause
"""How this project starts QEMU: one place for the machine's options, for tools/guest, the demo and the benchmarks."""
import os
import socket
import subprocess
from pathlib import Path
from typing import NamedTuple

TOP = Path(__file__).resolve().parent.parent
MONITOR_SECONDS = 20  # for the emulator to save its memory


def build_folder():
    return Path(os.environ.get("B") or TOP / "build").resolve()


VIRTIO_IOMMU = ",disable-legacy=on,iommu_platform=on"  # without it a virtio device is no PCI device to QEMU's IOMMU


class Nic(NamedTuple):
    """A kind of network card."""
    service: str  # its driver
    device: str  # QEMU's


NICS = {
    "e1000": Nic("e1000", "e1000"),
    "e1000e": Nic("e1000e", "e1000e"),
    "rtl8139": Nic("rtl8139", "rtl8139"),
    "virtio": Nic("virtio-net", "virtio-net-pci"),
}


def network(nics, forwards, iommu=False, peers=""):
    """Options for network cards. nics: kinds, or QEMU's models, with properties after a comma ("e1000,mac=..."); card n is on 10.0.(2+n).0/24.
    forwards: "HOSTPORT:GUESTPORT" on the first card. peers: more of QEMU's options for the network of that."""
    options = []
    for number, nic in enumerate(nics):
        netdev = f"user,id=net{number}"
        if number:
            netdev += f",net=10.0.{2 + number}.0/24"
        else:
            netdev += peers
            for forward in forwards:
                host, guest = forward.split(":")
                netdev += f",hostfwd=tcp:127.0.0.1:{host}-:{guest}"
        kind, comma, properties = nic.partition(",")
        device = f"{NICS[kind].device if kind in NICS else kind},netdev=net{number}{comma}{properties}"
        options += ["-netdev", netdev, "-device", device + (VIRTIO_IOMMU if iommu and device.startswith("virtio") else "")]
    return options


class Disk(NamedTuple):
    """A kind of disk."""
    service: str  # its driver
    name: str  # of the first one in the system
    device: str  # of QEMU's, for the k-th of the kind; `before` comes once, ahead of the first
    before: str = ""


DISKS = {
    "ahci": Disk("ahci", "sda", "ide-hd,drive={drive},bus=ide.{k}"),
    "virtio": Disk("virtio-block", "vda", "virtio-blk-pci,drive={drive}"),
    "nvme": Disk("nvme", "nvme0n1", "nvme,drive={drive},serial={drive}"),
    "ide": Disk("ide", "hda", "ide-hd,drive={drive},bus=pata.{k}", "piix3-ide,id=pata"),
}
# Where no other driver has ports (drivers/block/writeonce). It is no disk to read and write at will: so it is in no list of them.
BURNER = Disk("writeonce", "wo0", "ide-hd,drive={drive},bus=burner.{k}", "isa-ide,id=burner,iobase=0x168,iobase2=0x36e,irq=10")
PLUGGED = {**DISKS, "writeonce": BURNER}


def split_disk(specification):
    """"IMAGE" or "IMAGE:KIND" as (image, kind)."""
    image, _, kind = specification.rpartition(":")
    return (image, kind) if kind in PLUGGED else (specification, "ahci")


def disk(image, kind="ahci", *, drive="d0", k=0, options="", properties="", iommu=False, cache=",cache=unsafe"):
    """Options for one disk: the k-th of its kind. properties: of the device."""
    found = PLUGGED[kind]
    device = found.device.format(drive=drive, k=k) + properties + (VIRTIO_IOMMU if iommu and found.device.startswith("virtio") else "")
    return [*(["-device", found.before] if found.before and k == 0 else []),
            "-drive", f"file={image},if=none,id={drive},format=raw{cache}{options}", "-device", device]


def disks(specifications, iommu=False, **more):
    """Options for disks: "IMAGE" or "IMAGE:KIND". They are called sda, sdb, vda, hda... in this order."""
    options, count = [], {}
    for number, specification in enumerate(specifications):
        image, kind = split_disk(specification)
        k = count[kind] = count.get(kind, -1) + 1
        options += disk(image, kind, drive=f"disk{number}", k=k, iommu=iommu, **more)
    return options


def sound(specification):
    """Options for a sound card. specification: QEMU's -audiodev, but "wav:FILE" is a recording; properties after a comma ("wav:FILE,out.frequency=22050")."""
    kind, _, path = specification.partition(":")
    backend = f"{kind},id=sound" + (f",path={path}" if path else "")
    if "," in kind:  # no file, but properties
        backend = kind.replace(",", ",id=sound,", 1)
    return ["-audiodev", backend, "-device", "ES1370,audiodev=sound"]


def command(initrd, klog, *, nics=(), forwards=(), smp=1, memory=256, icount=False, append="", serial="stdio", cpu="", iommu=False, screen="", extra=(), peers=""):
    """The whole command line. peers: of the first network. screen: a VGA and that display of QEMU's. klog: file for the debug console, which carries the kernel's log."""
    accel = os.environ.get("ACCEL") or "tcg"
    options = [
        "qemu-system-x86_64", "-M", "q35", "-accel", accel, "-cpu", cpu or "max", "-m", str(memory), "-smp", str(smp),
        "-display", screen or "none", "-nodefaults", "-no-reboot", "-kernel", str(build_folder() / "kernel.elf"),
        "-initrd", str(initrd), "-serial", serial, "-debugcon", f"file:{klog}", "-device", "isa-debug-exit",
    ]
    if iommu:  # before the devices
        options += ["-device", "intel-iommu,intremap=off"]
    if screen:
        options += ["-vga", "std"]
    if append:
        options += ["-append", append]
    if icount:  # one instruction is one ns, and nothing depends on the host's clock
        options += ["-icount", "shift=0,sleep=off", "-rtc", "base=2026-01-01,clock=vm"]
    return options + network(nics, forwards, iommu, peers) + list(extra)


def monitor(path):
    """Options for a monitor at that socket."""
    return ["-monitor", f"unix:{path},server=on,wait=off"]


def monitor_say(path, *commands):
    """Commands for QEMU's monitor; returns when the last is done, or after some seconds of silence."""
    with socket.socket(socket.AF_UNIX) as monitor:
        monitor.settimeout(MONITOR_SECONDS)
        monitor.connect(str(path))
        for prompts, command in enumerate((*commands, "")):
            text = b""
            while b"(qemu) " not in text:
                text += monitor.recv(4096) or b"(qemu) "
            monitor.sendall(command.encode() + b"\n" if command else b"")


def post_mortem(monitor, folder):
    """Who ran, and who was blocked on whom. "" when the emulator does not answer."""
    tool, kernel, memory = build_folder() / "postmortem", str(build_folder() / "kernel.elf"), str(Path(folder) / "memory")
    try:
        size = subprocess.run([tool, kernel], capture_output=True, text=True, check=True).stdout.strip()
        monitor_say(monitor, "stop", f"pmemsave 0 {size} \"{memory}\"")
        return "\n" + subprocess.run([tool, kernel, memory], capture_output=True, text=True, errors="replace", check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        return f"\n(no post mortem: {error})\n"
