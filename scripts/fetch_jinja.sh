#!/bin/sh
# Downloads the source archive of requirements-jinja.txt (77 MB, checked against its hash) and
# unpacks from it the Jinja engine and the chat templates that the tests read, into
# .deps/llama_cpp_jinja.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
deps=${1:-$here/../.deps}
target=$deps/llama_cpp_jinja
stamp=$(sha256sum "$here/requirements-jinja.txt" | cut -d' ' -f1)
if [ "$(cat "$target/stamp" 2>/dev/null)" = "$stamp" ]; then exit 0; fi

work=$(mktemp -d "$deps/jinja.XXXXXX")
trap 'rm -rf "$work"' EXIT
PYTHONPATH=$here/jinja_source python3 -m pip download --quiet --disable-pip-version-check \
  --no-deps --no-binary :all: --no-build-isolation --require-hashes \
  --requirement "$here/requirements-jinja.txt" --dest "$work"
mkdir "$work/new"
tar -xzf "$work"/llama_cpp_python-*.tar.gz -C "$work/new" --strip-components=3 --wildcards \
  '*/vendor/llama.cpp/LICENSE' '*/vendor/llama.cpp/common/jinja/*' \
  '*/vendor/llama.cpp/common/json.*' '*/vendor/llama.cpp/common/unicode.*' \
  '*/vendor/llama.cpp/vendor/nlohmann/*' '*/vendor/llama.cpp/models/templates/*'
echo "$stamp" > "$work/new/stamp"
rm -rf "$target"
mv "$work/new" "$target"
