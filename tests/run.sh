#!/bin/sh
# Install what the tests need and run them all, as CI does. Further arguments go to nox.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
has() {
    command -v "$1" >/dev/null 2>&1
}
if ! has cargo; then
    echo "cargo is missing: install Rust from https://rustup.rs" >&2
    exit 3
fi
# Pages are opened in a real browser, a server gets a real load, a program is laid out by BOLT of rustc's LLVM, and one
# for another CPU is emulated: a CI has to have programs for that, a laptop may.
missing=
llvm=$(rustc -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
has chromium || has chromium-browser || has google-chrome || missing="$missing chromium"
has wrk || missing="$missing wrk"
has "llvm-bolt-$llvm" || missing="$missing bolt-$llvm llvm-$llvm"
has valgrind || missing="$missing valgrind"
has heaptrack || missing="$missing heaptrack"
has qemu-aarch64 || missing="$missing qemu-user"
has aarch64-linux-gnu-gcc || missing="$missing gcc-aarch64-linux-gnu libc6-dev-arm64-cross"
if [ -n "${CI:-}" ] && [ -n "$missing" ]; then
    if ! has apt-get || [ "$(id -u)" != 0 ]; then
        echo "missing:$missing. Install what is missing with your package manager" >&2
        exit 3
    fi
    apt-get update -qq
    # shellcheck disable=SC2086 # one word is one package
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $missing >/dev/null
fi
if [ -n "${CI:-}" ] && has rustup; then
    for target in x86_64-unknown-linux-musl aarch64-unknown-linux-gnu; do
        rustup target add "$target" || echo "$target cannot be installed: the tests that need it are skipped" >&2
    done
fi
if [ ! -x .venv/bin/python ]; then
    "$python" -m venv .venv || {
        echo "cannot make a virtual environment: Python 3.11 or newer with its venv module is needed" >&2
        exit 3
    }
fi
.venv/bin/python -m pip install --quiet "nox>=2025.2.9"
exec .venv/bin/python -m nox "$@"
