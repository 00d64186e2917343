#!/usr/bin/env python3
"""Write the readings that `encode` and `decode` are trained and measured with into data/.

Each set is written twice: as lines of text (.tsv) and as the compact file (.wxr) that `encode` makes of them. The
second one is made here, independently of the Rust code, so that `decode` can be run first. Training and benchmark sets
differ in seed, in the number of stations and in how often observers write something. Running it again changes nothing.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

QUALITIES = ("good", "suspect", "estimated")
NOTES = ("fog", "hail", "sensor cleaned", "thunder in the distance", "Föhn", "gusts from the north-west", "snow, wet")
BLOCK_READINGS = 512


@dataclass(frozen=True)
class Set:
    """What a set of readings is made of."""

    name: str
    seed: int
    readings: int
    stations: int
    percent_with_note: int


@dataclass(frozen=True)
class Reading:
    """What a station reported; the temperature is in hundredths of a degree."""

    time: int
    station: int
    temperature: int
    humidity: int | None
    quality: int
    note: str


SETS = (
    Set("train", 21, 120_000, 40, 10),
    Set("bench", 2021, 400_000, 900, 25),
)


def below(rng: random.Random, count: int) -> int:
    """A random index below `count`, from `random()` alone: only its sequence is promised to stay the same.

    Sources: https://docs.python.org/3/library/random.html#notes-on-reproducibility
    """
    return int(rng.random() * count)


def make_readings(wanted: Set) -> Iterator[Reading]:
    """Let each station's temperature wander; one in eight stations has no humidity sensor."""
    rng = random.Random(wanted.seed)
    temperatures = [below(rng, 4000) - 1000 for _ in range(wanted.stations)]
    time = 0
    for _ in range(wanted.readings):
        time += below(rng, 30)
        station = below(rng, wanted.stations)
        temperatures[station] += below(rng, 41) - 20
        yield Reading(
            time=time,
            station=100 + 37 * station,
            temperature=temperatures[station],
            humidity=None if station % 8 == 0 else 20 + below(rng, 80),
            quality=max(0, below(rng, 20) - 17),
            note=NOTES[below(rng, len(NOTES))] if below(rng, 100) < wanted.percent_with_note else "",
        )


def as_line(reading: Reading) -> str:
    """Write a reading as a line of text."""
    sign = "-" if reading.temperature < 0 else ""
    whole, hundredths = divmod(abs(reading.temperature), 100)
    humidity = "-" if reading.humidity is None else reading.humidity
    quality = QUALITIES[reading.quality]
    columns = (reading.time, reading.station, f"{sign}{whole}.{hundredths:02}", humidity, quality, reading.note)
    return "\t".join(map(str, columns)) + "\n"


def varint(number: int) -> bytes:
    """Write a number with seven bits a byte, the lowest ones first."""
    encoded = bytearray()
    while number >= 0x80:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def as_bytes(reading: Reading) -> bytes:
    """Write a reading field by field."""
    temperature = reading.temperature
    note = reading.note.encode()
    return b"".join(
        (
            varint(reading.time),
            varint(reading.station),
            varint(2 * temperature if temperature >= 0 else -2 * temperature - 1),
            b"\0" if reading.humidity is None else bytes((1, reading.humidity)),
            bytes((reading.quality,)),
            varint(len(note)),
            note,
        )
    )


def as_container(readings: list[Reading]) -> bytes:
    """Write readings as blocks with their lengths and checksums."""
    pieces = [b"WXR1"]
    for start in range(0, len(readings), BLOCK_READINGS):
        chunk = readings[start : start + BLOCK_READINGS]
        block = varint(len(chunk)) + b"".join(map(as_bytes, chunk))
        pieces += [varint(len(block)), block, zlib.crc32(block).to_bytes(4, "little")]
    return b"".join(pieces)


def write(path: Path, content: bytes) -> None:
    """Write a file that is not there with the same bytes already."""
    if not path.exists() or path.read_bytes() != content:
        path.write_bytes(content)
    print(f"data/{path.name}: {len(content):,} bytes")


def main() -> None:
    """Write every set in both forms."""
    directory = Path(__file__).resolve().parent / "data"
    directory.mkdir(exist_ok=True)
    for wanted in SETS:
        readings = list(make_readings(wanted))
        write(directory / f"{wanted.name}.tsv", "".join(map(as_line, readings)).encode())
        write(directory / f"{wanted.name}.wxr", as_container(readings))


if __name__ == "__main__":
    main()
