#!/bin/sh
# Stop everything of ours and remove it: containers (those of tasks too), networks, volumes.
# Job folders, images and the engine stay.
set -eu
. "$(dirname "$0")/lib.sh"

if ! engine_answers; then
    say 'the Docker Engine does not answer, so nothing of ours is running.'
    exit 0
fi

# The manager first: it would go on starting tasks.
docker compose --progress quiet stop manager </dev/null

home_id=$(cat "$(home_folder)/home-id" 2>/dev/null || true)
if [ -n "$home_id" ]; then
    label=label=air-executor.home-id=$home_id
    docker ps --all --quiet --filter "$label" | xargs -r docker rm --force --volumes >/dev/null
    docker network ls --quiet --filter "$label" | xargs -r docker network rm >/dev/null
    docker volume ls --quiet --filter "$label" | xargs -r docker volume rm --force >/dev/null
fi

docker compose --progress quiet down --volumes --remove-orphans </dev/null
say 'everything is down; job folders and images stay.'
if [ -f "$ENGINE_PID" ] && [ -d "/proc/$(cat "$ENGINE_PID")" ]; then
    say 'the Docker Engine that make setup started goes on running; make engine-stop stops it.'
fi
