#!/bin/sh
# After down.sh: remove the home folder with all jobs, .venv and .tools.
set -eu
. "$(dirname "$0")/lib.sh"

home=$(home_folder)
everything='-mindepth 1 ! -name .gitignore -delete'
# Files there may belong to other users (Airflow's, tasks'), whom an ordinary user cannot clear away;
# a container can.
# shellcheck disable=SC2086  # a list of words
if [ -d "$home" ] && ! find "$home" $everything 2>/dev/null; then
    image=$(setting AIR_EXECUTOR_RUNNER_IMAGE air-executor-runner:latest)
    docker run --rm --network none --mount "type=bind,source=$(realpath "$home"),target=/home-folder" "$image" \
        find /home-folder $everything ||
        die "$home holds files of other users." "Remove them as root: sudo rm -rf $(realpath "$home")/*"
fi
rm -rf .venv .tools
say 'clean.'
