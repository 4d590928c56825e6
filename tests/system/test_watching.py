# SPDX-License-Identifier: BSD-2-Clause
"""service tree, events and top: who stands on whom, what happens, and all of it on a screen."""
import json
import re

from machine import terminal
from test_screen import PROMPT, sit  # noqa: F401 (a fixture)
from test_service import manifest

NIC = ["e1000"]


def test_tree(boot):
    out = boot("""service wait e1000; service tree; echo ==; service tree disk; echo ==; service tree --json; echo ==; service tree nosuch 2>&1; echo $?; service tree a b 2>&1; echo $?""", nics=NIC,
               add=manifest(dependents="null")).out
    tree, disk, as_json, rest = out.split("==\n")
    assert tree.startswith("Most stand on: rs ds\n\n")
    assert re.search(r"^(\|   )*(\||`)-- net +up +calls$\n(.*\n){0,3}.*-- e1000 +up +queue$", tree, re.M) and "rtl8139" not in tree
    assert re.search(r"^disk stands on:\ndisk +up\n\|-- ahci +up +queue\n(.*\n)*\nOn disk stand:\ndisk +up\n(.*\n)*\|-- ext4 +down +queue\n(.*\n)*`-- vfs ", disk, re.M)
    links = {row["name"]: row for row in json.loads(as_json)}
    assert {"name": "e1000", "how": "queue"} in links["net"]["stands_on"] and {"name": "net", "how": "queue"} in links["e1000"]["carries"]
    assert {"name": "e1000", "how": "restarted after"} in links["null"]["stands_on"] and {"name": "disk", "how": "queue"} in links["ext4"]["stands_on"]
    assert {"name": "vfs", "how": "calls"} in links["proc"]["stands_on"] and "proc" not in [link["name"] for link in links["vfs"]["stands_on"]]
    for name, row in links.items():  # each link is there from both ends
        assert all({"name": name, "how": link["how"]} in links[link["name"]]["carries"] for link in row["stands_on"])
    assert rest == "service: tree nosuch: there is no such service\n1\nservice: one name at a time, not b\nTry 'service --help'.\n2\n"


FOLLOWED = """service wait e1000; service kill null; service wait null; service events null; echo ==
service events --follow --json >/tmp/events & service events e1000 --follow >/tmp/some & usleep 500000
service kill e1000; service wait e1000; service kill null; usleep 300000; service down null; usleep 300000; service up null; usleep 300000; kill %1 %2
cat /tmp/events; echo ==; cat /tmp/some; echo ==; rm /tmp/events /tmp/some
service events nosuch 2>&1; echo $?; service list --follow 2>&1; echo $?"""


def test_events(boot):
    """Those that were, then those that come: deaths with their returns, and changes of state."""
    out = boot(FOLLOWED, nics=NIC, leak_check=False).out
    before, followed, some, rest = out.split("==\n")
    assert re.fullmatch(r" +\d+\.\d{6}  null +died +number 1: killed 9, pid \d+\n +\d+\.\d{6}  null +back +number 1: adopted after [\d.]+ us, incarnation 2, pid \d+\n", before)
    events = [json.loads(line) for line in followed.splitlines()]
    assert [(e["service"], e["event"]) for e in events] == [("null", "died"), ("null", "back"), ("e1000", "died"), ("e1000", "back"), ("null", "died"), ("null", "back"),
                                                            ("null", "down"), ("null", "up")]
    assert events[2]["defect"] == "killed" and events[3]["how"] == "adopted" and events[3]["time_ns"] > events[2]["time_ns"] and events[3]["number"] == events[2]["number"] == 2
    assert abs(events[3]["after_us"] * 1000 - (events[3]["time_ns"] - events[2]["time_ns"])) < 200
    assert len(some.splitlines()) == 2 and all(" e1000 " in line for line in some.splitlines())
    assert rest == "service: events nosuch: there is no such service\n1\nservice: --follow does not go with list\nTry 'service --help'.\n2\n"


HEADER = r"^NAME +STATE +PID RESTARTS DEFECT +TIMES +\*CPU% +MEMORY +MSG/S$"


def test_top_as_text(boot):
    """Without a terminal: the table, as often as asked for. A name on the same line, rates above 0 for who has worked."""
    out = boot("service wait e1000; service kill null e1000; service wait null; service top --every 300 --count 2; service top x 2>&1; echo $?; service top --every 0 2>&1; echo $?", nics=NIC).out
    assert len(re.findall(HEADER, out, re.M)) == 2
    assert re.search(r"^null +up +\d+ +1 killed +[_.:=*#+-] +[\d.]+ +\d+K +\d+$", out, re.M) and re.search(r"^vfs +up +\d+ +0 - +\d+\.\d +\d+K +[1-9]\d*$", out, re.M)
    assert "rtl8139" not in out and all(len(line) < 80 for line in out.splitlines())
    assert out.endswith("service: no name goes with top\nTry 'service --help'.\n2\nservice: --every needs a number of ms from 1 to 99999999: 0 is too small\nTry 'service --help'.\n2\n")


