from __future__ import annotations

import json
from pathlib import Path

import pytest

from optbuild.workloads.self_measured import (
    describe_benchmarks,
    describe_tests,
    read_criterion,
    read_divan,
    read_gungraun,
    read_libtest,
)

LIBTEST = """
running 4 tests
test sum::tests::adds ... ignored
test sum::long        ... bench:       1,234.56 ns/iter (+/- 7.89)
test sum::short       ... bench:          12 ns/iter (+/- 1) = 640 MB/s
test sum::tests::more ... ok

test result: ok. 1 passed; 0 failed; 1 ignored; 2 measured; 0 filtered out; finished in 2.51s
"""

DIVAN = """\
Timer precision: 38 ns
d                fastest       │ slowest       │ median        │ mean          │ samples │ iters
├─ counted       22.37 ns      │ 75.52 ns      │ 28.5 ns       │ 29.22 ns      │ 100     │ 25600
│                625.6 MB/s    │ 185.3 MB/s    │ 491.2 MB/s    │ 479.1 MB/s    │         │
├─ skipped       (ignored)     │               │               │               │         │
╰─ words                       │               │               │               │         │
   ├─ count                    │               │               │               │         │
   │  ├─ 10      382.7 ns      │ 254.4 µs      │ 467.6 ns      │ 3 µs          │ 100     │ 1600
   │  ╰─ 1000    34.05 µs      │ 16.88 ms      │ 45.18 µs      │ 214.1 µs      │ 100     │ 100
   ╰─ make                     │               │               │               │         │
      ├─ String                │               │               │               │         │
      │  ╰─ 1    31.27 ns      │ 83.78 ns      │ 38.92 ns      │ 38.88 ns      │ 100     │ 6400
      ╰─ a b 1   1.271 s       │ 1.271 s       │ 1.5 s         │ 1.271 s       │ 1       │ 1

"""


def write_sample(home: Path, name: str, iters: list[float], times: list[float], *, baseline: str = "new") -> Path:
    """What Criterion leaves of one benchmark."""
    directory = home / name.replace(" ", "_") / baseline
    directory.mkdir(parents=True)
    sample = directory / "sample.json"
    sample.write_text(json.dumps({"sampling_mode": "Linear", "iters": iters, "times": times}))
    (directory / "benchmark.json").write_text(json.dumps({"group_id": name, "full_id": name, "title": name}))
    return sample


def test_a_benchmark_is_worth_the_slope_of_its_samples(tmp_path: Path) -> None:
    """With growing numbers of iterations, as Criterion estimates it: 4 ns each here, beside one that was held up."""
    write_sample(tmp_path, "parse/long lines", [1.0, 2.0, 3.0], [4.0, 8.0, 12.0 + 14.0 / 3])
    assert read_criterion(tmp_path) == {"parse/long lines": pytest.approx(5e-9)}


def test_with_equal_numbers_the_slope_is_the_mean(tmp_path: Path) -> None:
    """Flat sampling, which Criterion chooses for slow code."""
    write_sample(tmp_path, "slow", [2.0, 2.0], [100.0, 300.0])
    assert read_criterion(tmp_path) == {"slow": pytest.approx(100e-9)}


def test_only_the_new_samples_count(tmp_path: Path) -> None:
    """The copy that Criterion keeps for its next comparison is the same once more."""
    write_sample(tmp_path, "sum", [1.0], [1.0])
    write_sample(tmp_path, "sum", [1.0], [9.0], baseline="base")
    assert [*read_criterion(tmp_path)] == ["sum"]
    assert read_criterion(tmp_path / "nothing") == {}


@pytest.mark.parametrize(
    "content", ["", "[]", '{"iters": [1], "times": []}', '{"iters": [], "times": []}', '{"iters": [1], "times": [0]}']
)
def test_samples_that_hold_no_time_are_refused(content: str, tmp_path: Path) -> None:
    """With the file's name; a benchmark without a time is none."""
    sample = write_sample(tmp_path, "sum", [1.0], [1.0])
    sample.write_text(content)
    with pytest.raises(ValueError, match=r"sum/new/sample\.json"):
        read_criterion(tmp_path)


