"""Choose what a run builds: the requested packages, programs and libraries, or the only choice there is."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from optbuild.errors import UsageError
from optbuild.project.model import BinTarget, LibFile, Package, Project


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """What is built, by one call of cargo.

    Attributes:
        packages: The packages that cargo is asked to build.
        bins: Their programs: binaries, and examples requested by name.
        libs: Their libraries for other languages.
    """

    packages: tuple[Package, ...]
    bins: tuple[BinTarget, ...]
    libs: tuple[LibFile, ...] = ()


def select_targets(
    project: Project,
    packages: tuple[str, ...],
    bins: tuple[str, ...],
    used: tuple[str, ...] = (),
    *,
    library_alone: bool = False,
) -> Targets:
    """Choose packages, their programs and their libraries.

    Args:
        project: The project.
        packages: Names; none takes the owners of `bins`, else of what is used by name, else the manifest's own package,
            else the only default member with a binary, else the only member with one, else the only one with a library
            for other languages.
        bins: Names of binaries or examples; none takes all binaries of the packages.
        used: Names of programs and libraries that commands use; an empty one means the default.
        library_alone: A package with nothing but a library for Rust will do: tests or benches stand for it.

    Raises:
        UsageError: There is no such package or program, nothing to build, more than one choice, or two programs with
            one name.
    """
    if packages:
        chosen = tuple(_named_package(project, name) for name in dict.fromkeys(packages))
        found = _named_bins(chosen, bins) if bins else _all_bins(project, chosen, library_alone=library_alone)
    elif bins:
        found = _named_bins(_candidates(project, bins), bins)
        owners = dict.fromkeys(target.package for target in found)
        chosen = tuple(_named_package(project, name) for name in owners)
    else:
        chosen = _packages_in_use(project, used)
        found = _all_bins(project, chosen, library_alone=library_alone)
    _require_distinct(found)
    return Targets(packages=chosen, bins=found, libs=tuple(lib for package in chosen for lib in package.libs))


def default_bin(targets: Targets) -> BinTarget | None:
    """The program that `{bin}` stands for: the only one, or a package's `default-run`; None if that is ambiguous."""
    if len(targets.bins) == 1:
        return targets.bins[0]
    declared = {(package.name, package.default_run) for package in targets.packages}
    found = [target for target in targets.bins if (target.package, target.name) in declared and not target.is_example]
    return found[0] if len(found) == 1 else None


def enabled_features(package: Package, features: Iterable[str], *, with_default: bool) -> frozenset[str]:
    """All features of a package that cargo enables for the requested ones, including those that they imply.

    Args:
        package: The package with these features.
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
    """Whether cargo builds a binary with these features enabled."""
    return enabled.issuperset(target.required_features)


def _named_package(project: Project, name: str) -> Package:
    by_name = {package.name: package for package in project.packages}
    if not by_name:
        raise _nothing_to_build(project, None)
    if name not in by_name:
        raise UsageError(
            f"there is no package `{name}` in this workspace; there is {_listed(by_name)}",
            help=_suggestion("package", name, by_name),
            location=str(project.manifest),
        )
    return by_name[name]


def _own_package(project: Project) -> Package | None:
    return next((package for package in project.packages if package.manifest == project.manifest), None)


def _default_members(project: Project) -> tuple[Package, ...]:
    """The packages that cargo takes where it is run; all members if it does not say."""
    own = _own_package(project)
    if own is not None and project.directory != project.workspace_root:
        return (own,)
    return tuple(package for package in project.packages if package.name in project.default_members) or project.packages


def _packages_in_use(project: Project, used: tuple[str, ...]) -> tuple[Package, ...]:
    """The default package; if commands use names from elsewhere, their owners, and the default for `{bin}`."""
    candidates = _default_candidates(project)
    owners = [owner for name in used if name and (owner := _owner(project, candidates, name)) is not None]
    is_default_used = "" in used or (len(candidates) == 1 and candidates[0] in owners)
    default = () if owners and not is_default_used else (_only(project, candidates),)
    return tuple({package.name: package for package in (*default, *owners)}.values())


def _default_candidates(project: Project) -> tuple[Package, ...]:
    """The packages that may be meant if none is named."""
    own = _own_package(project)
    members = _default_members(project)
    # A library's own directory means that library; in the workspace's root it may mean another member's program.
    if own is not None and own in members and (own.bins or project.directory != project.workspace_root):
        return (own,)
    choices = (
        tuple(package for package in members if package.bins),
        tuple(package for package in members if package.libs and len(members) < len(project.packages) and own is None),
        tuple(package for package in project.packages if package.bins),
        () if own is None else (own,),
        tuple(package for package in project.packages if package.libs),
    )
    return next(filter(None, choices), ())


def _only(project: Project, candidates: tuple[Package, ...]) -> Package:
    if len(candidates) == 1:
        return candidates[0]
    if not candidates:
        raise _nothing_to_build(project, _own_package(project))
    names = [package.name for package in candidates]
    choices = "; ".join(f"`{package.name}` ({_listed(_names_in(package))})" for package in candidates)
    what, kind = ("binaries", "bin") if candidates[0].bins else ("libraries for other languages", "lib")
    raise UsageError(
        f"several packages of this workspace have {what}: {choices}",
        help=f"name one in the command: {{{kind}:NAME}}; or choose in optbuild.toml: "
        f'[project] package = "{names[0]}", or several: package = [{", ".join(map(_quoted, names))}]',
        location=str(project.manifest),
    )


def _owner(project: Project, candidates: tuple[Package, ...], name: str) -> Package | None:
    """The package of a program or library that is used by name; cargo's defaults precede the other members."""
    for packages in (candidates, _default_members(project), project.packages):
        found = [package for package in packages if name in {target.name for target in package.bins}]
        found = found or [package for package in packages if any(lib.is_called(name) for lib in package.libs)]
        if len(found) > 1:
            raise _several_owners(packages, name, [package.name for package in found])
        if found:
            return found[0]
    return None


