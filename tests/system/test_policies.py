# SPDX-License-Identifier: BSD-2-Clause
"""policy/net.sh, block.sh and reboot-if.sh by themselves, on the host, and in the system; and scripts that are of no use, in the system: the manifest decides."""
import re

import pytest

import test_generic_policy
from conftest import TOP
from netpeer import Wire
from test_disk import attached
from test_escalation import WAIT as WAIT_FOR, service
from test_ext4 import check, contents, make
from test_generic_policy import policy  # noqa: F401 (a fixture)
from test_faults import recoveries as rows
from test_service import NIC, RUNNER, manifest, recoveries
from test_service import policy as with_script

FOLDER = TOP / "policy"


@pytest.fixture
def script(monkeypatch, tmp_path, policy):  # noqa: F811
    """script("net.sh", "e1000", 2, 1, ...) -> (status, what `service` was called with)"""
    def run(name, *arguments):
        monkeypatch.setattr(test_generic_policy, "SCRIPT", FOLDER / name)
        return policy(*arguments)
    run.log = lambda: policy.log.read_text() if policy.log.exists() else ""
    return run


def put(path, text):
    path.write_text(text)
    path.chmod(0o755)


@pytest.mark.parametrize("name", ["net.sh", "block.sh", "reboot-if.sh"])
def test_usage(script, name):
    assert script(name, "x") == (2, []) and script(name, "x", 1, 1, "-z") == (2, []) and script(name, "broken", 1, 1)[0] == 1


@pytest.fixture(autouse=True)
def own_ifconfig(tmp_path, monkeypatch):
    monkeypatch.setenv("POLICY_IFCONFIG", str(tmp_path / "ifconfig"))


def address(tmp_path, *answers):
    """An ifconfig that gives these answers, one after another; the last for ever."""
    text = "\n".join(f"[ $n = {n} ] && echo '          inet addr:{a}  Mask:255.255.255.0'" if a else f"[ $n = {n} ] && exit 0" for n, a in enumerate(answers))
    put(tmp_path / "ifconfig", f"""#!/bin/sh
n=$(cat {tmp_path}/asked 2>/dev/null || echo 0)
[ $n -ge {len(answers) - 1} ] || echo $((n + 1)) >{tmp_path}/asked
[ $n -lt {len(answers)} ] || n={len(answers) - 1}
{text}
true
""")
    (tmp_path / "asked").unlink(missing_ok=True)


def test_net(script, tmp_path):
    """Dead: at once, as it is; ill: with a reset; the address is there again, or was not there before: no lease is asked for."""
    waits = "wait e1000 --timeout 2"
    for answers in (["10.0.2.15"], ["10.0.2.15", "", "", "10.0.2.15"]):
        address(tmp_path, *answers)
        assert script("net.sh", "e1000", 2, 1) == (0, ["restart e1000", waits])
    address(tmp_path, "10.0.2.15")
    for defect in (4, 5, 7, 8, 9):
        assert script("net.sh", "e1000", defect, 1) == (0, ["restart e1000 --reset", waits])
    address(tmp_path, "")
    assert script("net.sh", "e1000", 2, 1) == (0, ["restart e1000"])
    assert script("net.sh", "e1000", 2, 4, "-g", 3) == (0, ["status e1000", "down e1000"]) and script("net.sh", "e1000", 3, 4, "-g", 3) == (0, ["restart e1000"])