def test_samples_without_a_name_are_refused(tmp_path: Path) -> None:
    """Directories are named in another way than people know a benchmark by."""
    write_sample(tmp_path, "sum", [1.0], [1.0]).with_name("benchmark.json").unlink()
    with pytest.raises(ValueError, match="not what Criterion writes"):
        read_criterion(tmp_path)


def test_libtest_prints_its_benchmarks() -> None:
    """With thousands in groups; tests have no time."""
    assert read_libtest(LIBTEST) == {"sum::long": pytest.approx(1.23456e-6), "sum::short": pytest.approx(12e-9)}


def test_what_two_runs_can_be_compared_by_has_no_times_and_no_order() -> None:
    """Libtest runs tests at the same time, and says how long all took."""
    expected = (
        "test sum::long ... bench\ntest sum::short ... bench\ntest sum::tests::adds ... ignored\n"
        "test sum::tests::more ... ok\n"
    )
    assert describe_tests(LIBTEST) == expected
    assert describe_tests("\n".join(reversed(LIBTEST.splitlines()))) == expected
    assert describe_benchmarks({"b": 1.0, "a\x1b": 2.0}) == "benchmark a^[\nbenchmark b\n"


def test_benchmarks_of_one_id_are_told_apart_by_their_directories(tmp_path: Path) -> None:
    """Criterion gives the second one a directory of its own and leaves its id as it is."""
    for directory, time in (("sum", 1.0), ("sum_2", 2.0)):
        sample = write_sample(tmp_path, directory, [1.0], [time])
        sample.with_name("benchmark.json").write_text('{"full_id": "sum"}')
    assert read_criterion(tmp_path) == {"sum": pytest.approx(1e-9), "sum_2": pytest.approx(2e-9)}


def test_a_benchmark_of_divans_is_worth_the_median_of_its_samples() -> None:
    """By its way in the tree; throughputs, groups and those that are ignored have no time."""
    assert read_divan(DIVAN) == {
        "counted": pytest.approx(28.5e-9),
        "words/count/10": pytest.approx(467.6e-9),
        "words/count/1000": pytest.approx(45.18e-6),
        "words/make/String/1": pytest.approx(38.92e-9),
        "words/make/a b 1": 1.5,
    }
    assert read_divan("Timer precision: 38 ns\n") == {}


# In the form that `format.rs` of gungraun-runner 0.20 gives it
GUNGRAUN = """\
speed::parsing::parse short:text(10)
  Instructions:                        1734|N/A                  (*********)
  L1 Hits:                             2359|N/A                  (*********)
speed::parsing::parse long:text(1000)
  ======= CALLGRIND ====================================================================
  Instructions:                      181734|181000               (+0.40552%) [+1.00406x]
  ======= PERF =========================================================================
  Instructions:                      190000|N/A                  (*********)
  Comparison with print long:text(1000)
  Instructions:                        1000|181734               (+++inf+++)
speed::parsing::print
|  Instructions:                       4321|4321                 (No change)

Gungraun result: Ok. 3 without regressions; 0 regressed; 0 filtered; 3 benchmarks finished in 0.6s
"""


def test_instructions_are_those_that_callgrind_counted() -> None:
    """By the bench's path without its file; neither what another tool counts nor what is compared with."""
    assert read_gungraun(GUNGRAUN) == {
        "parsing::parse/short": 1734,
        "parsing::parse/long": 181734,
        "parsing::print": 4321,
    }


def test_what_stands_in_parts_counts_as_a_whole() -> None:
    """Gungraun shows the total of several threads or processes below them."""
    parts = (
        "speed::group::spawn\n  ## pid: 1 thread: 1\n  Instructions:   100|N/A (*)\n"
        "  ## pid: 1 thread: 2\n  Instructions:   200|N/A (*)\n  ## Total\n  Instructions:   300|N/A (*)\n"
    )
    assert read_gungraun(parts) == {"group::spawn": 300}


def test_what_is_not_gungrauns_holds_no_instructions() -> None:
    """A program may print such words itself."""
    assert read_gungraun("Instructions: 5\nsee a::b\n") == {}
