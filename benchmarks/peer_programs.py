"""The programs of `peers.py`: what each is trained on and compared on, and the inputs that no other benchmark has."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from benchmarks.travel import WORDS

FILES = ("data.json", "doc.md", "fields.txt", "list.html")


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A program of the registry.

    Attributes:
        kind: What it does, in a word or two.
        size: How many records its inputs have, so that a run takes some tens of milliseconds.
        train: What it is trained on: the arguments of each run. A word that is the name of a file is its place.
        bench: What it is compared on.
    """

    name: str
    release: str
    kind: str
    size: int
    train: tuple[tuple[str, ...], ...]
    bench: tuple[tuple[str, ...], ...]


PROGRAMS = (
    Program(
        name="jsonxf",
        release="1.1.1",
        kind="formats JSON",
        size=8_000,
        train=(("-i", "data.json"), ("-m", "-i", "data.json")),
        bench=(("-t", "    ", "-i", "data.json"), ("-m", "-i", "data.json")),
    ),
    Program(
        name="pulldown-cmark",
        release="0.13.6",
        kind="Markdown to HTML",
        size=6_000,
        train=(("-T", "-F", "-L", "doc.md"), ("doc.md",)),
        bench=(("-T", "-F", "-S", "doc.md"), ("-G", "-T", "doc.md")),
    ),
    Program(
        name="brotli",
        release="9.1.1",
        kind="compresses",
        size=1_000,
        train=(("-c", "-q5", "data.json"), ("-c", "-q9", "doc.md")),
        bench=(("-c", "-q5", "doc.md"), ("-c", "-q9", "list.html")),
    ),
    Program(
        name="choose",
        release="1.3.7",
        kind="fields of lines",
        size=60_000,
        train=(("-i", "fields.txt", "0", "2:4", "-1"), ("-f", "o+", "-i", "fields.txt", "1:3")),
        bench=(("-i", "fields.txt", "1", "3:5", "-2"), ("-f", "[ls]o", "-i", "fields.txt", "0", "2")),
    ),
    Program(
        name="jql",
        release="8.0.10",
        kind="JSON queries",
        size=8_000,
        train=(("--inline", '"users"|>"name"', "data.json"), ('"users"|>"tags"|>[0]', "data.json")),
        bench=(("--inline", '"users"|>"score"', "data.json"), ('"users"|>"address"', "data.json")),
    ),
    Program(
        name="htmlq",
        release="0.4.0",
        kind="HTML by selectors",
        size=6_000,
        train=(("-f", "list.html", "li.active b"), ("--text", "-f", "list.html", "ul li > a")),
        bench=(("-f", "list.html", "li[data-n] a"), ("--attribute", "href", "-f", "list.html", "li.active a")),
    ),
    Program(
        name="jaq",
        release="3.1.2",
        kind="an interpreter, with an allocator in C",
        size=5_000,
        train=(
            (".users | map(select(.score > 50)) | group_by(.address.city) | map(length)", "data.json"),
            ('[.users[] | .name | ascii_downcase | split(" ") | join("-")] | unique | length', "data.json"),
        ),
        bench=(
            ("[.users[] | {name, tags: (.tags | sort)}] | sort_by(.name) | .[10:500]", "data.json"),
            ("[.users[] | select(.active) | .score * 2] | add", "data.json"),
        ),
    ),
)


def write_lines(directory: Path) -> None:
    """Fields and a page of HTML with the records of the JSON that is there."""
    users = json.loads((directory / "data.json").read_text())["users"]
    rows = (" ".join([str(user["id"]), user["name"], *user["tags"], user["address"]["note"].strip()]) for user in users)
    (directory / "fields.txt").write_text("\n".join(rows) + "\n")
    items = (
        f'<li class="{"active" if user["active"] else "idle"}" data-n="{user["id"]}"><b>{user["name"]}</b> '
        f'<a href="/{user["tags"][0]}?n={user["id"]}">{user["address"]["city"]}</a>'
        f"<p>{user['address']['note'].replace('lorem', '<i>lorem</i>')}</p></li>"
        for user in users
    )
    (directory / "list.html").write_text(f"<!DOCTYPE html><title>{WORDS[0]}</title><ul>{''.join(items)}</ul>\n")
