# SPDX-License-Identifier: BSD-2-Clause
"""The fresh copy of a driver is started beforehand and waits (manifest: standby yes)."""
import os
import re

import pytest

from conftest import BUILD
from hostnet import served, sha1
from test_disk import patient
from test_net_recovery import BUDGET, LIBRARY, manifest

MB = 1 << 20


def standing(parameters):
    """What adds an e1000 driver that does this when it stands by (tests/services/standby_ill.c)."""
    return {"/etc/bardo/e1000.svc": manifest("e1000", standby="yes", parameters=parameters, **BUDGET), "/lib/bardo/e1000": BUILD / "services/standby_ill"}


def test_takes_over(boot):
    """Each that follows has stood by."""
    result = boot("ping -c 1 10.0.2.2 >/dev/null; usleep 50000; for n in 1 2 3 4 5; do service kill e1000; ping -c 1 10.0.2.2 >/dev/null || echo lost; usleep 50000; done; service policy e1000 | grep -c 'waits for its turn'", nics=["e1000"], add=standing("tells"))
    assert result.out == "1\n"
    first, *others = re.findall(r"e1000: (has stood by|was made when it was needed)", result.klog)
    assert first == "was made when it was needed" and len(others) >= 5 and set(others) == {"has stood by"}


def test_killed_in_a_transfer(boot, tmp_path):
    """Down with the card's driver, the disk's beside it: nothing is lost, nothing leaks."""
    image = tmp_path / "disk"
    image.write_bytes(os.urandom(4 * MB))
    disk = patient("ahci")
    disk = {path: text + "standby yes\n" for path, text in disk.items()}
    url, digest = served(tmp_path, 8)
    result = boot(LIBRARY + f"""kill_for 20 30000 e1000 & first=$!; kill_for 20 30000 ahci & second=$!; wget -q -O - {url} | sha1sum; wait $first $second
        until [ $(recoveries e1000) -ge 20 ] && [ $(recoveries ahci) -ge 20 ]; do usleep 20000; done; head -c {4 * MB} /dev/sda | sha1sum""",
                  nics=["e1000"], disks=[str(image)], add={**standing("tells"), **disk})
    assert re.findall(r"^(\w{40})  -$", result.out, re.M) == [digest, sha1(image.read_bytes())]
    assert result.klog.count("e1000: has stood by") >= 5  # (one may be killed before the next stands by)


@pytest.mark.parametrize("how,said", [("ends", "has ended"), ("faults", "died of an exception"), ("spins", "does not come to where it waits")])
def test_dies_where_it_waits(boot, how, said):
    """The driver at work does not notice; the log says it, once for each; and the next one is made when it is needed."""
    result = boot("ping -c 1 10.0.2.2 >/dev/null; usleep 400000; for n in 1 2 3; do service kill e1000; ping -c 1 10.0.2.2 >/dev/null || echo lost; usleep 400000; done; service status e1000 >/dev/null && echo up",
                  nics=["e1000"], add=standing(how))
    assert result.out == "up\n"
    kills = result.klog.count("e1000: killed 9")
    assert kills >= 3 and result.klog.count(f"e1000: the fresh copy that stands by {said}; it goes without") == kills + 1
    assert "has stood by" not in result.klog
