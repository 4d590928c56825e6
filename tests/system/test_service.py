# SPDX-License-Identifier: BSD-2-Clause
"""service(8), policy by manifest, policy scripts."""
import json
import re
import subprocess

from conftest import BUILD, TOP

MANIFEST = (TOP / "drivers/net/e1000/e1000.svc").read_text()
NIC = ["e1000"]
# wait_for PATTERN: until the line of e1000 in `service list` matches; a second at most
WAIT = """wait_for() { n=0; until service list e1000 | grep -q "$1"; do n=$((n + 1)); [ $n -lt 50 ] || return 1; usleep 20000; done; }
"""


def manifest(**changes):
    """That of e1000 with other lines: budget="2 60", policy="...", ..."""
    kept = [line for line in MANIFEST.splitlines() if line.split()[:1] and line.split()[0] not in changes]
    return {"/etc/bardo/e1000.svc": "\n".join(kept + [f"{key} {value}" for key, value in changes.items()]) + "\n"}


def recoveries(text):
    """Lines of /proc/recovery as (component, defect, how)."""
    rows = [line.split() for line in text.splitlines() if re.match(r"\d+ e1000 ", line)]
    return [(row[1], row[2], row[7]) for row in rows]


def test_log(boot):
    """What it wrote, and what RS wrote about it."""
    out = boot("sleep 0.5; service kill e1000; sleep 0.2; service log e1000; echo ==; service log e1000 --json; service log nosuch", nics=NIC,
               expect=1).out
    lines, as_json = out.split("==\n")
    assert re.search(r"\] e1000: device reset", lines) and re.search(r"\] rs: e1000: .*replaced", lines) and "net:" not in lines
    assert json.loads(as_json.split("\nservice:")[0]) == lines.splitlines() and "service: nosuch: there is no such service" in as_json


def test_list_and_status(boot):
    out = boot("service list; echo ==; service status e1000; echo ==; service list --json; echo ==; service status pm --json", nics=NIC).out
    listed, status, as_json, one = out.split("==\n")
    assert re.search(r"^e1000 +\d+ up +\d+ s +0 none +Intel 82540EM", listed, re.M) and re.search(r"^vfs +\d+ up", listed, re.M)
    assert re.search(r"^state +up$", status, re.M) and re.search(r"^pid +\d+$", status, re.M)
    rows = {row["name"]: row for row in json.loads(as_json)}
    assert rows["e1000"]["class"] == "net" and rows["vm"]["class"] == "server" and rows["rs"]["pid"] == 2
    assert [row["name"] for row in json.loads(one)] == ["pm"]


