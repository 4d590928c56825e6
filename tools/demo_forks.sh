# SPDX-License-Identifier: BSD-2-Clause
# A thousand forks, four a line: a substitution, a pipe of two (one of them another program), a status. What it must say is known (tools/demo_jobs.py).
n=0
while [ $n -lt 250 ]; do
    text=$(echo line $n | cat)
    (exit $((n % 100)))
    echo "$text, status $?"
    n=$((n + 1))
done
