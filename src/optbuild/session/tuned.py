"""Write the winner of a search into the build profile, as the variant `tuned`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from optbuild.errors import UsageError
from optbuild.measure.model import Verdict
from optbuild.profile.presets import PREFIX
from optbuild.profile.search_choices import Objective
from optbuild.record.model import RunRecord
from optbuild.record.search import SearchRecord
from optbuild.session.course import CONFIRM_SHARE
from optbuild.session.opening import load_for
from optbuild.session.proposal import Proposal
from optbuild.session.request import Machine, RunRequest
from optbuild.text import BYTE_ORDER_MARK, keep_form
from optbuild.units import format_minutes

TUNED = "tuned"
"""The name of the variant."""
_SCHEMA_KEY = re.compile(r"^[ \t]*schema[ \t]*=.*$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class NothingProven:
    """A search that came to its end without a winner that is proven: the answer is no.

    Attributes:
        advice: What may lead to one.
    """

    message: str
    advice: str


def propose_tuned(record: RunRecord, request: RunRequest, machine: Machine) -> Proposal | NothingProven:
    """Propose a build profile with the winner of a search, if it is proven; write nothing.

    Raises:
        UsageError: There is no build profile that it could be added to.
        BuildProfileError: The build profile cannot be used.
    """
    search, baseline = record.search, record.baseline
    if search is None or baseline is None or search.winner in {None, baseline.name}:
        name = "the baseline" if baseline is None else baseline.name
        return NothingProven(
            message=f"nothing was written: no candidate is better than {name}",
            advice="search a larger space (optbuild tune --space thorough), or keep what you have",
        )
    confirmed = search.confirmation
    if search.objective == Objective.TIME and (confirmed is None or confirmed.verdict is not Verdict.FASTER):
        said = "it was not confirmed" if confirmed is None else f"the confirmation is {confirmed.verdict}"
        return NothingProven(
            message=f"nothing was written: {search.winner} was chosen, but {said}",
            advice=f"search on with more time: optbuild tune --write {_more_time(search)}; or add the variant by hand",
        )
    settings = _as_measured(next(each.settings for each in search.candidates if each.variant == search.winner))
    build_profile = load_for(request, machine)
    path = build_profile.path
    if path is None:
        raise UsageError(
            "nothing was written: the project has no optbuild.toml",
            help="create one with the same workloads, and search again, which takes what was built: optbuild init",
        )
    before = path.read_bytes().decode()
    try:
        after = add_variant(before, TUNED, {"inherits": baseline.name, **settings})
    except ValueError as error:
        wanted = ", ".join(f"{key} = {json.dumps(value)}" for key, value in settings.items())
        raise UsageError(
            f"{path} cannot be changed: {error}",
            help=f'edit it by hand, under [variants.{TUNED}]: inherits = "{baseline.name}", {wanted}',
            location=str(path),
        ) from error
    return Proposal(
        command="tune --write",
        path=path,
        before=before,
        after=after,
        next_step=f"build and measure it like any other: optbuild run {TUNED}",
    )


def add_variant(text: str, name: str, settings: Mapping[str, Any]) -> str:
    """Add a variant at the end of a build profile's text, or replace it where it stands; all else stays as it is.

    A profile without variants has those of preset `pgo`, which one of its own would replace: it then extends that.

    Raises:
        ValueError: The text is not TOML, or it cannot be changed in place.
    """
    settings = {key: list(value) if isinstance(value, tuple) else value for key, value in settings.items()}
    before, text = text, text.removeprefix(BYTE_ORDER_MARK)
    try:
        tree = tomlkit.parse(text).unwrap()
        if not tree.get("variants") and "extends" not in tree:
            text = _extended(text)
        variants = tree.get("variants", {})
        changed = _replaced(text, name, settings) if name in variants else _appended(text, name, settings)
        if tomlkit.parse(changed).unwrap().get("variants") != {**variants, name: settings}:
            raise ValueError("its variants cannot be changed in place")
    except (TOMLKitError, TypeError, AttributeError) as error:
        raise ValueError(str(error)) from error
    return keep_form(before, changed)


def _appended(text: str, name: str, settings: Mapping[str, Any]) -> str:
    """The text with one more table, after a blank line."""
    table = tomlkit.document()
    table.add("variants", tomlkit.table(is_super_table=True).add(name, settings))
    ending = "\r\n" if "\r\n" in text else "\n"
    return ending.join([text.rstrip("\r\n"), "", *tomlkit.dumps(table).strip().splitlines(), ""])


def _replaced(text: str, name: str, settings: Mapping[str, Any]) -> str:
    """The text with other settings of a variant that it has."""
    document = tomlkit.parse(text)
    table = document["variants"][name]
    for key in [key for key in table if key not in settings]:
        del table[key]
    for key, value in settings.items():
        table[key] = value
    return tomlkit.dumps(document)


def _as_measured(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that give the programs that were measured: a winner with BOLT was chosen for it.

    With "auto" every build without measuring would leave it out.
    """
    return {key: True if (key, level) == ("bolt", "auto") else level for key, level in settings.items()}


def _more_time(search: SearchRecord) -> str:
    """The options that give the confirmation twice the time, and the budget where that would not leave so much."""
    longer_s = 2 * search.max_time_s
    options = f"--max-time {format_minutes(longer_s)}"
    if longer_s > CONFIRM_SHARE * search.budget_s:
        options += f" --budget {format_minutes(max(2 * search.budget_s, longer_s / CONFIRM_SHARE))}"
    return options


def _extended(text: str) -> str:
    """The same text, extending the preset whose variants it has had without naming it."""
    line = f'extends = "{PREFIX}pgo"'
    match = _SCHEMA_KEY.search(text)
    if match is None:
        return f"{line}\n{text}"
    return f"{text[: match.end()].rstrip(chr(13))}\n{line}{text[match.end() :]}"
