"""The page on real reports as text, from the reports and nothing else.

Sources:
    hyperfine, `src/benchmark/relative_speed.rs`: "x ± σ times faster", the standard deviations propagated to the ratio.
    https://github.com/sharkdp/hyperfine
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

from optbuild.measure import statistics
from validation import peers
from validation.document import Table, render_page
from validation.rates import Outcome, Rate, worst

Report = Mapping[str, Any]
"""A line of the raw results; `share` is how much more the second program does."""

SHARES = (0.005, 0.01, 0.02, 0.05, 0.1)
WHOLE = 1.0
"""A share that tells how much of the program's time is work: the change that it makes."""
_REPORTS = 200
_MOST_FALSE = 4
_INJECTED = 100
_CONFIDENCE = 0.95
_POWER = 0.8
_MARGIN = 0.01
_NOTHING = "–"
_WHAT = (
    "Written by `nox -s validate-real` from [real.jsonl](real.jsonl), which holds every report. A report is one "
    "`optbuild bench` of a small Rust program that computes for some hundredths of a second, with the default "
    "precision, margin and confidence: against a byte copy of itself (A/A), or against a copy that does a share more "
    "of the same work, by the same code. Intervals in brackets are 95% Clopper–Pearson intervals in percent."
)


def render(reports: Sequence[Report]) -> str:
    """Give the page: the sentence, what was reached and what was not, and what it was taken on.

    Args:
        reports: At least one that counts.
    """
    aside = [item for item in reports if not is_counted(item)]
    reports = [item for item in reports if is_counted(item)]
    same = [item for item in reports if item["share"] == 0.0]
    false = sum(map(_is_false, same))
    opening = [
        _WHAT,
        f"In {len(same)} A/A reports, {false} false verdicts (95% upper bound {upper_bound(false, len(same)):.1%}).",
        _machine(reports),
        *_set_aside(aside),
    ]
    tables = [_false_verdicts(same), _coverage(reports), _power(reports), _hyperfine(same)]
    return render_page(tables, title="Validation by real reports", opening=opening)


def is_counted(report: Report) -> bool:
    """Whether a report was taken as the others were."""
    return "set_aside" not in report


def _set_aside(aside: Sequence[Report]) -> Iterator[str]:
    """What is not counted, by the reason that its lines give."""
    for reason in dict.fromkeys(item["set_aside"] for item in aside):
        group = [item for item in aside if item["set_aside"] == reason]
        shares = ", ".join(
            f"{sum(item['share'] == share for item in group)} with {share:.1%} of extra work"
            for share in sorted({item["share"] for item in group})
        )
        yield f"Not counted, though kept among the raw results: {shares}. {reason}"


def upper_bound(count: int, of: int) -> float:
    """The one-sided 95% Clopper–Pearson bound of a proportion."""
    return 1.0 if count == of else float(stats.beta.ppf(_CONFIDENCE, count + 1, of - count))


def detectable_effect(report: Report) -> float | None:
    """The change that a report prints as detectable, by the rule of today; None where it is not known.

    Reports that were taken before their margin was kept have the default one, unless the check of the harness had
    raised it.
    """
    margin = report.get("margin", _MARGIN if report["aa"] != "warning" else None)
    if margin is None or report["ci_low"] is None:
        return None
    low, theta, high = (math.log1p(report[name]) for name in ("ci_low", "change", "ci_high"))
    reach = max(high - theta, theta - low)
    return math.expm1(statistics.detectable_effect(reach, report["rounds"], math.log1p(margin), 1 - _CONFIDENCE))


def _is_false(report: Report) -> bool:
    return report["verdict"] not in {"same", "inconclusive"}


def _holds(report: Report, change: float) -> bool:
    return bool(report["ci_low"] <= change <= report["ci_high"])


def _known(reports: Iterable[Report]) -> list[Report]:
    """Those with an interval."""
    return [item for item in reports if item["ci_low"] is not None]


def _machine(reports: Sequence[Report]) -> str:
    hosts = dict.fromkeys(
        f"{host['cpu'] or 'unknown CPU'}, {host['cores']} core{'s' * (host['cores'] != 1)} for the measuring, "
        f"{host['kernel']}, governor {host['governor'] or 'unknown'}"
        for host in (item["host"] for item in reports)
    )
    seconds = "/".join(f"{value:g}" for value in sorted({item["seconds"] for item in reports}))
    steal = [item["steal_ratio"] for item in reports if item["steal_ratio"] is not None]
    stolen = f"{np.median(steal):.1%} in the median report, {max(steal):.1%} in the worst" if steal else "unknown"
    noisy = sum(item["noisy"] for item in reports)
    return (
        f"Machine: {'; '.join(hosts)}. {seconds} s a report, {np.median([item['rounds'] for item in reports]):.0f} "
        f"rounds in the median. Time that the hypervisor took: {stolen}. By their own account {noisy} of "
        f"{len(reports)} reports were taken on a noisy machine."
    )


