#!/usr/bin/env bash
# All tests, or those that the arguments name. What has managers and homes of its own runs beside each other;
# what takes the whole machine (the soak, the stack) runs alone.
set -uo pipefail
cd "$(dirname "$0")/.."
export TESTCONTAINERS_RYUK_DISABLED=true  # its image can't be had where there is no registry
pytest=.venv/bin/pytest
if [ $# -gt 0 ]; then
    exec $pytest "$@"
fi
$pytest -n 3 --dist loadfile tests/unit tests/contract tests/scenarios tests/faults
beside=$?
$pytest tests/soak tests/airflow tests/e2e
alone=$?
exit $((beside > alone ? beside : alone))
