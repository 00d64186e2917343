"""The build profiles that come with optbuild; not for the user's own."""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from optbuild.errors import BuildProfileError, Problem
from optbuild.profile.faults import find_nearest, render_choices
from optbuild.profile.model import PresetName

PREFIX = "preset:"


def find_preset_names() -> tuple[str, ...]:
    """The names of all presets, sorted."""
    files = _preset_directory().iterdir()
    return tuple(sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml")))


def load_preset(name: PresetName) -> bytes:
    """Read the TOML text of a preset.

    Raises:
        BuildProfileError: There is no such preset.
    """
    names = find_preset_names()
    if name not in names:
        problem = Problem(
            location=f"{PREFIX}{name}", message=f"there is no preset `{name}`", help=suggest_preset(name, names)
        )
        raise BuildProfileError((problem,))
    return (_preset_directory() / f"{name}.toml").read_bytes()


def suggest_preset(name: str, names: tuple[str, ...]) -> str:
    """Suggest the preset that was most likely meant, and list all."""
    nearest = find_nearest(name, names)
    meant = f'did you mean "{PREFIX}{nearest}"? ' if nearest else ""
    return f"{meant}the presets are {render_choices(f'{PREFIX}{each}' for each in names).replace(' or ', ' and ')}"


def _preset_directory() -> Traversable:
    installed = resources.files("optbuild") / "profiles"
    # In a checkout they are next to `src`; in a wheel they are inside the package.
    return installed if installed.is_dir() else Path(__file__).resolve().parents[3] / "profiles"
