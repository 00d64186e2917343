"""Find, prove and reproduce the fastest release binary of a Cargo project."""

from __future__ import annotations

__version__ = "0.1.0"
