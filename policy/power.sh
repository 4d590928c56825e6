#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Ends the system in order when a service has been given up whose manifest says `at-end reboot` or `at-end poweroff`: init asks programs to
# end and unmounts the disks. RS runs it with what every script at an end is told (docs/policies.md), and ends the system itself if nobody
# does within 60 s, or this fails.
#
#     power.sh COMPONENT DEFECT FAILURES REASON reboot|poweroff

component=$1 defect=$2 failures=$3 reason=$4 how=$5
[ $# -eq 5 ] || { echo "usage: power.sh COMPONENT DEFECT FAILURES REASON reboot|poweroff" >&2; exit 2; }
. "${0%/*}/common.sh"

case $how in
reboot | poweroff) ;;
*) exit 2 ;;
esac
log "$component failed for good (defect $defect, failure $failures, $reason): $how"
"${POLICY_POWER:-$how}"