WORDS = [  # command, exit status, what it says
    ("service restart null --delay 99999999", 2, "service: --delay needs a number of milliseconds, 86400000 at most: 99999999 is too large\nTry"),
    ("service restart null --delay 86400001", 2, "service: --delay needs a number of milliseconds, 86400000 at most"),
    ("service restart null --delay 86400000", 0, ""),
    ("service restart null --delay 1 --delay 2", 2, "service: --delay is given twice"),
    ("service list --json --json", 2, "service: --json is given twice"),
    ("service kill ''", 2, "service: a name is empty"),
    ("service status ''", 2, "service: a name is empty"),
    ("service kill null ''", 2, "service: a name is empty"),
    ("service ''", 2, "service: a name is empty"),
    ("service log policy", 0, ""),
    ("service kill null --every 5 --count 100000000", 2, "service: --count needs a number from 1 to 99999999"),
    ("service storm null 49", 2, "service: storm needs 0, or 50 to 60000000 microseconds"),
    ("service storm null 60000001", 2, "service: storm needs 0, or 50 to 60000000 microseconds"),
    ("service storm null 60000000; service storm null 0", 0, ""),
    ("service fuse ds 1025", 2, "service: fuse needs a number of stores, 1024 at most"),
    ("service fuse ds 1024; service fuse ds 0", 0, ""),
    *((f"service {words} {number}", 2, f"service: {words.split()[-1] if '--' in words else words.split()[0]} needs {needs}: {number} {wrong}\nTry")
      for words, needs, wrongs in (
          ("storm null", "0, or 50 to 60000000 microseconds", {"18446744073709551616": "is too large", "100000000": "is too large", "49": "is too small", "5x": "is none", "1.5": "is none"}),
          ("fuse ds", "a number of stores, 1024 at most", {"18446744073709551616": "is too large", "x": "is none"}),
          ("restart null --delay", "a number of milliseconds, 86400000 at most", {"18446744073709551616": "is too large", "-1": "is none"}),
          ("kill null --every", "a number of ms from 1 to 99999999", {"18446744073709551617": "is too large", "0": "is too small"}),
          ("top --count", "a number from 1 to 99999999", {"18446744073709551617": "is too large"}),
          ("corpse --number", "one of the numbers that 'service corpse' lists", {"4294967297": "is too large", "0": "is too small"}),
          ("wait null --timeout", "a number of seconds, 999999.999 at most", {"18446744073709551616": "is too large", "1.2345": "is none"})) for number, wrong in wrongs.items()),
    ("service storm null", 2, "service: storm needs 0, or 50 to 60000000 microseconds\nTry"),
    ("service top --every ''", 2, "service: --every needs a number of ms from 1 to 99999999\nTry"),
    ("service storm null 00000000000000000000000000050; service storm null 0", 0, ""),
    ("service corpse --forget --json", 2, "service: --forget goes with a name, or with nothing\nTry"),
    ("service corpse null --core /tmp/core --json", 2, "service: --json does not go with --core\nTry"),
    ("service storm nosuch 50", 1, "service: storm nosuch: there is no such service"),
    ("service restart 'null 1'", 1, "service: restart null 1: there is no such service"),
    ("service kill 'null\nkill log'", 1, "service: kill null\nkill log: there is no such service"),
    ("service list log | grep -c ' 0 none '", 0, "1\n"),
    ("service list >/dev/full", 1, "service: not all could be written"),
    ("service log nosuch", 1, "service: nosuch: there is no such service"),
    ("digest --help", 0, "usage: digest"),
    ("digest -h", 0, "usage: digest"),
    ("digest -x /etc/hosts", 2, "digest: unknown option -x"),
    ("digest --sum /etc/hosts", 2, "digest: unknown option --sum"),
    ("digest", 2, "digest: which file?"),
    ("digest -s", 2, "digest: which file?"),
    ("digest /nonesuch", 1, "/nonesuch: No such file"),
    ("cd /tmp; echo x >-s; digest -- -s; s=$?; rm -- -s; (exit $s)", 0, "6fcf9dfbd479ed82697fee719b9f8c610a11ff2a  -s"),
]


def test_words(boot):
    """Each wrong word is named, and the status is 2."""
    out = boot("".join(f"({command}) 2>&1; echo status $?; echo ==\n" for command, _, _ in WORDS), leak_check=False).out
    said = out.split("==\n")[:-1]
    assert len(said) == len(WORDS)
    for (command, status, text), answer in zip(WORDS, said):
        assert answer.endswith(f"status {status}\n") and answer.startswith(text), (command, answer)


def test_words_of_control(boot):
    """What is written to the file itself: one word too many, or a number that is none, and nothing is done."""
    wrong = ["restart null delay", "restart null 1x", "restart null -5", "restart null 99999999999999999999", "restart null 1 2", "kill null extra words", "kill null extra",
             "up null 1", "storm null", "fuse null x", "done 1", "done x 1", "done 1 1 1", "fly null", "kill"]
    out = boot("".join(f"{{ echo {words} >/proc/bardo/control; echo {words} >/dev/bardo; }} 2>&1\n" for words in wrong) +
               "service list null | tail -1; echo restart null 1 >/proc/bardo/control && sleep 0.3; service list null | tail -1", leak_check=False).out
    lines = out.splitlines()
    assert sum("Invalid argument" in line for line in lines) == 2 * len(wrong), out
    assert re.search(r" up .* 0 none ", lines[-2]) and re.search(r" up .* 1 update ", lines[-1])


def test_not_running(boot):
    """What cannot be done says why; who waits for one that nothing will bring back is told."""
    out = boot("""service down null; usleep 300000; service kill null 2>&1; echo $?; service up null; service wait null; service hold null; service kill null; usleep 200000
        service kill null 2>&1; echo $?; service wait null 2>&1; echo $?; service restart null; service wait null && echo up""", leak_check=False).out
    assert out == ("service: kill null: it does not run\n1\nservice: kill null: it does not run\n1\n"
                   "service: wait null: it is held for inspection: 'service restart', or 'up', goes on\n1\nup\n")


