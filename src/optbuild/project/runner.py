"""Find the program that cargo would run a target's programs with, usually an emulator. Nothing is run from here.

Sources:
    The Cargo Book, `target.<triple>.runner`: https://doc.rust-lang.org/cargo/reference/config.html#targettriplerunner
    cargo 1.95, `src/cargo/core/compiler/compilation.rs` (`target_runner`) and `src/cargo/util/context/path.rs`
    (`PathAndArgs`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from optbuild.project.cargo_config import environment_value
from optbuild.project.model import CargoConfig, ConfigNode, ConfiguredRunner, Setting, first_file, misconfigured
from optbuild.project.rustflags import matching_cfg_tables


def find_runner(
    config: CargoConfig, environ: Mapping[str, str], target: str, target_cfg: tuple[str, ...]
) -> ConfiguredRunner | None:
    """The runner of a target: its own, or that of the matching `target.'cfg(…)'` table.

    Raises:
        ToolchainError: A configured value has a type that cargo refuses, or several tables match.
    """
    name = Path(target).stem if target.endswith(".json") else target
    variable = f"CARGO_TARGET_{name.upper().replace('-', '_').replace('.', '_')}_RUNNER"
    if (text := environment_value(environ, variable)) is not None:
        return _make_runner(text.split(), config.directory, variable)
    own = runner_key(target)
    if (node := config.find(*own)) is not None:
        return _from_file(node, own)
    found = [("target", key, "runner") for key in matching_cfg_tables(config, target_cfg, "runner")]
    if len(found) > 1:
        tables = ", ".join(f"target.'{key[1]}'" for key in found)
        node = config.find(*found[1])
        assert node is not None  # noqa: S101 - it was found just now
        raise misconfigured(found[1], f"several tables match this target: {tables}", node)
    if found and (node := config.find(*found[0])) is not None:
        return _from_file(node, found[0])
    return None


def runner_key(target: str) -> tuple[str, ...]:
    """Find where the configuration has a runner for a target's triple."""
    name = Path(target).stem if target.endswith(".json") else target
    return ("target", *name.split("."), "runner")  # cargo makes one key of it, so a triple with a dot is two tables


def _from_file(node: ConfigNode, key: tuple[str, ...]) -> ConfiguredRunner | None:
    match node:
        case Setting(value=str() as text):
            words = text.split()
        case Setting() | Mapping():
            raise misconfigured(key, "expected a string or an array of strings", node)
        case _:
            words = []
            for item in node:
                if not isinstance(item, Setting) or not isinstance(item.value, str):
                    raise misconfigured(key, "expected an array of strings", node)
                words.append(item.value)
    file = first_file(node)
    if file is None:
        return None
    # A path starts at the directory that holds `.cargo`.
    return _make_runner(words, file.parent.parent, f"{file}: {'.'.join((key[0], repr(key[1]), *key[2:]))}")


def _make_runner(words: list[str], directory: Path, origin: str) -> ConfiguredRunner | None:
    if not words:
        return None
    program, *arguments = words
    path = str(directory / program) if "/" in program else program
    return ConfiguredRunner(argv=(path, *arguments), origin=origin)
