from __future__ import annotations

from pathlib import Path

import pytest
from inline_snapshot import snapshot

from optbuild.tools.fdata import BranchTotals, scaled, sum_up
from optbuild.tools.llvm_bolt import BoltFacts, instrument_argv, optimise_argv, parse_facts, parse_version
from optbuild.tools.llvm_objcopy import LONGEST_NAME, Keep, long_names, render_renamings, short_names, strip_argv

RECORDED = Path(__file__).parents[1] / "recorded" / "bolt"


def _recorded(name: str) -> str:
    return (RECORDED / f"{name}.llvm22.txt").read_text()


def test_its_version_is_that_of_its_llvm() -> None:
    """BOLT has none of its own."""
    assert parse_version(_recorded("version")) == snapshot(("22.1.8", 22))


def test_what_is_not_bolt_is_refused() -> None:
    """Other tools of LLVM print the same banner."""
    with pytest.raises(ValueError, match="does not name BOLT"):
        parse_version("Debian LLVM version 22.1.8\n  Optimized build.\n")


def test_what_it_reports_of_a_program() -> None:
    """The last of its tables is that of the finished program."""
    assert parse_facts(_recorded("optimise")) == snapshot(
        BoltFacts(
            functions=533,
            functions_with_counts=38,
            unused_functions=3,
            taken_branches=(951, 803),
            instructions=(21886, 21798),
        )
    )


def test_a_program_in_which_nothing_moved_has_one_table() -> None:
    """Branches are then the same before and after."""
    facts = parse_facts(_recorded("stale"))
    assert facts.functions_with_counts == 1
    assert facts.taken_branches is not None
    assert facts.taken_branches[0] == facts.taken_branches[1]


def test_a_log_without_functions_is_refused() -> None:
    """Without them it is no evidence."""
    with pytest.raises(ValueError, match="how many functions"):
        parse_facts("BOLT-INFO: Target architecture: x86_64\n")


def test_warnings_about_counts_are_read() -> None:
    """Counts of other code, and functions that BOLT leaves where they are."""
    log = (
        "BOLT-INFO: 40 out of 90 functions in the binary (44.4%) have non-empty execution profile\n"
        "BOLT-INFO: 7 functions with profile could not be optimized\n"
        "BOLT-WARNING: 3 (7.5% of all profiled) functions have invalid (possibly stale) profile. Use -report-stale\n"
    )
    assert parse_facts(log) == BoltFacts(functions=90, functions_with_counts=40, unused_functions=7, stale_functions=3)


def test_its_arguments() -> None:
    """The options of rustc's own distribution, without pages of 2 MiB."""
    tool, program, output, counts = map(Path, ("/bolt", "/in", "/out", "/c.fdata"))
    assert instrument_argv(tool, program=program, output=output, counts=counts) == snapshot(
        (
            "/bolt",
            "/in",
            "-o",
            "/out",
            "-instrument",
            "--instrumentation-file=/c.fdata",
            "--instrumentation-file-append-pid",
        )
    )
    laid_out = optimise_argv(tool, program=program, output=output, counts=counts, is_aarch64=False, keeps_debug=False)
    assert laid_out == snapshot(
        (
            "/bolt",
            "/in",
            "-o",
            "/out",
            "-data=/c.fdata",
            "-reorder-blocks=ext-tsp",
            "-reorder-functions=cdsort",
            "-split-functions",
            "-split-strategy=cdsplit",
            "-split-all-cold",
            "-jump-tables=move",
            "-icf=all",
            "--no-huge-pages",
            "-dyno-stats",
        )
    )
    other = optimise_argv(tool, program=program, output=output, counts=counts, is_aarch64=True, keeps_debug=True)
    assert set(other) - set(laid_out) == {"-split-strategy=profile2", "-update-debug-sections"}


@pytest.mark.parametrize(
    ("keep", "option"), [(Keep.ALL, "--no-strip-all"), (Keep.NO_DEBUG, "--strip-debug"), (Keep.NONE, "--strip-all")]
)
def test_stripping_removes_relocations_too(keep: Keep, option: str) -> None:
    """Nobody but BOLT reads them, and they are larger than the program."""
    argv = strip_argv(Path("/strip"), keep=keep, relocations=(".rela.text",), program=Path("/in"), output=Path("/out"))
    assert argv == ("/strip", option, "--remove-section=.rela.text", "-o", "/out", "/in")


def test_only_long_names_get_others() -> None:
    """The same one in every program, so that counts fit."""
    long = "x" * (LONGEST_NAME + 1)
    names = short_names(["main", long, "y" * LONGEST_NAME])
    assert list(names) == [long]
    assert short_names([long]) == names
    assert render_renamings(names) == f"{long} {names[long]}\n"


def test_counts_are_added_up() -> None:
    """Every line is a branch; its first end is the function that it leaves."""
    lines = _recorded("counts").splitlines()
    assert sum_up(lines) == snapshot(BranchTotals(functions=36, total_count=1564))


def test_scaled_counts_keep_their_proportions() -> None:
    """What was taken once stays taken, and what never was stays so."""
    lines = ["1 a\\ b 1f 1 main 0 0 1\n", "1 main 10 0 [unknown] 0 3 1000\n"]
    assert list(scaled(lines, 0.01)) == ["1 a\\ b 1f 1 main 0 0 1\n", "1 main 10 0 [unknown] 0 1 10\n"]
    assert sum_up(scaled(lines, 2)) == BranchTotals(functions=2, total_count=2002)


@pytest.mark.parametrize("line", ["1 main 10 1 main 20 0", "not counts", "1 main 10 1 main 20 0 x"])
def test_a_line_cut_short_is_refused(line: str) -> None:
    """Half a file would lay a program out by half of what it does."""
    with pytest.raises(ValueError, match="not a branch"):
        sum_up([line])


def test_parts_of_functions_get_their_names_back() -> None:
    """BOLT splits functions, and names the parts after them."""
    long = "x" * (LONGEST_NAME + 1)
    names = short_names([long])
    short = names[long]
    assert long_names([short, f"{short}.cold.0", "main"], names) == {short: long, f"{short}.cold.0": f"{long}.cold.0"}