def test_reset_later(boot):
    """--reset is not forgotten by a delay; it is an update, and of a copy that has been up for a second it counts against nothing."""
    out = boot(WAIT + """service wait e1000; sleep 1; service restart e1000 --reset --delay 300; service list e1000 | tail -1; wait_for 'up .* 1 update'; service status e1000 | grep failures
        cat /proc/recovery""", nics=NIC).out
    assert re.search(r"up .* 0 none", out) and re.search(r"^failures +0 ", out, re.M) and recoveries(out) == [("e1000", "update", "reset")]


STATUSES = {"--help": 0, "": 2, "fly": 2, "up": 2, "up a b": 2, "list --fly": 2, "restart e1000 --delay x": 2, "kill nosuch pm": 1, "storm pm 1 2": 2, "kill e1000 --every x": 2, "kill e1000 --count 2": 2,
            "up e1000 --every 5": 2, "kill nosuch --every 5": 1, "up nosuch": 1, "status nosuch": 1, "restart vm": 1, "up rtl8139": 1}


def test_command_line(boot):
    """What is asked for wrongly is said, and has a status of its own."""
    out = boot("".join(f"service {words} >/tmp/said 2>&1; echo $? $(wc -c </tmp/said)\n" for words in STATUSES)).out
    said = [tuple(map(int, line.split())) for line in out.splitlines()]
    assert [status for status, _ in said] == list(STATUSES.values()) and all(length for _, length in said), out


def test_kill_in_turn(boot):
    out = boot("""service kill null vfs pm; service kill null vfs pm --every 30 --count 7; sleep 0.2; service list | sed -n 's/^\\(null\\|vfs\\|pm\\) .* up .* s *\\([0-9]*\\) .*/\\1 \\2/p' | sort""").out
    assert out.splitlines() == ["null 4", "pm 3", "vfs 3"], out


def test_only_root_controls(boot):
    out = boot("chmod 666 /proc/bardo/control 2>/dev/null; su -s /bin/sh nobody -c 'service restart e1000' 2>&1; echo status $?; service list e1000", nics=NIC).out
    assert "status 1" in out and "not permitted" in out and re.search(r"up .* 0 none", out)


def test_down_and_up(boot):
    out = boot(WAIT + """service down e1000; wait_for ' down ' && echo is down; service down e1000; echo again $?
        service up e1000; wait_for ' up ' && echo is up; service up e1000; echo again $?""", nics=NIC, leak_check=False).out
    assert out == ("is down\nservice: down e1000: nothing to do: it is so already\nagain 1\n"
                   "is up\nservice: up e1000: nothing to do: it is so already\nagain 1\n")


def test_restart_reset_and_kill_are_recorded(boot):
    out = boot(WAIT + """service restart e1000; wait_for 'up .* 1 update'; service restart e1000 --reset; wait_for 'up .* 2 update'
        service kill e1000; wait_for 'up .* 3 killed'; cat /proc/recovery""", nics=NIC).out
    assert recoveries(out) == [("e1000", "update", "adopted"), ("e1000", "update", "reset"), ("e1000", "killed", "adopted")]


def test_kill_again_and_again(boot):
    out = boot(WAIT + """service kill e1000 --every 30 --count 5; wait_for 'up .* 5 killed' && echo five
        service kill e1000 --every 20 & usleep 300000; kill $!; service list e1000""", nics=NIC).out
    assert out.startswith("five\n") and 10 <= int(re.search(r"(\d+) killed", out).group(1)) <= 21


def test_restart_later(boot):
    out = boot(WAIT + "service restart e1000 --delay 400; service list e1000; wait_for 'up .* 1 update' && echo restarted", nics=NIC).out
    assert re.search(r"up .* 0 none", out) and out.endswith("restarted\n")


