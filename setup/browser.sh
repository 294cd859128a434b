#!/bin/sh
# The browser tests use the Chromium or Chrome that is there; root on Debian gets Debian's.
set -eu
. "$(dirname "$0")/lib.sh"

for name in chromium chromium-browser google-chrome google-chrome-stable; do
    if command -v "$name" >/dev/null; then exit 0; fi
done
if is_root && is_debian; then
    say "installing Debian's Chromium for the browser tests ..."
    install chromium || say 'Chromium could not be installed; the browser tests will say so.'
else
    say 'there is no Chromium; the browser tests will say so (on Debian: sudo apt-get install chromium).'
fi
