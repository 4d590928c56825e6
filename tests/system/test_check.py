# SPDX-License-Identifier: BSD-2-Clause
"""service check, and tools/check-manifest: what is wrong with manifests and policy scripts is said with file and line."""
import os
import re
import subprocess

import pytest

from conftest import BUILD, TOP

MANIFEST = """class net
hearbeat 100
calls rs dss vfs
queue 64K nte
budget 5 0
start 3
start 4
"""
SAID = """bad.svc:2: unknown key 'hearbeat' (did you mean 'heartbeat'?)
bad.svc:5: budget: expected a number from 1 to 86400, not '0'
bad.svc:7: start: given twice; line 6 has it already
"""
NAMES = "class fs\ncalls rs vfs dss\nqueue 64K nte\nalternate e1000f\npolicy /etc/bardo/policy/nosuch.sh\nbudget 900 10\n"
SAID_OF_NAMES = """names.svc:2: calls: there is no service 'dss' (did you mean 'ds'?)
names.svc:3: queue: there is no service 'nte' (did you mean 'net'?)
names.svc:2: calls: 'vfs' is not below names in the order of calls
names.svc:4: alternate: there is no program /lib/bardo/e1000f
names.svc:5: policy: {place}/nosuch.sh: No such file or directory
names.svc:6: warning: budget: one that hangs again and again never uses up 900 failures in 10 s
"""
SCRIPT = """#!/bin/sh
# service restrat is no call here, 'service fly' neither
echo "service fly" 'service fly'; echo service fly
if [ "$2" = 3 ] && service restrat "$1" --dealy 5; then
    (service) >/dev/null 2>&1
    x=$(service kill e100 | service $x)
fi
cat <<END
service fly
END
service
"""
SAID_OF_SCRIPT = """bad.sh:4: service: unknown command 'restrat' (did you mean 'restart'?)
bad.sh:5: service: a command is missing
bad.sh:6: service: unknown service 'e100' (did you mean 'e1000'?)
bad.sh:11: service: a command is missing
"""


def check(folder, *arguments, where=None):
    """(status, stdout, stderr) of tools/check-manifest"""
    done = subprocess.run([TOP / "tools/check-manifest", *arguments], cwd=where or folder, capture_output=True, text=True, timeout=60, env=dict(os.environ, B=str(BUILD)))
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def files(tmp_path):
    """files("bad.svc", text, ...): written where the tests run"""
    def write(*pairs):
        for name, text in zip(pairs[::2], pairs[1::2]):
            (tmp_path / name).write_text(text)
            if name.endswith(".sh"):
                (tmp_path / name).chmod(0o755)
        return tmp_path
    return write


def test_shipped_are_good(tmp_path):
    status, out, err = check(tmp_path)
    assert (status, err) == (0, "") and "drivers/net/e1000/e1000.svc: good\n" in out and "policy/generic.sh: good\n" in out and "warning" not in out


def test_all_faults_of_a_manifest(files):
    assert check(files("bad.svc", MANIFEST), "bad.svc") == (1, "", SAID)


def test_what_is_not_there(files):
    assert check(files("names.svc", NAMES), "names.svc") == (1, "", SAID_OF_NAMES.format(place=TOP / "policy"))


def test_warnings_are_no_errors(files):
    folder = files("a.svc", "class net\ncalls ds\nrestart no\nbudget 5 60\n", "b.svc", "class net\nbackoff 20 1 2\nbudget 15 60\ndeadline 500\n")
    status, out, err = check(folder, "a.svc", "b.svc")
    assert (status, out) == (0, "a.svc: good, with warnings\nb.svc: good, with warnings\n")
    assert err == ("a.svc:4: warning: budget: no fresh copy follows it, by 'restart no'\n"
                   "b.svc:4: warning: deadline: there is no policy script that it could be for\n"
                   "b.svc:2: warning: backoff: its delays never come: the budget of 15 ends first\n")


def test_script(files):
    status, out, err = check(files("bad.sh", SCRIPT), "bad.sh")
    assert (status, out, err) == (1, "", SAID_OF_SCRIPT)
    status, out, err = check(files("option.sh", "#!/bin/sh\nservice restart $1 --dealy 5\nservice restart >/tmp/x\n"), "option.sh")
    assert (status, err) == (1, "option.sh:2: service: unknown option '--dealy' (did you mean '--delay'?)\noption.sh:3: service: restart: which service?\n")


