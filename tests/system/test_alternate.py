# SPDX-License-Identifier: BSD-2-Clause
"""Devices without a driver are named; and where one driver is no good, the other that its manifest names is tried."""
import json
import re

import pytest

from conftest import BUILD
from hostnet import served
from test_net_recovery import manifest

# Until what `service status` says of e1000, in one line, matches; ten seconds at most
WAIT = """wait_for() { n=0; until service status e1000 | tr -s "\\n " " " | grep -q "$1"; do n=$((n + 1)); [ $n -lt 500 ] || return 1; usleep 20000; done; }
"""


def drivers(fault, delay=0, first="faulty", alternate="e1000", **changes):
    """A manifest of the card whose driver is `first`, and whose alternate, called spare, is `alternate`."""
    keys = {"budget": "3 60", "backoff": "3 10 100", "alternate": "spare", "parameters": f"fault={fault} delay_ms={delay} times=0", **changes}
    return {"/etc/bardo/e1000.svc": manifest("e1000", **keys), "/lib/bardo/e1000": BUILD / f"services/{first}",
            **({"/lib/bardo/spare": BUILD / f"services/{alternate}"} if alternate else {})}


@pytest.mark.parametrize("fault, delay", [("exit", 0), ("null", 30), ("garbage", 30)])
def test_the_other_is_tried(boot, tmp_path, fault, delay):
    """The first has used up its budget, whatever it does and leaves in queue and card: the network comes up with the other, which then is
    replaced like any driver."""
    url, expected = served(tmp_path, 2)
    result = boot(WAIT + f"wait_for 'state up .*program spare'; wget -q -O - {url} | sha1sum; "
                  f"service kill e1000; sleep 0.2; wget -q -O - {url} | sha1sum; grep -c ' e1000 .* adopted ' /proc/recovery; service log e1000",
                  nics=["e1000"], add=drivers(fault, delay), leak_check=False)
    lines = result.out.splitlines()
    assert lines[0].startswith(expected) and lines[1].startswith(expected) and int(lines[2]) >= 1, result.out
    assert result.out.count("its budget is used up; from now on its alternate, spare, is tried") == 1 and "given up" not in result.klog


@pytest.mark.parametrize("bridge, nic, name, how", [
    ("pci-bridge,id=beyond,chassis_nr=1,addr=5", "e1000,bus=beyond,addr=1", "e1000", "with the bus that it is alone on"),
    ("pcie-root-port,id=beyond,chassis=1,slot=1,addr=5", "virtio-net-pci,bus=beyond", "virtio-net", "by itself"),
    ("pci-bridge,id=beyond,chassis_nr=1,addr=5 -device rtl8139,bus=beyond,addr=2", "e1000,bus=beyond,addr=1", "e1000", None)])
def test_reset_from_outside(boot, tmp_path, bridge, nic, name, how):
    """The ladder's last rung: a card whose drivers have died while they started is reset by pci, by itself or with its bus if it is alone there,
    and is where it was: the next driver takes it up."""
    url, expected = served(tmp_path, 2)
    add = {path.replace("e1000", name): content for path, content in drivers("exit", alternate=name, budget="4 60").items()}
    add[f"/etc/bardo/{name}.svc"] = manifest(name, budget="4 60", backoff="3 10 100", alternate="spare", parameters="fault=exit delay_ms=0 times=0")
    result = boot(WAIT.replace("e1000", name) + f"wait_for 'state up .*program spare'; wget -q -O - {url} | sha1sum; service devices {name} | tail -1",
                  add=add, qemu=f"-netdev user,id=net -device {bridge} -device {nic},netdev=net", leak_check=False)
    assert result.out.startswith(expected), result.out
    assert re.search(rf"^01:0\d\.0 .* {name} +up ", result.out, re.M), result.out
    assert f"{name}: resetting its device from outside" in result.klog
    assert re.findall(r"pci: 01:0\d\.0: reset from outside, (.*)", result.klog)[:1] == ([how] if how else []), result.klog


def test_the_first_refuses(boot):
    """A driver that says that the device is none of its leaves it to the other at once."""
    result = boot(WAIT + "wait_for 'state up'; ping -c 1 10.0.2.2 | grep -c 'bytes from'; service status e1000 | grep -E 'program'", nics=["e1000"], add=drivers("refuse"))
    assert re.fullmatch("1\nprogram +spare\n", result.out)
    assert "it says that it cannot drive its device; from now on its alternate, spare, is tried" in result.klog


def test_both_fail(boot):
    """Each has the budget to itself; then it is given up, and said of which. `up` begins with the first again, and may be given another device driver."""
    result = boot(WAIT + "wait_for given-up; service status e1000 | grep -E 'program|state'; service up e1000; sleep 0.1; wait_for given-up",
                  nics=["e1000"], add=drivers("exit", alternate="faulty"), leak_check=False)
    assert re.fullmatch(r"state +given-up\nprogram +spare\n", result.out), result.out
    assert result.klog.count("e1000: given up after 4 failures in 60 s by its alternate, spare (last: exit 3)") == 2
    assert result.klog.count("from now on its alternate, spare, is tried") == 2


def test_kills_do_not_count(boot):
    """What users do to the first driver is no reason to take the other."""
    out = boot("service kill e1000 --every 20 --count 20; sleep 0.2; service status e1000 | grep program", nics=["e1000"],
               add=drivers("none", first="e1000", budget="3 60")).out
    assert re.fullmatch("program +e1000\n", out)


def test_no_such_program(boot):
    """An alternate that is not there is said at boot; the first goes without."""
    result = boot(WAIT + "wait_for given-up; service status e1000 | grep -E 'program'", nics=["e1000"], add=drivers("exit", alternate=None), leak_check=False)
    assert re.fullmatch(r"program +e1000\n", result.out)
    assert "lib/bardo/spare: not in the boot archive" in result.klog and "e1000: goes without its alternate, spare" in result.klog


def test_devices(boot):
    """All that is on the bus, with and without a driver; what has none is in the log, once, whatever happens to pci."""
    result = boot("service devices; service kill pci; sleep 0.2; service devices e1000 --json; service devices 00:0f.0 2>&1; service devices e1000 x 2>&1; "
                  "service down e1000; service devices e1000 | tail -1", nics=["e1000,addr=2"], qemu="-device intel-hda,addr=3 -device VGA,addr=4", expect=0, leak_check=False)
    for line in ("00:02.0  8086:100e e1000        up         Ethernet controller", "00:03.0  8086:2668 -            no driver  HD audio device",
                 "00:04.0  1234:1111 -            no driver  VGA display controller", "00:1f.0  8086:2918 -            needs none ISA bridge",
                 "service: devices 00:0f.0: there is no such device, and no driver of one", "service: one name at a time, not x",
                 "00:02.0  8086:100e e1000        down       Ethernet controller"):
        assert line in result.out.splitlines(), (line, result.out)
    found = json.loads(re.search(r"^\[.*\]$", result.out, re.M).group(0))
    assert found == [{"address": "00:02.0", "id": "8086:100e", "class_code": "020000", "driver": "e1000", "state": "up", "class": "Ethernet controller"}]
    assert result.klog.count("pci: 00:03.0: 8086:2668, HD audio device: no driver") == 1 and result.klog.count("00:04.0: 1234:1111, VGA display controller: no driver") == 1
    assert "bridge: no driver" not in result.klog
