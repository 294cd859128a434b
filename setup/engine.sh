#!/bin/sh
# Make sure that a Docker Engine answers, and that the client has Compose v2 and buildx.
# An engine that answers is used as it is; otherwise, as root on Debian, one is installed and started.
set -eu
. "$(dirname "$0")/lib.sh"

install_hint='Install Docker Engine with its Compose and buildx plugins (https://docs.docker.com/engine/install/), start it, and try again.'

has_plugins() { docker compose version >/dev/null 2>&1 && docker buildx version >/dev/null 2>&1; }

can_install() { is_root && is_debian; }

# Debian 12 has an older engine and no Compose v2; later ones have both.
from_debian() {
    quietly apt_get update
    case $(apt-cache policy docker-compose | sed -n 's/^ *Candidate: //p') in
    1.*) install_from_trixie "$@" ;;
    *) quietly apt_get install -y --no-install-recommends "$@" ;;
    esac
}

complain_about_engine() {
    if ! command -v docker >/dev/null; then
        die 'There is no Docker on this machine, and it can be installed only as root on Debian 12 or newer.' \
            "$install_hint" 'Or, on Debian, run this once: sudo make setup'
    fi
    problem=$(docker version 2>&1 >/dev/null || true)
    case $problem in
    *'permission denied'*)
        die "You ($(id -un 2>/dev/null || id -u)) may not use Docker's socket." \
            "Let an administrator run: usermod -aG docker $(id -un 2>/dev/null || id -u)" 'then log in again (or run: newgrp docker) and repeat the command.'
        ;;
    esac
    die 'The Docker Engine does not answer:' "$problem" \
        'Start it (where there is systemd: sudo systemctl start docker) and try again.' \
        "If there is none: $install_hint"
}

wait_for_engine() {
    for _ in $(seq 1 150); do
        if engine_answers; then return 0; fi
        sleep 0.2
    done
    return 1
}

start_engine() {
    if [ -d /run/systemd/system ]; then
        systemctl start docker
    else
        setsid dockerd >"$ENGINE_LOG" 2>&1 </dev/null &
        echo $! >"$ENGINE_PID"
    fi
    wait_for_engine || {
        tail -n 15 "$ENGINE_LOG" >&2 2>/dev/null || true
        die 'The Docker Engine was started but does not answer within 30 seconds.' "See $ENGINE_LOG (or: journalctl -u docker)."
    }
}

if ! command -v docker >/dev/null || ! engine_answers; then
    if [ -n "${DOCKER_HOST:-}" ] || ! can_install; then complain_about_engine; fi
    if ! command -v dockerd >/dev/null; then
        say 'installing the Docker Engine from Debian ...'
        client=$(command -v docker >/dev/null || echo docker-cli)
        # shellcheck disable=SC2086  # empty where there is a client
        from_debian docker.io containerd docker-compose docker-buildx $client
        quietly apt_get install -y --no-install-recommends iptables
    fi
    # A package's own start script may have been at work.
    if ! engine_answers; then start_engine; fi
    say "Docker Engine $(docker version --format '{{.Server.Version}}') is running."
fi

if ! has_plugins; then
    if can_install; then
        say "installing Docker's Compose and buildx plugins from Debian ..."
        from_debian docker-compose docker-buildx
    fi
    has_plugins || die "The docker command lacks its 'compose' (v2) or 'buildx' plugin." \
        'Install both: https://docs.docker.com/compose/install/linux/ and https://docs.docker.com/go/buildx/'
fi
