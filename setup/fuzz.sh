#!/usr/bin/env bash
# The tests that hypothesis draws examples for, with others than `make test` has, in rounds until the time is up.
#   fuzz.sh MINUTES             begin no further round after so many minutes
#   fuzz.sh MINUTES SEED        the one round that had this seed
#   fuzz.sh MINUTES "" TEST...  these tests only
set -euo pipefail
cd "$(dirname "$0")/.."

# A test has more than its usual time: of an example that fails, the smallest is looked for.
draw() {
    .venv/bin/pytest -q -n 2 -m hypothesis --hypothesis-profile=fuzz --hypothesis-seed="$1" --timeout=1800 "${tests[@]}"
}
tests=("${@:3}")
[ ${#tests[@]} -gt 0 ] || tests=(tests/unit)

if [ -n "${2:-}" ]; then
    draw "$2"
    exit
fi
end=$((SECONDS + 60 * $1))
while [ $SECONDS -lt $end ]; do
    seed=$SRANDOM
    echo "seed $seed"
    draw "$seed" || {
        echo "The same examples again: make fuzz SEED=$seed. Mend it, and keep the example: @example(...)."
        exit 1
    }
done