def test_net_has_lost_its_address(script, tmp_path):
    """Once it is asked for again (a restart on request, of which the script does not hear); also of one that was reset for its illness."""
    address(tmp_path, "10.0.2.15", "")
    assert script("net.sh", "e1000", 2, 1, "-w", 1, "-m", tmp_path / "mail") == (0, ["restart e1000", "wait e1000 --timeout 1", "restart e1000 --reset"])
    assert "e0 has lost its address 10.0.2.15: a lease is asked for again" in script.log() and "Subject: e1000 needs you" in (tmp_path / "mail").read_text()
    address(tmp_path, "10.0.2.15", "10.0.2.15", "10.0.2.15", "")  # it goes a moment after the driver is back
    assert script("net.sh", "e1000", 2, 1)[1] == ["restart e1000", "wait e1000 --timeout 2", "restart e1000 --reset"]
    address(tmp_path, "10.0.2.15", "")
    assert script("net.sh", "e1000", 5, 1, "-w", 1)[1] == ["restart e1000 --reset", "wait e1000 --timeout 1", "restart e1000 --reset"]


class Forgetful(Wire):
    """Its DHCP server gives a lease. When somebody asks for that again it refuses, once, and is deaf to the question that follows, however often that is repeated; to who begins anew
    it answers. So the address does not come back by waiting."""

    def __init__(self):
        self.given, self.refused, self.ignored = [], None, []
        super().__init__(lambda wire: None)

    def answer_dhcp(self, question):
        transaction, asks = question[4:8], b"\x35\x01\x03" in question[240:260]
        if asks and self.given and transaction not in self.given and not self.refused:
            self.refused = transaction
            self.say_dhcp(question, 6)
        elif self.refused and transaction in (self.refused, *(self.ignored or [transaction])):
            self.ignored.append(transaction)
        else:
            self.given += [transaction] if asks and transaction not in self.given else []
            super().answer_dhcp(question)


# net.sh, and the moment after its first look at the address: then net is replaced, on request, by a fresh copy.
LOSES = """#!/bin/sh
looks() { ifconfig "$1"; [ -e /tmp/looked ] || { touch /tmp/looked; service restart net; service wait net; }; }
POLICY_IFCONFIG=looks
. /etc/bardo/policy/net.sh
"""


def test_net_loses_its_address_in_the_system(boot):
    """The driver dies, net is replaced afresh beside it, and is refused its lease: the script sees that the address is gone, has a lease asked for again, and it is back."""
    net = "".join(line + "\n" for line in (TOP / "servers/net/net.svc").read_text().splitlines() if line.split()[0] != "essential")
    wire = Forgetful()
    result = boot("""until_it_is() { n=0; until eval "$1"; do n=$((n + 1)); [ $n -lt 300 ] || break; usleep 50000; done; }
        has_address() { ifconfig e0 2>/dev/null | grep -q 'inet addr'; }
        until_it_is has_address; usleep 300000; service kill e1000; until_it_is "dmesg | grep -q 'lost its address'"; until_it_is has_address
        ifconfig e0 | grep -o 'inet addr:[0-9.]*'; service list net; cat /var/mail/root""", qemu=wire.qemu(),
                  add={**manifest(policy="/etc/bardo/policy/test.sh -w 1 -m root", deadline=9000), "/etc/bardo/policy/test.sh": LOSES, "/etc/bardo/net.svc": net}, leak_check=False, timeout=60)
    said = "e1000 is back, but e0 has lost its address 10.0.2.15: a lease is asked for again"
    assert re.match("inet addr:10.0.2.15\n", result.out) and said in result.out, result.out
    assert result.klog.count(f"policy: {said}") == 1 and re.search(r"^net +\d+ up +\d+ s +1 update", result.out, re.M), result.out
    assert wire.refused and len(set(wire.ignored)) == 1 and len(wire.given) == 2, "a lease, one that is refused, a question that is not heard, and the one that was asked for again"


