# SPDX-License-Identifier: BSD-2-Clause
"""The time: the real-time clock, the system's clock, and what everybody thinks it is, under deaths of all that have to do with it."""
import datetime
import re

from conftest import BUILD, TOP
from test_disk import attached
from test_ext4 import make

BASE = "-rtc base=2027-03-04T05:06:07 "
DAY = datetime.date(2027, 3, 4)


def seconds(text):
    """Of what `date` or `hwclock` print."""
    text = text.replace(" UTC", "").replace("  0.000000 seconds", "")
    return datetime.datetime.strptime(" ".join(text.split()[1:]), "%b %d %H:%M:%S %Y").timestamp()


def test_hwclock(boot):
    """The system begins with the clock's time; hwclock reads it, sets it, and sets the system by it; one follows not the other."""
    out = boot("date; hwclock -r; date -s '2031-05-06 07:08:09'; hwclock -r; hwclock -w; hwclock -r; date -s '2020-01-01 00:00:00' >/dev/null; hwclock -s; date; "
               "hwclock -r -f /dev/rtc; hwclock -w -f /dev/null 2>/dev/null || echo none", qemu=BASE, leak_check=False).out.splitlines()
    first, other = seconds("x Mar 4 05:06:07 2027"), seconds("x May 6 07:08:09 2031")
    expected = [first, first, other, first, other, other, other]
    assert len(out) == 8 and out[-1] == "none"
    for line, when in zip(out, expected):
        assert when <= seconds(line) < when + 60, line


def test_everybody_has_the_same_time(boot, tmp_path):
    """From the first file on, and after `date -s`, also while PM, which sets it, dies: programs, files of each file system, /proc."""
    image = make(tmp_path / "e.img", size="8M")
    result = boot("""
mkdir /tmp/disk; mount -t ext4 /dev/sda /tmp/disk
stat -c %y / /dev/null /proc/self | cut -c1-10 | uniq
touch -d '2001-02-03 04:05:06' /tmp/old; stat -c %y /tmp/old
service storm pm 5000
for year in 2031 1999 2026 2040 1971; do
    date -s "$year-06-07 08:09:10" >/dev/null
    echo >/tmp/written; echo >/tmp/disk/written; touch /tmp/touched; mkdir /tmp/made; chmod 600 /etc/fstab
    for f in "%Y /tmp/written" "%X /tmp/touched" "%Y /tmp/made" "%Z /etc/fstab" "%Y /tmp/disk/written" "%Y /dev/null" "%Y /proc/self"; do
        [ $(($(date +%s) - $(stat -c $f))) -le 20 ] && [ $(($(date +%s) - $(stat -c $f))) -ge 0 ] || echo $year $f $(stat -c $f)
    done
    booted=$(($(date +%s) - $(cut -d. -f1 /proc/uptime) - $(awk '/btime/ { print $2 }' /proc/stat)))
    [ $booted -ge -2 ] && [ $booted -le 20 ] || echo $year btime $booted
    rm -r /tmp/written /tmp/touched /tmp/made
done
service storm pm 0; rm /tmp/old; umount /tmp/disk; rmdir /tmp/disk; date +%Y""", qemu=BASE + attached(image))
    assert result.out == f"{DAY}\n2001-02-03 04:05:06.000000000 +0000\n1971\n"


def test_nobody_notices(boot, program):
    """While driver and server are killed the clock is read and set, each time right, and the system's time goes on; afterwards all is as before."""
    out = boot("service kill rtc --every 8 --count 60 & service kill clock --every 40 --count 11 &\n"
               "before=$(date +%s); /rtc_calls 100; while [ $(service status rtc | awk '/restarts/ { print $2 }') -lt 45 ]; do /rtc_calls 20; done >/dev/null; wait\n"
               "after=$(date +%s); [ $after -ge $before ] && [ $after -lt $((before + 300)) ] && echo goes on\n"
               "hwclock -w; [ $(($(date +%s) - $(date -d \"$(hwclock -r | cut -c5-24)\" -D '%b %e %H:%M:%S %Y' +%s))) -le 2 ] && echo as before\n"
               "/rtc_calls; grep -E ' (rtc|clock) killed' /proc/recovery | awk '{ n[$2 \" \" $8]++ } END { print (n[\"rtc adopted\"] > 40) ? \"adopted\" : \"reset\", n[\"clock fresh\"] }'",
               add={"/rtc_calls": program("rtc_calls")}, qemu=BASE).out
    assert out == "done\ngoes on\nas before\ndone\nadopted 11\n"


