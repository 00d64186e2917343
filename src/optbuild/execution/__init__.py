"""The only part of optbuild that starts processes."""
