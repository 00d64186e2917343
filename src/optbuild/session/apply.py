"""`optbuild apply`: a variant's settings for Cargo's own profile, so that a plain `cargo build` has them too."""

from __future__ import annotations

from optbuild.errors import UsageError
from optbuild.plan.planner import check_variants
from optbuild.plan.steps.codegen import cargo_profile_settings
from optbuild.profile.variants import PgoMode, Variant
from optbuild.project.cargo_profile import find_override
from optbuild.project.manifest_edit import set_profile_keys
from optbuild.session.prepare import discover_for, for_host, load_for, open_project
from optbuild.session.proposal import Proposal
from optbuild.session.request import Machine, RunRequest


def propose_cargo_profile(name: str, request: RunRequest, machine: Machine) -> Proposal:
    """Say what `Cargo.toml` would be with a variant's settings; writes nothing and runs no project code.

    Cargo reads profiles in the root manifest of the workspace only, so that is the one to change.

    Raises:
        UsageError: There is no such variant, it sets nothing that a Cargo profile has, or the manifest resists.
        BuildProfileError: The build profile cannot be used.
        ToolchainError: Cargo cannot be asked.
    """
    build_profile = load_for(request, machine)
    check_variants(build_profile, (name,))
    variant = build_profile.variants[name]
    settings = cargo_profile_settings(variant)
    if not settings:
        raise UsageError(
            f"the variant {name} sets nothing that a Cargo profile has",
            help="\n".join(_left_out(variant)) or "it is what `cargo build` gives already",
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
            help=f"write it by hand, under [profile.{cargo_profile}]: {wanted}",
            location=str(path),
        ) from error
    overrides = {key: find_override(project.cargo_profiles, cargo_profile, key) for key in settings}
    return Proposal(
        command=f"apply {name}",
        path=path,
        before=before,
        after=after,
        next_step="the baseline is built with it from now on: compare with the version before it",
        notes=(
            *_left_out(variant),
            *(f"{origin} goes before `{key}`" for key, origin in overrides.items() if origin is not None),
        ),
    )


def _left_out(variant: Variant) -> tuple[str, ...]:
    """What a variant has that no Cargo profile can say."""
    flags = [*([f"-Ctarget-cpu={variant.target_cpu}"] if variant.target_cpu else []), *variant.rustflags]
    notes = {
        f"rustflags are not part of a Cargo profile: write {flags} as `build.rustflags` in .cargo/config.toml": flags,
        f"features are not part of a Cargo profile: cargo build --features {','.join(variant.features)}": (
            variant.features
        ),
        f"PGO is not part of a Cargo profile: optbuild build {variant.name}": variant.pgo is not PgoMode.OFF,
    }
    return tuple(note for note, applies in notes.items() if applies)
