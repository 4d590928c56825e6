# SPDX-License-Identifier: BSD-2-Clause
"""What a service may do is in its manifest, and nothing else: a service that wants more (drivers/example/hostile) does not get it."""
import re
import subprocess

import pytest

from conftest import BUILD, TOP

MANIFEST = (TOP / "drivers/example/hostile/hostile.manifest").read_text()
# over ATTACK: until that attack is over, a minute at most
OVER = """over() { n=0; until grep -q "hostile: attack over: $1" /proc/bardo/log; do n=$((n + 1)); [ $n -lt 600 ] || return 1; usleep 100000; done; }
"""


def hostile(attack, parameters="", **changes):
    changes["parameters"] = f"attack={attack} {parameters}"
    kept = [line for line in MANIFEST.splitlines() if line.split()[:1] and line.split()[0] not in changes]
    text = "\n".join(kept + [f"{key} {value}" for key, value in changes.items()]) + "\n"
    return {"/etc/bardo/hostile.svc": text, "/lib/bardo/hostile": BUILD / "services/hostile"}


def test_names_of_others(boot):
    """A name in DS is its owner's, also while that one is away: /proc, /dev and the terminals are killed again and again, and come back."""
    result = boot(OVER + "for i in 1 2 3 4 5 6 7 8; do for s in proc dev tty log; do kill -9 $(pidof $s); done; usleep 200000; "
                  "done; over publish; cat /proc/version; ls /dev | grep -c null; service list", add=hostile("publish", "seconds=5"), leak_check=False)
    found = re.search(r"hostile: names of others: (\d+) of (\d+)", result.klog)
    assert found and int(found[1]) == 0 and int(found[2]) > 100, found
    assert "Linux version" in result.out and "\n1\n" in result.out
    assert len(re.findall("may not be found as", result.klog)) == 1  # and says so once


def test_snapshots_of_others(boot):
    result = boot(OVER + "over snapshots; kill -9 $(pidof tty); sleep 0.3; echo there >/dev/console; service list tty", add=hostile("snapshots"), leak_check=False)
    assert "hostile: snapshots of others: 0" in result.klog
    assert re.search(r"^tty +\d+ up ", result.out, re.M)


def test_values_of_others(boot):
    """A service sets values under its own name alone, so many and such as are values; what is in them makes no line of its own."""
    result = boot(OVER + "over values; service store 'hostile/*'; service store fs/proc --json", add=hostile("values"), leak_check=False)
    assert "hostile: values of others: 0, that are none: 0, its own: 16" in result.klog
    assert len(re.findall(r"^hostile/\d+ +hostile +text +28  \\x1b\[2J a\\x0afs/proc proc name 8 7$", result.out, re.M)) == 16, result.out
    assert re.search(r'^\[\{"key": "fs/proc", "owner": "proc", "type": "name", "length": 8, "value": \d+\}\]$', result.out, re.M), result.out


ALL_UP = """n=0; while service list | grep -Eq '(backoff|starting)'; do n=$((n + 1)); [ $n -lt 100 ] || break; usleep 50000; done; service list
"""


def restarts(text):
    """{service: how often it was restarted} from `service list`."""
    return {row[0]: int(row[5]) for row in (line.split() for line in text.splitlines()) if len(row) > 5 and row[2] == "up"}


def test_complaints_of_everybody(boot):
    """Only the client of a queue may complain of the queue's driver. Everybody else complains in vain: nobody is restarted."""
    result = boot(OVER + "over complain; " + ALL_UP, nics=["e1000"], add=hostile("complain", "times=200"), timeout=120, leak_check=False)
    assert "hostile: complaints that were heard: 0" in result.klog
    counts = restarts(result.out)
    assert {"net", "tty", "e1000", "proc", "hostile"} <= set(counts) and set(counts.values()) == {0}, counts
    assert result.klog.count("may not complain") == 1


def quick(name, folder, budget):
    """The manifest of a service that is restarted at once, and given up after so many failures in ten minutes."""
    lines = [line for line in (TOP / folder / f"{name}.svc").read_text().splitlines() if line.split()[:1] not in (["budget"], ["backoff"])]
    return {f"/etc/bardo/{name}.svc": "\n".join(lines + [f"budget {budget} 600", f"backoff {budget} 10 10"]) + "\n"}


def test_complaints_without_end(boot):
    """Who may complain is heard as often as the other's budget says, and once more: then RS has given up."""
    result = boot(OVER + "over complain; service list", timeout=120, leak_check=False,
                  add={**hostile("complain", "times=200", **{"complains-of": "null"}), **quick("null", "drivers/example/null", 5)})
    assert re.search(r"^null +0 given-up ", result.out, re.M), result.out
    assert result.klog.count("hostile complains of null") == 6
    assert set(restarts(result.out).values()) == {0}


def test_complaints_of_a_crowd(boot):
    """The limit is one for all together that it may complain of."""
    add = {**hostile("complain", "times=200", **{"complains-of": "null dev"}), **quick("null", "drivers/example/null", 10), **quick("dev", "servers/fs/dev", 10)}
    result = boot(OVER + "over complain; " + ALL_UP, timeout=120, leak_check=False, add=add)
    counts = restarts(result.out)
    assert counts["null"] + counts["dev"] <= 11 and min(counts["null"], counts["dev"]) > 0, counts
    assert counts["tty"] == counts["proc"] == 0
    assert len(re.findall(r"hostile has complained 11 times in 600 s; more of it is ignored", result.klog)) == 1


