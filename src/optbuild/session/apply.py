"""`optbuild apply`: put a variant's settings into Cargo's own profile, where a plain `cargo build` uses them too."""

from __future__ import annotations

from optbuild.errors import UsageError
from optbuild.plan.planner import check_variants
from optbuild.plan.steps.codegen import cargo_profile_settings
from optbuild.profile.variants import Allocator, PgoMode, Variant
from optbuild.project.cargo_profile import find_override
from optbuild.project.manifest_edit import set_profile_keys
from optbuild.session.opening import discover_for, for_host, load_for, open_project
from optbuild.session.proposal import Proposal
from optbuild.session.request import Machine, RunRequest


def propose_cargo_profile(name: str, request: RunRequest, machine: Machine) -> Proposal:
    """Propose a `Cargo.toml` with a variant's settings; write nothing and run no project code.

    Cargo reads profiles only in the workspace's root manifest, so that one is changed.

    Raises:
        UsageError: The variant does not exist, it sets nothing that a Cargo profile can hold, or the manifest cannot be
            changed.
        BuildProfileError: The build profile cannot be used.
        ToolchainError: Cargo cannot be run.
    """
    build_profile = load_for(request, machine)
    check_variants(build_profile, (name,))
    variant = build_profile.variants[name]
    settings = cargo_profile_settings(variant)
    if not settings:
        raise UsageError(
            f"the variant {name} sets nothing that a Cargo profile can hold",
            help="\n".join(_left_out(variant)) or "`cargo build` already gives the same binary",
        )
    toolchain = discover_for(for_host(build_profile), machine, trusted=False)
    project = open_project(build_profile.directory / build_profile.project.manifest, toolchain, machine)
    path = project.workspace_root / "Cargo.toml"
    before, cargo_profile = path.read_bytes().decode(), build_profile.project.cargo_profile
    try:
        after = set_profile_keys(before, cargo_profile, settings)
    except ValueError as error:
        wanted = ", ".join(f"{key} = {value!r}" for key, value in settings.items())
        raise UsageError(
            f"{path} cannot be changed: {error}",
            help=f"edit it by hand, under [profile.{cargo_profile}]: {wanted}",
            location=str(path),
        ) from error
    overrides = {key: find_override(project.cargo_profiles, cargo_profile, key) for key in settings}
    return Proposal(
        command=f"apply {name}",
        path=path,
        before=before,
        after=after,
        next_step="the baseline will be built with it, too: compare with the version before this change",
        notes=(
            *_left_out(variant),
            *(f"{origin} overrides `{key}`" for key, origin in overrides.items() if origin is not None),
        ),
    )


def _left_out(variant: Variant) -> tuple[str, ...]:
    """The settings of a variant that no Cargo profile can hold."""
    flags = [*([f"-Ctarget-cpu={variant.target_cpu}"] if variant.target_cpu else []), *variant.rustflags]
    notes = {
        f"rustflags are not part of a Cargo profile: write {flags} as `build.rustflags` in .cargo/config.toml": flags,
        f"features are not part of a Cargo profile: cargo build --features {','.join(variant.features)}": (
            variant.features
        ),
        f"the allocator is not part of a Cargo profile: use the crate `{variant.allocator}` in the program itself": (
            variant.allocator is not Allocator.DEFAULT
        ),
        f"PGO is not part of a Cargo profile: optbuild build {variant.name}": variant.pgo is not PgoMode.OFF,
    }
    return tuple(note for note, applies in notes.items() if applies)
