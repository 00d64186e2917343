"""What only a nightly toolchain or LLVM does is refused before the first build, each with what mends it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from optbuild.errors import OptbuildError, ToolchainError, UsageError
from optbuild.plan.draft import PlanInputs
from optbuild.plan.planner import make_plan
from optbuild.profile.model import ProjectSettings
from optbuild.profile.variants import Lto, PgoMode, Variant
from optbuild.project.cargo_config import find_build_std, load_cargo_config
from optbuild.project.cargo_profile import load_cargo_profiles
from optbuild.project.model import Rustflags
from optbuild.session.unstable import require_unstable
from optbuild.testing import make_build_profile, make_plan_inputs, make_project, make_toolchain
from optbuild.toolchain.install import Need, make_install_steps, missing_needs
from optbuild.toolchain.requirements import require_pgo_tools, require_target
from optbuild.tools.rustc import target_argv
from optbuild.tools.unstable import accepts_unstable, find_backend, find_unstable

CRANELIFT = "-Zcodegen-backend=cranelift"
NIGHTLY = replace(make_toolchain(), accepts_unstable=True, rustup_toolchain="nightly-2026-05-20")


def make_inputs(
    *, variant: Variant, inherited: tuple[str, ...] = (), nightly: bool = True, settings: ProjectSettings | None = None
) -> PlanInputs:
    """A project with one variant besides the baseline."""
    profile = make_build_profile(variants={"release": Variant(name="release"), "other": variant})
    return make_plan_inputs(
        build_profile=profile if settings is None else replace(profile, project=settings),
        project=make_project(rustflags=Rustflags(flags=inherited, origin="RUSTFLAGS" if inherited else None)),
        toolchain=NIGHTLY if nightly else make_toolchain(),
    )


def refusal(inputs: PlanInputs) -> OptbuildError:
    """Why the variants cannot be built."""
    with pytest.raises(OptbuildError) as caught:
        require_unstable(inputs, ["release", "other"])
    return caught.value


def with_backend(tmp_path: Path, inputs: PlanInputs) -> PlanInputs:
    """The same with Cranelift installed."""
    directory = tmp_path / "lib/rustlib" / inputs.toolchain.host / "codegen-backends"
    directory.mkdir(parents=True)
    (directory / "librustc_codegen_cranelift-1.97.0-nightly.so").touch()
    return replace(inputs, toolchain=replace(inputs.toolchain, sysroot=tmp_path))


@pytest.mark.parametrize(
    ("inputs", "location"),
    [
        (make_inputs(variant=Variant(name="other"), inherited=("-Zthreads=8",), nightly=False), "RUSTFLAGS"),
        (make_inputs(variant=Variant(name="other", rustflags=("-Z", "threads=8")), nightly=False), None),
        (
            make_inputs(
                variant=Variant(name="other"), settings=ProjectSettings(cargo_args=("-Zthreads=8",)), nightly=False
            ),
            None,
        ),
    ],
)
def test_an_option_of_nightly_is_refused_on_stable(inputs: PlanInputs, location: str | None) -> None:
    """Wherever it is written, and in either way of writing it; a nightly accepts it."""
    error = refusal(inputs)
    assert isinstance(error, ToolchainError)
    assert error.message == "-Zthreads=8 needs a nightly toolchain, and this is rustc 1.95.0"
    assert "export RUSTUP_TOOLCHAIN=nightly" in error.help
    assert error.location == location
    require_unstable(replace(inputs, toolchain=NIGHTLY), ["release", "other"])


def test_who_accepts_them() -> None:
    """A nightly, a build of rustc's own developers, and a stable one that is told to by a variable."""
    assert accepts_unstable("1.97.0-nightly", {})
    assert accepts_unstable("1.97.0-dev", {})
    assert accepts_unstable("1.95.0", {"RUSTC_BOOTSTRAP": "1"})
    assert not accepts_unstable("1.95.0", {})
    assert not accepts_unstable("1.96.0-beta.2", {})


def test_the_last_backend_decides() -> None:
    """Rustc takes the last flag, and cargo passes that of its profile before all of them."""
    assert find_backend([], None) == "llvm"
    assert find_backend([], "cranelift") == "cranelift"
    assert find_backend([CRANELIFT, "-Z", "codegen_backend=llvm"], None) == "llvm"
    assert find_backend(["-Zcodegen-backend=llvm"], "cranelift") == "llvm"
    assert find_unstable(["-Z", "a", "-Zb", "-C", "c"]) == ("a", "b")


def test_a_backend_that_is_not_installed_is_named(tmp_path: Path) -> None:
    """Before the first build, with the component; a library that is named by its path is rustc's to find."""
    inputs = make_inputs(variant=Variant(name="other"), inherited=(CRANELIFT,))
    error = refusal(inputs)
    assert error.message == "rustc 1.95.0 has no codegen backend cranelift"
    assert "rustup component add rustc-codegen-cranelift-preview --toolchain nightly-2026-05-20" in error.help
    require_unstable(with_backend(tmp_path, inputs), ["release", "other"])
    by_path = make_inputs(variant=Variant(name="other"), inherited=("-Zcodegen-backend=/opt/x.so",))
    require_unstable(by_path, ["release", "other"])


