# SPDX-License-Identifier: BSD-2-Clause
"""A Linux guest for comparisons: Debian's kernel, with the busybox that this system runs, in the same emulator.

Nothing of it is part of this project. LINUX_GUEST names the folder in which a package linux-image-VERSION-amd64 lies unpacked, or it is the host's own:

    apt-get download linux-image-6.1.0-NN-amd64 && dpkg-deb -x linux-image-*.deb FOLDER
"""
import os
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TOP / "tools"))
import archive  # noqa: E402

MODULES = {"e1000": ["e1000"], "e1000e": ["e1000e"], "rtl8139": ["mii", "8139cp"],  # of each card, in order
           "virtio": ["virtio_ring", "virtio", "virtio_pci_modern_dev", "virtio_pci_legacy_dev", "virtio_pci", "failover", "net_failover", "virtio_net"]}
ADDRESS = "10.0.2.15/24"
INIT = """#!/bin/sh
mount -t proc p /proc; mount -t sysfs s /sys; mount -t devtmpfs d /dev
for m in {modules}; do insmod /$m.ko; done
ip link set lo up; ip addr add {address} dev eth0; ip link set eth0 up
usleep 300000
{command}
poweroff -f
"""


def place():
    return Path(os.environ.get("LINUX_GUEST") or "/")


def find(nic):
    """(kernel, the files of the card's modules); or None, with a word on what is missing."""
    kernels = sorted(place().glob("boot/vmlinuz-*-amd64"))
    if not kernels:
        return None, f"no boot/vmlinuz-*-amd64 in {place()} (LINUX_GUEST; bench/linux_guest.py says how to get it)"
    version = kernels[-1].name.removeprefix("vmlinuz-")
    found = [next(iter(sorted((place() / "lib/modules" / version).rglob(f"{name}.ko"))), None) for name in MODULES[nic]]
    busybox = Path("/bin/busybox")
    if None in found or not busybox.exists():
        return None, f"no module for {nic} of {version} in {place()}, or no {busybox}"
    return (kernels[-1], found), ""


def run(nic, command, network, files, timeout):
    """What a command of busybox's shell writes. network: QEMU's options. files: {path there: path here}."""
    (kernel, modules), _ = find(nic)
    contents = archive.Archive()
    contents.add_file("bin/busybox", "/bin/busybox", 0o755)
    for name in subprocess.run(["/bin/busybox", "--list"], capture_output=True, text=True, check=True).stdout.split():
        if name != "busybox":
            contents.add_link(f"bin/{name}", "busybox")
    for name in ("proc", "sys", "dev", "tmp"):
        contents.add(name, 0o040755)
    for module in modules:
        contents.add_file(module.name, module)
    for there, here in files.items():
        contents.add_file(there, here)
    script = INIT.format(modules=" ".join(module.stem for module in modules), address=ADDRESS, command=command)
    contents.add("init", 0o100755, script.encode())
    with tempfile.NamedTemporaryFile() as initrd:
        initrd.write(contents.bytes())
        initrd.flush()
        line = ["qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-M", "q35", "-m", "256", "-nodefaults", "-display", "none", "-no-reboot", "-serial", "stdio",
                "-kernel", str(kernel), "-initrd", initrd.name, "-append", "console=ttyS0 quiet panic=-1", *network.split()]
        return subprocess.run(line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, errors="replace", timeout=timeout, check=False).stdout