def test_budget_backoff_and_up_again(boot):
    """Two failures are allowed, the second after 50 ms; the third is one too many, and `service up` begins anew. A user's kills count against
    nothing; restarts on request do when they follow one another at once."""
    result = boot(WAIT + """for i in 1 2 3 4; do service kill e1000; wait_for "up .* $i killed"; done
        service restart e1000; wait_for 'up .* 5 update'; service restart e1000; wait_for 'up .* 6 update'
        service restart e1000; wait_for ' given-up ' && echo given up; service up e1000; wait_for ' up ' && echo up again
        service kill e1000; wait_for 'up .* killed' && echo and guarded; service log e1000""",
                  nics=NIC, add=manifest(budget="2 60", backoff="1 50 1000"), leak_check=False)
    assert result.out.startswith("given up\nup again\nand guarded\n")
    assert "restart in 50 ms" in result.out and "given up after 3 failures in 60 s" in result.out


def policy(text, **changes):
    files = {"/etc/bardo/policy/test.sh": "#!/bin/sh\n" + text}
    return {**files, **manifest(policy="/etc/bardo/policy/test.sh a b", **changes)}


RUNNER = "sleep 0.3\n" + WAIT  # the runner is there


def test_generic_policy(boot):
    result = boot(RUNNER + """service kill e1000; wait_for 'up .* 1 killed'; service kill e1000; wait_for 'up .* 2 killed' && echo up
        n=0; until [ $(grep -c failure /var/mail/root) = 2 ] || [ $n = 200 ]; do n=$((n + 1)); usleep 20000; done
        cat /var/mail/root; service log policy; rm /var/mail/root""", nics=NIC,
                  add=manifest(policy="/etc/bardo/policy/generic.sh -m root -b 30"), leak_check=False)
    assert result.out.startswith("up\n") and result.out.count("Subject: e1000 was killed") == 2
    assert "e1000 was killed (failure 2): restart in 30 ms" in result.out


def test_policy_script_is_told_all(boot):
    out = boot(RUNNER + "service kill e1000; wait_for 'up .* 1 killed'; cat /tmp/told", nics=NIC, leak_check=False,
               add=policy('echo "$@" >/tmp/told; service restart $1\n')).out
    assert out == "e1000 3 1 a b\n"


def test_policy_script_decides_against_a_restart(boot):
    result = boot(RUNNER + "service kill e1000; wait_for ' down ' && echo down; service up e1000; wait_for ' up ' && echo up", nics=NIC,
                  add=policy("exit 0\n"), leak_check=False)
    assert result.out == "down\nup\n" and "decided against a restart" in result.klog


def test_policy_script_decides_for_later(boot):
    """A restart after a while is a decision, too: the script's end afterwards is none."""
    result = boot(RUNNER + "service kill e1000; wait_for 'up .* 1 killed' && echo up", nics=NIC, add=policy("service restart $1 --delay 300\n"), leak_check=False)
    assert result.out == "up\n" and "decided against" not in result.klog and "by manifest" not in result.klog


def test_policy_script_that_fails(boot):
    result = boot(RUNNER + "service kill e1000; wait_for 'up .* 1 killed' && echo up", nics=NIC, add=policy("exit 3\n"), leak_check=False)
    assert result.out == "up\n" and "failed with status 3; by manifest" in result.klog


def test_policy_script_that_hangs(boot):
    result = boot(RUNNER + "service kill e1000; wait_for 'up .* 1 killed' && echo up", nics=NIC, add=policy("sleep 3\n", deadline=700),
                  leak_check=False)
    assert result.out == "up\n" and "did not decide within its deadline; by manifest" in result.klog


def test_policy_without_runner(boot):
    result = boot("kill $(pidof service); sleep 0.2\n" + WAIT + "service kill e1000; wait_for 'up .* 1 killed' && echo up", nics=NIC,
                  add=policy("service down $1\n"), leak_check=False)
    assert result.out == "up\n"


PROC = (TOP / "servers/fs/proc/proc.svc").read_text()


def test_kill_who_takes_the_order(boot):
    """fs/proc, and fs/dev, answer an order that is about themselves before they end."""
    out = boot("""service kill proc && echo done; service kill proc --every 40 --count 10 && echo ten; grep -c '^[0-9]* proc .*killed' /proc/recovery
        echo kill dev >/dev/bardo && echo dev; sleep 0.3; grep -c '^[0-9]* dev .*killed' /proc/recovery""", leak_check=False).out
    assert out == "done\nten\n11\ndev\n1\n"


