#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# A policy for a printer's driver: paper is not to be wasted, and somebody must be told.
#
#     printer.sh COMPONENT DEFECT FAILURES [-m USER] [-g N] [-d MS] [-s]
#
# RS runs it (a manifest's "policy" line) with the component's name, the class of the defect (docs/policies.md) and how often it has failed
# within its window. A driver that has died is restarted at once and adopts the port: what the printer has in its buffer is printed. One that was ill (heartbeat, complaint, budget,
# storm) is restarted after a pause, with a reset. One that dies again and again would print the same page again and again: it is left down, the jobs
# stay in the queue, and `service up COMPONENT` goes on with them. Kills by a user (defect 3) and updates (6) do not count for that.
#     -m USER     append a mail to /var/mail/USER (a name with a slash: to that file) when it is left down
#     -g N        more than N failures: leave it down (5; 0: never)
#     -d MS       pause ahead of a restart of one that was ill (500)
#     -s          start the spooler, lpd, if it is not running

component=$1 defect=$2 failures=$3
[ $# -ge 3 ] || { echo "usage: printer.sh COMPONENT DEFECT FAILURES [OPTIONS]" >&2; exit 2; }
shift 3
. "${0%/*}/common.sh"

mail= limit=5 pause=500 spooler=
while getopts m:g:d:s option; do
    case $option in
    m) mail=$OPTARG ;;
    g) limit=$OPTARG ;;
    d) pause=$OPTARG ;;
    s) spooler=yes ;;
    *) exit 2 ;;
    esac
done

decision="restart at once"
if was_ill; then
    decision="restart and reset in $pause ms"
fi
if ! is_wanted && more_than_limit; then
    decision="left down; its jobs wait"
fi

case $decision in
"left down"*) service down "$component" ;;
*reset*) service restart "$component" --delay "$pause" --reset ;;
*) service restart "$component" ;;
esac
status=$?

message="$component failed (defect $defect, failure $failures): $decision"
log "$message"
case $decision in
"left down"*)
    mail_to_user "the printer needs you" "$message
'service log $component' says more; 'service up $component' goes on with the jobs ('lpq')."
    ;;
esac
if [ "$spooler" ] && ! pidof lpd >/dev/null; then
    lpd </dev/null >/dev/null 2>&1
fi
exit $status
