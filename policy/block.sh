#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# A policy for a disk's driver: requests wait for it and are done by its successor, so it is restarted at once; and somebody is told when a
# file system did not get over it.
#
#     block.sh COMPONENT DEFECT FAILURES [-w S] [-g N] [-m USER]
#
# RS runs it (a manifest's "policy" line) with the component's name, the class of the defect (docs/policies.md) and how often it has failed
# within its window. A driver that has died is restarted at once, and goes on with the commands that the disk has. One that was ill
# (heartbeat, complaint, budget, storm, dma) is restarted with a reset. Then it is waited for, and each file system on a disk that can be
# written no more since then is named in the log and by mail.
#     -w S        how long it is waited for, within the deadline (3)
#     -g N        more than N failures: leave it down, so that programs get EIO rather than wait (0: never; the manifest's budget is not asked
#                 while a script decides). Kills by a user do not count
#     -m USER     append a mail to /var/mail/USER (a name with a slash: to that file)
# It must not lie, nor its shell, on the disk that it is about: /etc/bardo and /bin are in memory.

component=$1 defect=$2 failures=$3
[ $# -ge 3 ] || { echo "usage: block.sh COMPONENT DEFECT FAILURES [OPTIONS]" >&2; exit 2; }
shift 3
. "${0%/*}/common.sh"

wait=3 limit=0 mail=
while getopts w:g:m: option; do
    case $option in
    w) wait=$OPTARG ;;
    g) limit=$OPTARG ;;
    m) mail=$OPTARG ;;
    *) exit 2 ;;
    esac
done

tell() { # TEXT
    log "$1"
    mail_to_user "$component needs you" "$1"
}

# Of disks. Without /proc: of those that are mounted at boot, whose root cannot be written.
readonly_mounts() {
    awk '$1 ~ "^/dev/" && $4 ~ "(^|,)ro(,|$)" { print $2 }' "${POLICY_MOUNTS:-/proc/mounts}" 2>/dev/null && return
    awk '$1 ~ "^/dev/" { print $2 }' "${POLICY_FSTAB:-/etc/fstab}" 2>/dev/null | while read -r place; do
        [ -w "$place" ] || echo "$place"
    done
}

if ! is_wanted && more_than_limit; then
    service down "$component"
    status=$?
    tell "$component failed (defect $defect, failure $failures): left down; programs get EIO. 'service up $component' starts it again"
    exit $status
fi

before=$(readonly_mounts)
restart
status=$?
[ $status = 0 ] || exit $status
service wait "$component" --timeout "$wait" || exit 0 # it has been decided

for place in $(readonly_mounts); do
    case "
$before
" in
    *"
$place
"*) ;;
    *) tell "$place can be written no more since $component failed (defect $defect): unmount it and mount it again" ;;
    esac
done
exit 0
