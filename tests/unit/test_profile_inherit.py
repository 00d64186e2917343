from __future__ import annotations

from optbuild.profile.inherit import find_inheritance_faults, resolve_variants
from optbuild.profile.variants import Lto, PgoMode, Profiles, Variant, VariantSettings


def test_the_nearest_setting_wins_and_lists_add_up() -> None:
    """Scalars come from the nearest ancestor; features and rustflags from the root down."""
    variants = resolve_variants(
        {
            "pgo": VariantSettings(inherits="lto", pgo=PgoMode.AUTO, features=("c",), rustflags=("-c",)),
            "release": VariantSettings(features=("a",), rustflags=("-a",), debug=1, strip=True),
            "lto": VariantSettings(inherits="release", lto=Lto.FAT, codegen_units=1, strip=False, rustflags=("-b",)),
        }
    )
    assert list(variants) == ["pgo", "release", "lto"]
    assert variants["pgo"] == Variant(
        name="pgo",
        ancestors=("lto", "release"),
        lto=Lto.FAT,
        codegen_units=1,
        debug=1,
        strip=False,
        features=("a", "c"),
        rustflags=("-a", "-b", "-c"),
        pgo=PgoMode.AUTO,
    )


def test_what_programs_are_optimised_with_is_inherited() -> None:
    """One profile for all, unless somebody asks for one each."""
    variants = resolve_variants(
        {
            "pgo": VariantSettings(pgo=PgoMode.REQUIRED),
            "each": VariantSettings(inherits="pgo", profiles=Profiles.PER_BIN),
            "same": VariantSettings(inherits="each"),
        }
    )
    assert [each.profiles for each in variants.values()] == [Profiles.MERGED, Profiles.PER_BIN, Profiles.PER_BIN]


def test_pgo_can_be_switched_off_again() -> None:
    """`pgo = false` overrides what is inherited; not writing it does not."""
    variants = resolve_variants(
        {
            "pgo": VariantSettings(pgo=PgoMode.REQUIRED),
            "off": VariantSettings(inherits="pgo", pgo=PgoMode.OFF),
            "same": VariantSettings(inherits="pgo"),
        }
    )
    assert [each.pgo for each in variants.values()] == [PgoMode.REQUIRED, PgoMode.OFF, PgoMode.REQUIRED]


def test_a_cycle_is_told_once_with_its_chain() -> None:
    """Variants that lead into a cycle without being on it add no further fault."""
    (fault,) = find_inheritance_faults({"x": "a", "a": "b", "b": "c", "c": "a"})
    assert "a -> b -> c -> a" in fault.message
    assert fault.path == ("variants", "a", "inherits")


def test_two_cycles_are_two_faults() -> None:
    """Every cycle is told."""
    assert len(list(find_inheritance_faults({"a": "a", "b": "c", "c": "b"}))) == 2


def test_an_unknown_variant_is_told_with_the_nearest() -> None:
    """The help names the variant that was most likely meant."""
    (fault,) = find_inheritance_faults({"release": None, "a.b": "relase"})
    assert fault.message == '`variants."a.b".inherits` names the unknown variant "relase"'
    assert fault.help.startswith('did you mean "release"?')
