"""The file of a portable profile, `*.pgodata`: bytes out, bytes in. The same counts give the same bytes.

A line with the format's version, a head as JSON, a line that ends it, and the functions, packed: a line of JSON for
each, sorted. docs/reference/pgodata.md describes it.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from optbuild.errors import ProfileDataError
from optbuild.portable.head import Body, Head, Totals, Training
from optbuild.portable.model import (
    Edge,
    FunctionCounts,
    FunctionKey,
    OutlineBlock,
    Site,
    Value,
    ValueKind,
)
from optbuild.portable.profile_records import COUNT_LIMIT, join
from optbuild.portable.spelling import FunctionName
from optbuild.portable.strangers import name_stranger
from optbuild.units import format_bytes

FORMAT = 1
MAGIC = b"optbuild-pgodata "
_END_OF_HEAD = b"\n---\n"
_MOST_CONTENT_BYTES = 1 << 30
_MOST_HEAD_BYTES = 1 << 24
_HASH_LIMIT = 1 << 64
_OF_EARLIER = 2  # parts of a called function, in a file of an earlier optbuild
_BLOCK_HASH_LIMIT = (1 << 24) - 1
DEFAULT_SIZE_LIMIT_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class PortableProfile:
    """Counts that fit other builds as well.

    Attributes:
        training: What trained it.
        totals: What it holds.
        content_sha256: What identifies its counts, whoever packed them.
        functions: Sorted, no two with the same name and control flow.
    """

    training: Training
    totals: Totals
    content_sha256: str
    functions: tuple[FunctionCounts, ...]


def encode(
    training: Training,
    functions: Iterable[FunctionCounts],
    *,
    written_by: str,
    size_limit_bytes: int = DEFAULT_SIZE_LIMIT_BYTES,
) -> bytes:
    """The bytes of a profile.

    Args:
        training: What trained it.
        functions: In any order; those of one name and control flow are summed.
        written_by: The program and its version.
        size_limit_bytes: What the packed functions may take; the coldest are left out.
    """
    joined = join(functions)
    kept, packed, content = _pack_within(joined, size_limit_bytes)
    total = sum(function.total for function in joined)
    kept_total = sum(function.total for function in kept)
    head = Head(
        written_by=written_by,
        training=training,
        totals=Totals(
            functions=len(kept),
            functions_with_counts=sum(function.total > 0 for function in kept),
            total_count=kept_total,
            dropped_functions=len(joined) - len(kept),
            dropped_count=total - kept_total,
        ),
        body=Body(
            size_bytes=len(packed), content_bytes=len(content), content_sha256=hashlib.sha256(content).hexdigest()
        ),
    )
    text = json.dumps(head.model_dump(mode="json"), indent=1, ensure_ascii=False)
    return b"%s%d\n%s%s%s" % (MAGIC, FORMAT, text.encode(), _END_OF_HEAD, packed)


def _pack_within(functions: Sequence[FunctionCounts], limit: int) -> tuple[list[FunctionCounts], bytes, bytes]:
    """As many of the hottest as fit, packed and as they are; outlines go first."""

    def pack(kept: Sequence[FunctionCounts]) -> tuple[bytes, bytes]:
        content = "".join(map(_write_function, kept)).encode("utf-8", "surrogatepass")
        return zlib.compress(content, 9), content

    for kept in (functions, [replace(function, outline=()) for function in functions]):
        packed, content = pack(kept)
        if len(packed) <= limit:
            return list(kept), packed, content
    functions = kept
    hottest = sorted(functions, key=lambda function: (-function.total, function.key))
    fitting, too_many = 0, len(hottest)
    while too_many - fitting > 1:
        middle = (fitting + too_many) // 2
        size = len(pack(sorted(hottest[:middle], key=lambda function: function.key))[0])
        fitting, too_many = (middle, too_many) if size <= limit else (fitting, middle)
    kept = sorted(hottest[:fitting], key=lambda function: function.key)
    return kept, *pack(kept)


def _write_function(function: FunctionCounts) -> str:
    name = function.name
    detail = 0 if name.detail == name.path else name.detail
    row: list[Any] = [name.path, detail, function.hash, function.instances, _shorten(function.counters)]
    if function.values or function.outline or name.unit:
        values = {
            str(int(kind)): [[(_write_value(value), count) for value, count in site] for site in sites]
            for kind, sites in sorted(function.values.items())
        }
        row.append(values)
    if function.outline or name.unit:
        row.append(name.unit)
    if function.outline:
        row.append([_write_block(block) for block in function.outline])
    return json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n"


def _write_value(value: Value) -> int | list[Any]:
    if isinstance(value, int):
        return value
    name, flow = value
    return [name.path, name.detail, name.unit, flow]


def _write_block(block: OutlineBlock) -> list[Any]:
    row = [block.near, block.code, block.shape]
    lists = [[(edge.to, *edge.counters) for edge in block.edges], block.counters, block.choices, block.sites]
    while lists and not lists[-1]:
        lists.pop()
    return [*row, *lists]


def _shorten(counters: Iterable[int]) -> list[int]:
    """Runs of zeros as how many there are, negative."""
    found: list[int] = []
    for count in counters:
        if count:
            found.append(count)
        elif found and found[-1] < 0:
            found[-1] -= 1
        else:
            found.append(-1)
    return found


def decode(data: bytes, *, location: str) -> PortableProfile:
    """Read a profile.

    Args:
        data: The whole file.
        location: What the file is called, for errors.

    Raises:
        ProfileDataError: It is not one, of a later format, cut short, or holds what no profile can hold.
    """
    head, packed = split(data, location=location)
    if len(packed) < head.body.size_bytes:
        missing = format_bytes(head.body.size_bytes - len(packed))
        raise _broken(f"is cut short: {missing} of its counts are missing", location)
    content = _unpack(packed, head.body, location)
    try:
        functions = tuple(_read_functions(content.decode("utf-8", "surrogatepass")))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise _broken(f"holds something that is not a function: {error}", location) from error
    return PortableProfile(
        training=head.training, totals=head.totals, content_sha256=head.body.content_sha256, functions=functions
    )


def split(data: bytes, *, location: str) -> tuple[Head, bytes]:
    """Read the head of a file, and give what follows it.

    Raises:
        ProfileDataError: It is not a portable profile, is of a later format, or its head is cut short.
    """
    if not data.startswith(MAGIC):
        if MAGIC.startswith(data):
            raise _broken("is empty" if not data else "is cut short: it ends in its first line", location)
        stranger = name_stranger(data)
        raise ProfileDataError(f"{location} is {stranger.what}", help=stranger.help, location=location)
    first, newline, rest = data[:_MOST_HEAD_BYTES].partition(b"\n")
    version = first[len(MAGIC) :]
    if not newline:
        raise _broken("is cut short: it ends in its first line", location)
    if not version.isdigit() or int(version) < 1:
        raise _broken("names no version of its format", location)
    if int(version) > FORMAT:
        raise ProfileDataError(
            f"{location} has format {int(version)}; this optbuild knows formats up to {FORMAT}",
            help="update optbuild, or train again: optbuild train",
            location=location,
        )
    text, end, _ = rest.partition(_END_OF_HEAD)
    if not end:
        raise _broken("is cut short: its head has no end", location)
    try:
        head = Head.model_validate_json(text)
    except ValidationError as error:
        raise _broken(f"has a head that cannot be read: {error.errors()[0]['msg']}", location) from error
    return head, data[len(first) + 1 + len(text) + len(_END_OF_HEAD) :]


def _unpack(packed: bytes, body: Body, location: str) -> bytes:
    if len(packed) > body.size_bytes:
        raise _broken("has more behind its end, as after a merge of two versions by hand", location)
    if body.content_bytes > _MOST_CONTENT_BYTES:
        raise _broken(f"says that it unpacks to {format_bytes(body.content_bytes)}", location)
    try:
        content = zlib.decompressobj().decompress(packed, body.content_bytes + 1)
    except zlib.error as error:
        raise _broken("cannot be unpacked: it was changed after it was written", location) from error
    if hashlib.sha256(content).hexdigest() != body.content_sha256:
        raise _broken("was changed after it was written: its counts are not those that its head names", location)
    return content


def _broken(what: str, location: str) -> ProfileDataError:
    return ProfileDataError(
        f"{location} {what}",
        help="take the committed file again (git checkout), or train anew: optbuild train",
        location=location,
    )


def _read_functions(content: str) -> Iterator[FunctionCounts]:
    last: FunctionKey | None = None
    for line in content.split("\n"):
        if not line:
            continue
        function = _read_function(json.loads(line))
        if last is not None and function.key <= last:
            twice = "is there twice" if function.key == last else "is not in its place"
            raise ValueError(f"{function.name.path} with control flow {function.hash} {twice}")
        last = function.key
        yield function


def _read_function(row: Any) -> FunctionCounts:  # noqa: ANN401 - foreign JSON
    path, detail, function_hash, instances, counters, *rest = row
    if not isinstance(path, str) or rest[3:]:
        raise TypeError("a row of another form")
    values: Mapping[str, Any] = rest[0] if rest else {}
    # Where the unit is, an earlier optbuild noted the places of counters: they are of no use.
    unit = rest[1] if rest[1:] and isinstance(rest[1], str) else ""
    blocks: Sequence[Any] = rest[2] if rest[2:] else ()
    counters = tuple(_lengthen(counters))
    return FunctionCounts(
        name=FunctionName(path=path, detail=path if detail == 0 else _text(detail), unit=unit),
        hash=_whole(function_hash, _HASH_LIMIT - 1),
        instances=_whole(instances, _HASH_LIMIT),
        counters=counters,
        values=_read_values(values),
        outline=tuple(_read_block(block, len(blocks), len(counters)) for block in blocks),
    )


def _read_block(row: Sequence[Any], blocks: int, counters: int) -> OutlineBlock:
    near, code, shape, *lists = row
    if lists[4:]:
        raise TypeError("a block of another form")
    edges, own, choices, sites = (lists[number] if lists[number:] else () for number in range(4))

    def read_counters(numbers: Iterable[Any]) -> tuple[int, ...]:
        return tuple(_whole(number, counters - 1) for number in numbers)

    return OutlineBlock(
        near=_whole(near, _BLOCK_HASH_LIMIT),
        code=_whole(code, _BLOCK_HASH_LIMIT),
        shape=_whole(shape, _BLOCK_HASH_LIMIT),
        edges=tuple(Edge(to=_whole(to, blocks - 1), counters=read_counters(counted)) for to, *counted in edges),
        counters=read_counters(own),
        choices=read_counters(choices),
        sites=tuple((ValueKind(kind), _whole(site, _HASH_LIMIT)) for kind, site in sites),
    )


def _lengthen(counters: Iterable[int]) -> Iterator[int]:
    for count in counters:
        if type(count) is int and -(1 << 24) < count < 0:
            yield from (0 for _ in range(-count))
        else:
            yield _whole(count, COUNT_LIMIT)


def _read_values(values: Mapping[str, Any]) -> dict[ValueKind, tuple[Site, ...]]:
    return {
        (kind := ValueKind(int(number))): tuple(
            tuple((_read_value(value, kind), _whole(count, COUNT_LIMIT)) for value, count in site) for site in sites
        )
        for number, sites in values.items()
    }


def _read_value(value: Any, kind: ValueKind) -> Value:  # noqa: ANN401 - foreign JSON
    if kind is ValueKind.SIZE:
        return _whole(value, _HASH_LIMIT - 1)
    parts: Sequence[Any] = value
    path, detail, unit, flow = (*parts, "", 0) if len(parts) == _OF_EARLIER else parts
    name = FunctionName(path=_text(path), detail=_text(detail), unit=_text(unit))
    return (name, _whole(flow, _HASH_LIMIT - 1))


def _text(value: Any) -> str:  # noqa: ANN401 - foreign JSON
    if not isinstance(value, str):
        raise TypeError(f"{value!r} where a name should be")
    return value


def _whole(value: Any, most: int) -> int:  # noqa: ANN401 - foreign JSON
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError(f"{value!r} where a whole number up to {most} should be")
    return value
