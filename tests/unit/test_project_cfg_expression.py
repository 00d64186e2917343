from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optbuild.project.cfg_expression import matches_cfg

LINUX = ("debug_assertions", 'panic="unwind"', "proc_macro", 'target_arch="x86_64"', 'target_os="linux"', "unix")


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("unix", True),
        ("windows", False),
        ('target_os="linux"', True),
        ('target_os  =  "linux"', True),
        ('target_os = "macos"', False),
        ("target_os", False),
        ('unix = "linux"', False),
        ("true", True),
        ("false", False),
        ("not(windows)", True),
        ("not(all())", False),
        ("all()", True),
        ("any()", False),
        ("all(unix,)", True),
        ('all(unix, any(windows, target_arch="x86_64"), not(false))', True),
        ("any(windows, false)", False),
        ("r#unix", True),
        ("r#true", True),
        (" unix ", True),
        ("proc_macro", False),
        ("debug_assertions", True),
    ],
)
def test_an_expression_is_true_as_in_cargo(expression: str, *, expected: bool) -> None:
    """Names, pairs and operators mean what they mean in `target.'cfg(…)'`."""
    assert matches_cfg(expression, LINUX) is expected


@pytest.mark.parametrize(
    "expression",
    [
        "",
        " ",
        "(",
        "all",
        "not",
        "all(",
        "all(,)",
        "all(unix",
        "all(unix windows)",
        "not()",
        "not(unix, windows)",
        "unix windows",
        "unix)",
        "unix =",
        "unix = linux",
        'target_os = "linux',
        '"linux"',
        "unix\t",
        "ünix",
        "r#",
        "all = 1",
        "not(" * 10_000,
    ],
)
def test_a_malformed_expression_is_a_value_error(expression: str) -> None:
    """What cargo cannot read is said, at any depth, and never taken for false."""
    with pytest.raises(ValueError, match="malformed cfg expression"):
        matches_cfg(expression, LINUX)


def test_a_malformed_line_of_the_target_is_a_value_error() -> None:
    """The target's own lines are held to the same grammar."""
    with pytest.raises(ValueError, match="malformed"):
        matches_cfg("unix", ("unix windows",))


EXPRESSIONS = st.recursive(
    st.sampled_from(["unix", "windows", 'target_os = "linux"', "true", "false"]),
    lambda inner: st.builds(
        lambda operator, parts: f"{operator}({', '.join(parts)})",
        st.sampled_from(["all", "any"]),
        st.lists(inner, max_size=3),
    ),
    max_leaves=10,
)


@given(EXPRESSIONS)
def test_not_is_the_opposite(expression: str) -> None:
    """`not(x)` is true where `x` is false, and twice `not` changes nothing."""
    value = matches_cfg(expression, LINUX)
    assert matches_cfg(f"not({expression})", LINUX) is not value
    assert matches_cfg(f"not(not({expression}))", LINUX) is value


@given(EXPRESSIONS, EXPRESSIONS)
def test_all_and_any_are_dual(left: str, right: str) -> None:
    """`not(all(a, b))` is `any(not(a), not(b))`."""
    negated = matches_cfg(f"not(all({left}, {right}))", LINUX)
    assert matches_cfg(f"any(not({left}), not({right}))", LINUX) is negated
