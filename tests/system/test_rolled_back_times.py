# SPDX-License-Identifier: BSD-2-Clause
"""Servers that keep their memory die while others are being replaced, and while the system ends."""
import os

import pytest

from test_ext4 import check, contents, make
from test_disk import attached
from test_net_recovery import BUDGET, manifest
from test_rolled_back import deaths
from test_rolled_back_mounted import FRESH, KEEPERS, patient


def test_rs_while_a_driver_is_replaced(boot):
    """Each step of a recovery, many times: none is left out, none is done twice."""
    result = boot("""sleep 1; service storm rs 200; service kill e1000 --every 5 --count 150; service storm rs 0; sleep 0.2
        service list; ping -c 1 10.0.2.2 | grep -c ' 0% packet'""", nics=["e1000"], icount=True, leak_check=False,
                  add={"/etc/bardo/e1000.svc": manifest("e1000", **{**BUDGET, "budget": "1000 2"})})
    died = deaths(result.out)
    assert result.out.endswith("\n1\n") and died["e1000"] == 150 and died["rs"] > 500 and "undo:" not in result.klog, result.out


@pytest.mark.parametrize("victims, us, fresh", [(["rs"], 150, []), (KEEPERS, 150, []), (KEEPERS, 2000, FRESH)], ids=["rs", "all", "and below"])
def test_shutdown(boot, tmp_path, victims, us, fresh):
    """What is mounted is unmounted, all that was synced is there, and the machine goes off."""
    image, data = make(tmp_path / "e.img"), os.urandom(400000)
    storms = {**dict.fromkeys(victims, us), **dict.fromkeys(fresh, 7000)}
    result = boot("echo x >/mnt/x; dd if=/data of=/mnt/synced bs=7777 conv=fsync 2>/dev/null || echo BAD; " + "".join(f"service storm {name} {every}; " for name, every in storms.items()),
                  add={"/etc/fstab": "/dev/sda /mnt ext4 rw 0 0\n", "/data": data, **{place: text for name in fresh for place, text in patient(name).items()}}, qemu=attached(image), icount=True, leak_check=False, timeout=30)
    assert result.out == "" and "the system goes down" in result.klog and "undo:" not in result.klog and "core server" not in result.klog
    assert contents(image, "x") == b"x\n" and contents(image, "synced") == data
    check(image)
