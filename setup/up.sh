#!/bin/sh
# Start the stack and wait until all of it is healthy.
set -eu
. "$(dirname "$0")/lib.sh"

home=$(home_folder)
address=$(setting AIRFLOW_ADDRESS 127.0.0.1)
port=$(setting AIRFLOW_PORT 8080)

mkdir -p "$home" 2>/dev/null || die "The home folder $home cannot be made." \
    'Set AIR_EXECUTOR_HOME in .env to a folder of yours.'
enough_space "$home" 1 'jobs and logs'

port_is_free() {
    python3 -c 'import socket, sys
s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind((sys.argv[1], int(sys.argv[2])))' "$address" "$port" 2>/dev/null
}

if [ -z "$(docker compose ps --status running --quiet airflow)" ] && ! port_is_free; then
    die "Port $port on $address is taken by another program, and Airflow needs it." \
        "Stop that program (ss -ltnp | grep :$port shows it)," \
        'or choose another port: echo AIRFLOW_PORT=8081 >>.env'
fi

say 'bringing the stack up (about 30 s from nothing) ...'
log=$(mktemp)
if ! docker compose --progress plain up --detach --wait --wait-timeout 240 --remove-orphans airflow manager \
    >"$log" 2>&1 </dev/null; then
    tail -n 5 "$log" >&2
    rm -f "$log"
    exec >&2
    for service in postgres airflow manager; do
        container=$(docker compose ps --all --quiet "$service")
        [ -n "$container" ] || continue
        if [ "$(docker inspect --format '{{.State.Health.Status}}' "$container")" != healthy ]; then
            say "the last lines of $service:"
            docker logs --tail 20 "$container" 2>&1 || true
        fi
    done
    die 'The stack did not become healthy.' 'More to read: docker compose ps -a; docker compose logs SERVICE' \
        'Start anew without touching job folders: make down up'
fi
rm -f "$log"
say "the stack is up; Airflow: http://$address:$port"
