"""The targets of a run: those named by the build profile and the commands that cargo builds with its features."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from optbuild.errors import UsageError
from optbuild.profile.cargo_words import CargoVerb
from optbuild.profile.faults import find_nearest
from optbuild.profile.model import BuildProfile
from optbuild.profile.placeholders import Placeholder, PlaceholderKind, parse_placeholders
from optbuild.profile.workloads import Workload
from optbuild.project.default_target import configured_targets
from optbuild.project.model import BinTarget, CargoConfig, Package, Project
from optbuild.project.selection import Targets, enabled_features, is_buildable, select_targets
from optbuild.text import sanitize_line
from optbuild.tools.builders import split_glibc
from optbuild.workloads.invocation import Invocation, Moment

_COMMANDS = ("command", "server", "load", *Moment)
_FEATURE = re.compile(r"[^\s,]+")  # cargo takes several in one word
_PRODUCTS = (PlaceholderKind.BIN, PlaceholderKind.LIB)


def choose_targets(project: Project, build_profile: BuildProfile, names: tuple[str, ...]) -> Targets:
    """The targets that all variants of a run build.

    Args:
        project: The Cargo project.
        build_profile: The build profile, including the workloads of the command line.
        names: The variants that are built.

    Raises:
        UsageError: A package or program does not exist, there is more than one choice, or a requested program needs a
            feature that is off.
    """
    settings = build_profile.project
    used = _used_by(build_profile.workloads)
    try:
        targets = select_targets(
            project, settings.packages, settings.bins, used, library_alone=_are_of_cargo(build_profile.workloads)
        )
    except UsageError as error:
        has_packages = {package.name for package in project.packages}.issuperset(settings.packages)
        asked = "bins" if settings.bins and has_packages else "package"
        if settings.bins or settings.packages:
            error.location = build_profile.where("project", asked) or error.location
        raise
    _check_features(targets, build_profile, names)
    return targets if settings.all_features else _buildable(targets, build_profile, names, used)


def choose_target(
    build_profile: BuildProfile, config: CargoConfig, environ: Mapping[str, str]
) -> tuple[str, str | None]:
    """The target that all variants are built for, and the setting in cargo's configuration that names it.

    Raises:
        UsageError: The configuration names several, and the build profile none of them.
        ToolchainError: The configuration cannot be used.
    """
    if build_profile.project.target is not None:
        return split_glibc(build_profile.project.target)[0], None
    configured = configured_targets(config, environ)
    if configured is None:
        return "host", None
    if len(configured) == 1:
        return configured[0].value, configured[0].origin
    names = [target.value for target in configured]
    origins = dict.fromkeys(target.origin for target in configured)
    there_are = f"several targets: {', '.join(names)}" if names else "an empty list of targets"
    raise UsageError(
        f"cargo's configuration names {there_are}; optbuild builds for one",
        help=f'choose in optbuild.toml: [project] target = "{names[0] if names else "host"}"',
        location=", ".join(origins) or "build.target",
    )


def drop_unused_libs(targets: Targets, workloads: tuple[Invocation, ...]) -> Targets:
    """Leave out libraries for other languages if there are programs, unless a workload uses one."""
    used = {name for workload in workloads for name in workload.bins}
    return (
        replace(targets, libs=())
        if targets.bins and used.isdisjoint(lib.file_name for lib in targets.libs)
        else targets
    )


def _used_by(workloads: Iterable[Workload]) -> tuple[str, ...]:
    """The names of the programs and libraries that commands use; an empty one stands for `{bin}` or `{lib}`."""
    words = (word for each in workloads for key in _COMMANDS for word in getattr(each, key) or ())
    pieces = (piece for word in words for piece in parse_placeholders(word))
    return tuple(dict.fromkeys(p.argument or "" for p in pieces if isinstance(p, Placeholder) and p.kind in _PRODUCTS))


def _are_of_cargo(workloads: tuple[Workload, ...]) -> bool:
    """Whether all that runs are tests and benches, which cargo builds along with a library."""
    return bool(workloads) and all(each.cargo is not None and each.cargo[0] != CargoVerb.RUN for each in workloads)


def _check_features(targets: Targets, build_profile: BuildProfile, names: tuple[str, ...]) -> None:
    """Check that one of the packages has each feature; features of dependencies are cargo's business."""
    known = {name for package in targets.packages for name in package.features} | {"default"}
    places = [("project", "features"), *(("variants", name, "features") for name in names)]
    written = [build_profile.project.features, *(build_profile.variants[name].features for name in names)]
    for place, features in zip(places, written, strict=True):
        for feature in _FEATURE.findall(" ".join(features)):
            package, slash, name = feature.rpartition("/")
            if (not slash or package in {each.name for each in targets.packages}) and name not in known:
                raise _no_such_feature(name, targets, build_profile.where(*place))


def _no_such_feature(name: str, targets: Targets, location: str | None) -> UsageError:
    packages = ", ".join(f"`{sanitize_line(package.name)}`" for package in targets.packages)
    features = sorted({each for package in targets.packages for each in package.features})
    nearest = find_nearest(name, features)
    there_are = f"there {'is' if len(features) == 1 else 'are'} {', '.join(map(sanitize_line, features)) or 'none'}"
    return UsageError(
        f"no feature `{sanitize_line(name)}` in {packages}",
        help=f"correct `features`: {there_are if nearest is None else f'did you mean {sanitize_line(nearest)!r}?'}",
        location=location or str(targets.packages[0].manifest),
    )


def _buildable(targets: Targets, build_profile: BuildProfile, names: tuple[str, ...], used: tuple[str, ...]) -> Targets:
    """Leave out binaries that cargo would leave out: those whose required features are off, unless they are requested.

    Every variant builds the same binaries, so the features must be on in all of them.
    """
    enabled = {package.name: _enabled_everywhere(package, build_profile, names) for package in targets.packages}
    kept = tuple(target for target in targets.bins if is_buildable(target, enabled[target.package]))
    asked = {*build_profile.project.bins, *used}
    if "" in used:
        asked |= {package.default_run for package in targets.packages if package.default_run}
    for target in targets.bins:
        if target not in kept and (target.name in asked or not (kept or targets.libs)):
            raise _feature_is_off(target, enabled[target.package], targets, build_profile)
    return replace(targets, bins=kept)


def _enabled_everywhere(package: Package, build_profile: BuildProfile, names: tuple[str, ...]) -> frozenset[str]:
    settings = build_profile.project
    each = (
        enabled_features(
            package,
            (*settings.features, *build_profile.variants[name].features),
            with_default=not settings.no_default_features,
        )
        for name in names
    )
    return frozenset.intersection(*each)


def _feature_is_off(
    target: BinTarget, enabled: frozenset[str], targets: Targets, build_profile: BuildProfile
) -> UsageError:
    missing = [name for name in target.required_features if name not in enabled]
    listed = ", ".join(f"`{name}`" for name in missing)
    noun, verb = ("feature", "is") if len(missing) == 1 else ("features", "are")
    written = ", ".join(f'"{name}"' for name in dict.fromkeys((*build_profile.project.features, *missing)))
    manifest = next(package.manifest for package in targets.packages if package.name == target.package)
    return UsageError(
        f"the program `{target.name}` of the package `{target.package}` needs the {noun} {listed}, which {verb} not "
        "enabled in every variant",
        help=f"set features = [{written}] under [project] in optbuild.toml",
        location=build_profile.where("project", "features") or build_profile.where("project", "bins") or str(manifest),
    )
