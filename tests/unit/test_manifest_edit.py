from __future__ import annotations

import pytest
from inline_snapshot import snapshot

from optbuild.project.manifest_edit import set_profile_keys

FAT: dict[str, str | int | bool] = {"lto": "fat", "codegen-units": 1}


def test_comments_and_order_stay() -> None:
    """What is there is changed in place, and only that."""
    text = """\
# of the owner
[profile.release] # ships
debug = 1   # for backtraces
lto = "thin" # was quick
[profile.dev]
opt-level = 1

[package]
name = "x"
"""
    assert set_profile_keys(text, "release", FAT) == snapshot("""\
# of the owner
[profile.release] # ships
debug = 1   # for backtraces
lto = "fat" # was quick
codegen-units = 1
[profile.dev]
opt-level = 1

[package]
name = "x"
""")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("", "release"),
        ('[package]\nname = "x"', "release"),
        ("[profile]\nrelease = { debug = 1 }\n", "release"),
        ("profile.release.debug = 1\n", "release"),
        ("[profile.release.package.x]\nopt-level = 1\n", "release"),
        ('[profile.dist]\ninherits = "release"\n', "dist"),
        ("[profile.dev]\nopt-level = 1\n[dependencies]\nx = '1'\n[profile.release]\ndebug = 1\n", "release"),
        ("[profile.release]\r\ndebug = 1\r\n", "release"),
    ],
)
def test_settings_arrive_however_profiles_are_written(text: str, name: str) -> None:
    """Tables, inline tables, dotted keys, none at all: once set, setting them again changes nothing."""
    changed = set_profile_keys(text, name, FAT)
    assert "fat" in changed
    assert set_profile_keys(changed, name, FAT) == changed
    assert {line for line in text.splitlines() if line.startswith("[p")} <= set(changed.splitlines())


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_line_endings_and_a_byte_order_mark_stay(mark: str) -> None:
    """A file that was written on Windows does not become a mixture."""
    text = mark + '[package]\r\nname = "x"\r\n'
    changed = set_profile_keys(text, "release", FAT)
    assert changed.startswith(f"{mark}[package]\r\n")
    assert changed.count("\n") == changed.count("\r\n") > 3
    assert set_profile_keys("\n\r\n", "release", FAT).count("\r\n") == 1  # a mixture stays one


def test_a_profile_of_their_own_inherits_from_release() -> None:
    """Cargo refuses a custom profile without `inherits`; those that cargo knows need none."""
    assert 'inherits = "release"' in set_profile_keys("", "dist", FAT)
    assert "inherits" not in set_profile_keys("", "release", FAT)


@pytest.mark.parametrize("text", ["[profile", "profile = 3\n", "[profile]\nrelease = 3\n"])
def test_what_cannot_be_changed_is_refused(text: str) -> None:
    """No half-changed manifest comes out."""
    with pytest.raises(ValueError, match=r"."):
        set_profile_keys(text, "release", FAT)