CALLS = """#!/bin/sh
service restart $1 --timeout 5
service wait --timeout 5
service restart e1000 null
service restart "$1" --delay x
service list --follow >/dev/null 2>&1
service kill "$@" --every
service storm e1000
service storm e1000 5
service top e1000
service list --help
service restart $1 --delay $2; service wait "$1" --timeout "$w"; service kill e1000 null --every 5 --count 2; service restart "$1" $2 --reset
service storm $1; service $2 --follow; service wait $1 x; service store 'n*' --json
"""
SAID_OF_CALLS = """calls.sh:2: service: --timeout does not go with restart
calls.sh:3: service: wait: which service?
calls.sh:4: service: restart takes one name
calls.sh:5: service: --delay needs a number of milliseconds, 86400000 at most: x is none
calls.sh:6: service: --follow does not go with list
calls.sh:7: service: --every needs a number of ms from 1 to 99999999
calls.sh:8: service: storm needs 0, or 50 to 60000000 microseconds
calls.sh:9: service: storm needs 0, or 50 to 60000000 microseconds: 5 is too small
calls.sh:10: service: top takes no name
calls.sh:11: service: --help stands by itself
"""


def test_words_of_calls(files):
    """What `service` would refuse is found before; what comes out of variables is believed."""
    assert check(files("calls.sh", CALLS), "calls.sh") == (1, "", SAID_OF_CALLS)


OPTIONS = [
    ("generic.sh", "-m root -f 1 -b 100 -x 30000 -g10 -d tty,net", ""),
    ("printer.sh", "-sg 3 -d 5", ""),
    ("net.sh", "", ""),
    ("generic.sh", "-m root -q", "policy: generic.sh takes no option '-q' (it takes -m -f -b -x -g -d)"),
    ("block.sh", "-m root -G 5", "policy: block.sh takes no option '-G' (did you mean '-g'?)"),
    ("reboot-if.sh", "--mail root", "policy: reboot-if.sh takes no option '--mail' (did you mean '-m'?)"),
    ("printer.sh", "-sq", "policy: printer.sh takes no option '-sq' (it takes -m -g -d -s)"),
    ("net.sh", "-g 5 -w", "policy: net.sh: option '-w' needs a value"),
    ("net.sh", "-m -w", ""),  # (the user's name is -w)
    ("generic.sh", "x -f 2", "warning: policy: '-f' stands behind 'x', where generic.sh reads no options"),
]


def test_options_of_scripts(files):
    """What a manifest gives to its script is what the script takes; it fails with status 2 else, each time that it is needed (which is tried here, too)."""
    folder = files(*(word for n, (script, words, _) in enumerate(OPTIONS) for word in (f"n{n}.svc", f"class net\npolicy /etc/bardo/policy/{script} {words}\n")))
    stub = folder / "stub"
    stub.mkdir()
    (stub / "service").write_text("#!/bin/sh\nexit 0\n")
    (stub / "service").chmod(0o755)
    for n, (script, words, said) in enumerate(OPTIONS):
        status, _, err = check(folder, f"n{n}.svc")
        fails = bool(said) and not said.startswith("warning")
        assert (status, err.replace(str(TOP / "policy") + "/", "")) == (int(fails), f"n{n}.svc:2: {said}\n" if said else ""), (script, words)
        done = subprocess.run(["busybox", "sh", TOP / "policy" / script, "e1000", "3", "1", *words.split()], capture_output=True, cwd=folder, timeout=60,
                              env={"PATH": f"{stub}:{os.environ['PATH']}", "POLICY_LOG": "/dev/null", "POLICY_IFCONFIG": "true", "POLICY_MOUNTS": "/dev/null"})
        assert (done.returncode == 2) == fails, (script, words, done)


