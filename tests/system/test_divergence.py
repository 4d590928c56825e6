# SPDX-License-Identifier: BSD-2-Clause
"""A step that is not the same the second time: what its journal has is not what it asks for now. It is refused as one that kills is, what it had done is taken back, and nobody else notices.

Each server here has another program (`service update`), of which one request has a bug: it dies the first time, and the second time goes another way. The counter by which it knows is stored to
without being logged, as a clock that is read past the journal would be another the second time."""
import pytest

from test_rolled_back import deaths
from test_update import fit

COUNT = '__asm__ volatile("incq (%0)" : : "r"(&tries) : "memory");'  # not logged, since nobody knows what it stores. Odd the first time
DIES = "if (tries & 1) __builtin_trap();"
VM_CALL = "    return ipc_call(service_info()->vm, &m);"
FORK = "error = vm(shares ? VM_SHARE_SPACE : VM_FORK, parent->endpoint, ep);"
FORKS = 620  # more than VM has spaces


def changed(text, *replacements):
    for old, new in replacements:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def bug_in_fork(second):
    """PM: of forks of a program of that name; it dies when the child has its slot, and its space of VM."""
    def change(text):
        return changed(text, ("static endpoint_t slot_new(", "static unsigned long tries;\nstatic bool ill;\n\nstatic endpoint_t slot_new("), (VM_CALL, second.get("vm", VM_CALL)), (
            "    if (parent->ending)\n", f"""    ill = strcmp(parent->process->name, "forks") == 0;
    if (ill) {{ {COUNT} }}
    {second.get("begin", "")}
    if (parent->ending)\n"""), (FORK, FORK + f" if (ill) {DIES}"))
    return change


# what the second time is other, and what the log says of it
SECOND = {"another callee": ({"vm": "    return ipc_call(ill && !(tries & 1) ? service_info()->ds : service_info()->vm, &m);"}, "it did something else"),
          "another call": ({"begin": "if (ill && !(tries & 1)) { struct slot_status status; slot_status(parent->endpoint, &status); }"}, "it did something else"),
          "the clock": ({"begin": "if (ill && !(tries & 1)) clock_now();"}, "it did something else"),
          "nothing": ({"begin": "if (ill && !(tries & 1)) return -EAGAIN;"}, "it ended early")}


@pytest.mark.parametrize("second", SECOND)
def test_fork(boot, program, tmp_path, second):
    """The child's slot, and its space of VM's, are given back each time; others fork meanwhile. (A program that dies within ten seconds of its update goes. RS keeps what the last ones that died were, in slots.)"""
    how, said = SECOND[second]
    done, pm = fit(tmp_path, bug_in_fork(how), "servers/pm/fork.c")
    assert done.returncode == 0, done.stderr
    result = boot(f"""chmod 755 /bin/forks /bin/others; cp /bin/forks /tmp/well; slots() {{ grep ^slots_used /proc/bardo/kernel; }}
        service update pm --image /new && sleep 11; echo | forks 3; slots >/tmp/before; others "echo | forks {FORKS}; echo | /tmp/well 30"
        n=0; until slots >/tmp/after; cmp -s /tmp/before /tmp/after || [ $n = 50 ]; do n=$((n + 1)); usleep 20000; done; cmp /tmp/before /tmp/after; echo ==; service list""",
                  add={"/new": pm, "/bin/forks": program("forks"), "/bin/others": program("others")}, icount=True, leak_check=False, timeout=120)
    said_by_forks, listed = result.out.split("==\n")
    assert said_by_forks == f"0 made, 3 refused\n0 made, {FORKS} refused\n30 made, 0 refused\n", result.out
    assert f"pm: undo: {said}" in result.klog and "pm: undo: a step that could not be repeated is refused" in result.klog and "kills is refused" not in result.klog
    died = deaths(listed)
    assert died["pm"] >= FORKS and sum(died.values()) == died["pm"], listed


def bug_in_link(text):
    """VFS, in the midst of a coroutine: of a link with that text."""
    return changed(text, ("static long symlink_at(", "static unsigned long tries;\n\nstatic long symlink_at("), (
        "    f = found_new();\n    if (!f)\n        result = -ENOMEM;\n    else\n        result = *text ?", f"""    if (strcmp(text, "diverges") == 0) {{
        struct slot_status status;

        {COUNT}
        slot_status(tries & 1 ? c->endpoint : service_info()->pm, &status);
        {DIES}
    }}
    f = found_new();\n    if (!f)\n        result = -ENOMEM;\n    else\n        result = *text ?"""))


def bug_in_storm(text):
    """RS: of that number."""
    return changed(text, ("long control_storm(", "static unsigned long tries;\n\nlong control_storm("), ("    s->storm_at = 0;\n", f"""    if (every == 777) {{
        struct slot_status status;

        {COUNT}
        slot_status(tries & 1 ? s->endpoint : service_info()->ds, &status);
        {DIES}
    }}
    s->storm_at = 0;\n"""))


@pytest.mark.parametrize("server, file, change, bad, said, good", [
    ("vfs", "servers/vfs/name.c", bug_in_link, "ln -s diverges /tmp/l", "ln: /tmp/l: Input/output error", "ln -s a /tmp/l && readlink /tmp/l && rm /tmp/l && echo ok"),
    ("rs", "servers/rs/storm.c", bug_in_storm, "service storm null 777", "service: storm null: I/O error", "service storm null 0 && echo ok")], ids=["vfs", "rs"])
def test_others_are_right(boot, program, tmp_path, server, file, change, bad, said, good):
    """The same request with other contents is done, and all else that the server does."""
    done, image = fit(tmp_path, change, file)
    assert done.returncode == 0, done.stderr
    result = boot(f"""chmod 755 /bin/others; service update {server} --image /new && sleep 11
        others "for n in 1 2 3; do {bad}; {good}; done 2>&1"; echo ==; service list""", add={"/new": image, "/bin/others": program("others")}, icount=True, leak_check=False)
    answers, listed = result.out.split("==\n")
    assert [line for line in answers.splitlines() if line != "a"] == [said, "ok"] * 3, result.out
    assert result.klog.count(f"{server}: undo: it did something else") >= 3 and result.klog.count("a step that could not be repeated is refused") >= 3 and "kills is refused" not in result.klog
    died = deaths(listed)
    assert died[server] >= 1 and sum(died.values()) == died[server], listed  # (of RS, in a row, one record)
