"""Where the crates of these tests lie."""

from __future__ import annotations

from pathlib import Path

CRATES = Path(__file__).resolve().parent / "crates"
