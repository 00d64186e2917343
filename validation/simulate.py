"""Run the simulations and print, or write, the validation page: `python -m validation.simulate [--full] [--write]`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import scipy

from validation import experiments
from validation.document import render
from validation.experiments import FULL, REDUCED
from validation.rates import Outcome
from validation.time_tables import runs_to_detect, time_to_verdict

PAGE = Path(__file__).parent.parent / "docs" / "measurement" / "validation.md"
_SEED = 1
EXPERIMENTS = (*experiments.EXPERIMENTS, time_to_verdict, runs_to_detect)


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulate; give 1 where a target is missed and the page has no reason for it, else 0."""
    options = _parser().parse_args(arguments)
    tables = []
    for experiment in EXPERIMENTS:
        table = experiment(options.seed, FULL if options.full else REDUCED)
        sys.stderr.write(f"{table.title}: {table.outcome or 'no target'}\n")
        tables.append(table)
    command = f"python -m validation.simulate{' --full' if options.full else ''} --seed {options.seed} --write"
    versions = f"numpy {np.__version__} and scipy {scipy.__version__}"
    page = render(tables, command=command, versions=versions)
    if options.write:
        PAGE.parent.mkdir(parents=True, exist_ok=True)
        PAGE.write_text(page, encoding="utf-8")
    else:
        sys.stdout.write(page)
    return int(any(table.outcome is Outcome.MISSED and not table.remark for table in tables))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m validation.simulate", description=__doc__)
    parser.add_argument("--full", action="store_true", help=f"{FULL.sessions} sessions per row, not {REDUCED.sessions}")
    parser.add_argument("--seed", type=int, default=_SEED, help="of all chance (default: %(default)s)")
    parser.add_argument("--write", action="store_true", help="write the page into the documentation")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
