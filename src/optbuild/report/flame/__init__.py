"""Flame graphs, tables and files of what was recorded. Not for recording: `observe` does."""
