#!/bin/sh
# Install what the tests need and run them all, as CI does. Further arguments go to nox.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
if ! command -v cargo >/dev/null 2>&1; then
    echo "cargo is missing: install Rust from https://rustup.rs" >&2
    exit 3
fi
if [ ! -x .venv/bin/python ]; then
    "$python" -m venv .venv || {
        echo "cannot make a virtual environment: Python 3.11 or newer with its venv module is needed" >&2
        exit 3
    }
fi
.venv/bin/python -m pip install --quiet "nox>=2025.2.9"
exec .venv/bin/python -m nox "$@"
