#!/bin/sh
# Make sure that the image which all others start from is there: local, pulled, or (where no registry
# answers, as root on Debian) built from Debian's own packages and recorded in .env.
set -eu
. "$(dirname "$0")/lib.sh"

official=debian:trixie-slim
own=air-executor-base:trixie
base=$(setting BASE_IMAGE "$official")

have() { docker image inspect "$1" >/dev/null 2>&1; }

record() {
    [ "$(setting BASE_IMAGE "$official")" = "$own" ] && return
    if [ -s .env ] && [ -n "$(tail -c 1 .env)" ]; then echo >>.env; fi
    printf '# No registry answered, so setup/base-image.sh made this from Debian packages.\nBASE_IMAGE=%s\n' \
        "$own" >>.env
    # .env belongs to whoever the repository belongs to, also under sudo.
    chown --reference=. .env 2>/dev/null || true
}

build() {
    command -v debootstrap >/dev/null || install debootstrap
    mirror=$(debian_mirror)
    if [ -z "$mirror" ]; then
        quietly apt_get update
        mirror=$(debian_mirror)
    fi
    [ -n "$mirror" ] || die "apt's sources name no Debian mirror, so the base image cannot be built." \
        "Set BASE_IMAGE in .env to a Debian-trixie-like image that this machine has (see: docker images)."
    tree=$(mktemp -d -p "${TMPDIR:-/var/tmp}")
    trap 'rm -rf "$tree"' EXIT
    quietly debootstrap --variant=minbase --include=ca-certificates trixie "$tree" "$mirror"

    # As in Debian's "slim" images: no documentation, nothing left of apt's caches.
    cat >"$tree/etc/dpkg/dpkg.cfg.d/slim" <<'CONF'
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/info/*
path-exclude /usr/share/locale/*
path-exclude /usr/share/man/*
CONF
    printf 'Acquire::Languages "none";\n' >"$tree/etc/apt/apt.conf.d/slim"
    find "$tree/usr/share/doc" -type f ! -name copyright -delete
    rm -rf "$tree/usr/share/info/"* "$tree/usr/share/locale/"* "$tree/usr/share/man/"* \
        "$tree/var/lib/apt/lists/"* "$tree/var/cache/apt/"*.bin "$tree/var/cache/apt/archives/"*.deb \
        "$tree/var/cache/debconf/"*-old "$tree/var/log/"*.log "$tree/var/log/apt" "$tree/var/cache/ldconfig/"*
    # The name of this machine and its resolver are nobody's business.
    rm -f "$tree/etc/hostname" "$tree/etc/resolv.conf"

    # What this machine trusts, builds on it must trust too.
    cp /usr/local/share/ca-certificates/*.crt "$tree/usr/local/share/ca-certificates/" 2>/dev/null || true
    quietly chroot "$tree" update-ca-certificates
    bundle=/etc/ssl/certs/ca-certificates.crt
    tar -C "$tree" -c . |
        docker import -c "ENV SSL_CERT_FILE=$bundle" -c "ENV PIP_CERT=$bundle" -c 'CMD ["bash"]' - "$own" >/dev/null
}

if have "$base"; then exit 0; fi
case $base in
"$official" | "$own") ;;
*)
    say "pulling $base ..."
    timeout 300 docker pull -q "$base" && exit 0
    die "The base image $base (BASE_IMAGE) is neither on this machine nor to be had." \
        'Correct BASE_IMAGE in .env or the environment, or remove it there.'
    ;;
esac
if [ "$base" = "$official" ]; then
    say "pulling $base ..."
    if refusal=$(timeout 300 docker pull -q "$base" 2>&1); then exit 0; fi
    say "no registry gives it: $(printf %s "$refusal" | tail -n 1 | cut -c 1-200)"
fi
if ! have "$own"; then
    if ! is_root || ! is_debian; then
        die "No base image: $official cannot be pulled, and only root on Debian can build one from packages." \
            'Give this machine access to a registry, or set BASE_IMAGE in .env to a Debian-trixie-like image' \
            'that it already has (see: docker images).'
    fi
    say "building the base image from Debian's packages (about 40 s) ..."
    build
fi
record