def test_options_that_nobody_knows(files):
    """A script of one's own that says what it takes is held to that; one that does not, or looks into it itself, is believed."""
    scripts = {"own": "while getopts 'ab:' o; do :; done", "none": "service restart $1 $4", "makes": 'getopts "$letters" o', "looks": "getopts :ab: o",
               "twice": "getopts a o; getopts b o", "remark": "# getopts ab o\necho getopts_ab; mygetopts ab o"}
    for name, line in scripts.items():
        folder = files(f"{name}.sh", f"#!/bin/sh\n{line}\nservice restart $1\n", f"{name}.svc", f"class net\npolicy /etc/bardo/policy/{name}.sh -c 1\n")
    place = folder / "tree"
    (place / "servers").mkdir(parents=True)
    (place / "drivers").mkdir()
    (place / "policy").mkdir()
    for name in scripts:
        (place / "policy" / f"{name}.sh").write_bytes((folder / f"{name}.sh").read_bytes())
        (place / "policy" / f"{name}.sh").chmod(0o755)
        done = subprocess.run([BUILD / "programs/service", "check", "--top", place, folder / f"{name}.svc"], capture_output=True, text=True)
        said = "policy: own.sh takes no option '-c' (it takes -a -b)" if name == "own" else ""
        assert (done.returncode, done.stderr) == (1 if said else 0, f"{folder}/{name}.svc:2: {said}\n" if said else ""), name


def test_script_that_the_shell_cannot_read(files):
    status, _, err = check(files("half.sh", "#!/bin/sh\nif true; then\nservice restart $1\n"), "half.sh")
    assert status == 1 and re.fullmatch(r"half\.sh:[34]: .*unexpected.*\n", err, re.I)


def test_script_that_could_not_be_run(files):
    folder = files("plain.sh", "service restart $1\n", "never.sh", "#!/bin/sh\necho hello\n", "other.sh", "#!/usr/bin/python\nservice restart $1\n")
    (folder / "plain.sh").chmod(0o644)
    status, out, err = check(folder, "plain.sh", "never.sh", "other.sh")
    assert (status, out) == (1, "never.sh: good, with warnings\n")
    assert err == ("plain.sh:1: the first line is to be #!/bin/sh\nplain.sh: not executable (chmod +x): it would not be run\n"
                   "never.sh: warning: it never calls 'service restart': when it ends with 0, the component stays down\n"
                   "other.sh:1: the system's shell, sh, runs it, whatever the first line says\n")


FOLLOWS = "class net\ndevice pci 1:2\nqueue 64K net\nreturns fresh\nstrategy rest\nladder restart reset dependnts\nat-end scirpt\n"
SAID_OF_FOLLOWS = """follows.svc:6: ladder: unknown rung 'dependnts' (did you mean 'dependents'?)
follows.svc:7: at-end: unknown action 'scirpt' (did you mean 'script'?)
"""
GROUP = "class net\ndevice pci 1:2\nqueue 64K net\nstrategy rest\nladder restart dependents\nat-end script /etc/bardo/policy/nosuch.sh\nhold yes\n"
SAID_OF_GROUP = """group.svc:6: at-end: /etc/bardo/policy/nosuch.sh: No such file or directory
group.svc:5: warning: ladder: dependents are restarted each time, by 'strategy rest'
group.svc:4: warning: strategy: it has no dependents that are started after it
group.svc:5: warning: ladder: it is held at its first failure, by 'hold yes'
group.svc:6: warning: at-end: it is held at its first failure, by 'hold yes'
"""
NAMED = "class server\ndependents vfs audio\nstrategy one\nat-end reboot 0\n"
SAID_OF_NAMED = """named.svc:2: warning: dependents: vfs keeps its memory: it is told, and never restarted for another
named.svc:2: warning: dependents: none is restarted, by 'strategy one'
named.svc:4: warning: at-end: one that fails after each start has the machine start for ever
"""
DOWN = "class server\nrestart no\nladder restart give-up\nat-end poweroff\n"
SAID_OF_DOWN = """down.svc:3: warning: ladder: no fresh copy follows it, by 'restart no'
down.svc:4: warning: at-end: no fresh copy follows it, by 'restart no'
"""


