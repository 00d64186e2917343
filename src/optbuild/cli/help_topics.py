"""Texts for `optbuild help TOPIC`."""

from __future__ import annotations

from collections.abc import Mapping

TOPICS: Mapping[str, str] = {
    "exit-codes": """\
0      ok
1      the answer is no: a gate or a check failed, or a search proved nothing
2      usage or build profile: nothing was run
3      environment or toolchain
10     build
11     workload
12     timeout
13     profile data
15     not comparable: outputs differ, or sources changed meanwhile
16     another run holds the project
17     disk or permissions
70     internal error
128+n  ended by signal n
""",
}
