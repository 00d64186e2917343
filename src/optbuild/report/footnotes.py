"""The notes below the tables: how it was measured, what is claimed, PGO's evidence, and caveats."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from optbuild.measure.model import AaCheck, AaVerdict, Verdict, held_out_arm
from optbuild.record.evidence import PgoRecord
from optbuild.record.model import HostRecord, RunRecord, WarningRecord
from optbuild.record.variants import VariantStatus
from optbuild.report.bolt import describe_bolt
from optbuild.report.cross_validation import describe_generality, find_comparison
from optbuild.report.display import MARK, digits_for, named_by_fact, sentence, unsigned_percent
from optbuild.report.in_sample import describe_training, in_sample_label
from optbuild.report.versions import describe_sources
from optbuild.text import sanitize_line
from optbuild.units import format_bytes, format_percent, format_share

_SUSPICIOUS_GAIN = 0.30
"""A gain from PGO is rarely larger than this on inputs that were not in training."""
_SAID_ELSEWHERE = frozenset({"variant-skipped", "bolt-failed", "fold-skipped", "outputs-not-compared"})
_HASH_DIGITS = 12


def make_footnotes(record: RunRecord) -> tuple[str, ...]:
    """Everything a sceptical reader asks about the tables, most important first."""
    return (
        *_measuring(record),
        *describe_sources(record),
        *_doubts(record),
        *describe_generality(record),
        *_missing_variants(record),
        *_time_was_short(record),
        *_too_good(record),
        *_uncounted(record),
        *_evidence(record),
        *describe_bolt(record),
        *_target_cpus(record),
        *_machine_checks(record),
        *_warnings(record),
        *provenance(record),
    )


def _measuring(record: RunRecord) -> Iterator[str]:
    if record.measure is None:
        return
    facts = [
        f"n = {record.measure.rounds} randomised round{'s' * (record.measure.rounds != 1)}",
        f"{record.measure.confidence * 100:.3g}% simultaneous",
    ]
    if record.noise is not None:
        aa = record.noise.aa
        facts += [f"margin ±{unsigned_percent(aa.margin)}", f"A/A {_describe_aa(aa)}"]
        if record.noise.steal_ratio is not None:
            facts.append(f"steal {unsigned_percent(record.noise.steal_ratio)}")
        if record.noise.noisy:
            count = record.noise.tainted_rounds
            were, all_were = ("s were", "all were") if count != 1 else (" was", "it was")
            facts.append(f"noisy machine: {count} superblock{were} disturbed from outside; {all_were} kept")
        elif record.noise.tainted_rounds:
            taken = _taken_again(record)
            facts.append(f"superblocks disturbed from outside: {record.noise.tainted_rounds}, measured again: {taken}")
    parts = [", ".join(facts), describe_training(record), _outputs(record), _claim(record)]
    yield "; ".join(filter(None, parts)) + "."


def _taken_again(record: RunRecord) -> int:
    """How many superblocks were replaced; one holds the values of every metric."""
    return sum({item.workload: len(item.set_aside) for item in record.benchmarks}.values())


def _describe_aa(aa: AaCheck) -> str:
    """The change between two identical copies of the baseline, with its half-width."""
    if aa.change is None:
        return "unchecked"
    if aa.ci_low is None or aa.ci_high is None:
        return f"{format_percent(aa.change)} (unchecked)"
    half_width = (aa.ci_high - aa.ci_low) / 2
    digits = digits_for(half_width)
    text = f"{format_percent(aa.change, digits)} ±{unsigned_percent(half_width, digits)}"
    if aa.verdict == AaVerdict.INVALID:
        return f"{text} (invalid: two identical copies differ, so no change is given)"
    return text if aa.verdict == AaVerdict.OK else f"{text} ({sanitize_line(aa.verdict)})"


def _outputs(record: RunRecord) -> str:
    different = [item for item in record.outputs if item.equal is False]
    if different:
        where = (f"{sanitize_line(item.variant)} on {sanitize_line(item.workload)}" for item in different)
        return f"outputs differ ({', '.join(where)})"
    unknown = dict.fromkeys(sanitize_line(item.workload) for item in record.outputs if item.equal is None)
    if unknown:
        return f"outputs not compared ({', '.join(unknown)})"
    return f"outputs equal{_leniency(record)}" if record.outputs else "outputs not compared"


def _leniency(record: RunRecord) -> str:
    """The differences allowed between outputs that are called equal."""
    tolerances = [item.tolerance for item in record.outputs if item.tolerance is not None]
    left_out = dict.fromkeys(sanitize_line(name) for item in record.outputs for name in item.left_out)
    facts = ["filtered"] if any(item.filtered for item in record.outputs) else []
    facts += [f"within {max(tolerances):g}".replace("e-0", "e-")] if tolerances else []
    facts += [f"except {', '.join(left_out)}"] if left_out else []
    return f" ({', '.join(facts)})" if facts else ""


def _claim(record: RunRecord) -> str:
    if record.arms:
        return "holds for these two builds"
    if any(variant.pgo for variant in record.variants):
        return "holds for this binary, not for PGO in general"
    return "holds for this binary"


def _doubts(record: RunRecord) -> dict[str, None]:
    """The warnings about single numbers, each after the mark of its number in the tables."""
    folds = record.cross_validation
    held_out = () if folds is None else (*folds.trained, *folds.held_out, *folds.optimism)
    warnings = (warning for one in (*record.comparisons, *held_out) for warning in one.warnings)
    return dict.fromkeys(f"{MARK} {sentence(warning.message)}" for warning in warnings)


def _missing_variants(record: RunRecord) -> Iterator[str]:
    words = {VariantStatus.SKIPPED: "Skipped", VariantStatus.FAILED: "Failed"}
    for variant in record.variants:
        if variant.status in words:
            reason = sentence(variant.reason or "not reached")
            yield f"{words[variant.status]} {sanitize_line(variant.name)}: {reason}"


def _time_was_short(record: RunRecord) -> Iterator[str]:
    """What could be detected in the available time, if that was not enough."""
    suite = [item for item in record.comparisons if item.workload is None]
    advice = record.measure.advice if record.measure else None
    unproven = any(item.verdict is Verdict.INCONCLUSIVE for item in suite)
    if not advice and not unproven:
        return
    facts = []
    if record.measure and record.measure.half_width is not None:
        facts.append(f"half-width ±{unsigned_percent(record.measure.half_width)} reached")
    detectable = max((item.mde for item in suite if item.mde is not None), default=None)
    if detectable is not None:
        facts.append(f"minimum detectable effect {unsigned_percent(detectable)}")
    if unproven and not facts:
        facts.append("too few rounds for an interval")
    if advice:
        facts.append(sentence(advice))
    yield f"{'Time was short' if advice else 'Resolution'}: {'; '.join(facts)}."


def _too_good(record: RunRecord) -> Iterator[str]:
    if record.arms:  # both versions know the input
        return
    suspects = dict.fromkeys(
        sanitize_line(item.candidate)
        for item in record.comparisons
        if item.verdict is Verdict.FASTER
        and item.change < -_SUSPICIOUS_GAIN
        and in_sample_label(record, item.candidate, item.workload)
        and not _is_answered(record, item.candidate)
    )
    if suspects:
        yield (
            f"Beware: more than {_SUSPICIOUS_GAIN:.0%} less time on the training input itself "
            f'({", ".join(suspects)}). Measure on held-out input: one workload with use = ["train"], '
            'another with use = ["bench"]; or, with several for both, --cross-validate.'
        )


def _is_answered(record: RunRecord, candidate: str) -> bool:
    """Whether it is known how much of a gain remains elsewhere."""
    found = record.cross_validation
    return found is not None and find_comparison(found.held_out, held_out_arm(candidate)) is not None


def _uncounted(record: RunRecord) -> Iterator[str]:
    """Why counts are missing: one reason for each kind, and the number of workloads with a similar one."""
    for name, counts in (("Instructions", record.instructions), ("Allocations", record.allocations)):
        reasons = {item.workload: item.reason for item in counts if item.reason is not None}
        if reasons:
            first, *others = reasons.values()
            likewise = f"; likewise for {len(others)} more workload{'s' * (len(others) > 1)}" if others else ""
            yield f"{name}: n/a ({sanitize_line(first)}{likewise})."


def _evidence(record: RunRecord) -> Iterator[str]:
    """What is proven of each program; once for those that share all of it, as in a search."""
    programs = [item for variant in record.variants for item in variant.evidence.items()]
    for facts, names in named_by_fact((sanitize_line(name), _describe_pgo(pgo)) for name, pgo in programs):
        yield f"PGO evidence of {names}: {facts}"
    for name, pgo in programs:
        yield from describe_measured_programs(name, pgo)


def describe_measured_programs(name: str, pgo: PgoRecord) -> Iterator[str]:
    """Describe the profile's functions in the tests or benches that represent a variant, a sentence per workload."""
    for item in pgo.measured_programs:
        yield (
            f"Measured on {sanitize_line(item.workload)}, {sanitize_line(name)} means other programs compiled with the "
            f"same profile: {item.functions_with_counts:,} of their functions with counts, "
            f"{item.mismatched_functions:,} mismatched."
        )