def test_what_follows(files):
    """Strategies, ladders and ends: misspelt, and of no sense."""
    folder = files("follows.svc", FOLLOWS, "group.svc", GROUP, "named.svc", NAMED, "down.svc", DOWN)
    top = str(TOP / "policy")
    for name, said, status in (("follows", SAID_OF_FOLLOWS, 1), ("group", SAID_OF_GROUP, 1), ("named", SAID_OF_NAMED, 0), ("down", SAID_OF_DOWN, 0)):
        got = check(folder, f"{name}.svc")
        assert (got[0], got[2].replace(top, "/etc/bardo/policy")) == (status, said), got


def test_what_is_no_such_file(files):
    folder = files("x.txt", "hello\n", "long_name_of_a_service.svc", "class net\n", "huge.svc", "# " + "x" * 70000 + "\n", "empty.svc", "")
    (folder / "nul.sh").write_bytes(b"#!/bin/sh\0\n")
    (folder / "folder.svc").mkdir()
    status, out, err = check(folder, "x.txt", "long_name_of_a_service.svc", "huge.svc", "empty.svc", "nul.sh", "folder.svc", "nosuch.svc")
    lines = err.splitlines()
    assert (status, out, len(lines)) == (1, "", 7)
    assert lines[0] == "x.txt: neither a manifest (NAME.svc) nor a script (its first line: #!/bin/sh)"
    assert lines[1].startswith("long_name_of_a_service.svc: a manifest's name is NAME.svc, NAME of at most 15 ")
    assert lines[2:] == ["huge.svc: File too large", 'empty.svc:1: the line "class" is missing', "nul.sh: neither a manifest (NAME.svc) nor a script: there are NULs in it",
                         "folder.svc: Is a directory", "nosuch.svc: No such file or directory"]


def test_usage(tmp_path):
    assert check(tmp_path, "--help")[0] == 0 and check(tmp_path, "--fly")[0] == 2
    for top, why in ((tmp_path / "nosuch", "No such file or directory"), (__file__, "Not a directory")):
        done = subprocess.run([BUILD / "programs/service", "check", "--top", top, TOP / "policy/net.sh"], capture_output=True, text=True)
        assert (done.returncode, done.stdout, done.stderr) == (1, "", f"service: --top {top}: {why}\n")


def test_in_the_system(boot, files):
    """The same words there; and the one for the user who calls `service` wrongly."""
    folder = files("bad.svc", MANIFEST, "names.svc", NAMES, "bad.sh", SCRIPT)
    add = {f"/tmp/{name}": folder / name for name in ("bad.svc", "names.svc", "bad.sh")}
    out = boot("""cd /tmp; exec 2>&1; for f in bad.svc names.svc bad.sh; do echo == $f; service check $f; echo status $?; done; echo ==
        service check /etc/bardo/*.svc /etc/bardo/policy/*.sh | grep -vc ': good$'; service check; echo status $?; service chekc x; echo status $?
        service check x --topp; echo status $?; rm bad.svc names.svc bad.sh""", add=add, leak_check=False).out
    parts = re.split(r"^==.*\n", out, flags=re.M)
    assert parts[1] == SAID + "status 1\n"
    assert parts[2] == SAID_OF_NAMES.format(place="/etc/bardo/policy").replace("names.svc:4", "names.svc: warning: there is no program /lib/bardo/names yet\nnames.svc:4", 1) + "status 1\n"
    assert parts[3] == SAID_OF_SCRIPT + "status 1\n"
    assert parts[4] == ("0\nservice: which file?\nTry 'service --help'.\nstatus 2\nservice: unknown command chekc (did you mean 'check'?)\nTry 'service --help'.\nstatus 2\n"
                        "service: unknown option --topp (did you mean '--top'?)\nTry 'service --help'.\nstatus 2\n")


def test_one_table_of_keys():
    """docs/policies.md names each key of the parser, once, and no other."""
    keys = re.findall(r'^    \{"([a-z-]+)", read_', (TOP / "lib/manifest/keys.c").read_text(), re.M)
    text = (TOP / "docs/policies.md").read_text()
    table = re.findall(r"^\| `([a-z-]+)` \|", text[text.index("| key |"):text.index("## Defects")], re.M)
    assert len(keys) > 30 and sorted(table) == sorted(keys)
