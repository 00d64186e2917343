from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import jsonschema
import pytest
from inline_snapshot import snapshot

from optbuild.errors import StorageError, ToolchainError, UsageError
from optbuild.files import require_writable
from optbuild.observe.call_tree import Change, Node, make_table, make_tree, thread_group
from optbuild.observe.effort import WANTED_SAMPLES, is_recorded, plan_effort
from optbuild.observe.profiles import ArmProfile, Profiled, Unobserved, WorkloadProfile, scale_recordings
from optbuild.observe.samples import Frame, Samples, Stack, Unit
from optbuild.report.flame.document import make_document_schema, render_document
from optbuild.report.flame.exports import fold_for_drawing, render_folded, render_speedscope
from optbuild.report.flame.firefox import render_firefox
from optbuild.report.flame.page import render_page
from optbuild.report.flame.table import make_report
from optbuild.report.formats.terminal import render_terminal
from optbuild.report.model import Screen
from optbuild.session.drawing import Form, choose_form, require_renderer
from optbuild.tools.inferno import make_draw_argv, place_below
from optbuild.tools.perf_record import CallGraph

SPEEDSCOPE = Path(__file__).parents[1] / "recorded" / "consumers" / "speedscope.schema.json"
EVIL = '</script><b>"&;\n::warning::x'


def samples_of(stacks: dict[str, float], *, count: int | None = 1000, unit: Unit = Unit.SECONDS) -> Samples:
    """A recording; functions are parted by blanks, the outermost first."""
    return Samples(
        stacks=tuple(
            Stack(
                frames=tuple(Frame(function=name, symbol=name, module="demo") for name in names.split(" ")),
                weight=weight,
                thread="demo-7",
            )
            for names, weight in stacks.items()
        ),
        unit=unit,
        tool="perf" if count is not None else "callgrind",
        count=count,
    )


def arm_of(*recordings: dict[str, float], count: int | None = 1000, unit: Unit = Unit.SECONDS) -> ArmProfile:
    """A variant that was recorded some times."""
    each = tuple(samples_of(stacks, count=count, unit=unit) for stacks in recordings)
    return ArmProfile(recordings=each, wall_s=2.0, cpu_s=1.0)


def profiled_of(pgo: ArmProfile, release: ArmProfile | None = None, *, notes: tuple[str, ...] = ()) -> Profiled:
    """What was recorded of one workload."""
    arms = {"pgo": pgo} if release is None else {"release": release, "pgo": pgo}
    workload = WorkloadProfile(workload="books", arms=arms)
    base = None if release is None else "release"
    return Profiled(project="demo", variant="pgo", base=base, workloads=(workload,), notes=notes)