def test_top_on_a_serial_terminal(tmp_path):
    """Live, sorted by keys, and the terminal is as before when it ends: by q, right behind keys that mean nothing, and by Ctrl-C."""
    out = tmp_path / "out"
    with terminal(out) as console:
        for awaited, typed in ((b"# ", "service top --every 300\n"), (b"*CPU%", "r"), (b"*RESTART", "n"), (b"*NAME", "a "), (b"rtl8139", "\x1b[15~\x1bOPzq"),
                               (b"\x1b[?25h", "service kill null; service top --every 300\n"), (b"1 killed", "\x03"),
                               (b"", "stty -a | grep -c ' echo '; echo al''l; poweroff -f\n")):
            console.wait(awaited)
            console.type(typed)
        console.wait(b"\r\nall")
        console.guest.wait(timeout=60)
    text = out.read_bytes()
    assert b"\r\n1\r\nall" in text and text.count(b"\x1b[?25h") == text.count(b"\x1b[?25l") == 2


ROOM = 22  # lines for services on a screen of 25
KB, COLUMN = {"K": 1, "M": 1024}, {"n": ("NAME", 0), "s": ("STATE", 1), "p": ("PID", 2), "r": ("RESTART", 3), "d": ("DEFECT", 4), "c": ("CPU%", -3), "m": ("MEMORY", -2), "x": ("MSG/S", -1)}


def sorted_by(key, lines):
    """Are the services on the screen in the order that the key means?"""
    name, column = COLUMN[key]
    rows = [line.split() for line in lines[3:] if line]
    if f"*{name}" not in lines[2] or not rows or any(len(row) not in (8, 9) for row in rows):
        return False
    words = [row[column] for row in rows]
    if key == "m":
        values = [-int(word[:-1]) * KB[word[-1]] - KB[word[-1]] for word in words]
    elif key in "prcx":
        values = [float(word) * (1 if key == "p" else -1) for word in words]
    else:
        values = [word.replace("-", "none") if key == "d" else word for word in words]
    return values == sorted(values)


def names_on(lines):
    return [line.split()[0] for line in lines[3:] if line]


def shows(lines, at, known):
    """The services from that one on, whose names are known or not yet; those end the list as it is known."""
    names = names_on(lines)
    return len(names) == ROOM and all(known[n] == name if n in known else name > max(known.values()) for n, name in enumerate(names, at))


def test_top_on_the_screen(sit):  # noqa: F811
    """On a VGA's console all lines are there, each in its place; each key does what is said of it, others nothing; the terminal is as before in the end, by q and by Ctrl-C."""
    with sit("service kill null") as (person, end):
        person.type("clear; stty -g >/tmp/stty; service top --every 300\n")
        lines = person.wait(lambda lines: lines[2].startswith("NAME") and any(re.match(r"null +up .*killed", line) for line in lines), "the table")
        assert re.match(r"\d+:\d\d:\d\d  \d+ services: \d+ up, ", lines[0]) and lines[1].startswith("n)ame s)tate ") and re.match(HEADER, lines[2])
        for key in "rspdmxcn":
            person.type(key)
            lines = person.wait(lambda lines: sorted_by(key, lines), f"the order of {key}")
            assert key != "r" or lines[3].startswith("null "), "it has died most often"
        idle = names_on(lines)
        assert "nvme" not in idle
        person.type("a")
        clock = person.wait(lambda lines: sorted_by("n", lines) and len(names_on(lines)) == ROOM and names_on(lines) != idle, "all services")[0].split()[0]
        lines = person.wait(lambda lines: lines[0].split()[0] != clock, "another look")  # (all of the last one is painted then)
        count, at, known = int(lines[0].split()[1]), 0, dict(enumerate(names_on(lines)))
        assert count > ROOM and "nvme" in known.values()
        for keys, lines_on in (("j", 1), ("down", 1), ("k", -1), ("up", -1), ("k", -1), ("spc", ROOM), ("spc", ROOM), ("minus", -ROOM), ("pgdn", ROOM), ("j", 1), ("pgup", -ROOM), ("z f1 ret tab 1 esc", 0)):
            before, clock = at, person.lines()[0].split()[0]
            at = max(0, min(at + lines_on, count - ROOM))
            for key in keys.split():
                person.press(key)
            lines = person.wait(lambda lines: (at != before or lines[0].split()[0] != clock) and sorted_by("n", lines) and shows(lines, at, known), f"line {at} and those that follow, by {keys}")
            known.update(enumerate(names_on(lines), at))
        person.type("a")
        person.wait(lambda lines: names_on(lines) == idle, "those alone that run")
        for end_it, said in ((lambda: person.type("q"), "by q"), (lambda: person.press("ctrl", "c"), "by Ctrl-C")):
            end_it()
            person.wait(lambda lines: PROMPT in "".join(lines[-3:]), "the prompt")
            person.type(f"clear; stty -g | cmp - /tmp/stty && echo as before {said}\n")
            person.wait_line(f"as before {said}")
            if said == "by q":
                person.type("service top\n")
                person.wait(lambda lines: sorted_by("c", lines), "the table")
        end()
