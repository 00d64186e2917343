"""The two functions that a cluster calls on its workers. What they take and give is JSON and bytes, nothing pickled."""

from __future__ import annotations

from typing import TypedDict

from distributed import Reschedule, get_worker

from optbuild.errors import InterruptedRunError
from optbuild.fleet import station
from optbuild.fleet.actions import parse_action, parse_built, render_built, render_outcome
from optbuild.fleet.parcels import Contents


class Parcel(TypedDict):
    """What a builder hands over: a document, and contents by their hashes."""

    document: str
    contents: Contents


def build(action: str, contents: Contents) -> Parcel:
    """Build a unit. It may run twice: the same files are built again.

    Raises:
        Reschedule: This worker is asked to end; another one does it.
    """
    try:
        built, handed = station.build(parse_action(action), contents, _own())
    except InterruptedRunError as error:
        raise Reschedule from error
    return {"document": render_built(built), "contents": {**contents, **handed}}


def measure(action: str, parcel: Parcel) -> str:
    """Measure a unit. It may run twice: who asked for it counts one result.

    Raises:
        Reschedule: This worker is asked to end; another one does it.
    """
    built = parse_built(parcel["document"])
    try:
        outcome = station.measure(parse_action(action), built, parcel["contents"], _own())
    except InterruptedRunError as error:
        raise Reschedule from error
    return render_outcome(outcome)


def _own() -> station.Station:
    found = getattr(get_worker(), station.STATION)
    assert isinstance(found, station.Station)  # noqa: S101 - only workers that have one offer what tasks ask for
    return found