def _describe_pgo(pgo: PgoRecord) -> str:
    facts = [
        f"{pgo.functions_with_counts:,} of {pgo.functions:,} functions with counts",
        f"{pgo.missing_functions:,} without data",
        f"{pgo.mismatched_functions:,} mismatched",
        f"{pgo.raw_profiles:,} raw profile{'s' * (pgo.raw_profiles != 1)}",
    ]
    if pgo.renamed_functions and pgo.attempt != "translated":
        facts.insert(1, f"{pgo.renamed_functions:,} with other names in tests, benches or examples")
    if pgo.quarantined:
        facts.append(f"{len(pgo.quarantined):,} quarantined")
    if pgo.processes_without_counts:
        lost = pgo.processes_without_counts
        facts.append(f"{lost:,} process{'es' * (lost != 1)} of training without counts")
    if pgo.counters != "single":
        facts.append(f"{sanitize_line(pgo.counters)} counters")
    if pgo.flush_object:
        facts.append("counts saved from stop signals by an object in the instrumented build")
    facts.append(f"profile {sanitize_line(pgo.profdata.sha256[:_HASH_DIGITS])}")
    facts += _say_origin(pgo)
    facts += [f"not {sanitize_line(each.name)} ({sentence(each.reason)})" for each in pgo.rejected_attempts]
    return ", ".join(facts) + ("." if pgo.applied else "; not shown to have been applied.")