def _false_verdicts(same: Sequence[Report]) -> Table:
    known = _known(same)
    counted = {
        "any verdict but *same* and *inconclusive*": (sum(map(_is_false, same)), len(same)),
        "the same without a margin: the 95% interval excludes zero": (
            sum(not _holds(item, 0.0) for item in known),
            len(known),
        ),
        "the harness called invalid": (sum(item["aa"] == "invalid" for item in same), len(same)),
        "the harness warned about": (sum(item["aa"] == "warning" for item in same), len(same)),
    }
    false = counted["any verdict but *same* and *inconclusive*"][0]
    outcome = Outcome.MET if false <= _MOST_FALSE * len(same) / _REPORTS else Outcome.MISSED
    return Table(
        title="False verdicts",
        target=f"at most {_MOST_FALSE} false verdicts in {_REPORTS} A/A reports",
        text=(
            "By construction the interval excludes zero in 5% of reports, and the check of the harness warns in 5%; "
            "the margin of 1% is what keeps verdicts well below that."
        ),
        header=("in A/A reports", "share"),
        rows=tuple((what, _share(hits, of)) for what, (hits, of) in counted.items()),
        outcome=Outcome.OPEN if len(same) < _REPORTS else outcome,
        remark=f"{len(same)} of {_REPORTS} reports have been taken." if len(same) < _REPORTS else "",
    )


def _work_ratios(reports: Sequence[Report]) -> dict[int, float]:
    """By the program's version, the part of its time that is work."""
    whole = [item for item in reports if item["share"] == WHOLE]
    return {
        program: float(np.median([item["change"] for item in whole if _program(item) == program]))
        for program in sorted(set(map(_program, whole)))
    }


def _program(report: Report) -> int:
    return int(report.get("program", 1))


def _describe_ratios(reports: Sequence[Report]) -> str:
    """What the reports with the whole work again say, and of which program."""
    told = []
    for program, ratio in _work_ratios(reports).items():
        count = sum(item["share"] == WHOLE and _program(item) == program for item in reports)
        shares = sorted({item["share"] for item in reports if _program(item) == program} & set(SHARES))
        met = f" (met by {', '.join(f'{share:.1%}' for share in shares)})" if shares else ""
        told.append(f"{ratio:.1%} in the median of {count}, with version {program} of the program{met}")
    return "; ".join(told) or "there are none"


def _coverage(reports: Sequence[Report]) -> Table:
    rows, outcomes = [], {}
    ratios = _work_ratios(reports)
    for share in (0.0, *SHARES):
        group = [item for item in reports if item["share"] == share]
        known = _known(group)
        if not known:
            continue
        changes = [share * ratios.get(_program(item), 1.0) for item in known]
        rate = Rate(hits=sum(map(_holds, known, changes)), trials=len(known))
        low, high = rate.interval
        outcome = Outcome.MET if low <= _CONFIDENCE <= high else Outcome.MISSED
        outcomes[f"{share:.1%}"] = outcome if len(group) >= _INJECTED else Outcome.OPEN
        rows.append(
            (
                f"{share:.1%}",
                f"{np.median(changes):.2%}",
                str(len(group)),
                f"{np.median([item['change'] for item in known]):+.2%}".replace("-", "−"),
                str(rate),
                str(sum(_holds(item, share) for item in known)),
                outcomes[f"{share:.1%}"],
                *(str(sum(item["verdict"] == verdict for item in group)) for verdict in ("slower", "faster")),
            )
        )
    outside = [share for share, outcome in outcomes.items() if outcome is Outcome.MISSED]
    few = [name for share in SHARES if outcomes.get(name := f"{share:.1%}", Outcome.OPEN) is Outcome.OPEN]
    return Table(
        title="Coverage",
        target=f"at each share, {_INJECTED} reports or more, and the interval of the coverage contains 95%",
        text=(
            "How often a report's 95% interval holds the change that was made. The program's start does no work, so "
            f"the change is smaller than the share of extra work. Reports with {WHOLE:.0%} of extra work say how much "
            f"smaller: {_describe_ratios(reports)}. Without them the change is taken to be the share."
        ),
        header=(
            "extra work",
            "change",
            "reports",
            "median estimate",
            "interval holds it",
            "holds the share",
            "target",
            "slower",
            "faster",
        ),
        rows=tuple(rows),
        outcome=worst(list(outcomes.values())) if len(outcomes) > len(SHARES) else Outcome.OPEN,
        remark=" ".join(
            [
                *([f"The interval does not contain 95% at {', '.join(outside)}."] if outside else []),
                *([f"Fewer than {_INJECTED} reports at {', '.join(few)}."] if few else []),
            ]
        ),
    )


