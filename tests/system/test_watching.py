# SPDX-License-Identifier: BSD-2-Clause
"""service tree, events and top: who stands on whom, what happens, and all of it on a screen."""
import json
import re

from machine import terminal
from test_screen import sit  # noqa: F401 (a fixture)
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
    assert out.endswith("service: no name goes with top\nTry 'service --help'.\n2\nservice: --every needs a number of ms from 1 to 99999999\nTry 'service --help'.\n2\n")


def test_top_on_a_serial_terminal(tmp_path):
    """Live, sorted by keys, and the terminal is as before when it ends: by q, and by Ctrl-C."""
    out = tmp_path / "out"
    with terminal(out) as console:
        for awaited, typed in ((b"# ", "service top --every 300\n"), (b"*CPU%", "r"), (b"*RESTART", "n"), (b"*NAME", "a "), (b"rtl8139", "q"),
                               (b"\x1b[?25h", "service kill null; service top --every 300\n"), (b"1 killed", "\x03"),
                               (b"", "stty -a | grep -c ' echo '; echo al''l; poweroff -f\n")):
            console.wait(awaited)
            console.type(typed)
        console.wait(b"\r\nall")
        console.guest.wait(timeout=60)
    text = out.read_bytes()
    assert b"\r\n1\r\nall" in text and text.count(b"\x1b[?25h") == text.count(b"\x1b[?25l") == 2


def test_top_on_the_screen(sit):  # noqa: F811
    """On a VGA's console all lines are there, each in its place."""
    with sit("service kill null") as (person, end):
        person.type("service top --every 300\n")
        lines = person.wait(lambda lines: lines[2].startswith("NAME") and any(re.match(r"null +up .*killed", line) for line in lines), "the table")
        assert re.match(r"\d+:\d\d:\d\d  \d+ services: \d+ up, ", lines[0]) and lines[1].startswith("n)ame s)tate ") and re.match(HEADER, lines[2])
        person.type("r")
        person.wait(lambda lines: "*RESTART" in lines[2] and lines[3].startswith("null "), "null, which has died most often")
        person.type("q")
        person.wait(lambda lines: "bardo:~#" in lines[24] or "bardo:~#" in "".join(lines[-3:]), "the prompt")
        end()