def test_block(script, tmp_path, monkeypatch):
    """At once; ill: with a reset; a file system that can be written no more since then is named."""
    mounts = tmp_path / "mounts"
    monkeypatch.setenv("POLICY_MOUNTS", str(mounts))
    mounts.write_text("none / ramfs rw 0 0\n/dev/sda1 /old ext4 ro 0 0\n/dev/sda2 /mnt ext4 rw 0 0\nproc /proc proc ro 0 0\n")
    assert script("block.sh", "ahci", 1, 1) == (0, ["restart ahci", "wait ahci --timeout 3"])
    assert script("block.sh", "ahci", 9, 1) == (0, ["restart ahci --reset", "wait ahci --timeout 3"]) and script.log() == ""
    put(tmp_path / "service", f'#!/bin/sh\necho "$@" >>{tmp_path}/calls\n[ "$1" != wait ] || sed -i s/rw/ro/ {mounts}\n')
    assert script("block.sh", "ahci", 1, 1, "-m", tmp_path / "mail")[0] == 0
    assert re.findall(r"policy: (\S+) can be written no more since ahci failed", script.log()) == ["/mnt"] and "Subject: ahci needs you" in (tmp_path / "mail").read_text()
    assert script("block.sh", "ahci", 4, 4, "-g", 3)[1] == ["status ahci", "down ahci"] and script("block.sh", "ahci", 3, 4, "-g", 3)[1][0] == "restart ahci"


def test_reboot_if(script, tmp_path, monkeypatch):
    uptime = tmp_path / "uptime"
    monkeypatch.setenv("POLICY_UPTIME", str(uptime))
    monkeypatch.setenv("POLICY_REBOOT", "service reboots")
    uptime.write_text("299.99 100.00\n")
    assert script("reboot-if.sh", "net", 1, 5) == (0, ["restart net"]) and script("reboot-if.sh", "net", 3, 9)[1] == ["restart net"]
    assert script("reboot-if.sh", "net", 1, 6) == (1, ["status net"]) and "the machine has run for 299 s only: not restarted" in script.log()
    uptime.write_text("300.00 100.00\n")
    assert script("reboot-if.sh", "net", 1, 6, "-m", tmp_path / "mail") == (0, ["status net", "reboots", "restart net"]) and "net: failure 6" in (tmp_path / "mail").read_text()
    assert script("reboot-if.sh", "net", 1, 6, "-g", 0)[1] == ["restart net"]
    assert script("reboot-if.sh", "net", 9, 1, "-c", "8,9")[1] == ["reboots", "restart net"] and script("reboot-if.sh", "net", 8, 1, "-c", "18")[1] == ["restart net"]
    monkeypatch.setenv("POLICY_REBOOT", "false")
    assert script("reboot-if.sh", "net", 1, 6) == (1, ["status net"]) and "cannot be restarted" in script.log()


@pytest.mark.parametrize("name, left", [("net.sh", "down x"), ("block.sh", "down x"), ("printer.sh", "down x"), ("reboot-if.sh", "reboots")])
def test_kills_by_a_user_do_not_count(script, tmp_path, monkeypatch, name, left):
    """Nine deaths, of which so many were failures of its own: `service status` knows."""
    (tmp_path / "uptime").write_text("400.00 1.00\n")
    monkeypatch.setenv("POLICY_UPTIME", str(tmp_path / "uptime"))
    monkeypatch.setenv("POLICY_REBOOT", "service reboots")
    address(tmp_path, "")
    for own in (3, 4):
        put(tmp_path / "service", f'#!/bin/sh\necho "$@" >>{tmp_path}/calls\n[ "$1" != status ] || echo "failures          {own} that count now"\n')
        assert (left in script(name, "x", 1, 9, "-g", 3)[1]) == (own > 3)


KILLED = RUNNER + "service kill e1000; service wait e1000 --timeout 30; "


def test_net_in_the_system(boot):
    """The address is never lost, and the script knows."""
    result = boot("n=0; until ifconfig e0 | grep -q 'inet addr'; do n=$((n + 1)); [ $n -lt 500 ] || break; usleep 20000; done\n" + KILLED + "sleep 1; service status e1000 | grep restarts; ifconfig e0 | grep -c 'inet addr'",
                  nics=NIC, add=manifest(policy="/etc/bardo/policy/net.sh"), leak_check=False)
    assert re.fullmatch(r"restarts +1\n1\n", result.out) and "lease" not in result.klog and "by manifest" not in result.klog


