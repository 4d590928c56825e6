# SPDX-License-Identifier: BSD-2-Clause
"""Memory gets short: who is killed, what goes on, and whether it all comes back."""
import re

from conftest import BUILD, TOP
from hostnet import served


def test_a_user_takes_all_of_it(boot, tmp_path, program):
    """Meanwhile root logs in and starts programs, drivers are killed and come back, and a download ends as it should. When it is done once more
    nothing is missing that was not after the first time (servers keep what they once needed)."""
    url, expected = served(tmp_path, 8)
    result = boot(f"""chmod 755 /fill; free() {{ grep frames_free /proc/bardo/kernel | cut -d' ' -f2; }}
        {{ su user -c '/fill 10'; echo filled $?; }} & filling=$!
        until dmesg | grep -q 'out of memory'; do usleep 20000; done
        {{ wget -q -O - {url} | sha1sum; }} & getting=$!
        die() {{ until kill -9 $(pidof $1) 2>/dev/null; do usleep 10000; done; }}
        n=0; while [ $n -lt 8 ]; do
            case $n in 0|2|4) die e1000;; 1) die tty;; esac
            su -l root -c 'echo in | cat' || echo root is out; n=$((n + 1))
        done
        wait $filling $getting; usleep 200000; before=$(free)
        su user -c '/fill 4'; usleep 200000; echo missing $(( (before - $(free)) * 4 )) kB
        grep -c 'e1000 killed\\|tty killed' /proc/recovery""", nics=["e1000"], mem=160, add={"/fill": program("fill")}, timeout=120, leak_check=False)
    lines = result.out.splitlines()
    assert lines.count("in") == 8 and "root is out" not in lines, result.out
    assert "10 killed" in lines and "filled 0" in lines, result.out
    assert f"{expected}  -" in lines and lines[-1] == "4", result.out
    missing = int(re.search(r"missing (-?\d+) kB", result.out).group(1))
    assert missing < 4000, f"{missing} kB have not come back"
    killed = re.findall(r"out of memory: (\S+) \(pid \d+, uid (\d+)\)", result.klog)
    assert killed and {name for name, _ in killed} <= {"fill", "ash", "sh", "su"} and {uid for _, uid in killed} == {"1000"}


def test_root_takes_all_of_it(boot, program):
    """Root may use what is kept from others, and not what is kept for services."""
    result = boot("chmod 755 /fill; /fill 3 1; kill -9 $(pidof tty); usleep 100000; echo after >/dev/console; service list tty; ls / | grep -c fill",
                  mem=128, add={"/fill": program("fill")}, timeout=120, leak_check=False)
    assert "killed\n" in result.out and re.search(r"^tty +\d+ up", result.out, re.M) and result.out.endswith("\n1\n"), result.out


def test_first_use_of_sse_without_a_free_frame(boot):
    """bench/services/hoard.c takes them all, a second after it was started, and goes on. (Nobody starts a program just then, or it is killed.)"""
    manifest = (TOP / "bench/services/hoard.manifest").read_text() + "instances on-request\n"
    result = boot("service up hoard; sleep 3; for i in $(seq 20); do dmesg | grep -q HOARD && break; sleep 1; done; service list hoard", mem=96, timeout=120, leak_check=False,
                  add={"/lib/bardo/hoard": BUILD / "services/hoard", "/etc/bardo/hoard.svc": manifest})
    assert "HOARD left 0 sse 1" in result.klog
    assert re.search(r"^hoard +\d+ up", result.out, re.M), result.out


def test_what_is_in_use_after_the_boot(boot):
    """README says what `free` shows then."""
    said = [int(number.replace(",", "")) for number in re.search(r"as `free` shows it \| [\d.]+ s; ([\d,]+) kB used of ([\d,]+) \|", (TOP / "README.md").read_text()).groups()]
    total, used = map(int, re.search(r"^Mem: +(\d+) +(\d+) ", boot("free", nics=["e1000"], leak_check=False).out, re.M).groups())
    assert total == said[1] and abs(used - said[0]) < said[0] / 20, f"{used} kB of {total}; README: {said}"
