# SPDX-License-Identifier: BSD-2-Clause
"""Every class of defect: a driver that misbehaves on demand (drivers/example/faulty) is found out, and replaced by a fresh copy."""
import re

import pytest

from conftest import BUILD, TOP

MANIFEST = (TOP / "drivers/example/faulty/faulty.manifest").read_text()
# wait_for PATTERN: until the line of faulty in `service list` matches; three seconds at most
WAIT = """wait_for() { n=0; until service list faulty | grep -q "$1"; do n=$((n + 1)); [ $n -lt 150 ] || return 1; usleep 20000; done; }
"""
NETWORK = {"class": "net", "queue": "1280K net", "notifies": "ds net", "calls": "rs ds"}


def faulty(fault, delay=300, times=1, **changes):
    changes.setdefault("parameters", f"fault={fault} delay_ms={delay} times={times}")
    kept = [line for line in MANIFEST.splitlines() if line.split()[:1] and line.split()[0] not in changes]
    text = "\n".join(kept + [f"{key} {value}" for key, value in changes.items()]) + "\n"
    return {"/etc/bardo/faulty.svc": text, "/lib/bardo/faulty": BUILD / "services/faulty"}


def recoveries(text, name="faulty"):
    header = next(line for line in text.splitlines() if line.startswith("# number"))[2:].split()
    return [dict(zip(header, line.split())) for line in text.splitlines() if re.match(rf"\d+ {name} ", line)]


def detected(what, row, began):
    """How many ms from the defect, at `began` s of the guest's clock, until RS knew; said for who runs the test with -s."""
    took = int(row["detected_ns"]) / 1e6 - began * 1e3
    print(f"DETECTED {what}: {row['defect']} {row['detail']} after {took:.3f} ms")
    return took


@pytest.mark.parametrize("fault, defect, detail", [("exit", "exit", "3"), ("panic", "exit", "1"), ("null", "exception", "14"), ("jump", "exception", "14"),
                                                   ("text", "exception", "14"), ("data", "exception", "14"),
                                                   ("privileged", "exception", "13"), ("divide", "exception", "0")])
def test_crash(boot, fault, defect, detail):
    """In its work, and then before it was ready."""
    out = boot(WAIT + "wait_for 'up .* s  *1 ' && cat /proc/recovery", add=faulty(fault)).out
    assert [(row["defect"], row["detail"]) for row in recoveries(out)] == [(defect, detail)]
    out = boot(WAIT + "wait_for 'up .* s  *1 ' && cat /proc/recovery", add=faulty(fault, delay=0, times=3)).out
    assert [(row["defect"], row["detail"]) for row in recoveries(out)] == [(defect, detail)] * 3


@pytest.mark.parametrize("reads", [None, "log", "trace", "log trace"])
def test_who_sees_the_rings(boot, reads):
    """The kernel's log and trace are mapped, for reading, into the services whose manifests say so, and into no others."""
    for what in ("log", "trace"):
        allowed = reads and what in reads.split()
        state = "up .* s  *0 " if allowed else "up .* s  *1 exception"
        result = boot(WAIT + f"wait_for '{state}'; usleep 600000; service list faulty",
                      add=faulty(f"listen_{what}", **({"reads": reads} if reads else {})))
        assert (f"it sees the {what}" in result.klog) == bool(allowed)
        assert re.search(state, result.out), result.out


@pytest.mark.parametrize("fault", ["spin", "deaf", "flood"])
def test_hang(boot, fault):
    """It never comes back to receive: found within three periods of the heartbeat (100 ms), while the system goes on working."""
    result = boot(WAIT + "i=0; until grep -q 'faulty heartbeat' /proc/recovery; do i=$((i + 1)); [ $i -lt 200 ] || break; usleep 10000; done; "
                  "wait_for 'up .* 1 heartbeat'; cat /proc/recovery", icount=True, add=faulty(fault, cpu="500"), timeout=240)
    row, = recoveries(result.out)
    began = float(re.search(r"\[ *([\d.]+)\] faulty: fault on demand", result.klog).group(1))
    assert row["defect"] == "heartbeat" and int(row["detected_ns"]) / 1e9 - began < 0.300


def test_flood_of_its_client(boot):
    """Notifications are bits: a flood of them is no more than a process that spins, and its client may be the first to say so."""
    out = boot(WAIT + "wait_for 'up .* 1 [hc]'; nc -l -p 7000 -e cat & usleep 200000; echo hello | nc 127.0.0.1 7000; wait; cat /proc/recovery",
               add=faulty("flood", cpu="500", **NETWORK)).out
    assert out.startswith("hello\n") and [(row["defect"], row["detail"]) for row in recoveries(out)] in ([("heartbeat", "1")], [("complaint", "5")])


@pytest.mark.parametrize("fault", ["garbage", "lengths", "stranger"])
def test_garbage_in_its_rings(boot, fault):
    """Its client complains, and goes on working. The complaint counts also when the queue says that another drives."""
    result = boot(WAIT + "wait_for 'up .* 1 complaint'; nc -l -p 7000 -e cat & usleep 200000; echo hello | nc 127.0.0.1 7000; wait; cat /proc/recovery",
                  add=faulty(fault, **NETWORK))
    assert result.out.startswith("hello\n") and [row["defect"] for row in recoveries(result.out)] == ["complaint"]