def test_block_in_the_system(boot, tmp_path):
    """A disk's driver is back at once, nobody is told; of one that takes a second to be back, while which a file system becomes read-only, root is; so is he of one that fails
    again and again, which is left down."""
    image = make(tmp_path / "disk.img", size="16M")
    ahci = (FOLDER.parent / "drivers/block/ahci/ahci.svc").read_text()
    block = "/etc/bardo/policy/block.sh -w 20 -m root"
    add = {"/etc/bardo/ahci.svc": f"{ahci}\npolicy {block}\n", **service("late", "spin", times=2, policy=block, instances="on-request", deadline="30000"),
           **service("gone", "exit", delay=60, policy=f"{block} -g 2", instances="on-request")}
    out = boot(WAIT_FOR + f"""sleep 0.3; mkdir -p /mnt; mount -t ext4 /dev/sda /mnt; echo before >/mnt/file; service kill ahci; wait_for ahci 'up .* 1 killed'; echo after >>/mnt/file; sync; cat /mnt/file; cat /var/mail/root 2>&1
        service up late; until grep -q ' late heartbeat' /proc/recovery && service list late | grep -q ' starting '; do usleep 10000; done; umount /mnt; mount -r -t ext4 /dev/sda /mnt
        n=0; until grep -q Subject /var/mail/root 2>/dev/null || [ $n = 1000 ]; do n=$((n + 1)); usleep 20000; done; cat /var/mail/root; >/var/mail/root; echo ==
        service up gone; wait_for gone ' down .* exit'; n=0; until grep -q EIO /var/mail/root || [ $n = 200 ]; do n=$((n + 1)); usleep 20000; done; cat /var/mail/root; umount /mnt""",
               add=add, qemu=attached(image), leak_check=False).out
    late, gone = out.split("==\n")
    assert late.startswith("before\nafter\ncat: can't open '/var/mail/root'") and late.count("Subject: late needs you") == 1 and "/mnt can be written no more since late failed (defect 4)" in late, out
    assert gone.count("Subject: gone needs you") == 1 and "gone failed (defect 1, failure 3): left down; programs get EIO" in gone, out
    check(image)


def test_reboot_if_in_the_system(boot, tmp_path):
    """One that does not last has the machine restarted, in order: the reason is on the disk, which is clean. Not where the machine has just been started: the manifest makes an end."""
    image = make(tmp_path / "disk.img", size="16M")
    add = {**service("early", "exit", delay=60, budget="2 60", instances="on-request", policy="/etc/bardo/policy/reboot-if.sh -g 1"),
           **service("last", "exit", delay=60, instances="on-request", policy="/etc/bardo/policy/reboot-if.sh -g 2 -u 0 -m /mnt/why")}
    result = boot(WAIT_FOR + "sleep 0.3; mkdir -p /mnt; mount -t ext4 /dev/sda /mnt; service up early; wait_for early given-up && echo given up; service up last; sleep 100",
                  add=add, qemu=attached(image), leak_check=False, expect=125)
    assert result.out == "given up\n" and re.search(r"policy: early: failure 2, but the machine has run for \d+ s only: not restarted", result.klog), result.klog
    assert "rs: early: given up after 3 failures in 60 s" in result.klog and "policy: last: failure 3: the machine is restarted" in result.klog
    check(image)
    assert b"Subject: the machine is restarted" in contents(image, "why") and b"last: failure 3: the machine is restarted" in contents(image, "why")


def test_power(script, monkeypatch):
    """power.sh says for whose sake, and ends the system by the word that it was given."""
    monkeypatch.setenv("POLICY_POWER", "true")
    assert script("power.sh", "x", 1, 3, "budget", "reboot") == (0, []) and script.log() == "policy: x failed for good (defect 1, failure 3, budget): reboot\n"
    assert script("power.sh", "x", 1, 3, "budget", "halt")[0] == 2 and script("power.sh", "x", 1, 3, "reboot")[0] == 2
    monkeypatch.setenv("POLICY_POWER", "false")
    assert script("power.sh", "x", 1, 3, "useless", "poweroff")[0] == 1


