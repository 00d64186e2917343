"""A shipped program judged by a record: each check can fail, and says what mends it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import jsonschema
import pytest

from optbuild.record.model import RunRecord
from optbuild.record.verification import (
    CheckVerdict,
    Verification,
    VerifiedCheck,
    make_verification_schema,
    render_verification,
)
from optbuild.record.verify_binary import ShippedProgram, judge_program
from optbuild.testing.records import make_pgo_record, make_run_record, make_variant_record
from optbuild.tools.elf import ElfFacts, Relro, read_elf

PGO = "cd" * 32
PLAIN = "ab" * 32
ELF = ElfFacts(
    machine="EM_X86_64",
    position_independent=True,
    relro=Relro.FULL,
    executable_stack=False,
    isa_level=None,
    instrumentation=(),
)
SHIPPED = ShippedProgram(bin="demo", sha256=PGO, elf=ELF, instrumentation=())


def make_record(cpu_features: tuple[str, ...] = (), **settings: object) -> RunRecord:
    """A run whose variant `pgo` is another program than the plain build."""
    plain = make_variant_record()
    artifact = replace(plain.artifacts[0], sha256=PGO)
    pgo = make_variant_record("pgo", artifacts=(artifact,), pgo=make_pgo_record(), cpu_features=cpu_features)
    profile = {"variants": {"release": {}, "pgo": {"pgo": "required", **settings}}}
    return make_run_record(variants=(plain, pgo), build_profile=profile)


def failed(program: ShippedProgram, record: RunRecord) -> dict[str, str]:
    """What failed, and what was found there; each with a remedy."""
    checks = [check for check in judge_program(program, record) if check.verdict is CheckVerdict.FAIL]
    assert all(check.help for check in checks)
    return {check.name: check.figure for check in checks}


def test_the_program_of_the_record_passes_everything() -> None:
    """What the run has left passes, and nothing of it needs a remedy."""
    checks = judge_program(SHIPPED, make_record())
    assert {check.verdict for check in checks} == {CheckVerdict.PASS}
    assert not any(check.help for check in checks)


def test_a_program_of_nobody_knows_where_is_refused() -> None:
    """What the record does not have is not taken for optimised."""
    checks = {check.name: check for check in judge_program(replace(SHIPPED, sha256="ee" * 32), make_record())}
    assert checks["in the record"].verdict is CheckVerdict.FAIL
    assert checks["optimised"].verdict is CheckVerdict.NOT_CHECKED
    assert checks["differs from the plain build"].verdict is CheckVerdict.PASS


def test_the_plain_build_is_not_the_optimised_one() -> None:
    """A smoke test that builds over the optimised program is noticed."""
    assert set(failed(replace(SHIPPED, sha256=PLAIN), make_record())) == {"optimised", "differs from the plain build"}


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ({"relro": Relro.PARTIAL}, "RELRO"),
        ({"executable_stack": True}, "NX"),
        ({"position_independent": False}, "PIE"),
        ({"machine": "EM_AARCH64"}, "machine"),
        ({"isa_level": 3}, "CPU level"),
    ],
)
def test_a_program_that_lost_something_fails_that_check(change: dict[str, Any], check: str) -> None:
    """Each property has its own check, and no other one fails with it."""
    assert set(failed(replace(SHIPPED, elf=replace(ELF, **change)), make_record())) == {check}


def test_what_the_plain_build_lacks_as_well_is_not_lost() -> None:
    """A project that links without RELRO keeps what it has."""
    elf = replace(ELF, relro=Relro.NONE, position_independent=False)
    assert failed(replace(SHIPPED, elf=elf, plain=elf), make_record()) == {}


def test_an_instrumented_program_fails() -> None:
    """It would count where people run it."""
    found = failed(replace(SHIPPED, instrumentation=("__llvm_prf_cnts",)), make_record())
    assert found == {"not instrumented": "it has __llvm_prf_cnts"}


def test_code_for_a_newer_cpu_than_claimed_fails() -> None:
    """The features that rustc was told of have to be those of the level."""
    assert failed(SHIPPED, make_record(("avx2", "fma"), **{"target-cpu": "x86-64-v3"})) == {}
    found = failed(SHIPPED, make_record(("avx2", "avx512f"), **{"target-cpu": "x86-64-v3"}))
    assert found == {"CPU level": "x86-64-v3 is claimed, and its code needs avx512f"}
    assert "CPU level" in failed(SHIPPED, make_record(("avx2",)))


def test_a_variant_without_applied_pgo_fails() -> None:
    """A variant that asks for PGO is not optimised by being built."""
    record = make_record()
    unproved = replace(record.variants[1], pgo=make_pgo_record(applied=False))
    assert set(failed(SHIPPED, replace(record, variants=(record.variants[0], unproved)))) == {"optimised"}


def test_other_formats_are_said_to_be_unchecked() -> None:
    """Mach-O and PE have other protections, which are not looked at and not claimed."""
    checks = judge_program(replace(SHIPPED, elf=None), make_record())
    unchecked = {check.name for check in checks if check.verdict is CheckVerdict.NOT_CHECKED}
    assert unchecked == {"RELRO", "NX", "PIE", "machine"}


def test_a_program_cut_short_is_refused() -> None:
    """A header alone tells nothing."""
    with pytest.raises(ValueError, match="cut short"):
        read_elf(b"\x7fELF\x02\x01\x01" + bytes(20))


def test_the_document_fits_its_schema() -> None:
    """`--json` gives what the schema says."""
    found = Verification(
        optbuild_version="0.1.0",
        subject="demo",
        bin="demo",
        variant="pgo",
        sha256=PGO,
        run_id="1",
        checks=(VerifiedCheck(name="NX", verdict=CheckVerdict.PASS, figure="the stack holds no code"),),
    )
    jsonschema.validate(json.loads(render_verification(found)), make_verification_schema())
