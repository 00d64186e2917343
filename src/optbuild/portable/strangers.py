"""Say what a file is that stands where a portable profile should be."""

from __future__ import annotations

from dataclasses import dataclass

from optbuild.tools.llvm_profdata import read_profile_header

_LFS_POINTER = b"version https://git-lfs.github.com/spec/"
_TRAIN = "write a portable profile: optbuild train"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stranger:
    """What a file is, and what to do about it."""

    what: str
    help: str


def name_stranger(data: bytes) -> Stranger:
    """Recognise a file by how it begins."""
    if data.startswith(_LFS_POINTER):
        return Stranger(what="a Git LFS pointer: the profile itself was not fetched", help="git lfs pull")
    header = read_profile_header(data)
    if header is not None and header.kind == "raw":
        what = f"a raw profile of LLVM (version {header.version}), which fits one binary only"
        return Stranger(what=what, help=_TRAIN)
    if header is not None:
        what = f"a `.profdata` of LLVM (version {header.version}), which fits builds with the same mangled names only"
        return Stranger(what=what, help=_TRAIN)
    if data.startswith((b"<<<<<<<", b"=======")):
        return Stranger(what="full of marks of a merge conflict", help="take one side of it, or train anew")
    if data.startswith((b":ir", b"# IR level", b":fe", b":csir")):
        return Stranger(
            what="a profile of LLVM as text, which fits builds with the same mangled names only", help=_TRAIN
        )
    return Stranger(what="no portable profile", help=_TRAIN)
