#!/bin/sh
# Both systems in one screen: the manager with its jobs, and Airflow with the last runs of the demo.
cd "$(dirname "$0")" || exit 1
if [ ! -x .venv/bin/air-executor ]; then
    echo "air-executor: there is no .venv yet; run: make setup" >&2
    exit 1
fi
exec .venv/bin/air-executor status "$@"
