# Shared by the scripts beside it; sourced, never run.  Each script starts with
#   . "$(dirname "$0")/lib.sh"
# and is then at the root of the repository.

cd "$(dirname "$0")/.."
ROOT=$(pwd)
TOOLS=$ROOT/.tools

# Where this set-up notes the process id of an engine that it started itself.  /run is emptied at
# boot, as are process ids.
ENGINE_PID=/run/air-executor-engine.pid
ENGINE_LOG=/var/log/air-executor-engine.log

say() { printf '%s\n' "air-executor: $*"; }

# What is wrong, then what to do about it, one argument each.
die() {
    printf '%s\n' "air-executor: $1" >&2
    shift
    for line in "$@"; do printf '    %s\n' "$line" >&2; done
    exit 1
}

is_root() { [ "$(id -u)" = 0 ]; }

# Debian itself: its derivatives have other suites.
is_debian() { [ "$(. /etc/os-release 2>/dev/null && printf %s "${ID:-}")" = debian ]; }

# setting NAME DEFAULT: the environment wins over .env, as in Compose.
setting() {
    value=$(printenv "$1" || true)
    if [ -z "$value" ] && [ -f .env ]; then
        value=$(sed -n "s/^$1=//p" .env | tail -n 1 | sed "s/^[\"']//; s/[\"']\$//")
    fi
    printf %s "${value:-$2}"
}

home_folder() { setting AIR_EXECUTOR_HOME ./.air-executor; }

# The engine that Compose mounts in the manager is the one that everything here talks to.
if [ -z "${DOCKER_HOST:-}" ]; then
    socket=$(setting DOCKER_SOCKET /var/run/docker.sock)
    if [ "$socket" != /var/run/docker.sock ]; then export DOCKER_HOST="unix://$socket"; fi
fi

engine_answers() { docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

# Where the engine keeps its data, if that can be seen from here.
engine_folder() {
    folder=$(docker info --format '{{.DockerRootDir}}' 2>/dev/null || true)
    if [ -d "$folder" ]; then printf %s "$folder"; else printf %s "$ROOT"; fi
}

# enough_space FOLDER GIGABYTES WHAT-FOR
enough_space() {
    free=$(df -Pk "$1" | awk 'NR == 2 { print int($4 / 1048576) }')
    [ "$free" -ge "$2" ] || die "The disk is full: $1 has $free GB left, and $3 need $2 GB." \
        'Remove what is no longer needed there (see: docker system df) and try again.'
}

apt_get() {
    DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@" \
        </dev/null
}

# Run a command quietly; show the end of what it said only when it fails.
quietly() {
    log=$(mktemp)
    if "$@" >"$log" 2>&1; then
        rm -f "$log"
    else
        status=$?
        tail -n 30 "$log" >&2
        rm -f "$log"
        return "$status"
    fi
}

# The mirror that this machine already uses for Debian itself (not its security archive).
debian_mirror() {
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' | head -n 1
}

# install PACKAGE...: from the machine's own Debian.
install() {
    quietly apt_get update
    quietly apt_get install -y --no-install-recommends "$@"
}

# install_from_trixie PACKAGE...: these packages, and nothing else that the machine's own suite can
# give, from Debian trixie.  The source is known to apt only as long as this call.
install_from_trixie() {
    extra=$(mktemp -d)
    chmod 755 "$extra" # apt reads it as a user of its own
    mkdir "$extra/sources" "$extra/preferences"
    for file in /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
        [ ! -f "$file" ] || cp "$file" "$extra/sources"
    done
    [ -n "$(debian_mirror)" ] || quietly apt_get update
    printf 'deb %s trixie main\n' "$(debian_mirror)" >"$extra/sources/air-executor.list"
    # "package/suite" below overrides the pin for the packages named, and for them only: "-t trixie"
    # would take the C library and dozens of others along.
    printf 'Package: *\nPin: release n=trixie\nPin-Priority: 50\n' >"$extra/preferences/air-executor"
    beside="-o Dir::Etc::sourceparts=$extra/sources -o Dir::Etc::preferencesparts=$extra/preferences"
    named=
    for package in "$@"; do named="$named $package/trixie"; done
    # shellcheck disable=SC2086  # lists of words
    quietly apt_get $beside update
    # shellcheck disable=SC2086
    quietly apt_get $beside install -y --no-install-recommends $named
    rm -rf "$extra"
}