def test_proc_given_up(boot):
    """Who needs /proc is told at once, 30 times in 2 s by the guest's clock (the log's; there is no /proc/uptime), and `service` goes another way."""
    once = "\n".join(line for line in PROC.splitlines() if line.split()[:1] not in (["budget"], ["backoff"])) + "\nbudget 1 60\nbackoff 1 10 100\n"
    result = boot("""while echo restart proc 2>/dev/null >/dev/bardo; do usleep 20000; done; n=0; echo begins to ask >/dev/kmsg
        while [ $n -lt 30 ]; do cat /proc/uptime 2>/dev/null && break; n=$((n + 1)); done; echo has asked >/dev/kmsg; echo $n; su -s /bin/sh nobody -c 'echo up proc >/dev/bardo' 2>/dev/null || echo not nobody
        service status proc | grep ^state; service log proc | tail -1
        service up proc && echo up; until grep -q . /proc/uptime 2>/dev/null; do :; done; service list proc""",
                  add={"/etc/bardo/proc.svc": once}, leak_check=False, icount=True)
    out = result.out
    began, ended = (float(re.search(rf"\[ *([0-9.]+)\] .*{words}", result.klog)[1]) for words in ("begins to ask", "has asked"))
    print(f"30 answers in {ended - began:.3f} s")
    assert 0 < ended - began < 2
    assert re.match(r"30\nnot nobody\nstate +given-up\n\[ *[0-9.]+\] rs: proc: given up .*\nup\n", out) and re.search(r"^proc +\d+ up", out, re.M)


def test_without_proc(boot):
    """All that `service` says without fs/proc is what it says with it, and to everybody; how it ends, too."""
    ask = "service list | cut -c1-30; service status e1000; service devices; service events; service log e1000; service list nonesuch; echo $?; service status nonesuch; echo $?"
    out = boot(f"""service kill null; service wait null; sleep 0.2; ({ask}) >/tmp/with 2>&1; cat /dev/bardo-recovery | cmp - /proc/recovery
        service down proc; ls /proc 2>/dev/null; echo $?
        ({ask}) >/tmp/without 2>&1; su -s /bin/sh nobody -c 'service status proc; service log proc; service up proc; echo $?'
        service wait null && echo up; dd if=/dev/bardo bs=10 count=1 2>&1; dd if=/dev/bardo bs=300 2>/dev/null | cut -d' ' -f1 >/tmp/small; cut -d' ' -f1 /dev/bardo | cmp - /tmp/small && echo same
        cat /tmp/with; echo =; cat /tmp/without; rm /tmp/*; service up proc; service wait proc""", nics=["e1000"], leak_check=False).out
    said, with_it, without = re.fullmatch(r"(?s)1\n(.*)\nsame\n(.*)=\n(.*)", out).groups()
    assert re.search(r"^state +down$", said, re.M) and re.search(r"rs: proc: down$", said, re.M)
    assert said.endswith("service: up proc: not permitted: only root may\n1\nup\ndd: /dev/bardo: Invalid argument")
    changes = r"(?m)^(proc) .*|^(uptime|cpu time|messages|memory mapped) .*"
    assert re.sub(changes, "", with_it).split("\n") == re.sub(changes, "", without).split("\n")
    assert with_it.count("nonesuch: there is no such service\n1\n") == 2 and "number 1: killed 9" in with_it


