from __future__ import annotations

import signal

import pytest

from optbuild import errors
from optbuild.errors import BuildProfileError, InterruptedRunError, OptbuildError, Problem, WorkloadTimeoutError


def all_errors(root: type[OptbuildError] = OptbuildError) -> list[type[OptbuildError]]:
    """A class of error and everything below it, in the order in which it is drawn."""
    return [root, *(found for child in root.__subclasses__() for found in all_errors(child))]


def test_the_drawing_shows_the_tree_as_it_is() -> None:
    """Every class stands in the module's docstring with its exit code, in its place."""
    assert errors.__doc__ is not None
    drawn = [line.strip("│├└─ ").split()[:2] for line in errors.__doc__.splitlines() if "Error " in line[:32]]

    codes = [
        [error.__name__, "128+n" if error is InterruptedRunError else str(error.exit_code)] for error in all_errors()
    ]
    assert drawn == codes


def test_exit_codes_say_which_kind_of_failure_it_was() -> None:
    """No failure looks like success, like a gate's answer, like a shell's own or like the code that is reserved."""
    statuses = {error.exit_code for error in all_errors()}

    assert not statuses & {0, 1, 14, 101, 126, 127}
    assert len({error.code for error in all_errors()}) == len(all_errors())


def test_an_error_carries_what_people_need() -> None:
    """What happened is the exception's text; what mends it, where it was and what was printed lie beside it."""
    error = WorkloadTimeoutError("too slow", help="raise `timeout`", location="optbuild.toml:7", detail="last words")

    assert str(error) == error.message == "too slow"
    assert (error.help, error.location, error.detail) == ("raise `timeout`", "optbuild.toml:7", "last words")
    assert (error.status, error.code) == (12, "timeout")


def test_one_problem_of_a_build_profile_is_told_as_itself_and_many_in_one_message() -> None:
    """A JSON document has one error: it names all problems; the first gives the help and the place."""
    problems = tuple(Problem(location=f"optbuild.toml:{n}", message=f"wrong {n}", help=f"mend {n}") for n in (3, 5))

    one, two = BuildProfileError(problems[:1]), BuildProfileError(problems)

    assert (one.message, one.help, one.location) == ("wrong 3", "mend 3", "optbuild.toml:3")
    assert two.message == "the build profile has 2 problems: optbuild.toml:3: wrong 3; optbuild.toml:5: wrong 5"
    assert two.location == "optbuild.toml:3"
    assert two.problems == problems
    assert two.status == 2


@pytest.mark.parametrize(
    ("number", "status", "name"),
    [(signal.SIGINT, 130, "SIGINT"), (signal.SIGTERM, 143, "SIGTERM"), (signal.SIGHUP, 129, "SIGHUP")],
)
def test_an_interrupted_run_ends_as_shells_have_it(number: int, status: int, name: str) -> None:
    """The exit code is 128 and the signal's number, and the message names the signal."""
    error = InterruptedRunError(number)

    assert error.status == status
    assert error.message.startswith(f"stopped by {name}; ")