def test_a_script_may_reset(boot):
    """It waits for its script when that asks for a reset: the ladder alone would have it adopt."""
    out = boot(KILLED + "cat /proc/recovery", nics=NIC, add=with_script("service restart $1 --reset\n"), leak_check=False).out
    assert recoveries(out) == [("e1000", "killed", "reset")]


BOMB = "bomb() { bomb | bomb & }\nbomb\nwhile :; do :; done\n"
# (As long as a bomb's processes are not gone the shell cannot fork, and waits by itself.)
OF_NO_USE = RUNNER + """mkfifo /tmp/f; exec 9<>/tmp/f
few() { while read -r a b c n d </proc/loadavg; [ ${n#*/} -gt 60 ]; do read -t 0.1 x <&9; done; }
service kill e1000; few; service wait e1000 --timeout 30; read -t 0.3 x <&9; few
cat /proc/recovery; service status e1000 | grep ^state; ps | grep -c -e '[t]est.sh' -e '[s]leep 77'; echo done"""


def decided(out):
    """How many ms after the death it was decided what to do, and, if that is a fresh copy, how many until it was ready: by the guest's clock."""
    row, = rows(out, "e1000")
    decided, ready = (None if row[step] == "-" else (int(row[step]) - int(row["detected_ns"])) / 1e6 for step in ("policy_ns", "ready_ns"))
    print(f"DECIDED {decided} ms after the death; a fresh copy was ready after {ready} ms")
    return decided, ready


@pytest.mark.parametrize("kind, said, least, most", [("missing", "is not there", 0, 20), ("plain", "is not executable", 0, 20), ("failing", "failed with status 3", 0, 20),
                                                     ("hanging", "did not decide within its deadline", 700, 710), ("bomb", "did not decide within its deadline", 700, 710),
                                                     ("endless", "did not decide within its deadline", 700, 710), ("leaver", "decided against a restart", 0, 20)])
def test_of_no_use(boot, kind, said, least, most):
    """Missing, not executable, failing, hanging, a fork bomb, endless output: at the deadline (700 ms) at the latest the manifest decides, by the guest's clock, which counts
    instructions, and nothing of it is left. Nor of what it leaves behind."""
    add = with_script({"bomb": BOMB, "endless": "while :; do echo $0 $0 $0; echo $0 >&2; done\n", "leaver": "sleep 77 &\n", "failing": "exit 3\n", "hanging": "sleep 77\n"}.get(kind, ""), deadline=700)
    path = "/etc/bardo/policy/test.sh"
    if kind == "missing":
        del add[path]
    if kind == "plain":
        add[path] = add[path].removeprefix("#!/bin/sh\n")
    result = boot(OF_NO_USE, nics=NIC, add=add, icount=True, leak_check=False, timeout=100)
    assert result.out.endswith(f"state             {'down' if kind == 'leaver' else 'up'}\n0\ndone\n"), result.out
    assert f"policy script {path} {said}" in result.klog
    at, ready = decided(result.out)
    assert least <= at < most and (ready is None if kind == "leaver" else at <= ready < most), result.out


def test_bomb_on_a_slow_machine(boot):
    """Its processes keep PM busy; who is to end them still has all of a turn when it is his, and not a single call of PM."""
    result = boot(OF_NO_USE, nics=NIC, add=with_script(BOMB, deadline=1500), icount=True, qemu="-icount shift=3,sleep=off", timeout=20, leak_check=False)
    assert result.out.endswith("state             up\n0\ndone\n"), result.out
    at, ready = decided(result.out)
    assert 1500 <= at <= ready < 1520, result.out
