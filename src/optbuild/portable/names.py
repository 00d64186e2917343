"""Function names without what differs between builds, compilers and manglings.

Left out are the hash of a legacy name, the disambiguators of a v0 name, and suffixes that LLVM appends. Of the codegen
unit before a local function the crate is kept. Names of C and other languages stay as they are.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache

from optbuild.portable.legacy_names import read_legacy_name
from optbuild.portable.spelling import FunctionName
from optbuild.portable.v0_names import read_v0_name
from optbuild.tools.mangling import without_unit

_SUFFIX = re.compile(r"(?<=17h[0-9a-f]{16}E)\..*", re.DOTALL)
_UNIT = re.compile(r"(?P<crate>\w+)\.[0-9a-f]+-cgu\.[^;]*;")


@lru_cache(maxsize=1 << 16)
def read_name(symbol: str) -> FunctionName:
    """What a function of a profile or a program is called in every build.

    Args:
        symbol: Its mangled name, the codegen unit before it or not.
    """
    name = _read_bare(without_unit(symbol))
    unit = _UNIT.match(symbol)
    return name if unit is None else replace(name, unit=unit["crate"])


def _read_bare(bare: str) -> FunctionName:
    try:
        if bare.startswith("_R"):
            return read_v0_name(bare)
        if bare.startswith("_ZN"):
            return read_legacy_name(_SUFFIX.sub("", bare))
    except ValueError:
        pass  # not a name of rustc after all
    return FunctionName(path=bare, detail=bare)