def test_without(boot):
    """Down, given up: an error at once, and clear; the time goes on, and is not set again when the driver returns."""
    out = boot("service down rtc; hwclock -r 2>&1; cat /dev/rtc0 2>&1; date -s '2030-01-01' >/dev/null; service up rtc; sleep 0.2; hwclock -r | cut -c21-24; date +%Y; "
               "service down clock; cat /dev/rtc0 2>&1; service up clock; sleep 0.2; date +%Y; service kill clock; sleep 0.2; date +%Y", qemu=BASE, leak_check=False).out
    assert re.fullmatch("hwclock: can't open '/dev/misc/rtc': No such file or directory\ncat: can't open '/dev/rtc0': No such device\n2027\n2030\n"
                        "cat: can't open '/dev/rtc0': .*\n2030\n2030\n", out), out


def test_a_driver_that_is_no_good(boot):
    """It is given up: the system is there all the same, in 1970, and who asks gets an error. With an alternate the time is right from then on."""
    text = (TOP / "drivers/char/rtc/rtc.svc").read_text().replace("budget      25 60", "budget 2 60") + "parameters fault=exit delay_ms=0 times=0\n"
    add = {"/lib/bardo/rtc": BUILD / "services/faulty", "/lib/bardo/spare": BUILD / "services/rtc"}
    command = "touch /tmp/f; stat -c %y /tmp/f | cut -c1-4; cat /dev/rtc0 2>&1; hwclock -r | cut -c21-24; service status rtc | grep -E 'state|program'; rm /tmp/f"
    out = boot(command, add={"/etc/bardo/rtc.svc": text, **add}, qemu=BASE, leak_check=False).out
    assert re.search("^1970\ncat: can't open '/dev/rtc0': No such device\nhwclock: .*\nstate +given-up\nprogram +rtc\n", out), out
    out = boot(command, add={"/etc/bardo/rtc.svc": text + "alternate spare\n", **add}, qemu=BASE, leak_check=False).out
    assert re.search("^2027\ncat: read error: Invalid argument\n2027\nstate +up\nprogram +spare\n", out), out


def test_a_driver_that_answers_nothing(boot):
    """It is complained of, again and again, until the other has its turn: then what was asked of the first is done. (It takes the queue for that of a
    network card, and writes where it must not.)"""
    text = (TOP / "drivers/char/rtc/rtc.svc").read_text().replace("budget      25 60", "budget 1 60").replace("queue       4K", "queue 1280K")
    out = boot("hwclock -r | cut -c21-24; date +%Y; awk '$2 == \"rtc\" { print $3, $4 }' /proc/recovery; service status rtc | grep program", qemu=BASE, leak_check=False,
               add={"/etc/bardo/rtc.svc": text + "alternate spare\n", "/lib/bardo/rtc": BUILD / "services/faulty", "/lib/bardo/spare": BUILD / "services/rtc"}).out
    assert re.fullmatch("2027\n2027\ncomplaint 2\ncomplaint 2\nprogram +spare\n", out), out


def test_a_clock_that_has_no_date(boot):
    """What is before 1970 is none: the log says so. It can be set."""
    out = boot("service log clock; date +%Y; date -s '2030-01-02' >/dev/null; hwclock -w; hwclock -r", qemu="-rtc base=1969-12-31T01:00:00 ", leak_check=False).out
    assert re.search("says no time .EINVAL.*1970.*\n1970\nWed Jan +2 00:0.:.. 2030", out), out
