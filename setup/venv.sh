#!/bin/sh
# Make .venv as uv.lock says, with uv itself kept aside in .tools.  Needs no engine.
set -eu
. "$(dirname "$0")/lib.sh"

uv_version=$(sed -n 's,^ARG UV_VERSION=,,p' Dockerfile)
uv=$TOOLS/uv-$uv_version/bin/uv
stamp=.venv/air-executor.stamp
wanted=$(printf %s "$uv_version" | cat - pyproject.toml uv.lock setup/venv.sh | sha256sum)

if [ -x .venv/bin/air-executor ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then exit 0; fi

command -v python3 >/dev/null || {
    is_root && is_debian || die 'There is no python3 on this machine.' \
        'Install Python 3.11 or newer (on Debian: sudo apt-get install python3 python3-venv) and try again.'
    install python3 python3-venv
}

if [ ! -x "$uv" ]; then
    say "fetching uv $uv_version ..."
    if ! python3 -m pip --version >/dev/null 2>&1; then
        # A bare Debian Python has neither pip nor a venv that could make one.
        if ! python3 -c 'import ensurepip' 2>/dev/null; then
            is_root && is_debian || die 'python3 has neither pip nor ensurepip.' \
                'Install them (on Debian: sudo apt-get install python3-venv) and try again.'
            install python3-venv
        fi
        python3 -m venv "$TOOLS/pip"
        PATH=$TOOLS/pip/bin:$PATH
    fi
    quietly python3 -m pip install --disable-pip-version-check --no-input --upgrade \
        --target "${uv%/bin/uv}" "uv==$uv_version" ||
        die 'uv could not be fetched from the Python package index.' 'Check the network (proxy, certificates) and try again.'
fi

say 'making .venv ...'
# Compiled once: else every start of the manager would compile anew where Python keeps no bytecode.
quietly "$uv" sync --frozen --all-extras --no-progress --compile-bytecode ||
    die '.venv could not be made from uv.lock (see above).' 'Check the network and the free disk space, then try again.'
.venv/bin/python -m compileall -q air_executor manager >/dev/null || true  # faster, not needed
printf %s "$wanted" >"$stamp"