def _several_owners(packages: tuple[Package, ...], name: str, owners: list[str]) -> UsageError:
    return UsageError(
        f"several packages have a program `{name}`: {_listed(owners)}",
        help=f'choose one in optbuild.toml: [project] package = "{owners[0]}"',
        location=str(packages[0].manifest),
    )


def _candidates(project: Project, bins: tuple[str, ...]) -> tuple[Package, ...]:
    """Where to look for programs that were requested without a package."""
    own = _own_package(project)
    places = (() if own is None else (own,), _default_members(project))
    return next((place for place in places if set(bins) <= _programs_in(place)), project.packages)


def _programs_in(packages: tuple[Package, ...]) -> set[str]:
    return {target.name for package in packages for target in (*package.bins, *package.examples)}


def _names_in(package: Package) -> list[str]:
    return [target.name for target in package.bins] or [lib.file_name for lib in package.libs]


def _all_bins(project: Project, packages: tuple[Package, ...], *, library_alone: bool) -> tuple[BinTarget, ...]:
    empty = next((package for package in packages if not package.bins and not package.libs), None)
    if empty is not None and not (library_alone and empty.is_library_only):
        raise _nothing_to_build(project, empty)
    return tuple(target for package in packages for target in package.bins)


def _named_bins(packages: tuple[Package, ...], names: tuple[str, ...]) -> tuple[BinTarget, ...]:
    return tuple(_named_bin(packages, name) for name in dict.fromkeys(names))


def _named_bin(packages: tuple[Package, ...], name: str) -> BinTarget:
    """A binary, or else an example, with that name."""
    bins = [target for package in packages for target in package.bins]
    examples = [target for package in packages for target in package.examples]
    found = [target for target in bins if target.name == name]
    found = found or [target for target in examples if target.name == name]
    if len(found) == 1:
        return found[0]
    if found:
        raise _several_owners(packages, name, [target.package for target in found])
    known = list(dict.fromkeys(target.name for target in (*bins, *examples)))
    whose = (
        f"the package `{packages[0].name}` has" if len(packages) == 1 else f"{_listed(p.name for p in packages)} have"
    )
    and_examples = f"; examples: {_listed(target.name for target in examples)}" if examples else ""
    there_is = f"it has {_listed(t.name for t in bins)}" if bins else "it has none"
    raise UsageError(
        f"{whose} no binary `{name}`; {there_is}{and_examples}",
        help=_suggestion("bins", name, known) if known else "leave `bins` out under [project] in optbuild.toml",
        location=str(packages[0].manifest),
    )


def _require_distinct(bins: tuple[BinTarget, ...]) -> None:
    """Refuse programs with one name: cargo writes them to one file, and chance decides which remains."""
    name, count = Counter(target.name for target in bins).most_common(1)[0] if bins else ("", 0)
    if count > 1:
        owners = [target.package for target in bins if target.name == name]
        raise UsageError(
            f"two of the programs to build are called `{name}`, in {_listed(owners)}: cargo would overwrite one with "
            "the other",
            help="choose fewer `bins` under [project] in optbuild.toml, or give each its own build profile",
        )


def _nothing_to_build(project: Project, package: Package | None) -> UsageError:
    others = [other for other in project.packages if other.bins]
    if package is None:
        message = "no package of this workspace has a binary"
    else:
        kind = "is a library only" if package.is_library_only else "has no binary"
        message = f"the package `{package.name}` {kind}, so there is nothing to build and measure"
    if others:
        message += f"; binaries are in {_listed(other.name for other in others)}"
        remedy = f'choose another package in optbuild.toml: [project] package = "{others[0].name}"'
    else:
        remedy = "add a small program that uses the library as `src/main.rs` or `src/bin/NAME.rs`, and name that"
        if package is not None and package.is_library_only and (package.benches or package.tests):
            verb = "bench" if package.benches else "test"
            remedy = f'measure its {verb}{"e" * (verb == "bench")}s: write cargo = ["{verb}"] in a [[workloads]] table'
    if package is not None and package.examples:
        name = package.examples[0].name
        remedy = f'build an example of it: write bins = ["{name}"] under [project] in optbuild.toml'
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


def _quoted(name: str) -> str:
    return f'"{name}"'
