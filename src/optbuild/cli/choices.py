"""Words that have to be one of several: formats, orders, schemas."""

from __future__ import annotations

from collections.abc import Collection

from optbuild.errors import UsageError


def require_choice(word: str, known: Collection[str], what: str, purpose: str = "") -> None:
    """Refuse a word that is not known, with all that are.

    Raises:
        UsageError: It is not known.
    """
    if word not in known:
        raise UsageError(
            f"there is no {what} {word!r}{purpose and ' for ' + purpose}", help=f"choose one of: {', '.join(known)}"
        )


def choose_form(form: str | None, *, as_json: bool) -> str:
    """The format of a report: what `--format` says, or `--json`.

    Raises:
        UsageError: They say different things.
    """
    if as_json and form not in {None, "json"}:
        raise UsageError(f"--json and --format {form} exclude each other", help="leave out one of the two")
    return "json" if as_json else form or "terminal"
