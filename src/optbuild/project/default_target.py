"""The target that cargo builds for if none is given.

Sources:
    The Cargo Book, `build.target`: https://doc.rust-lang.org/cargo/reference/config.html#buildtarget cargo 1.95,
    `src/cargo/util/context/schema.rs` (`BuildTargetConfig`), and what it does: a list from the files is joined with the
    variable; the variable overrides a text.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from optbuild.errors import ToolchainError
from optbuild.project.cargo_config import environment_value
from optbuild.project.model import CargoConfig, ConfigNode, ConfiguredValue, Setting, misconfigured

_KEY = ("build", "target")
_VARIABLE = "CARGO_BUILD_TARGET"
_EXPECTED = "expected a string or an array of strings"


def configured_targets(config: CargoConfig, environ: Mapping[str, str]) -> tuple[ConfiguredValue, ...] | None:
    """The triples, or paths of JSON files, that the configuration and its variable name; None if neither does.

    Raises:
        ToolchainError: A configured value has a type that cargo refuses, or is empty.
    """
    text = environment_value(environ, _VARIABLE)
    match config.find(*_KEY):
        case None | Setting() if text is not None:
            found = [_target(text, config.directory, _VARIABLE)]
        case None:
            return None
        case Setting() as node:
            found = [_from_file(node)]
        case Mapping() as table:
            raise misconfigured(_KEY, _EXPECTED, table)
        case nodes:
            found = [*map(_from_file, nodes)]
            found += (_target(word, config.directory, _VARIABLE) for word in (text or "").split())
    return tuple({target.value: target for target in found}.values())


def _from_file(node: ConfigNode) -> ConfiguredValue:
    if not isinstance(node, Setting) or not isinstance(node.value, str):
        raise misconfigured(_KEY, _EXPECTED, node)
    # A path starts at the directory that holds `.cargo`.
    return _target(node.value, node.file.parent.parent, f"{node.file}: build.target")


def _target(text: str, directory: Path, origin: str) -> ConfiguredValue:
    if not text:
        raise ToolchainError(
            f"{origin} names an empty target",
            help="remove it, or name a target; cargo refuses it as well",
            location=origin,
        )
    return ConfiguredValue(value=str(directory / text) if text.endswith(".json") else text, origin=origin)
