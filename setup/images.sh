#!/bin/sh
# Build the project's images, unless those that are there were made from the very same files.
set -eu
. "$(dirname "$0")/lib.sh"

stamp=$TOOLS/images.stamp
names=$(docker compose config --images | sort -u)

# shellcheck disable=SC2086  # a list of names
ids() { docker image inspect --format '{{.Id}}' $names 2>/dev/null; }
# Everything that ends up in an image, or decides how it is built.
made_from() {
    docker image inspect --format '{{.Id}}' "$(setting BASE_IMAGE debian:trixie-slim)"
    find Dockerfile .dockerignore pyproject.toml uv.lock runner_image compose air_executor engine_proxy manager \
        -type f ! -name '*.pyc' ! -name '*.md' -print0 | sort -z | xargs -0 sha256sum
}

mkdir -p "$TOOLS"
wanted=$(made_from | sha256sum)
if found=$(ids) && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted $found" ]; then exit 0; fi

enough_space "$(engine_folder)" 4 'the images'
say 'building the images (about a minute the first time) ...'
quietly docker compose --progress plain build || die 'An image could not be built (see above).' \
    'Check the network: builds need Debian packages and the Python package index. Then try again.'
printf %s "$wanted $(ids)" >"$stamp"
