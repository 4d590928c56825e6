#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# What the policy scripts share: each reads it (". ${0%/*}/common.sh"), it is none itself. They set `component`, `defect`, `failures` (their three
# arguments), and by their options `limit` and `mail`.

# The log is told. (POLICY_LOG: of the tests, which run scripts on the host.)
log() { # TEXT
    echo "policy: $1" 2>/dev/null >>"${POLICY_LOG:-/dev/kmsg}"
}

# A mail to whoever wants one: a user, or with a slash in it a file. Never a reason to fail.
mail_to_user() { # SUBJECT TEXT
    [ -n "$mail" ] || return 0
    case $mail in
    */*) spool=$mail ;;
    *) spool=/var/mail/$mail ;;
    esac
    printf 'From bardo %s\nTo: %s\nSubject: %s\n\n%s\n\n' "$(date)" "$mail" "$1" "$2" >>"$spool" 2>/dev/null || return 0
}

# Whole seconds since the machine was started; without /proc what RS says of itself.
uptime_s() {
    if read -r uptime rest 2>/dev/null <"${POLICY_UPTIME:-/proc/uptime}"; then
        echo "${uptime%.*}"
    else
        ms=$(service status rs 2>/dev/null | sed -n 's/^uptime *\([0-9]*\).*/\1/p')
        echo $((${ms:-0} / 1000))
    fi
}

# More than `limit` failures of its own, 0: there is no limit. (`failures` has kills and restarts by users, too.)
more_than_limit() {
    [ "$limit" -gt 0 ] && [ "$failures" -gt "$limit" ] || return 1
    own=$(service status "$component" 2>/dev/null | sed -n 's/^failures *\([0-9]*\).*/\1/p')
    [ "${own:-$failures}" -gt "$limit" ]
}

# On a user's behalf: a kill, a restart.
is_wanted() {
    [ "$defect" = 3 ] || [ "$defect" = 6 ]
}

# It was alive and no good: heartbeat, complaint, budget, storm, dma. What its device is in the midst of is not to be relied on.
was_ill() {
    case $defect in
    4 | 5 | 7 | 8 | 9) return 0 ;;
    esac
    return 1
}

# At once; of one that was ill the device is reset.
restart() {
    if was_ill; then
        service restart "$component" --reset
    else
        service restart "$component"
    fi
}
