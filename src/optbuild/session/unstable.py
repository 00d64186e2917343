"""Refuse early what only a nightly toolchain does, and what another backend than LLVM does not do."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from optbuild.errors import ToolchainError, UsageError
from optbuild.plan.action import render_argument
from optbuild.plan.draft import PlanInputs, resolve_backend, resolve_lto
from optbuild.plan.kinds.compile import Recipe
from optbuild.plan.variants import draft_recipe
from optbuild.project.cargo_profile import WITH_LTO
from optbuild.toolchain.packages import USE_NIGHTLY
from optbuild.tools.rustc import find_codegen_option
from optbuild.tools.unstable import LLVM, LLVM_FLAG, backend_pattern, find_unstable

_WITHOUT_LTO = "cranelift"


def require_unstable(inputs: PlanInputs, names: Iterable[str]) -> None:
    """Check that rustc and cargo accept what some variants ask of them, before the first build.

    Raises:
        ToolchainError: It takes a nightly toolchain, or a component that is not installed.
        UsageError: A variant wants link-time optimisation from a backend without any.
    """
    names = tuple(names)
    _require_nightly(inputs, names)
    for name in names:
        recipe = draft_recipe(inputs.build_profile.variants[name], inputs)
        backend = resolve_backend(recipe, inputs)
        if backend != LLVM:
            _require_backend(backend, inputs)
        if backend == _WITHOUT_LTO and (lto := _wanted_lto(recipe, inputs)) in WITH_LTO:
            raise UsageError(
                f'variant {name} is built with lto = "{lto}", and the codegen backend {backend} has none',
                help=f'write lto = "off" in the variant, or rustflags = ["{LLVM_FLAG}"] for LLVM',
                location=inputs.build_profile.where("variants", name, "lto"),
            )


def _require_nightly(inputs: PlanInputs, names: tuple[str, ...]) -> None:
    toolchain = inputs.toolchain
    if toolchain.accepts_unstable:
        return
    for words, origin in _list_words(inputs, names):
        if options := find_unstable(words):
            raise ToolchainError(
                f"-Z{options[0]} needs a nightly toolchain, and this is rustc {toolchain.rustc.version}",
                help=f"{USE_NIGHTLY}; or remove the option",
                location=origin,
            )


def _list_words(inputs: PlanInputs, names: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str | None]]:
    """The words for rustc and for cargo, and where they are written."""
    where, flags = inputs.build_profile.where, inputs.project.rustflags
    yield flags.flags, flags.origin
    for name in names:
        yield inputs.build_profile.variants[name].rustflags, where("variants", name, "rustflags")
    yield inputs.build_profile.project.cargo_args, where("project", "cargo-args")


def _require_backend(backend: str, inputs: PlanInputs) -> None:
    toolchain = inputs.toolchain
    directory, pattern = backend_pattern(toolchain.sysroot, toolchain.host, backend)
    if os.sep in backend or any(directory.glob(pattern)):
        return
    component = f"rustc-codegen-{backend}-preview"
    add = ("rustup", "component", "add", component, "--toolchain", toolchain.rustup_toolchain or "nightly")
    raise ToolchainError(
        f"rustc {toolchain.rustc.version} has no codegen backend {backend}",
        help=f"{' '.join(add)}; or remove what names it",
        location=str(directory),
    )


def _wanted_lto(recipe: Recipe, inputs: PlanInputs) -> str:
    flags = (*recipe.inherited_rustflags, *map(render_argument, recipe.rustflags))
    own = find_codegen_option(flags, "lto")
    return resolve_lto(recipe, inputs) if own is None else own[1] or "fat"
