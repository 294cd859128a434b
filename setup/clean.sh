#!/bin/sh
# After down.sh: remove the home folder with all jobs, .venv and .tools.
set -eu
. "$(dirname "$0")/lib.sh"

home=$(home_folder)
# Files there may belong to other users (Airflow's, tasks'), whom an ordinary user cannot clear away;
# a container can.
if [ -d "$home" ] && ! rm -rf "$home" 2>/dev/null; then
    image=$(setting AIR_EXECUTOR_RUNNER_IMAGE air-executor-runner:latest)
    docker run --rm --network none --mount "type=bind,source=$(realpath "$home"),target=/home-folder" "$image" \
        find /home-folder -mindepth 1 -delete ||
        die "$home holds files of other users." "Remove it as root: sudo rm -rf $(realpath "$home")"
    rm -rf "$home"
fi
rm -rf .venv .tools
say 'clean.'