ALONE = profiled_of(arm_of({"main a": 0.6, "main b": 0.3, "main": 0.1}))
COMPARED = profiled_of(
    arm_of(
        *[{"main a": 0.30 + 0.001 * turn, "main b": 0.3 + 0.02 * (turn % 2), "main new": 0.05} for turn in range(5)]
    ),
    arm_of(
        *[{"main a": 0.60 + 0.001 * turn, "main b": 0.3 + 0.02 * (turn // 3), "main gone": 0.1} for turn in range(5)]
    ),
)


def node_at(tree: Node, *path: str) -> Node:
    """A node by the names on the way to it."""
    for name in path:
        tree = next(child for child in tree.children if child.name == name)
    return tree


def test_very_deep_calls_are_left_out_in_the_middle() -> None:
    """A recursion of a thousand calls is drawn and written as JSON; nothing of its weight is lost."""
    deep = profiled_of(arm_of({" ".join(["main", *["walk"] * 1000, "leaf"]): 0.75, "main": 0.25}))
    tree = make_tree(deep)
    assert tree.inclusive.variant == 1.0
    assert '"leaf"' in render_page(deep)
    names = []
    while tree.children:
        tree = tree.children[0]
        names.append(tree.name)
    assert (len(names), names[-1], tree.itself.variant) == (257, "leaf", 0.75)
    assert names.count("[deeper calls left out]") == 1


def test_a_tree_adds_up() -> None:
    """What a function took with its calls is what it took itself and what they took; pools of threads are one."""
    tree = make_tree(ALONE)
    assert tree.inclusive.variant == pytest.approx(1.0)
    main = node_at(tree, "demo-N", "main")
    assert main.inclusive.variant == pytest.approx(1.0)
    assert main.itself.variant == pytest.approx(0.1)
    assert {child.name: child.inclusive.variant for child in main.children} == {"a": 0.6, "b": 0.3}
    assert main.inclusive.change is None
    assert thread_group("rayon-worker-12") == "rayon-worker-N"


def test_what_starts_a_program_is_no_part_of_it() -> None:
    """How many frames of the standard library lie before `main` differs with link-time optimisation."""
    marker = "std::sys::backtrace::__rust_begin_short_backtrace"
    long = f"main std::rt::lang_start_internal std::panic::catch_unwind {marker} core::ops::function::FnOnce::call_once"
    for start in (long, f"main {marker}", f"clone {marker} std::thread::x {marker}"):
        tree = make_tree(profiled_of(arm_of({f"{start} demo::main f": 1.0})))
        assert node_at(tree, "demo-N", "demo::main", "f").itself.variant == 1.0
    alone = make_tree(profiled_of(arm_of({f"main {marker}": 1.0})))
    assert node_at(alone, "demo-N", "main", marker).itself.variant == 1.0


def test_a_function_that_calls_itself_counts_once() -> None:
    """Otherwise it would take more than everything."""
    (row, *_) = make_table(profiled_of(arm_of({"f f f": 1.0})))
    assert (row.function, row.inclusive.variant, row.itself.variant) == ("f", 1.0, 1.0)


def test_differences_are_seen_in_both_directions() -> None:
    """What vanished and what is new is there as well; what is within the noise says so."""
    tree = make_tree(COMPARED)
    changes = {child.name: child.inclusive.change for child in node_at(tree, "demo-N", "main").children}
    assert changes == {"a": Change.CHEAPER, "b": Change.NOISE, "new": Change.DEARER, "gone": Change.CHEAPER}
    gone = node_at(tree, "demo-N", "main", "gone").inclusive
    assert gone.variant == 0.0
    assert gone.base == pytest.approx(0.1)


def test_few_samples_are_noise_even_if_all_recordings_agree() -> None:
    """Three samples in each of five recordings may be luck; their equality is no proof."""
    few = profiled_of(
        arm_of(*[{"main a": 0.9, "main": 0.003}] * 5, count=903),
        arm_of(*[{"main a": 0.9, "main": 0.001}] * 5, count=901),
    )
    assert node_at(make_tree(few), "demo-N", "main").itself.change is Change.NOISE


def test_counted_instructions_have_no_noise() -> None:
    """Callgrind counts everything: any difference is one."""
    each = [arm_of({"main": weight}, count=None, unit=Unit.INSTRUCTIONS) for weight in (1001.0, 1000.0)]
    found = profiled_of(*each)
    assert make_tree(found).inclusive.change is Change.DEARER


def test_recordings_are_scaled_to_runs_that_nobody_observed() -> None:
    """The observer slows programs down, and unequally."""
    runs = tuple(Unobserved(wall_s=1.0, cpu_s=cpu_s) for cpu_s in (0.5, 0.4, 0.6))
    arm = scale_recordings((samples_of({"main": 3.0}), samples_of({"main": 4.0})), runs)
    assert [each.total for each in arm.recordings] == [pytest.approx(0.5), pytest.approx(0.5)]


def test_benchmarks_that_measure_themselves_are_scaled_by_their_own_times() -> None:
    """They run for a fixed time, however fast they are."""
    base = (Unobserved(wall_s=5.0, cpu_s=5.0, benchmark_s=1e-6),)
    faster = (Unobserved(wall_s=5.0, cpu_s=5.0, benchmark_s=0.5e-6),)
    assert scale_recordings((samples_of({"main": 5.0}),), faster, base).recordings[0].total == pytest.approx(2.5)


@pytest.mark.parametrize("cpu_s", [0.0001, 0.001, 0.1, 3.0, 600.0])
@pytest.mark.parametrize("call_graph", list(CallGraph))
def test_an_effort_is_bounded(cpu_s: float, call_graph: CallGraph) -> None:
    """Enough samples where that is possible, no recording that fills a disk, and no more time than allowed."""
    effort = plan_effort(run_cpu_s=cpu_s, run_wall_s=cpu_s, arms=2, max_time_s=60.0, call_graph=call_graph)
    each = effort.frequency_hz * cpu_s * effort.runs
    assert each <= 100_000
    assert effort.runs * effort.recordings * cpu_s * 2 <= max(60.0, 2 * cpu_s)
    if call_graph is CallGraph.FRAME_POINTERS and 0.001 <= cpu_s <= 3:
        assert each * effort.recordings >= min(WANTED_SAMPLES, 200 * 5 * 9999 * cpu_s)


@pytest.mark.parametrize(
    ("samples", "elapsed_s", "recordings", "expected"),
    [
        (999, 29.0, 1, False),
        (1000, 4.9, 1, False),
        (1000, 5.0, 1, True),
        (200, 1.0, 5, True),
        (199, 1.0, 5, False),
        (0, 30.1, 1, True),
    ],
)
def test_a_short_program_is_not_recorded_longer_than_it_helps(
    samples: int, elapsed_s: float, recordings: int, *, expected: bool
) -> None:
    """With enough samples after five seconds, more of them are not worth the time that perf takes to start."""
    found = is_recorded(samples=samples, elapsed_s=elapsed_s, share_s=30.0, recordings=recordings)
    assert found is expected


def test_the_table_says_what_took_most() -> None:
    """Shares of the whole, and what it rests on."""
    assert render_terminal(make_report(ALONE), Screen(width=100)) == snapshot("""\
Where time goes in demo: pgo

itself  with calls  in a run  function
──────────────────────────────────────
 60.0%       60.0%     0.6 s  a
 30.0%       30.0%     0.3 s  b
 10.0%      100.0%     0.1 s  main

books, pgo: 1,000 samples; a run takes 2 s and 1 s of CPU time; for 50% of its time it waits, or the
CPU is busy
Functions that were inlined have rows of their own.
""")


def test_the_table_of_a_difference_shows_noise_as_such() -> None:
    """Changes are shares of all that the base takes, so that they add up."""
    assert render_terminal(make_report(COMPARED), Screen(width=100)) == snapshot("""\
Where time goes in demo: pgo, compared with release

itself  with calls  in a run  in release  change itself  change with calls  function
────────────────────────────────────────────────────────────────────────────────────
 45.8%       45.8%   0.302 s     0.602 s         −29.7%             −29.7%  a
 46.7%       46.7%   0.308 s     0.308 s              ~                  ~  b
  0.0%        0.0%      0 ms       0.1 s          −9.9%              −9.9%  gone
  7.6%        7.6%     50 ms        0 ms          +5.0%              +5.0%  new

books, release: 5,000 samples; a run takes 2 s and 1 s of CPU time; for 50% of its time it waits, or
the CPU is busy
books, pgo: 5,000 samples; a run takes 2 s and 1 s of CPU time; for 50% of its time it waits, or the
CPU is busy
A change is a share of all that release takes; ~ is within the noise.
All together: −34.7%.
""")


def test_a_page_is_self_contained_and_inert() -> None:
    """It loads nothing, and no name of a function can end a script or a tag."""
    evil = profiled_of(arm_of({f"main {EVIL.replace(' ', '_')}": 1.0}), notes=(EVIL,))
    page = render_page(evil)
    assert "</script><b>" not in page
    assert "\n::warning" not in page
    assert not [word for word in ("src=", "@import", "<link") if word in page.split("<script>")[0]]
    data = page.split('id="data">')[1].split("</script>")[0]
    assert json.loads(data)["tree"]["n"] == "all"


def test_folded_stacks_are_one_line_each() -> None:
    """A semicolon in a name would be another frame."""
    names = profiled_of(arm_of({"main <[u8;4]>::f": 0.5, "main": 0.5}))
    assert render_folded(names) == snapshot("""\
demo-N;main 500000
demo-N;main;<[u8:4]>::f 500000
""")
    assert render_folded(COMPARED) == snapshot("""\
demo-N;main;a 602000 302000
demo-N;main;b 308000 308000
demo-N;main;gone 100000 0
demo-N;main;new 0 50000
""")


def test_what_is_within_the_noise_is_drawn_without_a_difference() -> None:
    """Inferno colours whatever differs."""
    assert fold_for_drawing(COMPARED) == snapshot(
        {
            ("demo-N", "main", "a"): (602000, 302000),
            ("demo-N", "main", "b"): (308000, 308000),
            ("demo-N", "main", "gone"): (100000, 0),
            ("demo-N", "main", "new"): (0, 50000),
        }
    )


def test_speedscope_gets_a_profile_for_each_variant() -> None:
    """With one table of frames for all, as speedscope's own schema has it."""
    document = json.loads(render_speedscope(COMPARED))
    assert [each["name"] for each in document["profiles"]] == ["books, release", "books, pgo"]
    jsonschema.validate(document, json.loads(SPEEDSCOPE.read_text()))
    for each in document["profiles"]:
        assert each["endValue"] == pytest.approx(sum(each["weights"]))
        assert max(max(stack) for stack in each["samples"]) < len(document["shared"]["frames"])


def test_the_firefox_profiler_gets_tables_that_refer_to_each_other() -> None:
    """Every sample is a stack, every stack a frame and what called it, every frame a name; shares are kept."""
    document = json.loads(render_firefox(COMPARED))
    names = [thread["name"] for thread in document["threads"]]
    assert names == ["books, release: demo-N", "books, pgo: demo-N"]
    for thread in document["threads"]:
        assert thread["stackTable"]["schema"] == {"prefix": 0, "frame": 1}
        seen = Counter(sample[0] for sample in thread["samples"]["data"])
        shares = {}
        for stack, count in seen.items():
            prefix, frame = thread["stackTable"]["data"][stack]
            name = thread["stringTable"][thread["frameTable"]["data"][frame][0]]
            caller = thread["stringTable"][thread["frameTable"]["data"][thread["stackTable"]["data"][prefix][1]][0]]
            assert caller == "main (in demo)"
            shares[name] = count * document["meta"]["interval"] / 1000
        assert shares["b (in demo)"] == pytest.approx(0.308, rel=0.01)


def test_the_document_fits_its_schema() -> None:
    """For other programs."""
    for each in (ALONE, COMPARED):
        document = json.loads(render_document(each, "x.svg"))
        jsonschema.validate(document, make_document_schema())
    assert document["functions"][0]["function"] == "a"
    assert document["functions"][0]["itself"]["change"] == "cheaper"


def test_the_name_of_a_file_tells_the_form() -> None:
    """A form that is named wins; a name that tells nothing is refused before anything is built."""
    assert choose_form(None, Path("a/b.SVG")) is Form.SVG
    assert choose_form("folded", Path("a.svg")) is Form.FOLDED
    assert choose_form(None, None) is None
    with pytest.raises(UsageError, match=r"x\.png does not say"):
        choose_form(None, Path("x.png"))
    with pytest.raises(UsageError, match="no format 'png'"):
        choose_form("png", None)


def test_svg_needs_inferno(tmp_path: Path) -> None:
    """It is looked for where cargo installs programs, even if that is not on PATH."""
    environ = {"PATH": "/nowhere", "CARGO_HOME": str(tmp_path)}
    with pytest.raises(ToolchainError, match="inferno, which draws SVG"):
        require_renderer(Form.SVG, environ)
    require_renderer(Form.HTML, environ)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "inferno-flamegraph").write_text("")
    (tmp_path / "bin" / "inferno-flamegraph").chmod(0o755)
    require_renderer(Form.SVG, environ)


def test_two_pictures_become_one() -> None:
    """Scripts and what they react to are left out: they would find each other's elements."""
    picture = (
        '<?xml version="1.0"?><!DOCTYPE svg><svg version="1.1" width="10" height="50" onload="init(evt)">'
        '<script type="text/ecmascript"><![CDATA[x]]></script><text id="search" x="1">Search</text><g/></svg>'
    )
    both = place_below(picture, picture, title="a < b")
    assert (both.count("<svg"), both.count("<g/>")) == (3, 2)
    assert not [left for left in ("<script", "Search", "DOCTYPE") if left in both]
    assert 'width="1600" height="130"' in both
    assert '<svg x="0" y="80"' in both
    assert "a &lt; b" in both
    with pytest.raises(ValueError, match="unknown"):
        place_below("<svg/>", picture, title="")


def test_inferno_is_told_what_is_counted() -> None:
    """The colours of the second picture are exchanged: its widths are those of before."""
    argv = make_draw_argv("inferno", title="t", subtitle="s", count_name="µs", negate=True)
    assert argv[:9] == ("inferno", "--width", "1600", "--title", "t", "--subtitle", "s", "--countname", "µs")
    assert argv[-1] == "--negate"


def test_what_has_no_name_is_noticed() -> None:
    """The kernel's part is not the program's fault."""
    assert samples_of({"main [unknown]": 1.0, "main f": 3.0}).unnamed_share == 0.25
    kernel = Frame(function="[unknown]", symbol="", module="[kernel]", is_kernel=True)
    stack = Stack(frames=(kernel,), weight=1.0, thread="demo")
    assert Samples(stacks=(stack,), unit=Unit.SECONDS, tool="perf").unnamed_share == 0.0


def test_a_file_that_cannot_be_written_is_refused_beforehand(tmp_path: Path) -> None:
    """The work for it would be lost."""
    require_writable(tmp_path / "new" / "deep" / "out.svg")
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "out.svg", tmp_path):
        with pytest.raises(StorageError, match="cannot write"):
            require_writable(path)