def test_the_dead_and_scripts_without_proc(boot):
    """What is known of the dead, their core files, and policy scripts, in which nothing needs /proc: fs/dev has what fs/proc had, for root alone."""
    ask = "service corpse; service corpse null; service corpse null --json; service corpse null --core"
    out = boot(RUNNER + f"""service kill null; service wait null; sleep 0.2; ({ask} /tmp/a) >/tmp/with; service down proc; ls /proc 2>/dev/null; ({ask} /tmp/b) >/tmp/without
        cmp /tmp/a /tmp/b && wc -c </tmp/a; su -s /bin/sh nobody -c 'service corpse; cat /dev/bardo-scripts /dev/bardo-corpse/*' 2>&1; echo x >/dev/bardo-corpse/1.null; ls -l /dev/bardo-corpse
        sleep 0.3; service kill e1000; service wait e1000; sleep 0.5; . /etc/bardo/policy/common.sh; [ $(uptime_s) -gt 0 ] && echo up for long; echo ==; cat /tmp/with; echo ==; cat /tmp/without; echo ==; service corpse null --forget && service corpse
        service up proc; service wait proc; rm /tmp/*; cat /proc/recovery""", nics=NIC, add=policy('echo "asked about $1" >/dev/kmsg; exec sh /etc/bardo/policy/net.sh $1 $2 $3\n'), leak_check=False)
    said, with_it, without, last = out.out.split("==\n")
    listed, core = without.partition("NUMBER")[2].partition("[{")[::2]
    assert re.match(r"\d{5,}\nservice: corpse: not permitted: only root may\ncat: .*/dev/bardo-scripts.*: Permission denied\ncat: .*: Permission denied\n", said), said
    assert "can't create /dev/bardo-corpse/1.null: Permission denied" in said and re.search(r"-r-------- +1 .* 1\.null\n", said) and said.endswith("up for long\n"), said
    assert json.loads("[{" + core.partition("\n")[0])[0]["defect"] == "killed" and re.search(r"^ *1 +null +", listed, re.M)
    names = r"\w+\[\d+\]|gone"
    assert re.sub(names, "gone", with_it) == re.sub(names, "gone", without), (with_it, without)
    assert ("e1000", "killed", "adopted") in recoveries(last) and not re.search(r"^ *\d+ +null +\d+ +\d+ +[\d.]+ s", last, re.M)
    assert "asked about e1000" in out.klog and "by manifest" not in out.klog and "policy script" not in out.klog


# ---- what is written about the command, on the host ----

PROGRAM = BUILD / "programs/service"


def service(*words):
    done = subprocess.run([PROGRAM, *words], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def helped():
    """What `service --help` says: ({command: its arguments}, {option: the commands that it goes with})."""
    status, text, _ = service("--help")
    assert status == 0
    commands = dict(re.findall(r"^  ([a-z]+)((?: \[?[A-Z]+\]?(?:\.\.\.)?)*)  ", text, re.M))
    names = "|".join(commands)
    options = {option: {command for listed in re.findall(rf"\b((?:{names})(?:, (?:{names}))*)(?: NAME)?:", said) for command in listed.split(", ")}
               for option, said in re.findall(r"^  (--[a-z-]+)((?:.*\n)(?: {20}.*\n)*)", text, re.M)}
    return commands, options


def documented():
    """The same of docs/services.md, where a command may have several lines."""
    commands, options = {}, {}
    for command, words in re.findall(r"^    service (\S+)(.*?)(?:  .*)?$", (TOP / "docs/services.md").read_text().split("\n\nWhen")[0], re.M):
        if command.startswith("--"):
            options[command] = set()
            continue
        commands.setdefault(command, []).append(re.sub(r" \[?--.*", "", words).strip())
        for option in re.findall(r"--[a-z-]+", words):
            options.setdefault(option, set()).add(command)
    return commands, options


def test_help_and_manual_agree():
    """Commands and options are the same, and each option goes with the commands that both name: the program is asked."""
    (commands, options), (in_manual, options_in_manual) = helped(), documented()
    assert len(commands) >= 20 and len(options) >= 15, (commands, options)
    assert set(in_manual) == set(commands), "docs/services.md and service --help have other commands"
    for command, arguments in commands.items():
        assert arguments.strip() in in_manual[command], f"{command}: {arguments} in --help, {in_manual[command]} in docs/services.md"
    assert options == options_in_manual, "docs/services.md and service --help have other options, or with other commands"
    for command, arguments in commands.items():
        for option in options.keys() - {"--help", "--policy-runner"}:
            value = ["1"] if re.search(rf"^  {option} [A-Z]", service("--help")[1], re.M) else []
            other = "--top" if command != "check" else "--forget"  # goes not with it, and is named last
            if option == other:
                continue
            status, _, said = service(command, *["0" for _ in arguments.split()], option, *value, other, *(["1"] if other == "--top" else []))
            assert status == 2 and re.match(rf"service: (\S+) does not go with {command}\n", said), said
            assert said.startswith(f"service: {option} ") == (command not in options[option]), f"{command} {option}: {said}"


def test_no_command():
    assert service() == (2, "", "service: a command is missing\nTry 'service --help'.\n")
