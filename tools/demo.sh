# SPDX-License-Identifier: BSD-2-Clause
# The demo's half inside the system; runs in busybox's sh. tools/demo adds it, and starts it as
#
#     sh /etc/guest/demo.sh OPERATION SOURCE SERVICE SUM LAST DEATHS LIMIT KILL...
#
# For each KILL (seconds between two kills of SERVICE's process; 0: none, and DEATHS files): move a file under the clock, again and again until
# SERVICE has died DEATHS times, at most LIMIT files; after each file, with the clock stopped, SUM (a command) verifies it, and LAST ("": nothing)
# the last one of each run.
# OPERATION: net (fetch SOURCE, a URL, into RAM), raw and read (SOURCE, a device or file, into RAM), write (copy SOURCE to SOURCE.copy, and sync it).
# Lines that begin with DEMO are for tools/demo; times are seconds since boot.
operation=$1 source=$2 service=$3 sum=$4 last=$5 deaths=$6 limit=$7
shift 7
copy=/tmp/f
[ $operation = write ] && copy=$source.copy

up() { # $now: seconds since boot, without a process
    read now rest </proc/uptime
}
hundredths() { # $cs: hundredths of a second since boot
    up
    cs=${now%.*}${now#*.}
    cs=${cs#0}
}
recoveries() { # $count: of SERVICE, so far
    count=$(grep -cw $service /proc/recovery)
}

# Kill every $1 seconds, the first time after $2 hundredths. It writes down when it last did.
killer() {
    usleep $(($2 * 10000))
    while :; do
        kill -9 $(pidof $service)
        hundredths
        echo $cs >/tmp/killed
        sleep $1
    done
}

# File number $2 of the run with interval $1.
move() {
    case $operation in
    net) wget -q -O $copy "$source/$1/$2" ;;
    raw) dd if=$source of=$copy bs=1M count=$size 2>/dev/null ;;
    read) dd if=$source of=$copy bs=1M 2>/dev/null ;;
    write) dd if=$source of=$copy bs=1M conv=fsync 2>/dev/null ;;
    esac
}

# One file under the clock; `rest_of` hundredths are left to the next kill, and it keeps count of them.
transfer() {
    rm -f $copy
    hundredths
    begin=$cs
    echo $((begin + rest_of - $1 * 100)) >/tmp/killed
    if [ $1 != 0 ]; then
        killer $1 $rest_of >/dev/null 2>&1 &
        killer=$!
    fi
    echo "DEMO begin op=$operation kill=$1 file=$file up=$now"
    move $1 $file
    status=$?
    hundredths
    echo "DEMO end op=$operation kill=$1 file=$file up=$now status=$status"
    [ $1 = 0 ] && return
    kill $killer 2>/dev/null
    wait $killer 2>/dev/null
    read killed </tmp/killed
    rest_of=$(($1 * 100 - (cs - killed)))
    [ $rest_of -gt 0 ] || rest_of=0
}

# Before the clock starts: the first address is still on its way, and the emulator gets its memory from the host on first touch.
move warm 0

for kill in "$@"; do
    file=0 rest_of=$((kill * 100))
    recoveries
    before=$count
    while [ $file -lt $limit ]; do
        file=$((file + 1))
        transfer $kill
        echo "DEMO sum kill=$kill file=$file $($sum $copy)"
        [ $kill = 0 ] && [ $file -ge $deaths ] && break
        recoveries
        [ $kill != 0 ] && [ $((count - before)) -ge $deaths ] && break
    done
    [ -z "$last" ] || echo "DEMO last kill=$kill file=$file $($last $copy)"
    echo "DEMO recoveries kill=$kill"
    grep -w $service /proc/recovery | tail -n +$((before + 1)) | sed 's/^/DEMO recovery /'
    echo "DEMO done kill=$kill"
done
[ $operation = write ] || rm -f $copy