def test_complaints_of_another(boot):
    """Who complains without end of one is still heard about another: its first three complaints count, whatever else there was."""
    add = {**hostile("complain", "times=200", **{"complains-of": "null lp"}), **quick("null", "drivers/example/null", 10), **quick("lp", "servers/lp", 2)}
    result = boot(OVER + "over complain", timeout=120, leak_check=False, add=add)
    assert result.klog.count("hostile complains of lp") == 3 and "rs: lp: given up after 3 failures in 600 s" in result.klog


# ---- the order of calls ----

def judge(tmp_path, **changed):
    """build/authority over the shipped manifests, with those changed: {name: (line's key, new line)}."""
    files = []
    for path in sorted(TOP.glob("servers/**/*.svc")) + sorted(TOP.glob("drivers/**/*.svc")):
        key, line = changed.get(path.stem, ("", ""))
        copy = tmp_path / path.name
        copy.write_text("".join(line + "\n" if key and row.split()[:1] == [key] else row + "\n" for row in path.read_text().splitlines()))
        files.append(str(copy))
    return subprocess.run([BUILD / "authority", *files], capture_output=True, text=True)


def test_matrix(tmp_path):
    """Everybody who ships calls downhill; the one exception is named; and what it calls does not call it."""
    done = judge(tmp_path)
    assert done.returncode == 0, done.stderr
    rows = {line.split()[0]: line.split()[1:] for line in done.stdout.split("a column whom\n")[1].splitlines() if re.match(r"\S+ .*-", line)}
    names = list(rows)
    assert {"rs", "vfs", "proc", "e1000"} <= set(names) and all(len(row) == len(names) for row in rows.values())
    upward = [(who, whom) for who in names for whom, cell in zip(names, rows[who]) if cell == "U"]
    assert upward == [("proc", "vfs")]
    calls = {(who, whom) for who in names for whom, cell in zip(names, rows[who]) if cell in "CBU"}
    while calls:  # take away who is called by nobody, again and again: what stays is a circle
        called = {whom for _, whom in calls}
        rest = {(who, whom) for who, whom in calls if who in called}
        assert rest != calls, f"calls in a circle: {sorted(rest)}"
        calls = rest
    drivers = {"e1000", "e1000e", "rtl8139", "ahci", "ide", "nvme", "virtio-block", "virtio-net", "uart", "ramdisk", "keyboard", "console"}
    assert not [(who, whom) for who in names for whom, cell in zip(names, rows[who]) if whom in drivers and cell not in ".-"]


@pytest.mark.parametrize("name, line, message", [
    ("ds", "calls rs vm", "'vm' is not below ds in the order of calls"),
    ("disk", "calls rs ds vfs", "'vfs' is not below disk in the order of calls"),
    ("tty", "calls rs net", "'net' is not below tty in the order of calls"),
    ("dev", "calls rs fs/*", "'fs/*' is not below dev in the order of calls"),
    ("vfs", "calls rs e1000", "'e1000' is not below vfs in the order of calls"),
    ("vfs", "calls all", "calls: name those that it needs, not 'all'"),
])
def test_uphill(tmp_path, name, line, message):
    done = judge(tmp_path, **{name: ("calls", line)})
    assert done.returncode == 1 and re.search(rf"{name}\.svc:\d+: {re.escape(message)}", done.stderr), done.stderr


def test_uphill_is_not_started(boot):
    result = boot("service list", add=hostile("none", calls="rs ds\ncalls null"), leak_check=False)
    assert re.search(r"etc/bardo/hostile\.svc:\d+: 'null' is not below hostile in the order of calls; not started", result.klog)
    assert re.search(r"^hostile +\S+ broken ", result.out, re.M)


# ---- what nobody uses ----

def test_unused(boot, tmp_path, monkeypatch):
    """What a guest was seen to use from outside is used; what was put into manifests for nothing is named, and what is standing still is told apart."""
    records = tmp_path / "records"
    monkeypatch.setenv("WITNESS", str(records))
    boot("ls /proc >/dev/null; kill -9 $(pidof null); sleep 0.3; cat /proc/partitions; service list null", leak_check=False)
    monkeypatch.delenv("WITNESS")
    used = [line.split() for path in records.iterdir() for line in path.read_text().splitlines()]
    assert {"call vfs pm", "forward vfs proc", "forward proc vfs", "call proc vfs", "call null rs", "notify rs ds"} <= {" ".join(words[:3]) for words in used}
    assert not [words for words in used if words[0] == "call" and words[1:3] == ["ram", "vm"]]  # a fault, and no call
    judge(tmp_path, dev=("calls", "calls rs ds pm disk log"), null=("calls", "calls rs ds\nkernel port_in"), tty=("notifies", "notifies vfs pci"))
    done = subprocess.run([TOP / "tools/authority", "--unused", records, *sorted(tmp_path.glob("*.svc"))], capture_output=True, text=True, check=True)
    calls, forwards, notifies, rest = re.fullmatch(r"(?s)1 guests.*never seen to call:\n(.*)never seen to forward:\n(.*)never seen to notify:\n(.*)kernel calls.*function for:\n(.*)", done.stdout).groups()
    assert re.search(r"^    dev .*\blog\b", calls, re.M) and not re.search(r"^    (vfs .*\bpm|proc .*\b(vm|pm|vfs))\b", calls, re.M)
    assert not re.search(r"^    vfs .*\bproc\b|^    proc ", forwards, re.M) and re.search(r"^    tty .*\bpci\b", notifies, re.M)
    assert "    null           kernel port_in\n" in rest and rest.count("kernel ") == 1 and "reads" not in rest
    assert "ext4" in rest.split("not seen at all: ")[1].split()


def test_unused_without_records(tmp_path):
    done = subprocess.run([TOP / "tools/authority", "--unused", tmp_path], capture_output=True, text=True)
    assert done.returncode == 1 and "no *.used there" in done.stderr
