# SPDX-License-Identifier: BSD-2-Clause
"""The log server keeps more than the kernel has room for: /dev/klog, and `service log`; without it there is what the kernel has."""
import re

FILL = "service kill null --every 2 --count 1500; "  # RS says each death, whatever it has said before


def test_longer_than_the_kernels(boot):
    """What the kernel's ring has lost is there, once and in order. Who reads it over the server's death goes on with what the kernel still has; that is what
    there is afterwards, and when the server is down."""
    out = boot("echo FIRST WORDS >/dev/kmsg; " + FILL + """for f in /proc/bardo/log /dev/kmsg; do grep -c 'FIRST WORDS' $f; done; service log >/tmp/long; grep -c 'FIRST WORDS' /tmp/long
        cut -c2-15 /tmp/long >/tmp/times; sort -n /tmp/times | cmp - /tmp/times && grep -v 'lines left out' /tmp/long | sort | uniq -d | wc -l; wc -c </tmp/long
        cat /dev/klog >/tmp/read & until grep -q 'FIRST WORDS' /tmp/read; do usleep 50000; done; service kill log; service wait log; until grep -q 'rs: log: killed' /tmp/read; do usleep 50000; done
        kill $!; service log | grep -c -e 'FIRST WORDS' -e 'rs: log: killed'
        service down log; echo LAST WORDS >/dev/kmsg; service log | grep -c 'LAST WORDS'; service up log; service wait log; service log | grep -c 'LAST WORDS'; rm /tmp/*""", leak_check=False).out
    *lines, last = re.sub("(?m)^Terminated\n", "", out).split()
    assert lines[:4] == ["0", "0", "1", "0"] and int(lines[4]) > 96 << 10 and lines[5:] + [last] == ["1", "1", "1"], out


def test_many_wait(boot):
    """More readers than the server had room for: each waits, and gets what comes."""
    out = boot("""mkdir /tmp/r; all=; n=0; while [ $n -lt 50 ]; do cat /dev/klog >/tmp/r/$n 2>&1 & all="$all $!"; n=$((n + 1)); done
        usleep 2000000; echo LAST WORDS >/dev/kmsg; usleep 2000000; grep -l 'LAST WORDS' /tmp/r/* | wc -l; grep -h 'cat: ' /tmp/r/* | sort | uniq -c; kill $all; wait; rm -r /tmp/r""", leak_check=False, icount=True).out
    assert out.replace("Terminated\n", "") == "50\n", out


def test_many_have_it_open(boot):
    """However often a user has it open, so has root; one that is closed leaves its place to the next."""
    keep = "i=0; while [ $i -lt 40 ]; do sleep 1000 3</dev/klog 4</dev/klog 5</dev/klog & i=$((i + 1)); done; wait"
    out = boot(f"""for n in 1 2; do su user -c '{keep}' >/dev/null 2>/tmp/said & usleep 3000000; cat /tmp/said
        echo WORDS $n >/dev/kmsg; timeout 2 cat /dev/klog 2>&1 | grep -c -e 'WORDS' -e 'Too many'; kill $(pidof sleep); wait; done; rm /tmp/said""",
               icount=True, leak_check=False).out
    assert re.sub("(?m)^Terminated\n", "", out) == "1\n2\n", out
