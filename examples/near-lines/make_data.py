#!/usr/bin/env python3
"""Write the texts that near-lines is trained and measured with into data/.

Lines of made-up words, some of which come back with a word changed, left out or moved: near copies. Training and
benchmark texts differ in seed, in the length of their lines and in how many copies they hold. Running it again changes
nothing.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

SYLLABLES = "ba be bi bo bu da de di do du ka ke ki ko ku la le li lo lu ma me mi mo mu na ne ni no nu ra re ri ro".split()
KEPT_FOR_COPIES = 200


@dataclass(frozen=True)
class Text:
    """What a text is made of; `copies` is the share of lines that are near copies of earlier ones."""

    name: str
    seed: int
    lines: int
    words: int
    copies: float


TEXTS = (
    Text("train-notes.txt", 21, 9_000, 9, 0.2),
    Text("train-letters.txt", 22, 3_000, 28, 0.1),
    Text("bench-reports.txt", 121, 16_000, 16, 0.15),
)


def below(chance: random.Random, count: int) -> int:
    """A random index below `count`, from `random()` alone: only its sequence is promised to stay the same."""
    return int(chance.random() * count)


def near_copy(chance: random.Random, words: list[str]) -> list[str]:
    """The same words with one changed, left out or moved."""
    copy = list(words)
    word = copy.pop(below(chance, len(copy)))
    kind = below(chance, 3)
    if kind < 2:
        copy.insert(below(chance, len(copy) + 1), word if kind else word[::-1])
    return copy


def lines_of(text: Text) -> list[str]:
    """All lines of a text."""
    chance = random.Random(text.seed)
    vocabulary = [
        "".join(SYLLABLES[below(chance, len(SYLLABLES))] for _ in range(1 + below(chance, 4))) for _ in range(6_000)
    ]
    lines: list[list[str]] = []
    for _ in range(text.lines):
        if lines and chance.random() < text.copies:
            lines.append(near_copy(chance, lines[-1 - below(chance, min(len(lines), KEPT_FOR_COPIES))]))
        else:
            count = text.words // 2 + below(chance, text.words)
            lines.append([vocabulary[below(chance, len(vocabulary))] for _ in range(max(count, 3))])
    return [" ".join(words) for words in lines]


def main() -> None:
    """Write what is not there yet."""
    directory = Path(__file__).resolve().parent / "data"
    directory.mkdir(exist_ok=True)
    for text in TEXTS:
        path = directory / text.name
        if not path.exists():
            path.write_text("\n".join(lines_of(text)) + "\n", encoding="utf-8")
            print(f"wrote {path.name}")


if __name__ == "__main__":
    main()
