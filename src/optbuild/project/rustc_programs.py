"""Find the programs that cargo would run as rustc and as its wrappers. Nothing is run from here.

Sources:
    cargo 1.95, `src/cargo/util/context/mod.rs` (`maybe_get_tool`) and `path.rs` (`resolve_program`).
"""

from __future__ import annotations

from collections.abc import Mapping

from optbuild.project.cargo_config import environment_value
from optbuild.project.model import CargoConfig, ConfiguredValue, Setting, misconfigured


def configured_rustc(config: CargoConfig, environ: Mapping[str, str]) -> ConfiguredValue | None:
    """The compiler that the environment or the configuration names; None means `rustc` from `PATH`.

    Raises:
        ToolchainError: The configured value is not a string.
    """
    return _program(config, environ, "rustc")


def rustc_wrappers(config: CargoConfig, environ: Mapping[str, str]) -> tuple[ConfiguredValue, ...]:
    """The programs that cargo calls instead of rustc, the outer one first; an empty string turns one off.

    Raises:
        ToolchainError: A configured value is not a string.
    """
    programs = (_program(config, environ, key) for key in ("rustc-wrapper", "rustc-workspace-wrapper"))
    return tuple(program for program in programs if program is not None and program.value)


def _program(config: CargoConfig, environ: Mapping[str, str], key: str) -> ConfiguredValue | None:
    own_variable = key.replace("-", "_").upper()
    for variable in (own_variable, f"CARGO_BUILD_{own_variable}"):
        value = environment_value(environ, variable)
        if value is not None:
            path = str(config.directory / value) if "/" in value else value
            return ConfiguredValue(value=path, origin=variable)
    node = config.find("build", key)
    match node:
        case None:
            return None
        case Setting(value=str() as text, file=file):
            # A path starts at the directory that holds `.cargo`; a bare name is looked up in PATH.
            path = str(file.parent.parent / text) if "/" in text else text
            return ConfiguredValue(value=path, origin=f"{file}: build.{key}")
        case _:
            raise misconfigured(("build", key), "expected a string", node)