@pytest.mark.parametrize("fault, word, number, rule", [("garbage", "index", 6, "transmit ring: an index beyond what was posted"), ("lengths", "length", 7, "receive ring: a frame longer than its buffer")])
def test_why_its_client_complained(boot, fault, word, number, rule):
    """In a word, for people, which rule it broke: in the log and of the dead; /proc/recovery has the number. (By the guest's clock: a driver that hears nothing is
    complained of for that, too, when it takes longer.)"""
    result = boot(WAIT + "wait_for 'up .* 1 complaint'; usleep 300000; service status faulty | grep ^its; service events faulty | head -n 1; service corpse faulty | grep '  defect'; "
                  f"service corpse | tail -n 1; service corpse faulty --json | grep -o '\"detail\": {number}'; echo ==; cat /proc/recovery", add=faulty(fault, **NETWORK), icount=True, leak_check=False)
    words, rows = result.out.split("==\n")
    assert [(row["defect"], row["detail"]) for row in recoveries(rows)] == [("complaint", str(number))]
    assert re.fullmatch(rf'its detail +{word}\n.* died +number \d+: complaint {word}, pid \d+\n +defect +complaint {word}\n.* complaint +{word} .*\n"detail": {number}\n', words), words
    assert f"driver faulty broke the rules of the {rule}\n" in result.klog
    assert f"net complains of faulty ({word})" in result.klog and f"faulty: complaint {word} (incarnation 1" in result.klog


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_senseless_calls(boot, seed):
    """Half a million kernel calls, and requests to RS and DS, with random arguments: each is refused or does no harm."""
    out = boot(WAIT + "n=0; until grep -q 'faulty exit' /proc/recovery; do n=$((n + 1)); [ $n -lt 600 ] || break; usleep 50000; done; wait_for 'up .* 1 exit' "
               "&& cat /proc/recovery; echo hello | sort", leak_check=False,
               add=faulty("random", parameters=f"fault=random delay_ms=200 times=1 seed={seed}", heartbeat="0", cpu="900", priority="9")).out
    assert [(row["defect"], row["detail"]) for row in recoveries(out)] == [("exit", "0")] and out.endswith("hello\n")


def test_gives_up_and_up_again(boot):
    """The budget: five failures in a minute. The sixth is one too many; `service up` begins anew."""
    result = boot(WAIT + "wait_for given-up && echo gave up; service up faulty; wait_for given-up && echo and again; service log faulty",
                  add=faulty("exit", delay=0, times=0, backoff="2 10 2000"))
    assert result.out.startswith("gave up\nand again\n")
    for text in ("restart in 10 ms", "restart in 20 ms", "restart in 40 ms", "given up after 6 failures in 60 s (last: exit 3); 'service up faulty' starts it again"):
        assert text in result.out, text


def test_no_restart_wanted(boot):
    result = boot(WAIT + "wait_for down && echo down; service log faulty", add=faulty("exit", restart="no"))
    assert result.out.startswith("down\n")


@pytest.mark.parametrize("service, works", [
    ("tty", "echo typed >/dev/console; stty -F /dev/console size"),
    ("uart", "sleep 0.3; echo typed >/dev/console"),
    ("log", "sleep 0.1; logger hello; dmesg | tail -1"),
    ("proc", "cat /proc/version; ls /proc | head -1"),
    ("dev", "head -c 4 /dev/zero | wc -c; echo lost >/dev/null; ls /dev | grep -c null"),
    ("null", "true"),
    ("disk", "ls /dev | grep -c null"),
    ("ahci", "true"),
])
def test_service_comes_back(boot, service, works):
    out = boot(f"{works} && echo before; kill -9 $(pidof {service}); sleep 0.5; {works} && echo after; service list {service}", leak_check=False).out
    assert "before\n" in out and "after\n" in out and re.search(rf"^{service} +\d+ up +\d+ s +1 killed", out, re.M)


def test_pci_comes_back(boot):
    """A driver whose device must be reset through it still recovers."""
    out = boot("sleep 0.5; kill -9 $(pidof pci); sleep 0.3; service restart e1000 --reset; sleep 0.3; ping -c 1 10.0.2.2; service list pci",
               nics=["e1000"], leak_check=False).out
    assert "1 packets received" in out and re.search(r"^pci +\d+ up +\d+ s +1 killed", out, re.M)


def test_chatter(boot):
    """What one source writes to the log is limited, and what was left out is counted; who died is said all the same."""
    result = boot(WAIT + "wait_for 'up .* 1 exit'; grep -c chatter /proc/bardo/log", add=faulty("chatter", heartbeat="1000"))
    said, left_out = len(re.findall("faulty: chatter", result.klog)), re.search(r"faulty: (\d+) lines left out\n(?:.* rs: .*\n)*.*faulty: enough said", result.klog)
    assert 18 <= said < 100 and said + int(left_out.group(1)) == 3000
    assert "rs: faulty: exit 3 (incarnation 1" in result.klog
