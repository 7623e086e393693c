#!/usr/bin/env bash
# Runs `make` for the first argument's targets, and beside it, at the lowest priority, for the second's: the first ones
# wait more than they work, the second ones only work. What the second ones print comes at the end.
set -uo pipefail

log=$(mktemp)
# A session of its own, so that all of it can be ended. The arguments are several words on purpose.
# shellcheck disable=SC2086
setsid nice make $2 >"$log" 2>&1 &
working=$!
trap 'kill -- -"$working" 2>/dev/null; rm -f "$log"' EXIT

# shellcheck disable=SC2086
make $1 || exit
wait "$working"
status=$?
cat "$log"
exit "$status"
