# SPDX-License-Identifier: BSD-2-Clause
"""A driver that is given up, of each class of those whose clients hold a queue to it: who uses it has a clear error at once, and `service up` brings all back. (Terminals,
printers and sound: test_illness.py; the clock: test_rtc.py.)"""
import re

import pytest

import inject_faults
from conftest import TOP
from test_campaign import INJECTOR
from test_faults import WAIT
from test_illness import gives_up

DISK = 8 << 20


def fault(driver, function):
    """The shell's line that makes the running driver die the next time it comes there."""
    at = inject_faults.Program(driver).functions[function][0].address
    return f"echo '{driver} {at:#x} text {at:#x} 0f0b' >/tmp/inject"


def prepare(driver):
    return WAIT.replace("list faulty", f"list {driver}") + f"mknod /tmp/inject c 240 0; service wait {driver}\n"


# now: centiseconds; since WHAT: how long that took, if too long
CLOCK = """now() { read u x </proc/uptime; echo $((1${u%.*}${u#*.})); }
since() { t=$(now); [ $((t - began)) -lt 100 ] || echo $1 took $((t - began)); began=$t; }
"""


def test_network(boot):
    """Nobody waits for an address that nobody can ask for: a connection, a datagram and a ping fail at once; later the same connection succeeds."""
    out = boot(CLOCK + prepare("e1000") + f"""n=0; until ifconfig e0 | grep -q 'inet addr'; do n=$((n + 1)); [ $n -lt 500 ] || break; usleep 20000; done
        {fault("e1000", "e1000_transmit")}; ping -c 1 -W 1 10.0.2.2 >/dev/null; wait_for given-up && echo given up; usleep 100000; began=$(now)
        nc 10.0.2.2 1 2>&1; since tcp; nslookup nosuch.example 2>&1 | head -1; since dns; ping -c 1 10.0.2.2 2>&1 | tail -1; since ping; ifconfig e0 | grep -c RUNNING
        service up e1000; service wait e1000; n=0; until ping -c 1 -W 1 10.0.2.2 >/dev/null 2>&1; do n=$((n + 1)); [ $n -lt 50 ] || break; usleep 100000; done
        nc 10.0.2.2 1 2>&1; ifconfig e0 | grep -c 'inet addr'""",
               nics=["e1000"], leak_check=False, timeout=100, add=dict(INJECTOR, **gives_up("drivers/net/e1000/e1000.svc"))).out
    assert out == """given up
nc: can't connect to remote host (10.0.2.2): Network is unreachable
nslookup: can't connect to remote host (10.0.2.3): Network is unreachable
ping: sendto: Network is unreachable
0
nc: can't connect to remote host (10.0.2.2): Connection refused
1
""", out


@pytest.mark.parametrize("how", ["given-up", "down", "held"])
def test_disk(boot, tmp_path, how):
    """Who was waiting and who comes have ENXIO; once it is back nobody has an old error. So it is however the driver came to be gone."""
    image = tmp_path / "disk"
    image.write_bytes(bytes(DISK))
    end = {"given-up": fault("ahci", "issue"), "down": "service down ahci", "held": f"service hold ahci; {fault('ahci', 'issue')}"}[how]
    out = boot(CLOCK + prepare("ahci") + f"""n=0; until [ $(wc -c </dev/sda) -gt 0 ] 2>/dev/null; do n=$((n + 1)); [ $n -lt 100 ] || break; usleep 20000; done; exec 3</dev/sda; head -c 65536 <&3 | wc -c
        {end}; began=$(now); dd if=/dev/sda of=/dev/null bs=64k skip=40 2>&1; wait_for {how} && echo {how}; since read; dd if=/dev/zero of=/dev/sda bs=4k count=1 2>&1 | head -1; since write
        head -c 1 <&3 2>&1; (: 4</dev/sda) 2>&1; since open; service up ahci; service wait ahci
        dd if=/dev/sda bs=64k 2>/dev/null | wc -c; head -c 1 <&3 | wc -c; dd if=/dev/zero of=/dev/sda bs=4k count=1 conv=fsync 2>/dev/null && echo written""",
               disks=[str(image)], leak_check=False, timeout=100, add=dict(INJECTOR, **gives_up("drivers/block/ahci/ahci.svc"))).out
    before, after = out.split(f"\n{how}\n")
    assert before.startswith("65536\n") and before.count("No such device or address") == 1, out
    assert re.match(r"dd: .*: No such device or address\nhead: standard input: (No such device or address|Input/output error)\n", after), out
    assert after.endswith(f"{DISK}\n1\nwritten\n") and "took" not in out, out
