# SPDX-License-Identifier: BSD-2-Clause
"""Live update (service update): a service gets another program while the system runs, and goes back by itself when that is no good."""
import re
import subprocess

import pytest

import inject_faults
from conftest import BUILD
from hostnet import served, sha1

CRASHES, HANGS = b"\x0f\x0b", b"\xeb\xfe"  # ud2; jmp to itself


def other(tmp_path, service, function, code):
    """A driver's program, with something else at the beginning of a function."""
    program = inject_faults.Program(service)
    image, at = bytearray(program.image), program.offset(program.functions[function][0].address)
    image[at:at + len(code)] = code
    path = tmp_path / "other"
    path.write_bytes(image)
    return path


def test_under_load(boot, tmp_path):
    """Each of twenty updates takes over at once: a transfer goes on, a disk is read, and in the end nothing is left of them."""
    url, digest = served(tmp_path, 8)
    disk = tmp_path / "disk"
    disk.write_bytes(bytes(range(256)) * 4096)
    result = boot(f"""(n=0; while [ $n -lt 20 ]; do service update e1000 --image /new || echo lost; service update ahci || echo lost; usleep 30000; n=$((n + 1)); done) & updater=$!
        wget -q -O - {url} | sha1sum; head -c 1048576 /dev/sda | sha1sum; wait $updater; cat /proc/recovery""",
                  nics=["e1000"], disks=[str(disk)], add={"/new": BUILD / "services/e1000.debug"})
    assert re.findall(r"^(\w{40})  -$", result.out, re.M) == [digest, sha1(disk.read_bytes())] and "lost" not in result.out
    assert set(re.findall(r"^\d+ (?:e1000|ahci) (\w+) ", result.out, re.M)) == {"update"}


def test_while_others_die(boot):
    """RS dies of each update several times, and fs/proc, through which it comes: each is done once more, and to the end; nor do many in a row count as failures."""
    result = boot("""service storm rs 500; service storm proc 20000; n=0; while [ $n -lt 15 ]; do service update e1000 --image /new || echo lost; service update log || echo lost; n=$((n + 1)); done
        service storm rs 0; service storm proc 0; ping -c 1 10.0.2.2 >/dev/null || echo lost; service status log | grep restarts""", nics=["e1000"], add={"/new": BUILD / "services/e1000.debug"}, leak_check=False)
    assert re.fullmatch(r"restarts +15\n", result.out) and "log: 9 failures" not in result.klog


def test_instances(boot, tmp_path):
    """A mount that has begun with an update, and dies when that has been replaced by the next one: its program is there as long as it needs it."""
    images = [tmp_path / name for name in "ab"]
    for image in images:
        subprocess.run(["truncate", "-s", "8M", image], check=True)
        subprocess.run(["/sbin/mke2fs", "-q", "-F", "-t", "ext4", image], check=True)
    out = boot("""until [ -b /dev/sdb ]; do usleep 50000; done; mkdir /tmp/a /tmp/b; mount -t ext4 /dev/sda /tmp/a; service update ext4 && mount -t ext4 /dev/sdb /tmp/b; echo here >/tmp/b/x
        service update ext4 && service kill ext4.1; service wait ext4.1 --timeout 20 && cat /tmp/b/x; umount /tmp/a /tmp/b""", disks=[str(image) for image in images], leak_check=False).out
    assert out == "here\n"


def test_each_that_can(boot):
    """All but RS, one after the other; a program that the memory of one that keeps it does not fit is refused."""
    out = boot("""for s in $(service list | tail -n +2 | awk '$3 == "up" { print $1 }'); do service update $s 2>&1 && echo "updated $s"; done; service update ds --image /lib/bardo/pm 2>&1; service update pm --image /lib/bardo/e1000 2>&1
        sleep 1; service list | awk '$3 != "up" { print $1, $3 }'""", nics=["e1000"]).out
    assert set("disk tty pci proc dev log audio lp e1000 ahci uart keyboard null clock rtc ds vm pm vfs net ram".split()) <= set(re.findall(r"^updated (\S+)", out, re.M))
    assert re.findall(r"^service: update (\S+): it keeps its memory, which that program does not fit", out, re.M) == ["rs", "ds", "pm"]


@pytest.mark.parametrize("function, code, defect", [("net_driver_run", CRASHES, "exception 6"), ("net_driver_run", HANGS, "heartbeat"), ("e1000_transmit", CRASHES, "exception 6")])
def test_goes_back(boot, tmp_path, function, code, defect):
    """One that dies in its start, or hangs there, or dies when it is ready and the first frame is to be sent."""
    result = boot("ping -c 1 10.0.2.2 >/dev/null; service update e1000 --image /ill --wait; echo $?; ping -c 2 10.0.2.2 | grep -c '2 packets received'; service list e1000 | tail -1", nics=["e1000"],
                  add={"/ill": other(tmp_path, "e1000", function, code)})
    assert result.out.startswith("service: update e1000: it has failed, and the program before it is back: see 'service log rs'\n1\n1\n") and re.search(r"^e1000 +\d+ up ", result.out, re.M)
    assert f"rs: e1000: its update has failed ({defect}" in result.klog


def test_stands(boot):
    """After ten seconds; then a failure of it is one as always, and what is restarted is the new one."""
    result = boot("service update e1000 --image /new --wait; echo $?; service kill e1000; service wait e1000; service restart e1000; service wait e1000; service list e1000 | tail -1", nics=["e1000"],
                  add={"/new": BUILD / "services/e1000.debug"}, icount=True, timeout=200)
    assert result.out.startswith("0\n") and "rs: e1000: its update stands" in result.klog


def test_wrong_words(boot):
    out = boot("""service update nobody 2>&1; echo $?; service update e1000 --image /none 2>&1; echo $?; service update e1000 --image /etc/passwd 2>&1; echo $?; service update e1000 --image /tmp 2>&1; echo $?
        service update 2>&1 | head -1; service kill null --image x 2>&1 | head -1; echo x >/proc/bardo/control 2>&1; echo 'update e1000 5' >/proc/bardo/control; echo $?
        su -s /bin/sh nobody -c 'service update e1000' 2>&1; echo $?; service status e1000 | grep -c 'up'""", nics=["e1000"]).out
    assert re.sub(r"/bin/sh: |sh: ", "", out).startswith("service: update nobody: there is no such service\n1\nservice: update e1000: /none: No such file or directory\n1\n"
                                            "service: update e1000: this is no program for a service: see 'service log rs'\n1\nservice: update e1000: /tmp: not a file of 1 byte to 8 MB\n1\n"), out
    assert "not permitted" in out or "Permission denied" in out
