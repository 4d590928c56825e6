# SPDX-License-Identifier: BSD-2-Clause
# The work of tools/torture, in the system: what is wrong is a line "BAD: ...". $1: the URL of a file, $2: its SHA-1; the rest: programs that print "ok CASE" for each case.
url=$1 sum=$2
shift 2
bad() { echo "BAD: $*"; }
deaths() { cat /proc/recovery >>/tmp/.recovery; }
forks() {
    n=0
    while [ $n -lt 60 ]; do
        [ "$(echo fork $n | cat | cat)" = "fork $n" ] || bad fork $n
        (exit $((n % 100)))
        [ $? = $((n % 100)) ] || bad status $n
        n=$((n + 1))
    done
}
copies() {
    cp /data a && cmp a /data || bad copy
    dd if=/data of=b bs=7777 conv=fsync 2>/dev/null && cmp b /data || bad synced copy
    n=0
    mkdir d || bad mkdir
    while [ $n -lt 20 ]; do
        echo $n >d/$n && mv d/$n d/x$n && ln d/x$n d/y$n && sync d/x$n || bad name $n
        n=$((n + 1))
    done
    [ "$(cat d/y* | sort -n | md5sum)" = "$(seq 0 19 | md5sum)" ] || bad names
    rm -r a b d || bad rm
}
pipes() {
    [ "$(seq 1 5000 | sort -rn | md5sum)" = "$(seq 5000 -1 1 | md5sum)" ] || bad sort
    mkfifo /tmp/.fifo
    (echo fifo >/tmp/.fifo) &
    read x </tmp/.fifo
    [ "$x" = fifo ] || bad fifo
    wait $!
    rm /tmp/.fifo
    trap 'got=1' USR1
    got=
    (kill -USR1 $$)
    [ "$got" = 1 ] || bad signal
}
download() { [ "$(wget -q -O - "$url" | sha1sum | cut -d' ' -f1)" = "$sum" ] || bad download; }
download &
getting=$!
forks; deaths; copies; deaths; pipes; deaths
for program in "$@"; do
    chmod 755 "/$program"
    "/$program" >"/tmp/.$program" 2>&1
    grep -v '^ok ' "/tmp/.$program" | sed "s/^/BAD: $program: /"
    [ "$(grep -c '^ok ' "/tmp/.$program")" = "$(grep -c . "/etc/torture/$program")" ] || bad "$program: cases are missing"
    deaths
done
wait $getting
deaths
