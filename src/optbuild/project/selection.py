"""Which package and binaries a run is about: what was asked for, or the only choice there is."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from optbuild.errors import UsageError
from optbuild.project.model import BinTarget, Package, Project


def select_bins(project: Project, package: str | None, bins: tuple[str, ...]) -> tuple[Package, tuple[BinTarget, ...]]:
    """Choose the package and its binaries.

    Args:
        project: What there is.
        package: The package's name; None takes the manifest's own package, else the only one with a binary.
        bins: The binaries' names; empty takes all of the package.

    Raises:
        UsageError: There is no such package or binary, no binary at all, or more than one package to choose from.
    """
    chosen = _default_package(project, bins) if package is None else _named_package(project, package)
    if not chosen.bins:
        raise _without_bins(project, chosen)
    if not bins:
        return chosen, chosen.bins
    by_name = {target.name: target for target in chosen.bins}
    for name in bins:
        if name not in by_name:
            raise UsageError(
                f"the package `{chosen.name}` has no binary `{name}`; it has {_listed(by_name)}",
                help=_suggestion("bins", name, by_name),
                location=str(chosen.manifest),
            )
    return chosen, tuple(by_name[name] for name in dict.fromkeys(bins))


def default_bin(package: Package, bins: tuple[BinTarget, ...]) -> BinTarget | None:
    """The binary that `{bin}` stands for: the package's `default-run`, or the only one; None where it is not clear."""
    if len(bins) == 1:
        return bins[0]
    return next((target for target in bins if target.name == package.default_run), None)


def enabled_features(package: Package, features: Iterable[str], *, with_default: bool) -> frozenset[str]:
    """All features of a package that cargo enables when it is asked for some, those that they imply included.

    Args:
        package: Whose features these are.
        features: As `--features` has them; `dependency/feature` is kept as it is.
        with_default: `--no-default-features` is not given.

    Sources:
        The Cargo Book, features: https://doc.rust-lang.org/cargo/reference/features.html
    """
    wanted = [name.removeprefix(f"{package.name}/") for name in features] + ["default"] * with_default
    enabled: set[str] = set()
    while wanted:
        name = wanted.pop()
        if name in enabled:
            continue
        enabled.add(name)
        wanted += package.features.get(name, ())
        dependency, slash, _ = name.partition("/")
        if slash and dependency in package.features:
            wanted.append(dependency)  # a feature of an optional dependency enables it; `dependency?/feature` does not
    return frozenset(enabled)


def is_buildable(target: BinTarget, enabled: frozenset[str]) -> bool:
    """Whether cargo builds a binary that was not asked for by its name."""
    return enabled.issuperset(target.required_features)


def _named_package(project: Project, name: str) -> Package:
    by_name = {package.name: package for package in project.packages}
    if not by_name:
        raise _without_bins(project, None)
    if name not in by_name:
        raise UsageError(
            f"there is no package `{name}` in this workspace; there is {_listed(by_name)}",
            help=_suggestion("package", name, by_name),
            location=str(project.manifest),
        )
    return by_name[name]


def _default_package(project: Project, bins: tuple[str, ...]) -> Package:
    own = next((package for package in project.packages if package.manifest == project.manifest), None)
    # A library's own directory means that library; in the workspace's root it may mean the program beside it.
    if own is not None and (own.bins or project.directory != project.workspace_root):
        return own
    candidates = [package for package in project.packages if package.bins]
    if len(candidates) > 1 and bins:
        owners = [package for package in candidates if set(bins) <= {target.name for target in package.bins}]
        candidates = owners or candidates
    if len(candidates) == 1:
        return candidates[0]
    if not candidates:
        raise _without_bins(project, own)
    choices = "; ".join(
        f"`{package.name}` ({_listed(target.name for target in package.bins)})" for package in candidates
    )
    raise UsageError(
        f"several packages of this workspace have binaries: {choices}",
        help=f'choose one in optbuild.toml: [project] package = "{candidates[0].name}"',
        location=str(project.manifest),
    )


def _without_bins(project: Project, package: Package | None) -> UsageError:
    others = [other for other in project.packages if other.bins]
    if package is None:
        message = "no package of this workspace has a binary"
    else:
        kind = "is a library only" if package.is_library_only else "has no binary"
        message = f"the package `{package.name}` {kind}, and there is nothing to build and measure"
    if others:
        message += f"; binaries are in {_listed(other.name for other in others)}"
        remedy = f'choose another package in optbuild.toml: [project] package = "{others[0].name}"'
    else:
        remedy = "add a small program that uses the library as `src/main.rs` or `src/bin/NAME.rs`, and name that"
    location = project.manifest if package is None else package.manifest
    return UsageError(message, help=remedy, location=str(location))


def _suggestion(key: str, wrong: str, names: Iterable[str]) -> str:
    names = list(names)
    nearest = difflib.get_close_matches(wrong, names, n=1)
    value = nearest[0] if nearest else names[0]
    written = f'["{value}"]' if key == "bins" else f'"{value}"'
    question = f"did you mean `{value}`? " if nearest else ""
    return f"{question}write {key} = {written} under [project] in optbuild.toml"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
