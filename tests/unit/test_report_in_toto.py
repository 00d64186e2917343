"""The statements, read by the classes that in-toto publishes: a field that they do not know is an error there."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from in_toto_attestation.predicates.provenance.v1.provenance_pb2 import Provenance
from in_toto_attestation.predicates.scai.v0.scai import AttributeReport
from in_toto_attestation.predicates.scai.v0.scai_pb2 import AttributeReport as AttributeReportMessage
from in_toto_attestation.v1.resource_descriptor import ResourceDescriptor
from in_toto_attestation.v1.statement import Statement
from in_toto_attestation.v1.statement_pb2 import Statement as StatementMessage
from inline_snapshot import snapshot

from optbuild.errors import UsageError
from optbuild.record.evidence import TrainingRecord
from optbuild.record.inputs import InputRecord
from optbuild.record.model import RunRecord
from optbuild.record.store import render_record
from optbuild.report.formats.in_toto import ATTRIBUTES, PROVENANCE, render_in_toto
from tests.unit.report_cases import make_failed, make_inconclusive, make_measured, make_pgo, with_in_sample

RECIPES = {"release": {}, "lto": {"lto": "fat"}, "pgo": {"lto": "fat", "pgo": True}}


def attested(record: RunRecord) -> dict[tuple[str, str], Any]:
    """Predicates by their type and the place of their variant, after in-toto's own classes have read all of it."""
    found: dict[tuple[str, str], Any] = {}
    for line in render_in_toto(record).splitlines():
        statement = json.loads(line)
        Statement.copy_from_pb(ParseDict(statement, StatementMessage())).validate()
        predicate = statement["predicate"]
        if statement["predicateType"] == PROVENANCE:
            message = ParseDict(predicate, Provenance())
            for item in message.build_definition.resolved_dependencies:
                ResourceDescriptor.copy_from_pb(item).validate()
            variant = predicate["buildDefinition"]["externalParameters"]["variant"]
        else:
            report = ParseDict(predicate, AttributeReportMessage())
            AttributeReport([*report.attributes], report.producer).validate()
            variant = next((item["conditions"].get("variant", "") for item in predicate["attributes"][::-1]), "")
        found[statement["predicateType"], variant] = predicate
    return found


def make_attested() -> RunRecord:
    """A measured run with recipes."""
    return make_measured(build_profile={"variants": RECIPES, "workloads": [{"name": "books"}]})


def test_each_variant_has_provenance() -> None:
    """The recipe as it was resolved, and source, toolchain and profile as what the build rests on."""
    predicate = attested(make_attested())[PROVENANCE, "pgo"]

    assert predicate["buildDefinition"] == snapshot(
        {
            "buildType": "pkg:pypi/cargo-optbuild#variant",
            "externalParameters": {
                "variant": "pgo",
                "recipe": {"lto": "fat", "pgo": True},
                "workloads": [{"name": "books"}],
                "target": "x86_64-unknown-linux-gnu",
                "package": "wordfreq",
                "bins": ["wordfreq"],
            },
            "resolvedDependencies": [
                {
                    "name": "source",
                    "digest": {"gitCommit": "0123456789abcdef0123456789abcdef01234567"},
                    "annotations": {"modified": False},
                },
                {"name": "rustc", "uri": "pkg:generic/rustc@1.95.0"},
                {"name": "cargo", "uri": "pkg:generic/cargo@1.95.0"},
                {
                    "name": "PGO profile of pgo",
                    "digest": {"sha256": "3f2a1bc9d0e10000000000000000000000000000000000000000000000000000"},
                    "annotations": {"trainedBy": []},
                },
            ],
        }
    )
    assert predicate["runDetails"]["metadata"] == snapshot(
        {
            "invocationId": "20260102-030405-beef",
            "startedOn": "2026-01-02T03:04:05+00:00",
            "finishedOn": "2026-01-02T03:14:05+00:00",
        }
    )


