"""Refuse a `cargo` workload whose targets do not exist, before anything is built."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from optbuild.errors import UsageError
from optbuild.profile.cargo_words import CargoCall, CargoVerb, TargetOption
from optbuild.profile.faults import find_nearest
from optbuild.profile.workloads import Use
from optbuild.project.model import Package, Project
from optbuild.project.selection import Targets
from optbuild.workloads.harness import find_option_of_criterion
from optbuild.workloads.invocation import Invocation

_NOUNS = {"--bench": "bench", "--test": "integration test", "--bin": "binary", "--example": "example"}


def check_targets(invocation: Invocation, project: Project, targets: Targets) -> None:
    """Check that cargo would find what a workload asks for.

    Args:
        invocation: The workload; one of another kind passes.
        project: What there is.
        targets: The packages that variants are built from.

    Raises:
        UsageError: There is no such package or target, or more than one program to run.
    """
    call = invocation.call
    if call is None:
        return
    known = {package.name: package for package in project.packages}
    if unknown := [name for name in call.packages if name not in known]:
        raise _error(invocation, f"there is no package `{unknown[0]}`", unknown[0], known)
    named = tuple(known[name] for name in call.packages)
    packages = named or targets.packages
    if call.verb is CargoVerb.RUN:
        _check_run(invocation, call, packages)
        _check_features(invocation, targets)
    if any(package.has_criterion for package in packages):
        _check_criterion(invocation, call)
    for target in call.targets:
        _check_option(invocation, target, packages, project)


def _check_option(
    invocation: Invocation, option: TargetOption, packages: tuple[Package, ...], project: Project
) -> None:
    if option.name is None:
        return
    names = [name for package in packages for name in _names(package, option.option)]
    if option.name in names or (option.is_pattern and any(fnmatchcase(name, option.name) for name in names)):
        return
    where = ", ".join(f"`{package.name}`" for package in packages)
    owner = next((p.name for p in project.packages if option.name in _names(p, option.option)), None)
    example = "" if owner is None else f'"-p", "{owner}", "{option.option}", "{option.name}"'
    message = f"there is no {_NOUNS[option.option]} `{option.name}` in {where}"
    raise _error(invocation, message, option.name, names, example=example)


def _check_criterion(invocation: Invocation, call: CargoCall) -> None:
    option = find_option_of_criterion(call)
    if option is not None:
        raise UsageError(
            f"workload {invocation.name!r}: with `{option}` Criterion would look for results that do not exist: each "
            "run has its own directory",
            help=f"remove `{option}`: optbuild compares the variants itself",
        )


def _check_features(invocation: Invocation, targets: Targets) -> None:
    """Refuse to measure one package's program if it ships from a build that unifies the features of several."""
    if Use.BENCH in invocation.use and len(targets.packages) > 1:
        raise UsageError(
            f"workload {invocation.name!r}: `cargo run` builds one package, but the variants have "
            f"{len(targets.packages)} packages, whose features unify: it would build a different program",
            help='run the program of the variants: command = ["{bin:NAME}", …] instead of `cargo`',
        )


def _check_run(invocation: Invocation, call: CargoCall, packages: tuple[Package, ...]) -> None:
    if len(packages) > 1:
        names = [package.name for package in packages]
        raise _error(invocation, "`cargo run` takes one package", None, names, example=f'"-p", "{names[0]}"')
    if not call.targets and packages[0].program_run is None:
        bins = _names(packages[0], "--bin")
        example = f'"--bin", "{bins[0]}"' if bins else '"--example", "NAME"'
        raise _error(invocation, "`cargo run` has no single program to run", None, bins, example=example)


def _names(package: Package, option: str) -> tuple[str, ...]:
    if option == "--bench":
        return package.benches
    if option == "--test":
        return package.tests
    return tuple(target.name for target in (package.bins if option == "--bin" else package.examples))


def _error(
    invocation: Invocation, message: str, wrong: str | None, names: Iterable[str], example: str = ""
) -> UsageError:
    names = list(names)
    listed = ", ".join(f"`{name}`" for name in names)
    nearest = find_nearest(wrong, names)
    remedy = f"did you mean `{nearest}`?" if nearest else "correct `cargo` in its [[workloads]] table"
    if example:
        remedy = f"name it in `cargo`: {example}"
    return UsageError(f"workload {invocation.name!r}: {message}; there is {listed or 'none'}", help=remedy)
