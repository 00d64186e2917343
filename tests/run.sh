#!/bin/sh
# Install what the tests need and run them all, as CI does. Further arguments go to nox.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
if ! command -v cargo >/dev/null 2>&1; then
    echo "cargo is missing: install Rust from https://rustup.rs" >&2
    exit 3
fi
# Pages are opened in a real browser: a CI has to have one, a laptop may.
if [ -n "${CI:-}" ] && ! command -v chromium >/dev/null 2>&1 && ! command -v google-chrome >/dev/null 2>&1; then
    if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
        apt-get update -qq && apt-get install -qq -y --no-install-recommends chromium >/dev/null
    else
        echo "chromium is missing: install it with your package manager" >&2
        exit 3
    fi
fi
if [ ! -x .venv/bin/python ]; then
    "$python" -m venv .venv || {
        echo "cannot make a virtual environment: Python 3.11 or newer with its venv module is needed" >&2
        exit 3
    }
fi
.venv/bin/python -m pip install --quiet "nox>=2025.2.9"
exec .venv/bin/python -m nox "$@"
