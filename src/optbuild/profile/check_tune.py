"""What may be wrong with `[tune]` beyond the type of each key; checks the raw tree, to report all problems at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from optbuild.adapters import adapter_of
from optbuild.profile.explain import explain
from optbuild.profile.faults import Fault, KeyPath, find_nearest, render_key_path, render_value
from optbuild.profile.merge import value_at
from optbuild.profile.model import SCHEMA_VERSION, ProfileSettings
from optbuild.profile.tune import DEFAULT_LEVEL, FACTORS


def find_tune_faults(tree: Mapping[str, Any]) -> Iterator[Fault]:
    """Find factors that are no settings of a variant, and levels that stand twice or that a variant would refuse."""
    factors = value_at(tree, ("tune", "factors"))
    for name, levels in factors.items() if isinstance(factors, dict) else ():
        if name not in FACTORS:
            yield _unknown(name)
        elif isinstance(levels, list):
            for index, level in enumerate(levels):
                path: KeyPath = ("tune", "factors", name, index)
                if any(type(level) is type(other) and level == other for other in levels[:index]):
                    message = f"`tune.factors.{name}` has {render_value(level)} twice"
                    yield Fault(path=path, message=message, help="remove one of the two")
                elif level != DEFAULT_LEVEL:
                    yield from _refused(path, name, level)


def _unknown(name: str) -> Fault:
    nearest = find_nearest(name, FACTORS)
    return Fault(
        path=("tune", "factors", name),
        message=f"`{render_key_path(('tune', 'factors', name))}` is not a setting of a variant",
        help=f"did you mean `{nearest}`?" if nearest else f"the settings of a variant are {', '.join(FACTORS)}",
    )


def _refused(path: KeyPath, key: str, level: object) -> Iterator[Fault]:
    """What a variant with this setting would be told, said of the level."""
    as_variant = {"schema": SCHEMA_VERSION, "variants": {"level": {key: level}}}
    try:
        adapter_of(ProfileSettings).validate_python(as_variant)
    except ValidationError as error:
        for fault in explain(error, as_variant):
            written, place = render_key_path(("variants", "level", key)), render_key_path(path)
            yield Fault(
                path=path, message=fault.message.replace(written, place), help=fault.help.replace(f"`{key} = ", "`")
            )
