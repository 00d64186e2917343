"""The file of a portable profile, its merging and its difference."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from optbuild.errors import ProfileDataError
from optbuild.portable.aging import merge_aged
from optbuild.portable.difference import compare, render_difference
from optbuild.portable.encoding import decode, encode
from optbuild.portable.head import TrainedInput, TrainedWorkload, Training
from optbuild.portable.model import Edge, FunctionCounts, OutlineBlock, Site, ValueKind
from optbuild.portable.profile_records import join
from optbuild.portable.spelling import FunctionName

TRAINING = Training(
    package="app 1.2.3",
    rustc="rustc 1.95.0",
    llvm="22.1.2",
    target="x86_64-unknown-linux-gnu",
    workloads=(TrainedWorkload(name="books", inputs=(TrainedInput(path="books.txt", sha256="0" * 64),)),),
)


def make(path: str, *counters: int, flow: int = 1, values: dict[ValueKind, tuple[Site, ...]] | None = None,
         instances: int = 1, outline: tuple[OutlineBlock, ...] = (), unit: str = "") -> FunctionCounts:  # fmt: skip
    """Counts of a function without generic arguments."""
    name = FunctionName(path=path, detail=path, unit=unit)
    return FunctionCounts(
        name=name, hash=flow, instances=instances, counters=counters, values=values or {}, outline=outline
    )


def write(functions: Sequence[FunctionCounts], *, limit: int = 1 << 20) -> bytes:
    """The file of some counts."""
    return encode(TRAINING, functions, written_by="optbuild 0", size_limit_bytes=limit)


CALLED: Site = (
    ((FunctionName(path="app::f", detail="app::f<u8>"), 3), 7),
    ((FunctionName(path="app::g", detail="app::g", unit="lib"), 0), 2),
)
OUTLINE = (
    OutlineBlock(near=7, code=(1 << 24) - 1, shape=255, counters=(1,), edges=(Edge(to=1, counters=(0,)), Edge(to=0))),
    OutlineBlock(near=0, code=3, shape=0, choices=(0,), sites=((0, 1), (1, 0))),
)
SOME = (
    make("app::main", 1, 0, 0),
    make("app::changes", 1, 2, outline=OUTLINE),
    make("app::copied", 4, unit="lib"),
    make("app::copied", 5, unit="app"),
    make("app::run", 500, 0, 3, values={ValueKind.CALL_TARGET: (CALLED, ())}),
    make("app::copy", 9, values={ValueKind.SIZE: (((16, 4),),)}),
)

counts = st.builds(
    make,
    st.text(min_size=1, max_size=8),
    st.integers(min_value=0, max_value=1 << 63),
    st.integers(min_value=0, max_value=3),
    flow=st.integers(min_value=0, max_value=3),
)


def test_a_profile_is_read_as_it_was_written() -> None:
    """Whatever was counted comes back: counters, values, names and what trained it."""
    found = decode(write(SOME), location="app.pgodata")
    assert found.training == TRAINING
    assert list(found.functions) == join(SOME)
    assert found.totals.total_count == 525


@given(st.lists(counts, max_size=8), st.randoms(use_true_random=False))
def test_the_same_counts_give_the_same_bytes(functions: list[FunctionCounts], random: Random) -> None:
    """The order in which counts arrive does not show in the file, and every file can be read."""
    shuffled = list(functions)
    random.shuffle(shuffled)
    assert write(functions) == write(shuffled)
    assert list(decode(write(functions), location="f").functions) == join(functions)


def test_the_head_is_plain_text() -> None:
    """What trained a profile can be read without a tool."""
    head = write(SOME).partition(b"\n---\n")[0].decode()
    first, _, text = head.partition("\n")
    assert first == "optbuild-pgodata 1"
    assert json.loads(text)["training"]["workloads"][0]["inputs"] == [{"path": "books.txt", "sha256": "0" * 64}]


def test_outlines_are_left_out_before_any_counts_are() -> None:
    """They serve only functions that will change; a budget that the counts alone keep takes no counts away."""
    functions = [make(f"app::f{number:03}", 5, number * 7919 % 1009, outline=OUTLINE) for number in range(100)]
    bare = [replace(function, outline=()) for function in functions]
    limit = len(write(bare).partition(b"\n---\n")[2])
    assert len(write(functions).partition(b"\n---\n")[2]) > limit
    assert write(functions, limit=limit) == write(bare)


def test_outlines_outlive_a_merge() -> None:
    """Those of the older training stay where the newer one has none, and the newer ones win."""
    newer = tuple(replace(block, near=1) for block in OUTLINE)
    old, new = make("app::f", 8, 4, outline=OUTLINE), make("app::f", 1, 1)
    assert [function.outline for function in merge_aged([old], [new])] == [OUTLINE]
    assert [function.outline for function in merge_aged([old], [replace(new, outline=newer)])] == [newer]


def test_a_file_of_an_earlier_optbuild_is_read() -> None:
    """It noted where counters are in another way, which is passed over, and called functions without their crate."""
    row = b'["app::f",0,1,1,[5],{"0":[[[["app::g","app::g"],5]]]},[0,2,3,4]]\n'
    (function,) = decode(_with_content(write(SOME), row), location="f").functions
    assert (function.counters, function.outline, function.name.unit) == ((5,), (), "")
    assert function.values[ValueKind.CALL_TARGET] == ((((FunctionName(path="app::g", detail="app::g"), 0), 5),),)


def test_the_coldest_are_left_out_to_keep_it_small() -> None:
    """A budget is kept, what has most counts stays, and the head says what was dropped."""
    functions = [make(f"app::function_{number}_{number * 7919 % 1009}", number) for number in range(1000)]
    found = decode(write(functions, limit=2000), location="f")
    kept = {function.total for function in found.functions}
    assert len(write(functions, limit=2000)) < 3000
    assert kept == set(range(1000 - len(kept), 1000))
    assert found.totals.dropped_functions == 1000 - len(kept)
    assert found.totals.dropped_count + found.totals.total_count == sum(range(1000))


def test_a_file_cut_at_any_byte_is_refused() -> None:
    """A file cut short is never taken for a whole one, and the error says so."""
    data = write(SOME)
    for length in range(len(data)):
        with pytest.raises(ProfileDataError, match=r"is cut short|is empty"):
            decode(data[:length], location="app.pgodata")


def test_a_file_with_a_changed_byte_is_refused() -> None:
    """Counts that are not those which were written are never used."""
    data = write(SOME)
    start = data.index(b"\n---\n") + 5
    for position in range(start, len(data)):
        changed = bytearray(data)
        changed[position] ^= 0x55
        with pytest.raises(ProfileDataError, match=r"was changed|cannot be unpacked|is cut short"):
            decode(bytes(changed), location="app.pgodata")


STRANGERS = {
    "a pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n",
    "indexed": b"\xfflprofi\x81" + (13 | 1 << 56).to_bytes(8, "little") + bytes(32),
    "raw": b"\x81rforpl\xff" + (10 | 1 << 56).to_bytes(8, "little") + bytes(32),
    "text": b"# IR level Instrumentation Flag\n:ir\nmain\n1\n1\n1\n",
    "conflict": b"<<<<<<< HEAD\noptbuild-pgodata 1\n",
    "other": b"\x7fELF",
    "later": b"optbuild-pgodata 2\n{}\n---\n",
    "empty": b"",
}


def test_a_file_of_another_kind_is_named() -> None:
    """Whoever gives another file reads what that is, and what to do."""
    found = {}
    for name, data in STRANGERS.items():
        with pytest.raises(ProfileDataError) as raised:
            decode(data, location="app.pgodata")
        found[name] = (raised.value.message, raised.value.help)
    assert found == snapshot(
        {
            "a pointer": ("app.pgodata is a Git LFS pointer: the profile itself was not fetched", "git lfs pull"),
            "indexed": (
                "app.pgodata is a `.profdata` of LLVM (version 13), which fits builds with the same mangled names only",
                "write a portable profile: optbuild train",
            ),
            "raw": (
                "app.pgodata is a raw profile of LLVM (version 10), which fits one binary only",
                "write a portable profile: optbuild train",
            ),
            "text": (
                "app.pgodata is a profile of LLVM as text, which fits builds with the same mangled names only",
                "write a portable profile: optbuild train",
            ),
            "conflict": ("app.pgodata is full of marks of a merge conflict", "take one side of it, or train anew"),
            "other": ("app.pgodata is no portable profile", "write a portable profile: optbuild train"),
            "later": (
                "app.pgodata has format 2; this optbuild knows formats up to 1",
                "update optbuild, or train again: optbuild train",
            ),
            "empty": (
                "app.pgodata is empty",
                "take the committed file again (git checkout), or train anew: optbuild train",
            ),
        }
    )


def test_a_function_that_is_there_twice_is_refused() -> None:
    """Two functions that claim one key are a fault of the file: which one is right cannot be told."""
    data = write([make("app::main", 1)])
    row = b'["app::main",0,1,1,[1]]\n'
    with pytest.raises(ProfileDataError, match="app::main with control flow 1 is there twice"):
        decode(_with_content(data, row + row), location="f")


@pytest.mark.parametrize(
    "row",
    [
        b"{}\n",
        b"[]\n",
        b'["a",0,-1,1,[1]]\n',
        b'["a",0,1,1,[1.5]]\n',
        b'["a",0,1,1,[true]]\n',
        b'["a",0,1,1,["x"]]\n',
        b'["a",0,1,1,[1],{"7":[]}]\n',
        b'["a",0,1,1,[1],{},"",[[1,2]]]\n',
        b'["a",0,1,1,[1],{},"",[[1,2,16777216]]]\n',
        b'["a",0,1,1,[1],{},"",[[1,2,3,[[1]]]]]\n',
        b'["a",0,1,1,[1],{},"",[[1,2,3,[],[1]]]]\n',
        b'["a",0,1,1,[1],{},"",[[1,2,3,[],[],[],[[9,0]]]]]\n',
        b'["a",0,1,1,[1],{},"",[[1,2,3]],0]\n',
        b'["a",0,1,1,[1],{"0":[[[["a","b","",-1],1]]]}]\n',
        b'["a",0,1,1,[1],{"0":[[["x",3]]]}]\n',
        b'["a",3,1,1,[1]]\n',
        b"[" * 5000 + b"\n",
        b"\xff\n",
    ],
)
def test_rows_that_no_profile_has_are_refused(row: bytes) -> None:
    """Whoever writes such a file gets an error, and never a crash."""
    with pytest.raises(ProfileDataError, match="holds something that is not a function"):
        decode(_with_content(write(SOME), row), location="f")


def _with_content(data: bytes, content: bytes) -> bytes:
    """A profile with other content, whose head is right about it."""
    import hashlib  # noqa: PLC0415 - of this alone

    first, _, rest = data.partition(b"\n")
    head = json.loads(rest.partition(b"\n---\n")[0])
    packed = zlib.compress(content)
    head["body"] = {
        "size_bytes": len(packed),
        "content_bytes": len(content),
        "content_sha256": hashlib.sha256(content).hexdigest(),
    }
    return first + b"\n" + json.dumps(head).encode() + b"\n---\n" + packed


def test_old_counts_have_half_of_their_say() -> None:
    """Merged, a function has half of what it had, and what is new in full; what only was known fades."""
    old = [make("app::a", 100, 40), make("app::b", 7), make("app::gone", 1)]
    new = [make("app::a", 10, 10), make("app::c", 5)]
    merged = {function.name.path: function.counters for function in merge_aged(old, new)}
    assert merged == {"app::a": (60, 30), "app::b": (3,), "app::c": (5,)}


def test_a_difference_names_what_became_hot_and_cold() -> None:
    """A reviewer reads which functions gained and lost, as shares, and how much moved at all."""
    old = [make("app::a", 900), make("app::b", 100), make("app::never", 0)]
    new = [make("app::a", 40), make("app::c", 1960)]
    assert render_difference(compare(old, new)) == snapshot("""\
98.0% of the counts moved to other functions
1 functions are new, 2 are gone
became hot:
    0.0% ->  98.0%  app::c
became cold:
   90.0% ->   2.0%  app::a
   10.0% ->   0.0%  app::b
""")


def test_a_longer_training_is_no_change() -> None:
    """Shares are compared, not counts."""
    longer = [make(function.name.path, *(10 * count for count in function.counters)) for function in SOME]
    assert compare(SOME, longer).moved_ratio == 0
