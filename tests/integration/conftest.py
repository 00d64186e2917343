"""What the tests with real tools share: an `optbuild` with a home of its own."""

from __future__ import annotations

import pytest

from tests.integration.optbuild_program import Optbuild
from tests.integration.started_program import Starter


@pytest.fixture
def optbuild(tmp_path_factory: pytest.TempPathFactory, starter: Starter) -> Optbuild:
    """The program with a home of its own, for one test."""
    return Optbuild.at(tmp_path_factory.mktemp("home"), starter)


@pytest.fixture(scope="module")
def shared_optbuild(tmp_path_factory: pytest.TempPathFactory, starter: Starter) -> Optbuild:
    """The program with one home for all tests of a module, for projects that they share."""
    return Optbuild.at(tmp_path_factory.mktemp("shared-home"), starter)