@pytest.mark.parametrize("lto", ["thin", "fat"])
def test_cranelift_has_no_lto(lto: Lto, tmp_path: Path) -> None:
    """Rustc would say so at the end of the build; LTO that is off, and LLVM, are fine."""
    wanted = Variant(name="other", lto=lto)
    error = refusal(with_backend(tmp_path, make_inputs(variant=wanted, inherited=(CRANELIFT,))))
    assert isinstance(error, UsageError)
    assert error.message == f'variant other is built with lto = "{lto}", and the codegen backend cranelift has none'
    own = replace(wanted, rustflags=("-Zcodegen-backend=llvm",))
    inputs = replace(make_inputs(variant=own, inherited=(CRANELIFT,)), toolchain=replace(NIGHTLY, sysroot=tmp_path))
    require_unstable(inputs, ["release", "other"])


def test_only_llvm_does_pgo() -> None:
    """Another backend would instrument nothing: the variant is refused, or skipped if it may be."""
    required = make_inputs(variant=Variant(name="other", pgo=PgoMode.REQUIRED), inherited=(CRANELIFT,))
    with pytest.raises(UsageError, match="codegen backend is cranelift, and only LLVM") as caught:
        make_plan(required, ("other",), measure=False)
    assert 'write rustflags = ["-Zcodegen-backend=llvm"] in the variant' in caught.value.help
    auto = make_inputs(variant=Variant(name="other", pgo=PgoMode.AUTO), inherited=(CRANELIFT,))
    skipped = {each.name: each.skipped for each in make_plan(auto, ("other",), measure=False).variants}["other"]
    assert skipped == "the codegen backend is cranelift, and only LLVM instruments a program and uses its counts"
    own = Variant(name="other", pgo=PgoMode.REQUIRED, rustflags=("-Zcodegen-backend=llvm",))
    assert make_plan(make_inputs(variant=own, inherited=(CRANELIFT,)), ("other",), measure=False).variants[-1].attempts


def test_a_cargo_profile_names_a_backend(tmp_path: Path) -> None:
    """Its key counts as a flag does."""
    manifest = tmp_path / "Cargo.toml"
    manifest.write_text('[profile.release]\ncodegen-backend = "cranelift"\n')
    profiles = load_cargo_profiles(manifest, load_cargo_config(tmp_path, {"HOME": str(tmp_path)}), {})
    inputs = make_inputs(variant=Variant(name="other"))
    error = refusal(replace(inputs, project=replace(inputs.project, cargo_profiles=profiles)))
    assert error.message == "rustc 1.95.0 has no codegen backend cranelift"


def test_build_std_needs_the_sources(tmp_path: Path) -> None:
    """And with them no installed target; `doctor --fix` installs them, and no target."""
    builds = replace(NIGHTLY, build_std="cargo-args", target_installed=False)
    with pytest.raises(ToolchainError, match="sources of the standard library") as caught:
        require_target(builds)
    assert caught.value.help == "rustup component add rust-src --toolchain nightly-2026-05-20"
    assert missing_needs(builds) >= {Need.LIBRARY_SOURCES}
    assert Need.TARGET not in missing_needs(builds)
    home = tmp_path / "toolchains" / "nightly"
    steps = make_install_steps(
        replace(builds, sysroot=home), {"RUSTUP_HOME": str(tmp_path)}, is_root=True, has=lambda name: name == "rustup"
    )
    assert ("rustup", "component", "add", "rust-src", "--toolchain", "nightly") in [step.argv for step in steps]
    require_target(replace(builds, library_sources=Path("/rust/library")))


def test_a_target_of_the_users_own() -> None:
    """Rustc is asked with the option that it demands; its library has to be built, and there is no PGO."""
    own = replace(NIGHTLY, target="custom.json", target_installed=False, profiler_runtime=None)
    assert target_argv(Path("rustc"), "custom.json")[1] == "-Zunstable-options"
    assert "-Zunstable-options" not in target_argv(Path("rustc"), "x86_64-unknown-linux-gnu")
    with pytest.raises(ToolchainError, match=r"custom\.json has no standard library") as caught:
        require_target(own)
    assert 'build-std = ["std", "panic_abort"] and json-target-spec = true under [unstable]' in caught.value.help
    built = replace(own, build_std="cargo-args", library_sources=Path("/rust/library"))
    require_target(built)
    with pytest.raises(ToolchainError, match="profiler runtime") as caught:
        require_pgo_tools(built)
    assert "build only variants without PGO" in caught.value.help
    assert Need.TARGET not in missing_needs(own)


def test_where_build_std_is_asked_for(tmp_path: Path) -> None:
    """In a variable, or in cargo's configuration, which is named."""
    environ = {"HOME": str(tmp_path)}
    assert find_build_std(load_cargo_config(tmp_path, environ), environ) is None
    variable = {**environ, "CARGO_UNSTABLE_BUILD_STD": "std"}
    assert find_build_std(load_cargo_config(tmp_path, environ), variable) == "CARGO_UNSTABLE_BUILD_STD"
    file = tmp_path / ".cargo" / "config.toml"
    file.parent.mkdir()
    file.write_text('[unstable]\nbuild-std = ["std"]\n')
    assert find_build_std(load_cargo_config(tmp_path, environ), environ) == f"{file}: unstable.build-std"
