"""What a command demands of a build profile beyond what it says: whose counts to take, flags, and what to run."""

from __future__ import annotations

from dataclasses import replace

from optbuild.errors import UsageError
from optbuild.profile.faults import find_nearest
from optbuild.profile.model import BuildProfile
from optbuild.profile.profile_data import UseProfileData
from optbuild.profile.workloads import Use
from optbuild.session.request import RunRequest


def with_request(build_profile: BuildProfile, request: RunRequest) -> BuildProfile:
    """A build profile as a request wants it."""
    if request.ignore_profile_data or request.require_profile_data:
        use = UseProfileData.NEVER if request.ignore_profile_data else UseProfileData.ALWAYS
        build_profile = replace(build_profile, profile_data=replace(build_profile.profile_data, use=use))
    if request.notes_outlines:
        # Counts are committed as they were counted: each build scales them for itself.
        build_profile = build_profile.with_each_variant(lambda variant: replace(variant, count_scale=None))
    if request.baseline is not None:
        build_profile = replace(build_profile, measure=replace(build_profile.measure, baseline=request.baseline))
    if request.bench_only is not None:
        build_profile = _with_only_benchmark(build_profile, request.bench_only)
    if not request.rustflags:
        return build_profile
    return build_profile.with_each_variant(
        lambda variant: replace(variant, rustflags=(*variant.rustflags, *request.rustflags))
    )


def _with_only_benchmark(build_profile: BuildProfile, name: str) -> BuildProfile:
    """The same with one benchmark; training is as before."""
    names = [workload.name for workload in build_profile.workloads if Use.BENCH in workload.use]
    if name not in names:
        nearest = find_nearest(name, names)
        suggestion = f"did you mean {nearest!r}? " if nearest else ""
        raise UsageError(
            f"no benchmark workload is called {name!r}",
            help=f"{suggestion}the build profile has: {', '.join(names) or 'none'}",
            location=None if build_profile.path is None else str(build_profile.path),
        )
    kept = (
        workload
        if workload.name == name
        else replace(workload, use=tuple(u for u in workload.use if u is not Use.BENCH))
        for workload in build_profile.workloads
    )
    return replace(build_profile, workloads=tuple(workload for workload in kept if workload.use))
