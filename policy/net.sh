#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# A policy for a network card's driver: connections live on, so what matters is to be back at once, with the address.
#
#     net.sh COMPONENT DEFECT FAILURES [-i INTERFACE] [-w S] [-g N] [-m USER]
#
# RS runs it (a manifest's "policy" line) with the component's name, the class of the defect (docs/policies.md) and how often it has failed
# within its window. A driver that has died is restarted at once and takes the card over; one that was ill (heartbeat, complaint, budget, storm,
# dma) is restarted with a reset. Then it is waited for. The address belongs to the server `net` and outlives the driver, so no lease is asked
# for again as a rule: only when there was an address before and there is none S seconds after the driver is back (one that stays for a second
# before is believed) is the card reset once more, upon which `net` asks for a lease.
#     -i NAME     the interface (e0)
#     -w S        how long for the driver, and then for the address; twice that, and a second, must be within the deadline (2)
#     -g N        more than N failures: leave it down (0: never). Kills by a user do not count
#     -m USER     append a mail to /var/mail/USER (a name with a slash: to that file) when it is left down, or the address is lost

component=$1 defect=$2 failures=$3
[ $# -ge 3 ] || { echo "usage: net.sh COMPONENT DEFECT FAILURES [OPTIONS]" >&2; exit 2; }
shift 3
. "${0%/*}/common.sh"

interface=e0 wait=2 limit=0 mail=
while getopts i:w:g:m: option; do
    case $option in
    i) interface=$OPTARG ;;
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

address() {
    ${POLICY_IFCONFIG:-ifconfig} "$interface" 2>/dev/null | sed -n 's/.*inet addr:\([0-9.]*\).*/\1/p'
}

if ! is_wanted && more_than_limit; then
    service down "$component"
    status=$?
    tell "$component failed (defect $defect, failure $failures): left down"
    exit $status
fi

before=$(address)
restart
status=$?
[ $status = 0 ] && [ -n "$before" ] || exit $status

service wait "$component" --timeout "$wait" || exit 0 # it has been decided; what comes of it the manifest's budget looks after
left=$((wait * 5)) held=0
while [ $held -lt 5 ] && [ $left -gt 0 ]; do
    held=$((held + 1))
    [ -n "$(address)" ] || held=0 # at first it may still be the one that is about to be refused
    usleep 200000
    left=$((left - 1))
done
[ -z "$(address)" ] || exit 0
tell "$component is back, but $interface has lost its address $before: a lease is asked for again"
service restart "$component" --reset
