"""What the tests with real tools share: an `optbuild` with a home of its own."""

from __future__ import annotations

import pytest

from tests.conftest import longest_first
from tests.integration.optbuild_program import Optbuild
from tests.integration.started_program import Starter

LONGEST_FIRST = (
    *("first_table", "lto_free", "compare", "cli", "ci_files", "faults", "side_by_side", "raw_profiles", "bolt"),
    *("builders", "fleet", "explain", "heap", "shared_training", "cargo_benchmarks", "bench_command", "targets"),
)
"""The modules that take long. One that is started last keeps one worker busy, and the others idle."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Hand out the long modules first: workers take whole modules, in the order of the collection."""
    longest_first(items, LONGEST_FIRST)


@pytest.fixture
def optbuild(tmp_path_factory: pytest.TempPathFactory, starter: Starter) -> Optbuild:
    """The program with a home of its own, for one test."""
    return Optbuild.at(tmp_path_factory.mktemp("home"), starter)


@pytest.fixture(scope="module")
def shared_optbuild(tmp_path_factory: pytest.TempPathFactory, starter: Starter) -> Optbuild:
    """The program with one home for all tests of a module, for projects that they share."""
    return Optbuild.at(tmp_path_factory.mktemp("shared-home"), starter)
