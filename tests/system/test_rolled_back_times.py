# SPDX-License-Identifier: BSD-2-Clause
"""Servers that keep their memory die while others are being replaced, and while the system ends."""
import pytest

from test_ext4 import check, contents, make
from test_disk import attached
from test_net_recovery import BUDGET, manifest
from test_rolled_back import deaths
from test_rolled_back_mounted import KEEPERS


def test_rs_while_a_driver_is_replaced(boot):
    """Each step of a recovery, many times: none is left out, none is done twice."""
    result = boot("""sleep 1; service storm rs 200; service kill e1000 --every 5 --count 150; service storm rs 0; sleep 0.2
        service list; ping -c 1 10.0.2.2 | grep -c ' 0% packet'""", nics=["e1000"], icount=True, leak_check=False,
                  add={"/etc/bardo/e1000.svc": manifest("e1000", **{**BUDGET, "budget": "1000 2"})})
    died = deaths(result.out)
    assert result.out.endswith("\n1\n") and died["e1000"] == 150 and died["rs"] > 500 and "undo:" not in result.klog, result.out


@pytest.mark.parametrize("victims", [["rs"], KEEPERS], ids=["rs", "all"])
def test_shutdown(boot, tmp_path, victims):
    """What is mounted is unmounted, and the machine goes off."""
    image = make(tmp_path / "e.img")
    result = boot("echo x >/mnt/x; " + "".join(f"service storm {name} 150; " for name in victims), add={"/etc/fstab": "/dev/sda /mnt ext4 rw 0 0\n"}, qemu=attached(image), icount=True, leak_check=False)
    assert "the system goes down" in result.klog and "undo:" not in result.klog and "core server" not in result.klog
    assert contents(image, "x") == b"x\n"
    check(image)
