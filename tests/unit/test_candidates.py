"""Factors and levels become candidates: each combination once, named, in the order of building."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from optbuild.errors import BuildProfileError
from optbuild.profile.candidates import make_candidates, risk_of
from optbuild.profile.load import load_build_profile
from optbuild.profile.search_choices import Objective, Space
from optbuild.profile.spaces import SPACES, factors_of, objective_of
from optbuild.profile.tune import TuneSettings
from optbuild.profile.variants import Lto, PgoMode, Variant

RELEASE = Variant(name="release")


def names_of(baseline: Variant = RELEASE, **factors: tuple[object, ...]) -> list[str]:
    """The names of the candidates."""
    written = {key.replace("_", "-"): levels for key, levels in factors.items()}
    return [each.name for each in make_candidates(baseline, written, {})]


def test_every_combination_is_a_candidate_once() -> None:
    """The one that changes nothing is the baseline."""
    assert names_of(lto=("default", "fat"), codegen_units=("default", 1)) == snapshot(["cu1", "fat", "fat-cu1"])


def test_without_a_profile_there_is_nothing_that_it_decides() -> None:
    """The hot count has no effect without PGO: such combinations are one."""
    found = names_of(pgo=(False, True), hot_count=("default", "p95"))
    assert found == snapshot(["pgo", "pgo-hot-p95"])
    found = names_of(pgo=(False, True), lto=("thin", "fat"), count_scale=("default", 0.1))
    assert found == snapshot(["thin", "fat", "pgo-thin", "pgo-thin-scale-0.1", "pgo-fat", "pgo-fat-scale-0.1"])


def test_what_shares_a_training_comes_one_after_the_other() -> None:
    """Without training first; then flags that no name of a function depends on, after the variant without them."""
    found = names_of(
        pgo=(False, True), lto=("thin", "fat"), target_cpu=("default", "x86-64-v3"), hot_count=("default", "p95")
    )
    assert found == snapshot(
        [
            "thin",
            "thin-x86-64-v3",
            "fat",
            "fat-x86-64-v3",
            "pgo-thin",
            "pgo-thin-hot-p95",
            "pgo-thin-x86-64-v3",
            "pgo-thin-x86-64-v3-hot-p95",
            "pgo-fat",
            "pgo-fat-hot-p95",
            "pgo-fat-x86-64-v3",
            "pgo-fat-x86-64-v3-hot-p95",
        ]
    )


def test_flags_and_features_add_to_those_of_the_baseline() -> None:
    """As they do where a variant inherits."""
    baseline = Variant(name="release", rustflags=("-Cforce-frame-pointers=yes",), features=("simd",))
    flags: tuple[list[str], ...] = ([], ["-Cllvm-args=-inline-threshold=500"])
    found = make_candidates(baseline, {"rustflags": flags, "features": ([], ["mimalloc"])}, {})
    assert {each.name: (each.variant.rustflags, each.variant.features) for each in found} == snapshot(
        {
            "mimalloc": (("-Cforce-frame-pointers=yes",), ("simd", "mimalloc")),
            "inline-threshold-500": (
                ("-Cforce-frame-pointers=yes", "-Cllvm-args=-inline-threshold=500"),
                ("simd",),
            ),
            "inline-threshold-500-mimalloc": (
                ("-Cforce-frame-pointers=yes", "-Cllvm-args=-inline-threshold=500"),
                ("simd", "mimalloc"),
            ),
        }
    )


def test_only_what_differs_from_the_baseline_is_written_down() -> None:
    """A setting that the baseline has already would only be repeated."""
    baseline = Variant(name="release", lto=Lto.FAT)
    (found,) = make_candidates(baseline, {"lto": ("fat",), "pgo": (True,), "hot-count": ("default",)}, {})
    assert (dict(found.settings), found.variant.pgo) == ({"pgo": True}, PgoMode.REQUIRED)


def test_a_name_of_the_build_profile_stays_its_own() -> None:
    """Unless it is the same variant, whose artifacts are then the same as well."""
    other = Variant(name="fat", lto=Lto.FAT, strip=True)
    same = Variant(name="thin", lto=Lto.THIN)
    found = make_candidates(RELEASE, {"lto": ("default", "thin", "fat")}, {"fat": other, "thin": same})
    assert [each.name for each in found] == ["thin", "tune-fat"]


def test_two_flags_of_one_name_get_two_names() -> None:
    """Values that a name cannot tell apart."""
    found = names_of(rustflags=((), ("-Cfoo=a/b",), ("-Cfoo=a+b",)))
    assert len(set(found)) == 2


def test_portable_and_plain_variants_are_preferred() -> None:
    """A CPU counts more than anything, then steps after linking, behaviour, flags, training, and the link."""
    plain = Variant(name="a", lto=Lto.FAT, pgo=PgoMode.REQUIRED, rustflags=("-Cx", "-Cy"))
    assert risk_of(plain, RELEASE) < risk_of(Variant(name="b", target_cpu="x86-64-v3"), RELEASE)
    assert risk_of(Variant(name="c", lto=Lto.THIN), RELEASE) < risk_of(Variant(name="d", lto=Lto.FAT), RELEASE)
    assert risk_of(plain, RELEASE) < risk_of(Variant(name="e", panic="abort"), RELEASE)
    assert risk_of(plain, RELEASE) < risk_of(replace(plain, count_scale=0.1, lto=Lto.OFF), RELEASE)


@pytest.mark.parametrize("space", list(Space))
def test_every_space_has_candidates_with_plain_names(space: Space) -> None:
    """As many names as candidates, each a name that a variant may have."""
    found = [each.name for each in make_candidates(RELEASE, SPACES[space], {})]
    assert len(set(found)) == len(found) >= 6
    assert all(name.strip("_.-") == name for name in found)


def test_written_factors_replace_those_of_a_space() -> None:
    """Without a space only the written ones count; without either, the quick space does."""
    assert factors_of(TuneSettings()) == SPACES[Space.QUICK]
    assert factors_of(TuneSettings(factors={"panic": ("abort",)})) == {"panic": ("abort",)}
    both = factors_of(TuneSettings(space=Space.QUICK, factors={"lto": ("fat",)}))
    assert both == {**SPACES[Space.QUICK], "lto": ("fat",)}


def test_the_space_of_sizes_has_their_objective() -> None:
    """Unless another one is named."""
    assert objective_of(TuneSettings(space=Space.SIZE)) is Objective.SIZE
    assert objective_of(TuneSettings(space=Space.SIZE, objective=Objective.TIME)) is Objective.TIME
    assert objective_of(TuneSettings()) is Objective.TIME


def test_each_wrong_factor_and_level_is_told_with_its_line(tmp_path: Path) -> None:
    """A level is refused in the words in which a variant would be."""
    path = tmp_path / "optbuild.toml"
    path.write_text(
        "schema = 1\n[variants.release]\n[tune]\nspace = 'quik'\n[tune.factors]\n"
        "lto = ['of', 'fat', 'fat']\nltoo = ['off']\ncodegen-units = [0]\nhot-count = ['p77', 'default', true]\n"
        "count-scale = ['default', 1, 0, 1.5, -0.1, true, nan, '10%']\n"
        "inherits = ['release']\npanic = []\n"
    )
    with pytest.raises(BuildProfileError) as caught:
        load_build_profile(path, directory=tmp_path)
    told = [f"{each.location.rpartition(':')[2]}: {each.message}; {each.help}"[:100] for each in caught.value.problems]
    assert told == snapshot(
        [
            '4: `tune.space`: expected "quick", "thorough" or "size", got "quik"; did you mean "quick"?',
            '6: `tune.factors.lto[0]`: expected "off", "thin" or "fat", got "of"; did you mean "off"?',
            '6: `tune.factors.lto` has "fat" twice; remove one of the two',
            "7: `tune.factors.ltoo` is not a setting of a variant; did you mean `lto`?",
            "8: `tune.factors.codegen-units[0]`: expected an integer of 1 or more, got 0; write for instance `1`",
            '9: `tune.factors.hot-count[0]`: expected "default", a count above zero, or one of p80, p90, p95, p99',
            '9: `tune.factors.hot-count[2]`: expected "default", a count above zero, or one of p80, p90, p95, p99',
            "10: `tune.factors.count-scale[2]`: expected a number above zero and of 1 at most, such as 0.1, got 0",
            "10: `tune.factors.count-scale[3]`: expected a number above zero and of 1 at most, such as 0.1, got 1",
            "10: `tune.factors.count-scale[4]`: expected a number above zero and of 1 at most, such as 0.1, got -",
            "10: `tune.factors.count-scale[5]`: expected a number above zero and of 1 at most, such as 0.1, got t",
            "10: `tune.factors.count-scale[6]`: expected a number above zero and of 1 at most, such as 0.1, got n",
            '10: `tune.factors.count-scale[7]`: expected a number above zero and of 1 at most, such as 0.1, got "',
            "11: `tune.factors.inherits` is not a setting of a variant; the settings of a variant are lto, codege",
            "12: `tune.factors.panic`: expected a list of values, not empty, got an empty list; write a list of v",
        ]
    )
