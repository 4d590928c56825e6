#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# A general policy: restart with binary exponential backoff, write a line to the log and, if wanted, mail somebody.
#
#     generic.sh COMPONENT DEFECT FAILURES [-m USER] [-f FREE] [-b MS] [-x MS] [-g N] [-d NAME,NAME...]
#
# RS runs it (a manifest's "policy" line) with the component's name, the class of the defect (1 exit, 2 exception, 3 killed,
# 4 heartbeat, 5 complaint, 6 update, 7 over budget, 8 storm, 9 dma) and how often the component has failed within its window. Options are the manifest's:
#     -m USER     append a mail to /var/mail/USER (a name with a slash: to that file)
#     -f FREE     the first so many failures are restarted at once (1)
#     -b MS       then after that long, doubled each time (100)
#     -x MS       and at most (30000)
#     -g N        more than N failures: leave it down (0: never). Kills and restarts by a user do not count
#     -d NAMES    restart these, too
# The delay is RS's: this script is done at once, and well within its deadline.

component=$1 defect=$2 failures=$3
[ $# -ge 3 ] || { echo "usage: generic.sh COMPONENT DEFECT FAILURES [OPTIONS]" >&2; exit 2; }
shift 3
. "${0%/*}/common.sh"

mail= free=1 base=100 most=30000 limit=0 dependents=
while getopts m:f:b:x:g:d: option; do
    case $option in
    m) mail=$OPTARG ;;
    f) free=$OPTARG ;;
    b) base=$OPTARG ;;
    x) most=$OPTARG ;;
    g) limit=$OPTARG ;;
    d) dependents=$OPTARG ;;
    *) exit 2 ;;
    esac
done

case $defect in
1) what="exited" ;;
2) what="raised an exception" ;;
3) what="was killed" ;;
4) what="stopped answering" ;;
5) what="was complained of" ;;
6) what="is being updated" ;;
7) what="was over its budget" ;;
8) what="kept the processor busy without any use" ;;
9) what="told its device to reach memory that is not its own" ;;
*) what="failed ($defect)" ;;
esac

# 0 for the first FREE failures, then BASE, 2 BASE, 4 BASE ... MOST.
delay=0
if [ "$failures" -gt "$free" ]; then
    delay=$base
    step=$((failures - free - 1))
    while [ $step -gt 0 ] && [ "$delay" -lt "$most" ]; do
        delay=$((delay * 2)) step=$((step - 1))
    done
    [ "$delay" -le "$most" ] || delay=$most
fi

if ! is_wanted && more_than_limit; then
    decision="left down"
elif [ "$delay" -gt 0 ]; then
    decision="restart in $delay ms"
else
    decision="restart at once"
fi

case $decision in
"left down")
    service down "$component"
    status=$?
    ;;
*)
    if [ "$delay" -gt 0 ]; then
        service restart "$component" --delay "$delay"
    else
        service restart "$component"
    fi
    status=$?
    for dependent in $(echo "$dependents" | tr , " "); do
        service restart "$dependent" --delay "$delay"
    done
    ;;
esac
message="$component $what (failure $failures): $decision"
log "$message"
mail_to_user "$component $what" "$message"
exit $status
