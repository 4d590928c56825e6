# SPDX-License-Identifier: BSD-2-Clause
"""Debian's busybox in the system: the shell, pipes, jobs, signals, and exactly the output that it makes."""


def test_output_and_status(boot):
    result = boot("echo hello; echo to stderr >&2; exit 7", expect=7)
    assert result.out == "hello\nto stderr\n"


def test_output_is_exact(boot):
    assert boot(r"printf 'a\r\n\001\377\000no newline'").raw == b"a\r\n\x01\xff\x00no newline"


def test_no_output(boot):
    assert boot("true").raw == b""
    assert boot("false", expect=1).raw == b""


def test_pipes_and_tools(boot):
    result = boot("seq 1 1000 | grep 7 | awk '{ s += $1 } END { print s }'; echo abc | sha1sum; echo a b | cat | wc -w")
    expected = sum(n for n in range(1, 1001) if "7" in str(n))
    assert result.out == f"{expected}\n03cfd743661f07975fa2f1220c5194cbaff48451  -\n2\n"


def test_big_pipe(boot):
    assert boot("dd if=/dev/zero bs=64k count=64 2>/dev/null | wc -c").out == f"{64 * 65536}\n"


def test_background_jobs_and_wait(boot):
    result = boot("for i in 1 2 3; do (sleep 0.$i; exit $i) & pids=\"$pids $!\"; done; for p in $pids; do wait $p; echo $?; done")
    assert result.out == "1\n2\n3\n"


def test_signals(boot):
    result = boot("sleep 100 & kill $!; wait $!; echo $?; sleep 100 & kill -9 $!; wait $!; echo $?; "
                  "trap 'echo caught' USR1; kill -USR1 $$; echo after")
    assert result.out == "143\n137\ncaught\nafter\n"


def test_sigpipe_ends_a_writer(boot):
    assert boot("yes | head -n 2").out == "y\ny\n"


def test_command_not_found(boot):
    assert boot("no-such-command", expect=127).out.endswith("not found\n")


def test_many_processes(boot):
    assert boot("i=0; while [ $i -lt 200 ]; do /bin/true || exit 1; i=$((i+1)); done; echo $i", timeout=120).out == "200\n"


def test_segmentation_fault_is_a_signal(boot):
    assert boot("sh -c 'kill -SEGV $$'; echo $?").out.endswith("139\n")


def test_init_takes_those_that_had_ended_before_their_parent_did(boot):
    """`true` is a zombie of `sleep`, which does not wait for it. init learns of it when `sleep` ends, and not with its next own child."""
    result = boot("(true & exec sleep 0.3); sleep 0.2; ps -o stat,comm | grep ^Z || echo none")
    assert result.out == "none\n"


def test_leader_of_a_session_ends(boot):
    """Who is in the foreground of its terminal hangs up; who is of another session goes on, as in Linux. The terminal is free then."""
    member = 'trap "echo $1 >>/tmp/said; exit" HUP; n=0; while [ $n -lt 100 ]; do n=$((n + 1)); sleep 0.1; done'
    out = boot(f"""echo '{member}' >/tmp/member; service wait uart.1
        setsid sh -c 'exec </dev/ttyS1; sh /tmp/member foreground 2>/dev/null & setsid sh /tmp/member elsewhere & echo $! >/tmp/pid; sleep 0.5'
        sleep 0.5; cat /tmp/said; kill -9 $(cat /tmp/pid) && echo goes on
        setsid sh -c 'exec </dev/ttyS1; sh -c ": </dev/tty" && echo has it'; rm /tmp/member /tmp/said /tmp/pid""",
               qemu="-serial file:/dev/null", leak_check=False, timeout=60).out
    assert out == "foreground\ngoes on\nhas it\n"
