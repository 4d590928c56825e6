# SPDX-License-Identifier: BSD-2-Clause
"""What documents say that can be looked up."""
import os
import re
import subprocess

from conftest import BUILD, TOP


def test_lines_of_the_kernel():
    """README.md and decision 0010 have the figures of `make loc`."""
    text = subprocess.run(["make", "-s", "loc"], cwd=TOP, capture_output=True, text=True, check=True, timeout=120).stdout
    boot, kernel = (int(re.search(rf"^{what}: (\d+) lines", text, re.M)[1]) for what in ("boot", "kernel"))
    readme = re.search(r"^\| lines of the kernel; privileged ones before it, .*\| (\d+); (\d+) \| `make loc` \|$", (TOP / "README.md").read_text(), re.M)
    decision = re.search(r"\((\d+) \+ (\d+) by `make loc`: (\d+) more than the limit\)", (TOP / "docs/decisions/0010-boot-apart.md").read_text())
    assert readme and [int(n) for n in readme.groups()] == [kernel, boot], text
    assert decision and [int(n) for n in decision.groups()] == [kernel, boot, kernel + boot - 4000], text


def functions():
    """{name of a file of tests: the tests in it}"""
    found = {path.name: set(re.findall(r"^def (test_\w+)\(", path.read_text(), re.M)) for path in (TOP / "tests/system").glob("test_*.py")}
    found.update({path.name: set(re.findall(r"^static void (test_\w+)\(void", path.read_text(), re.M)) for path in (TOP / "tests/unit").glob("test_*.c")})
    return found


def rows_with_tests(text):
    """The rows of all tables whose last column says by which test a thing is shown."""
    inside = False
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if not line.startswith("|"):
            inside = False
        elif cells[-1] in ("test", "shown by"):
            inside = True
        elif inside and not line.startswith("|---"):
            yield cells[0], cells[-1]


def not_there(text):
    """The tests that a document names, and that are none."""
    known = functions()
    wrong = [f"{file}::{name}" for file, name in re.findall(r"(test_\w+\.(?:py|c))::(test_\w+)", text) if name not in known.get(file, ())]
    everything = set().union(*known.values()) | set(known)
    return wrong + [name for name in re.findall(r"`(?:tests/(?:unit|system)/)?(test_\w+(?:\.py|\.c)?)`", text) if name not in everything]


def test_mechanisms_have_tests():
    """Each row of docs/security.md names a test, FILE::TEST, and all tests that the document names are there."""
    text = (TOP / "docs/security.md").read_text()
    rows = list(rows_with_tests(text))
    assert len(rows) > 40, rows
    without = [what for what, cell in rows if not re.search(r"`test_\w+\.(py|c)::test_\w+`", cell)]
    assert not without, without
    assert not not_there(text)


def test_assertions_of_lwip():
    """Each assertion that `net` is compiled with is looked at in docs/lwip-assertions.md, which says how many there are, and so does the server's README."""
    done = subprocess.run([TOP / "tools/lwip-assertions", "--check"], cwd=TOP, capture_output=True, text=True, timeout=300, env=dict(os.environ, B=str(BUILD)))
    assert done.returncode == 0, done.stdout + done.stderr
    count = int(re.match(r"(\d+) in \d+ files\n", done.stdout)[1])
    text = (TOP / "docs/lwip-assertions.md").read_text()
    kinds = re.search(r"^\| no input makes it false \((\d+)\) .*\n\| input would make it false, and does not \((\d+)\) ", text, re.M)
    assert count > 200 and int(re.search(r"as `net` is compiled: file:line: text; (\d+) of lwIP", text)[1]) == count
    assert sum(map(int, kinds.groups())) == count
    assert f"each of the {count} that are left is looked at" in (TOP / "servers/net/README.md").read_text()


KINDS = ["network", "disk", "serial", "random", "time", "keyboard", "printer", "sound", "write-once"]


def test_what_is_seen_of_deaths():
    """Each kind of driver has its row in docs/recovery.md, with a command and a test; each class of defect one in docs/policies.md, with a test; and the tests are there."""
    recovery, policies = ((TOP / f"docs/{name}.md").read_text() for name in ("recovery", "policies"))
    rows = list(rows_with_tests(recovery))
    assert not [kind for kind in KINDS if not any(what.startswith(kind) for what, _ in rows)], rows
    without = [what for what, cell in rows if not re.search(r"`[^`]*service kill[^`]*`|`[^`]*kill -9[^`]*`", cell) or not re.search(r"`test_\w+\.py`", cell)]
    assert not without, without
    rows = list(rows_with_tests(policies))
    without = [what for what, cell in rows if not re.search(r"`test_\w+\.py`", cell)]
    assert not without, without
    classes = re.findall(r"^\| \d `(\w+)` \|", policies, re.M)
    assert len(classes) == 9 and not [name for name in classes if not any(f"`{name}`" in what for what, _ in rows)], rows
    assert not not_there(recovery) and not not_there(policies)
