#!/usr/bin/env python3
"""Write the texts that wordfreq is trained and measured with into data/.

Each text is a stream of made-up words whose frequencies follow Zipf's law, as in real languages. Training and benchmark
texts differ in seed, in vocabulary and in their mixture of scripts, so that the measured gain is not learnt by heart.
Running it again changes nothing.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

ONSETS_AND_VOWELS = {
    "latin": ("b c d f g h k l m n p r s t v w st tr pl ch".split(), "a e i o u ai ou".split()),
    "accented": ("b d f g j l m n p r s t v ç ñ ß".split(), "à é è ê ï ö ü å æ".split()),
    "greek": ("β γ δ ζ θ κ λ μ ν π ρ σ τ φ χ ψ".split(), "α ε η ι ο υ ω ά ή ώ".split()),
    "cyrillic": ("б в г д ж з к л м н п р с т ф х ч ш".split(), "а е и о у ы э ю я".split()),
}
SEPARATORS = (" ", " ", " ", " ", " ", " ", " ", ", ", ". ", "; ", "\n", " 1984 ", " – ")


@dataclass(frozen=True)
class Text:
    """What a text is made of: its size, and how many words of each script its vocabulary has."""

    name: str
    seed: int
    words: int
    vocabulary: dict[str, int]


TEXTS = (
    Text("train-novel.txt", 11, 450_000, {"latin": 14_000, "accented": 1_500}),
    Text("train-letters.txt", 12, 200_000, {"latin": 5_000, "greek": 3_000, "cyrillic": 3_000}),
    Text("bench-essays.txt", 101, 1_200_000, {"latin": 22_000, "accented": 4_000}),
    Text("bench-papers.txt", 102, 700_000, {"accented": 6_000, "greek": 8_000, "cyrillic": 10_000}),
)


def below(rng: random.Random, count: int) -> int:
    """A random index below `count`, from `random()` alone: only its sequence is promised to stay the same.

    Sources: https://docs.python.org/3/library/random.html#notes-on-reproducibility
    """
    return int(rng.random() * count)


def make_word(rng: random.Random, script: str) -> str:
    """Make a word of one to four syllables."""
    onsets, vowels = ONSETS_AND_VOWELS[script]
    syllables = 1 + below(rng, 4)
    return "".join(onsets[below(rng, len(onsets))] + vowels[below(rng, len(vowels))] for _ in range(syllables))


def make_vocabulary(rng: random.Random, sizes: dict[str, int]) -> list[str]:
    """Make different words of all scripts in a random order of rank, the shortest ones somewhat further ahead."""
    words: dict[str, float] = {}
    for script, size in sizes.items():
        wanted = len(words) + size
        while len(words) < wanted:
            word = make_word(rng, script)
            words.setdefault(word, rng.random() * len(word))
    return sorted(words, key=lambda word: (words[word], word))


def dressed(rng: random.Random, word: str) -> str:
    """Write a word as texts do: now and then with a capital, in capitals, or with an apostrophe."""
    chance = below(rng, 100)
    if chance < 8:
        return word.capitalize()
    if chance < 9:
        return word.upper()
    if chance < 11:
        return word + "’s"
    return word


def make_text(text: Text) -> str:
    """Make a text whose word of rank n is chosen with a weight of one n-th."""
    rng = random.Random(text.seed)
    vocabulary = make_vocabulary(rng, text.vocabulary)
    weights = list(accumulate(10**9 // rank for rank in range(1, len(vocabulary) + 1)))
    pieces = []
    for _ in range(text.words):
        word = vocabulary[bisect_right(weights, below(rng, weights[-1]))]
        pieces += [dressed(rng, word), SEPARATORS[below(rng, len(SEPARATORS))]]
    return "".join(pieces)


def main() -> None:
    """Write every text that is not there with the same bytes already."""
    directory = Path(__file__).resolve().parent / "data"
    directory.mkdir(exist_ok=True)
    for text in TEXTS:
        path = directory / text.name
        content = make_text(text).encode()
        if not path.exists() or path.read_bytes() != content:
            path.write_bytes(content)
        print(f"data/{text.name}: {len(content):,} bytes")


if __name__ == "__main__":
    main()
