#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# A policy for what the machine is no use without: restart it, and when that does not help, the machine.
#
#     reboot-if.sh COMPONENT DEFECT FAILURES [-g N] [-c CLASS,CLASS...] [-u S] [-m USER]
#
# RS runs it (a manifest's "policy" line) with the component's name, the class of the defect (docs/policies.md) and how often it has failed
# within its window. It restarts the component at once, until one of these holds; then the machine is restarted, in order: programs are
# asked to end, disks are unmounted.
#     -g N        it has failed more than N times (5; 0: never for that)
#     -c CLASSES  the defect is one of these numbers (none); kills by a user (3) and updates (6) only if they are named
#     -u S        but not before the machine has run for S seconds (300): else one that fails after each start would have it start for ever.
#                 Until then the script leaves it to the manifest, whose budget comes to an end
#     -m USER     append a mail to /var/mail/USER (a name with a slash: to that file, on a disk, say)

component=$1 defect=$2 failures=$3
[ $# -ge 3 ] || { echo "usage: reboot-if.sh COMPONENT DEFECT FAILURES [OPTIONS]" >&2; exit 2; }
shift 3
. "${0%/*}/common.sh"

limit=5 classes= least=300 mail=
while getopts g:c:u:m: option; do
    case $option in
    g) limit=$OPTARG ;;
    c) classes=$OPTARG ;;
    u) least=$OPTARG ;;
    m) mail=$OPTARG ;;
    *) exit 2 ;;
    esac
done

tell() { # TEXT
    log "$1"
    mail_to_user "the machine is restarted" "$1"
}

why=
is_wanted || { more_than_limit && why="failure $failures"; }
case ,$classes, in
*,$defect,*) why="defect $defect" ;;
esac
if [ -z "$why" ]; then
    service restart "$component"
    exit
fi

uptime=$(uptime_s)
if [ "$uptime" -lt "$least" ]; then
    tell "$component: $why, but the machine has run for $uptime s only: not restarted"
    exit 1
fi
tell "$component: $why: the machine is restarted"
${POLICY_REBOOT:-reboot} || { tell "the machine cannot be restarted"; exit 1; }
service restart "$component" # meanwhile: what ends in order may need it
