#!/bin/sh
# Stop the Docker Engine, if it is one that setup/engine.sh started.
set -eu
. "$(dirname "$0")/lib.sh"

pid=$(cat "$ENGINE_PID" 2>/dev/null || true)
if [ -z "$pid" ] || [ "$(cat "/proc/$pid/comm" 2>/dev/null)" != dockerd ]; then
    rm -f "$ENGINE_PID" 2>/dev/null || true
    say 'no Docker Engine is running that make setup started.'
    exit 0
fi
kill "$pid"
for _ in $(seq 1 100); do
    if [ ! -d "/proc/$pid" ]; then
        rm -f "$ENGINE_PID"
        say 'the Docker Engine has stopped.'
        exit 0
    fi
    sleep 0.2
done
die "The Docker Engine (process $pid) does not stop." "See $ENGINE_LOG."
