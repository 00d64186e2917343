#!/bin/sh
# Install optbuild into .venv, get a fitting llvm-profdata where there is none, and run the main job on an example.
# Usage: examples/try.sh [EXAMPLE]     (calc-vm, wordfreq or workspace)
set -eu
cd "$(dirname "$0")/.."
example=examples/${1:-calc-vm}
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
.venv/bin/python -m pip install --quiet .
if [ -f "$example/make_data.py" ]; then
    "$python" "$example/make_data.py"
fi
.venv/bin/optbuild doctor "$example" --fix --yes
exec .venv/bin/optbuild pgo "$example"
