# SPDX-License-Identifier: BSD-2-Clause
# The demo's half inside the system; runs in busybox's sh. tools/demo adds it, and starts it as
#
#     sh /etc/guest/demo.sh OPERATION SOURCE SERVICE SUM LAST DEATHS LIMIT KILL...
#
# For each KILL (seconds between two kills of SERVICE; 0: none, and DEATHS files): move a file under the clock, again and
# again until SERVICE has died DEATHS times, at most LIMIT files; after each file, with the clock stopped, SUM (a command) verifies it, and LAST ("": nothing)
# the last one of each run.
# SERVICE all: every service that is up, one after the other, until each has died. Beside it demo_forks.sh runs, over and over, undisturbed or not.
# OPERATION: net (fetch SOURCE, a URL, into RAM), raw and read (SOURCE, a device or file, into RAM), write (copy SOURCE to SOURCE.copy, and sync it).
# Lines that begin with DEMO are for tools/demo, all others are errors; times are seconds since boot.
operation=$1 source=$2 service=$3 sum=$4 last=$5 deaths=$6 limit=$7
shift 7
copy=/tmp/f
[ $operation = write ] && copy=$source.copy
own=/tmp/demo
mkdir -p $own

names_up() {
    service list | awk '$3 == "up" { print $1 }'
}
victims=$service
[ $service = all ] && victims=$(names_up)
count=$(echo "$victims" | wc -l)

up() { # $now: seconds since boot, without a process
    read now rest </proc/uptime
}
hundredths() { # $cs: hundredths of a second since boot
    up
    cs=${now%.*}${now#*.}
    cs=${cs#0}
}
in_hundredths() { # $interval: of $1 seconds, "0.1" or "15"
    case $1 in
    *.*)
        interval=${1#*.}00
        interval=${1%.*}${interval%"${interval#??}"}
        ;;
    *) interval=${1}00 ;;
    esac
    interval=${interval#"${interval%%[!0]*}"}
    interval=${interval:-0}
}

# ---- records ----

# /proc/recovery keeps 256: what is older is in $own/recovery. Those of the victims, later than $before, as they were read last; a line is whole when it has 21 words
# (who reads while fs/proc is killed may see the end of one and the beginning of another).
records() {
    cat $own/recovery /proc/recovery | awk -v before=$before -v victims=" $(echo $victims) " \
        '$1 + 0 > before && NF == 21 && index(victims, " " $2 " ") { line[$1] = $0 } END { for (number in line) print line[number] }' | sort -n
}

# ---- kills ----

# Kill the victims in turn, every $interval hundredths, for the first time in $rest_of; beginning with number $turn. One process, which forks nothing: a script would
# not come to ten a second beside others.
killer() {
    set -- $victims
    n=0
    while [ $n -lt $turn ]; do
        first=$1
        shift
        set -- "$@" $first
        n=$((n + 1))
    done
    usleep $((rest_of * 10000))
    exec service kill "$@" --every $((interval * 10))
}

# ---- the work ----

# File number $2 of the run with interval $1.
move() {
    case $operation in
    net) wget -q -O $copy "$source/$1/$2" ;;
    raw) dd if=$source of=$copy bs=1M count=$size 2>$own/said ;;
    read) dd if=$source of=$copy bs=1M 2>$own/said ;;
    write) dd if=$source of=$copy bs=1M conv=fsync 2>$own/said ;;
    esac
}

# A thousand processes, again and again until the run is over, once at least.
beside() {
    until [ -e $own/enough ]; do
        sh /etc/guest/demo_forks.sh >$own/forks 2>&1
        status=$?
        if [ $status = 0 ] && cmp -s $own/forks /etc/guest/demo_forks.out; then
            echo "DEMO forks right=1"
        else
            echo "DEMO forks wrong=1 status=$status"
            diff $own/forks /etc/guest/demo_forks.out | head -n 5
        fi
        cat /proc/recovery >>$own/recovery
    done
}

# One file under the clock; `rest_of` hundredths are left to the next kill, and it keeps count of them.
transfer() {
    rm -f $copy
    if [ $1 != 0 ]; then
        killer >$own/complaints 2>&1 &
        killer=$!
    fi
    hundredths
    begin=$cs
    echo "DEMO begin op=$operation kill=$1 file=$file up=$now"
    move $1 $file
    status=$?
    hundredths
    echo "DEMO end op=$operation kill=$1 file=$file up=$now status=$status"
    [ $operation = net ] || grep -v ' records \(in\|out\)$\|copied' $own/said
    [ $1 = 0 ] && return
    kill $killer
    wait $killer 2>/dev/null
    cat $own/complaints
    records >$own/new
    new=$(wc -l <$own/new)
    cat $own/new >>$own/records
    [ $new = 0 ] || before=$(tail -n 1 $own/new | cut -d ' ' -f 1)
    turn=$(((turn + new) % count))
    rest_of=$((rest_of + new * interval - (cs - begin)))
    [ $rest_of -gt 0 ] || rest_of=0
}

# Before the clock starts: the first address is still on its way, and the emulator gets its memory from the host on first touch.
move warm 0

turn=0
for kill in "$@"; do
    in_hundredths $kill
    file=0 rest_of=$interval
    before=$(awk 'END { print $1 + 0 }' /proc/recovery)
    : >$own/records
    : >$own/recovery
    rm -f $own/enough
    if [ $service = all ]; then
        beside >$own/beside 2>&1 &
        beside=$!
    fi
    while [ $file -lt $limit ]; do
        file=$((file + 1))
        transfer $kill
        echo "DEMO sum kill=$kill file=$file $($sum $copy)"
        if [ $kill = 0 ]; then
            [ $file -ge $deaths ] && break
        elif [ $service = all ]; then
            [ $(cut -d ' ' -f 2 $own/records | sort -u | wc -l) = $count ] && break
        else
            [ $(wc -l <$own/records) -ge $deaths ] && break
        fi
    done
    touch $own/enough
    [ $service != all ] || { wait $beside; cat $own/beside; }
    [ -z "$last" ] || echo "DEMO last kill=$kill file=$file $($last $copy)"
    echo "DEMO recoveries kill=$kill"
    sed 's/^/DEMO recovery /' $own/records
    echo "DEMO done kill=$kill"
done
for name in $victims; do
    names_up | grep -qx "$name" || echo "$name is not up any more"
done
[ $operation = write ] || rm -f $copy
rm -r $own
