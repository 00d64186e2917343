from __future__ import annotations

import pytest

from optbuild.cli.main import refuse_undivided
from optbuild.errors import UsageError


@pytest.mark.parametrize("program", ["{bin}", "{bin:tool}"])
def test_a_workload_without_its_dashes_gets_the_command_line_that_was_meant(program: str) -> None:
    """Its words would be taken for a directory, or for options of optbuild."""
    with pytest.raises(UsageError, match="comes after --") as refused:
        refuse_undivided(("pgo", program, "--top", "20"))
    assert refused.value.help == f"optbuild pgo -- '{program}' --top 20"


@pytest.mark.parametrize("argv", [("pgo", "--train", "{bin}"), ("pgo", "--bench={bin} 3"), ("init",), ()])
def test_other_command_lines_are_left_alone(argv: tuple[str, ...]) -> None:
    """The value of an option may be a built program."""
    refuse_undivided(argv)
