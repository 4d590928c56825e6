# SPDX-License-Identifier: BSD-2-Clause
"""A service in a crash loop takes nothing from the others: by the guest's clock under icount, where an instruction takes a ns on every host."""
import pytest

from test_escalation import service
from test_illness import ill_program

# What a TCP transfer within the machine, which has all of its processor, moves in so many ms of the guest's: kB
WINDOW = 200
ENDLESS = {"budget": "1024 1", "backoff": "0 1 1"}  # each ms, and never given up


def test_crash_loop(boot, program):
    """A transfer beside it is at 95 % and more of what it is alone: with budget and backoff as they are by default, and as an absurd manifest has them; and nearly so beside kills by
    a user in each 10 ms. (In each ms: docs/policies.md.)"""
    plain = service("plain", "exit", budget="15 60", backoff="5 10 1000", instances="on-request")
    add = {"/bin/beside": program("beside"), **plain, **service("endless", "exit", instances="on-request", **ENDLESS)}
    out = boot(f"""beside {WINDOW} {WINDOW}; for s in plain endless; do service up $s; beside {WINDOW}; service down $s; grep -c " $s exit " /proc/recovery; done
        for ms in 10 1; do service kill null --every $ms & beside {WINDOW}; kill $!; done""", add=add, icount=True, leak_check=False, timeout=200).out
    alone, again, by_default, deaths, endless, endless_deaths, killed, killed_often = map(int, out.split())
    print(f"BESIDE alone {alone} kB, {again / alone:.1%}; a crash loop {by_default / alone:.1%}, without backoff {endless / alone:.1%}; kills each 10 ms {killed / alone:.1%}, each ms {killed_often / alone:.1%}")
    assert again > 0.99 * alone and deaths > 5 and endless_deaths > 20, out
    assert by_default > 0.95 * alone and endless > 0.95 * alone and killed > 0.93 * alone, out


# What there is for them in the test machine beside what it always has (an AHCI adapter with empty ports)
DEVICES = {"ahci": {}, "ide": {"disks": "ide"}, "nvme": {"disks": "nvme"}, "virtio-block": {"disks": "virtio"}, "random": {"qemu": "-device virtio-rng-pci"}, "keyboard": {}, "rtc": {},
           "e1000": {"nics": ["e1000"]}, "e1000e": {"nics": ["e1000e"]}, "rtl8139": {"nics": ["rtl8139"]}, "virtio-net": {"nics": ["virtio"]}, "es1370": {"sound": "none"}}


@pytest.mark.parametrize("driver", DEVICES)
def test_shipped_driver(boot, program, tmp_path, driver):
    """One of a real device, as it is shipped, that has reset it and dies before it is ready, each time."""
    add = {"/bin/beside": program("beside"), **ill_program(tmp_path, driver, "service_ready", driver, "0f0b")}  # ud2
    machine = dict(DEVICES[driver])
    if "disks" in machine:
        (tmp_path / "disk").write_bytes(bytes(1 << 20))
        machine["disks"] = [f"{tmp_path / 'disk'}:{machine['disks']}"]
    down = f"service down {driver}; until service list {driver} | grep -q ' down '; do usleep 10000; done"  # (a start comes to its end first)
    out = boot(f"{down}; beside {WINDOW}; service up {driver}; beside {WINDOW} {WINDOW}; grep -c ' {driver} exception ' /proc/recovery; service down {driver}",
               add=add, icount=True, leak_check=False, timeout=200, **machine).out
    alone, *beside, deaths = map(int, out.split())
    print(f"BESIDE alone {alone} kB; {driver} in a crash loop {', '.join(f'{kb / alone:.1%}' for kb in beside)}")
    assert deaths > 4 and min(beside) > 0.95 * alone, out
