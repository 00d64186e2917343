"""A resolved build profile as plain data, for the record; not TOML: units are in the names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

from optbuild.profile.model import BuildProfile


def render_resolved(profile: BuildProfile) -> dict[str, Any]:
    """Write a build profile as JSON-able data: kebab-case keys, only what is set, no path of this machine."""
    rendered = {
        "project": _render(profile.project),
        "variants": _render(profile.variants),
        "workloads": _render(profile.workloads),
        "raw-profiles": _render(profile.raw_profiles),
        "profile-data": _render(profile.profile_data),
        "evidence": _render(profile.evidence),
        "measure": _render(profile.measure),
        "gates": _render(profile.gates),
        "tune": _render(profile.tune),
    }
    return {"file": profile.path.name, **rendered} if profile.path else rendered


def _render(value: object) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value) and not isinstance(value, type):
        pairs = ((field.name.replace("_", "-"), getattr(value, field.name)) for field in fields(value))
        return {key: _render(item) for key, item in pairs if item is not None}
    if isinstance(value, Mapping):
        return {str(key): _render(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_render(item) for item in value]
    return value
