# SPDX-License-Identifier: BSD-2-Clause
"""Random numbers: with and without a device, under deaths of all that make them."""
import re

import pytest

from conftest import BUILD, TOP

RNG = "-device virtio-rng-pci "
NO_RDRAND = "-cpu max,-rdrand "
FIRST = "head -c 16 /dev/urandom | hexdump -v -e '/1 \"%02x\"'; echo; /random_calls 1"


def numbers(result):
    """The first number of /dev/urandom and the first of getrandom."""
    device, program, *rest = result.out.split()
    assert len(device) == len(program) == 32 and rest == ["128", "of", "128"], result.out
    return device, program


def test_what_the_device_is_worth(boot, program, tmp_path):
    """On a machine that is the same to the last instruction, whose processor has no generator, the device alone makes the difference; and
    what it gives reaches both pools."""
    add = {"/random_calls": program("random_calls")}
    (tmp_path / "a").write_bytes(b"a" * 4096)
    (tmp_path / "b").write_bytes(b"b" * 4096)
    alone, again = (numbers(boot(FIRST, add=add, icount=True, qemu=NO_RDRAND)) for _ in range(2))
    assert alone == again  # else this test shows nothing
    given = {name: numbers(boot(FIRST, add=add, icount=True, qemu=NO_RDRAND + f"-object rng-random,id=r,filename={tmp_path / name} -device virtio-rng-pci,rng=r"))
             for name in "ab"}
    for k in range(2):
        assert len({alone[k], given["a"][k], given["b"][k]}) == 3


def test_nobody_notices(boot, program):
    """Numbers come, and none twice, while driver, /dev and PM are killed; each fresh driver gets bytes of the device into the pool."""
    result = boot("service kill random --every 20 --count 40 & service kill dev --every 70 --count 10 & service storm pm 10000\n"
                  "/random_calls 400; wait; service storm pm 0; /random_calls 1; service status random | grep restarts; grep ' random killed' /proc/recovery | tail -1",
                  add={"/random_calls": program("random_calls")}, qemu=RNG)
    lines = result.out.splitlines()
    assert re.match("[0-9a-f]{32} 51200 of 51200$", lines[0]) and lines[1].endswith(" 128 of 128")
    assert lines[2].split() == ["restarts", "40"] and " adopted " in lines[3] and lines[3].split()[14] != "-", lines[2:]


@pytest.mark.parametrize("properties, iommu", [("disable-legacy=on,iommu_platform=on", True), ("vectors=0", False)])
def test_devices(boot, properties, iommu):
    """1.0 alone, behind an IOMMU; with its pin."""
    out = boot("service kill random --every 20 --count 5; sleep 0.1; grep -c ' random killed .* adopted ' /proc/recovery; service log dev",
               qemu=f"-device virtio-rng-pci,{properties}", iommu=iommu).out
    assert out.startswith("5\n") and "64 bytes of random's device have been mixed in" in out


def test_device_that_gives_nothing(boot, program):
    """One byte in an hour: nobody waits for it, killed drivers included."""
    result = boot("head -c 100000 /dev/random | wc -c; service kill random --every 20 --count 5; /random_calls 20; service restart random --reset; sleep 0.2; service status random | grep state",
                  add={"/random_calls": program("random_calls")}, qemu="-device virtio-rng-pci,max-bytes=1,period=3600000 ")
    assert re.search(r"^100000\n[0-9a-f]{32} 2560 of 2560\nstate +up$", result.out, re.M), result.out


def test_a_driver_that_writes_garbage(boot, program):
    """It breaks the queue's rules and is replaced, again and again, until the alternate has its turn; numbers come all the time."""
    text = (TOP / "drivers/char/random/random.svc").read_text().replace("budget      25 60", "budget 2 60").replace("queue       16K", "queue 1280K")
    result = boot("/random_calls 20; until service log dev | grep -q 'mixed in'; do usleep 20000; done; /random_calls 1; service status random | grep -E 'state|program'",
                  add={"/random_calls": program("random_calls"), "/etc/bardo/random.svc": text + "parameters fault=garbage delay_ms=10 times=0\nalternate spare\n",
                       "/lib/bardo/random": BUILD / "services/faulty", "/lib/bardo/spare": BUILD / "services/random"}, qemu=RNG, leak_check=False)
    assert re.fullmatch(r"[0-9a-f]{32} 2560 of 2560\n[0-9a-f]{32} 128 of 128\nstate +up\nprogram +spare\n", result.out), result.out
    assert "dev complains of random (index)" in result.klog


def test_one_of_before_1_0(boot):
    """A device that has the old interface alone is refused, and said so; nothing is missing."""
    out = boot("service status random | grep state; head -c 10 /dev/random | wc -c; service log random", qemu="-device virtio-rng-pci,disable-modern=on").out
    assert re.search(r"^state +refused\n10\n.*ENODEV", out, re.M)


def test_what_programs_add(boot):
    """Whoever writes to /dev/random adds; it is taken to the last byte. (There is no device.)"""
    out = boot("service status random | grep state; head -c 20000 /dev/zero >/dev/random && dd if=/dev/zero of=/dev/urandom bs=30000 count=2 2>/dev/null && su user -c 'echo x >/dev/random' && head -c 8 /dev/random | wc -c").out
    assert re.fullmatch("state +no-device\n8\n", out)