def test_only_what_was_shown_is_an_attribute() -> None:
    """PGO with its evidence, equal outputs, and the gain with its interval; the baseline has none of them."""
    found = attested(make_attested())

    assert [*found] == [
        (PROVENANCE, "release"),
        *((kind, name) for name in ("lto", "pgo") for kind in (PROVENANCE, ATTRIBUTES)),
    ]
    assert [item["attribute"] for item in found[ATTRIBUTES, "lto"]["attributes"]] == [
        "OUTPUTS_EQUAL_TO_BASELINE",
        "FASTER_THAN_BASELINE",
    ]
    applied, equal, gain = found[ATTRIBUTES, "pgo"]["attributes"]
    assert applied["conditions"] == snapshot(
        {
            "variant": "pgo",
            "evidenceOf": "pgo",
            "profileSha256": "3f2a1bc9d0e10000000000000000000000000000000000000000000000000000",
            "functions": 8087,
            "functionsWithCounts": 1204,
            "missingFunctions": 52,
            "mismatchedFunctions": 0,
        }
    )
    assert equal["conditions"]["workloads"] == [{"name": "books"}]
    assert gain["conditions"] == snapshot(
        {
            "baseline": "release",
            "baselineArtifacts": [
                {
                    "name": "wordfreq",
                    "digest": {"sha256": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
                }
            ],
            "variant": "pgo",
            "metric": "wall",
            "change": -0.118,
            "interval": [-0.126, -0.11],
            "confidence": 0.95,
            "rounds": 20,
            "workloads": ["books"],
            "inSample": [],
            "cpu": "Acme 9000",
        }
    )


def test_what_was_not_shown_is_not_claimed() -> None:
    """No attribute for a change that is inconclusive, for PGO that was not proven, nor for outputs that differ."""
    record = make_inconclusive()
    record = replace(
        record,
        variants=tuple(replace(item, pgo=item.pgo and make_pgo(applied=False)) for item in record.variants),
        outputs=tuple(replace(item, equal=None) for item in record.outputs),
    )

    assert {kind for kind, _ in attested(record)} == {PROVENANCE}


def test_what_training_has_read_is_a_dependency() -> None:
    """Inputs of the workloads that trained a variant, by digest; those of benchmarks decide nothing about the build."""
    made = make_attested()
    training = TrainingRecord(
        workload="train", weight=1.0, duration_s=1.0, reused=False, raw_profiles=1, pooled=False, quarantined=(),
        functions_with_counts=1, total_count=1,
    )  # fmt: skip
    record = replace(
        made,
        variants=(*made.variants[:2], replace(made.variants[2], pgo=make_pgo(trainings=(training,)))),
        inputs=(
            InputRecord(workload="train", path="data/a.txt", sha256="a" * 64, is_directory=False),
            InputRecord(workload="train", path="data", sha256="b" * 64, is_directory=True),
            InputRecord(workload="books", path="books.txt", sha256="c" * 64, is_directory=False),
        ),
    )
    found = attested(record)[PROVENANCE, "pgo"]["buildDefinition"]["resolvedDependencies"]

    assert {item["name"]: item["digest"] for item in found if item["name"].startswith("training input")} == {
        "training input data/a.txt": {"sha256": "a" * 64},
        "training input data": {"optbuildTree": "b" * 64},
    }


def test_a_gain_says_what_it_was_trained_on() -> None:
    """A policy can refuse gains that were measured on the training input."""
    record = with_in_sample(make_measured("a", "b"), a=True, b=False)
    gain = attested(record)[ATTRIBUTES, "pgo"]["attributes"][-1]

    assert gain["conditions"]["inSample"] == ["a"]


def test_the_evidence_is_the_record() -> None:
    """The digest is that of what `--format json` writes."""
    record = make_attested()
    digest = hashlib.sha256(render_record(record).encode()).hexdigest()
    found = attested(record)

    assert found[PROVENANCE, "pgo"]["runDetails"]["byproducts"][0]["digest"]["sha256"] == digest
    assert found[ATTRIBUTES, "pgo"]["attributes"][0]["evidence"]["digest"]["sha256"] == digest


def test_binaries_that_optbuild_only_measured_have_no_provenance() -> None:
    """`optbuild bench` cannot say how they were built."""
    record = make_attested()
    record = replace(record, variants=tuple(replace(item, steps=()) for item in record.variants))

    assert {kind for kind, _ in attested(record)} == {ATTRIBUTES}


def test_a_run_without_binaries_is_refused() -> None:
    """There is nothing to make a statement about."""
    record = replace(make_failed(), variants=make_failed().variants[1:])
    with pytest.raises(UsageError, match="made no binaries"):
        render_in_toto(record)


@pytest.mark.parametrize("name", ["##[error]", "\x1b[31m", "\udcff", "\u202e", '"}', "::error::\n"])
def test_names_are_exact_and_inert(name: str) -> None:
    """ASCII with escapes: a reader gets the very name, and neither a terminal nor a CI takes it for a command."""
    record = make_attested()
    record = replace(record, variants=tuple(replace(item, name=name + item.name) for item in record.variants))
    text = render_in_toto(record)

    assert text.isascii()
    assert text.replace("\n", "").isprintable()
    assert "##" not in text
    if name != "\udcff":
        statement = json.loads(text.splitlines()[0])
        assert statement["predicate"]["buildDefinition"]["externalParameters"]["variant"] == f"{name}release"