def _power(reports: Sequence[Report]) -> Table:
    rows, found, judged = [], 0, 0
    for share in SHARES:
        effects = [(item, detectable_effect(item)) for item in reports if item["share"] == share]
        known = [(item, effect) for item, effect in effects if effect is not None]
        if not known:
            continue
        able = [item for item, effect in known if effect <= share]
        hits = sum(item["verdict"] == "slower" for item in able)
        found, judged = found + hits, judged + len(able)
        median = float(np.median([effect for _, effect in known]))
        rows.append((f"{share:.1%}", f"{median:.2%}", f"{len(able)} of {len(effects)}", _share(hits, len(able))))
    rows.append(("together", _NOTHING, str(judged), _share(found, judged)))
    outcome = Rate(hits=found, trials=judged).against(_POWER, 1.0) if judged else Outcome.OPEN
    return Table(
        title="Power at the printed detectable effect",
        target="of the reports that print an effect as detectable no larger than the extra work, at least 80% call "
        "the second program slower",
        text=(
            "The effect that each report prints is compared with the extra work in it. If the work is far above the "
            "effect, nearly all find it; just above it, four of five should. A report promises nothing about smaller "
            "shares. Reports whose margin the check of the harness raised by an unknown amount are not judged here."
        ),
        header=("extra work", "printed effect, median", "reports that promise it", "called slower"),
        rows=tuple(rows),
        outcome=outcome,
        remark="Too few reports promise what they met for a judgement." if outcome is Outcome.OPEN else "",
    )


def _hyperfine(same: Sequence[Report]) -> Table:
    """What hyperfine says of the same pairs, and what its own samples would."""
    asked = [item for item in same if item["hyperfine"]]
    pairs = [[np.log(arm["times_s"]) for arm in item["hyperfine"].values()] for item in asked]
    rows: list[tuple[str, ...]] = []
    if pairs:
        a, b = (np.array(column) for column in zip(*pairs, strict=True))
        means = np.abs(np.exp(b).mean(axis=-1) / np.exp(a).mean(axis=-1) - 1)
        shown = [np.abs([item["change"] for item in asked]), means]
        excluded = sum(not _holds(item, 0.0) for item in _known(asked))
        count = len(asked)
        rows = [
            ("difference shown, median", *(f"{np.median(values):.2%}" for values in shown)),
            ("difference shown, worst of twenty", *(f"{np.quantile(values, 0.95):.2%}" for values in shown)),
            ("difference shown, worst", *(f"{np.max(values):.2%}" for values in shown)),
            ("called different by its own words", _share(sum(map(_is_false, asked)), count), _share(count, count)),
            ("1 lies outside of mean ± σ", _NOTHING, _share(int(peers.mean_ratio(a, b).sum()), count)),
            ("called different at 5%", _share(excluded, count), _share(int(peers.welch(a, b).sum()), count)),
        ]
    return Table(
        title="hyperfine on the same pairs",
        target=None,
        text=(
            f"After each of {len(asked)} A/A reports, on the same two files, `hyperfine -N --warmup 2 --runs 15`: all "
            "runs of one program, then all of the other. Its output always calls one of them “x ± σ times faster” "
            "than the other. *Called different at 5%*: our interval without a margin, Welch's test on hyperfine's "
            "samples. It takes a second or two where a report takes ten, so its means also scatter more; how often a "
            "test at 5% calls identical programs different does not depend on its duration."
        ),
        header=("identical programs", "optbuild", "hyperfine"),
        rows=tuple(rows) or ((_NOTHING, _NOTHING, _NOTHING),),
    )


def _share(hits: int, of: int) -> str:
    return f"{hits} of {of}: {Rate(hits=hits, trials=of)}" if of else _NOTHING
