"""The words of a workload's `cargo` key: what they ask of cargo, and which of them optbuild passes itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from optbuild.profile.faults import RefusedValueError, find_nearest, render_choices, render_value


class CargoVerb(StrEnum):
    """A command of cargo."""

    TEST = "test"
    BENCH = "bench"
    RUN = "run"


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetOption:
    """One option that chooses targets of a package.

    Attributes:
        option: Such as `--bench` or `--benches`.
        name: The target's name, or a cargo pattern with `*`, `?` or `[…]`; None for an option that takes none.
    """

    option: str
    name: str | None = None

    @property
    def is_pattern(self) -> bool:
        """Whether its name is a pattern for any number of targets."""
        return self.name is not None and not _PATTERN.isdisjoint(self.name)

    @property
    def words(self) -> tuple[str, ...]:
        """The option as cargo reads it."""
        return (self.option,) if self.name is None else (self.option, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class CargoCall:
    """What a workload asks of cargo.

    Attributes:
        packages: Packages that it names itself.
        targets: Empty if cargo chooses.
        arguments: Arguments for the programs, a filter for names of tests or benches first.
    """

    verb: CargoVerb
    packages: tuple[str, ...] = ()
    targets: tuple[TargetOption, ...] = ()
    arguments: tuple[str, ...] = ()

    def shares_programs(self, other: CargoCall) -> bool:
        """Whether both may run the same test or bench; one that does not choose may run any."""
        if self.verb is not other.verb or self.verb is CargoVerb.RUN:
            return False
        if self.packages and other.packages and set(self.packages).isdisjoint(other.packages):
            return False
        is_open = any(not call.targets or any(map(_is_open, call.targets)) for call in (self, other))
        return is_open or not set(self.targets).isdisjoint(other.targets)


def _is_open(target: TargetOption) -> bool:
    """Whether it stands for any number of targets."""
    return target.is_pattern or (target.name is None and target.option != "--lib")


CRITERION_HOME = "CRITERION_HOME"
"""The variable that names the directory of Criterion's results."""

_PATTERN = frozenset("*?[")
_PACKAGE = ("-p", "--package")
_RUN_ONE = ("--bin", "--example")
_RUN_SOME = ("--bench", "--test", *_RUN_ONE)
_RUN_ALL = ("--benches", "--tests", "--lib", "--bins", "--examples", "--all-targets")
_SAID_ELSEWHERE: Mapping[str, str] = {
    **dict.fromkeys(("--quiet", "-q", "--verbose", "-v"), "leave it out: optbuild reads cargo's output"),
    "--message-format": "leave it out: optbuild reads cargo's messages",
    "--no-run": "leave it out: optbuild lets cargo build, and runs the programs itself",
    "--no-fail-fast": "leave it out: a workload ends with its first failing program",
    "--doc": "leave it out: documentation tests are separate programs, compiled each time they run",
    "--target": "write `target` under [project]",
    "--target-dir": "set CARGO_TARGET_DIR, or `build.target-dir` in .cargo/config.toml",
    **dict.fromkeys(
        ("--profile", "--release", "-r"),
        "leave it out: programs are built like the variant, with `cargo-profile` of [project]",
    ),
    "--manifest-path": "write `manifest` under [project]",
    **dict.fromkeys(("--workspace", "--all", "--exclude"), 'name the packages: "-p", "NAME"'),
    **dict.fromkeys(("--features", "-F"), "write `features` under [project], or in a variant"),
    "--all-features": "write `all-features = true` under [project]",
    "--no-default-features": "write `no-default-features = true` under [project]",
    **dict.fromkeys(("--locked", "--frozen"), "leave it out, or write `locked = true` under [project]"),
    **dict.fromkeys(("--jobs", "-j"), "name it on the command line: optbuild pgo --jobs N"),
    "--config": "write it into `cargo-args` under [project]",
}


def parse_cargo_words(words: tuple[str, ...]) -> CargoCall:
    """Read the words of a `cargo` key.

    Raises:
        ValueError: Cargo would not accept them, or optbuild passes them itself.
    """
    verb = _parse_verb(words[0])
    with_name = _RUN_ONE if verb is CargoVerb.RUN else _RUN_SOME
    without_name = () if verb is CargoVerb.RUN else _RUN_ALL
    packages: list[str] = []
    targets: list[TargetOption] = []
    arguments: list[str] = []
    rest = iter(words[1:])
    for word in rest:
        option, equals, value = word.partition("=")
        if word == "--":
            arguments += rest
        elif not word.startswith("-"):
            arguments += (word, *(rest if verb is CargoVerb.RUN else ()))
        elif option in (*with_name, *_PACKAGE):
            name = value if equals else next(rest, "")
            if not name or name.startswith("-"):
                raise RefusedValueError(f"`{option}` lacks a name", help=f'write "{option}", "NAME"')
            if option in _PACKAGE:
                packages.append(name)
            else:
                targets.append(TargetOption(option=option, name=name))
        elif word in without_name:
            targets.append(TargetOption(option=word))
        else:
            raise _refusal(word, option, verb, (*with_name, *without_name))
    return CargoCall(verb=verb, packages=tuple(packages), targets=tuple(targets), arguments=tuple(arguments))


def _parse_verb(word: str) -> CargoVerb:
    if (verb := next((verb for verb in CargoVerb if verb == word), None)) is not None:
        return verb
    nearest = find_nearest(word, CargoVerb)
    meant = f'did you mean "{nearest}"? ' if nearest else ""
    raise RefusedValueError(
        f"`cargo {render_value(word)[1:-1]}` cannot be a workload",
        help=f"{meant}the first word is {render_choices(CargoVerb)}",
    )


def _refusal(word: str, option: str, verb: CargoVerb, known: tuple[str, ...]) -> RefusedValueError:
    elsewhere = _SAID_ELSEWHERE.get(option if word.startswith("--") else word[:2])
    if elsewhere is not None:
        return RefusedValueError(f"{render_value(word)} is not for `cargo`", help=elsewhere)
    nearest = find_nearest(option, known)
    meant = f"did you mean `{nearest}`? " if nearest else ""
    return RefusedValueError(
        f"{render_value(word)} is not known here",
        help=f"{meant}before `--`, write only names and {', '.join((*known, _PACKAGE[0]))};"
        f" what `cargo {verb}` passes on to programs follows `--`",
    )
