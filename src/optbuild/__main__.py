"""`python -m optbuild`."""

from __future__ import annotations

from optbuild.cli.main import main

if __name__ == "__main__":
    main()