def _say_origin(pgo: PgoRecord) -> list[str]:
    """Whose counts these are, where that is not the variant's own program as it is."""
    found = format_share(1.0 if pgo.matched_ratio is None else pgo.matched_ratio)
    other = sanitize_line(pgo.shared_with or "another variant")
    if pgo.source == "profile-data":
        changed = f", and {format_share(pgo.approximate_ratio)} one that has changed" if pgo.approximate_ratio else ""
        return [f"committed counts, {found} of which found their function{changed}"]
    origins = {
        "lto-free": "trained without LTO",
        "shared": f"trained once with {other}",
        "translated": f"{found} of the counts of {other}, translated",
    }
    return [origins[pgo.attempt]] if pgo.attempt in origins else []


def _target_cpus(record: RunRecord) -> Iterator[str]:
    variants = (record.build_profile or {}).get("variants")
    needed, unknown = [], []
    for variant in record.variants:
        settings = variants.get(variant.name) if isinstance(variants, Mapping) else None
        cpu = _target_cpu(settings) if isinstance(settings, Mapping) else None
        if variant.cpu_features:
            flags = "" if cpu is None else f" (target-cpu {sanitize_line(cpu)})"
            needed.append((sanitize_line(variant.name) + flags, ", ".join(map(sanitize_line, variant.cpu_features))))
        elif cpu is not None and variant.cpu_features is None:
            unknown.append((sanitize_line(variant.name), sanitize_line(cpu)))
    for features, names in named_by_fact(needed):
        yield f"Beware: {names} will not run on a CPU without {features}."
    for cpu, names in named_by_fact(unknown):
        yield f"Beware: compiled for target-cpu {cpu}, which may not run on other machines: {names}."


def _target_cpu(settings: Mapping[str, Any]) -> str | None:
    """The resulting target CPU: the last one wins, as in rustc; flags come after the setting."""
    flags = [str(flag) for flag in settings.get("rustflags") or ()]
    named = [flag.partition("target-cpu=")[2] for flag in flags if "target-cpu=" in flag]
    setting = settings.get("target-cpu")
    return named[-1] if named else None if setting is None else str(setting)


def _machine_checks(record: RunRecord) -> Iterator[str]:
    for check in record.noise.checks if record.noise else ():
        if check.level != "info":
            yield f"Warning: {sentence(check.message)}"


def _warnings(record: RunRecord) -> Iterator[str]:
    """All warnings that are not covered above."""
    said = {record.error.message} if record.error else set()
    doubts = _doubts(record)
    for warning in record.warnings:
        if warning.code in _SAID_ELSEWHERE or f"{MARK} {sentence(warning.message)}" in doubts:
            continue
        if warning.message not in said:
            said.add(warning.message)
            yield _describe_warning(warning)


def _describe_warning(warning: WarningRecord) -> str:
    message = f"Warning: {sentence(warning.message)}"
    return f"{message} (help: {sentence(warning.help)})" if warning.help else message


def provenance(record: RunRecord) -> Iterator[str]:
    """The machine, the tools, the commit, and the run."""
    facts = [] if record.host is None else _describe_host(record.host)
    if record.toolchain is not None:
        facts.append(f"rustc {sanitize_line(record.toolchain.rustc).removeprefix('rustc ')}")
    if record.project is not None and record.project.git_commit:
        facts.append(f"commit {describe_commit(record)}")
    facts += [f"optbuild {sanitize_line(record.optbuild_version)}", f"run {sanitize_line(record.run_id)}"]
    yield ", ".join(facts) + "."


def _describe_host(host: HostRecord) -> list[str]:
    cores = f"{host.cores} core{'s' * (host.cores != 1)}"
    return [
        sanitize_line(host.cpu or "unknown CPU"),
        cores,
        format_bytes(host.memory_bytes),
        sanitize_line(host.kernel),
    ]


def describe_commit(record: RunRecord) -> str:
    """The abbreviated commit, with a mark for uncommitted changes; empty if there is none."""
    project = record.project
    if project is None or not project.git_commit:
        return ""
    return sanitize_line(project.git_commit[:_HASH_DIGITS]) + " + changes" * bool(project.git_dirty)
