# SPDX-License-Identifier: BSD-2-Clause
"""How this project starts QEMU: one place for the machine's options, for tools/guest, the demo and the benchmarks."""
import os
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent


def build_folder():
    return Path(os.environ.get("B") or TOP / "build").resolve()


def network(nics, forwards):
    """Options for network cards. nics: models, with properties after a comma ("e1000,mac=..."); card n is on 10.0.(2+n).0/24.
    forwards: "HOSTPORT:GUESTPORT" on the first card."""
    options = []
    for number, nic in enumerate(nics):
        netdev = f"user,id=net{number}"
        if number:
            netdev += f",net=10.0.{2 + number}.0/24"
        else:
            for forward in forwards:
                host, guest = forward.split(":")
                netdev += f",hostfwd=tcp:127.0.0.1:{host}-:{guest}"
        model, _, properties = nic.partition(",")
        options += ["-netdev", netdev]
        options += ["-device", f"{model},netdev=net{number}" + ("," + properties if properties else "")]
    return options


# driver: how its disks are called, and QEMU's device for number n
DISKS = {
    "ahci": ("sd", "ide-hd,drive=disk{n},bus=ide.{k}"),
    "virtio": ("vd", "virtio-blk-pci,drive=disk{n}"),
    "ide": ("hd", "ide-hd,drive=disk{n},bus=pata.{k}"),
}


def disks(specifications):
    """Options for disks: "IMAGE" or "IMAGE:DRIVER". They are called sda, sdb, vda, hda... in this order."""
    options, count = [], {}
    for number, specification in enumerate(specifications):
        image, _, driver = specification.rpartition(":") if specification.rpartition(":")[2] in DISKS else (specification, "", "ahci")
        k = count[driver] = count.get(driver, -1) + 1
        if driver == "ide" and k == 0:
            options += ["-device", "piix3-ide,id=pata"]
        options += ["-drive", f"file={image},if=none,id=disk{number},format=raw,cache=unsafe",
                    "-device", DISKS[driver][1].format(n=number, k=k)]
    return options


def command(initrd, klog, *, nics=(), forwards=(), smp=1, memory=256, icount=False, append="", serial="stdio", extra=()):
    """The whole command line. klog: file for the debug console, which carries the kernel's log."""
    accel = os.environ.get("ACCEL") or "tcg"
    options = [
        "qemu-system-x86_64", "-M", "q35", "-accel", accel, "-cpu", "max", "-m", str(memory), "-smp", str(smp),
        "-display", "none", "-nodefaults", "-no-reboot", "-kernel", str(build_folder() / "kernel.elf"),
        "-initrd", str(initrd), "-serial", serial, "-debugcon", f"file:{klog}", "-device", "isa-debug-exit",
    ]
    if append:
        options += ["-append", append]
    if icount:  # one instruction is one ns, and nothing depends on the host's clock
        options += ["-icount", "shift=0,sleep=off", "-rtc", "base=2026-01-01,clock=vm"]
    return options + network(nics, forwards) + list(extra)
