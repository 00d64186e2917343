"""What the tests with real tools share: an `optbuild` with a home of its own."""

from __future__ import annotations

import pytest

from tests.integration.optbuild_program import Optbuild


@pytest.fixture
def optbuild(tmp_path_factory: pytest.TempPathFactory) -> Optbuild:
    """The program with a home of its own, for one test."""
    return Optbuild.at(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def shared_optbuild(tmp_path_factory: pytest.TempPathFactory) -> Optbuild:
    """The program with one home for all tests of a module, for projects that they share."""
    return Optbuild.at(tmp_path_factory.mktemp("shared-home"))
