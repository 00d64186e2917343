"""LLVM's IR tells which block a counter is in."""

from __future__ import annotations

from pathlib import PurePath

from optbuild.tools.llvm_ir import Block, find_outdated, parse_functions

UNIT = """\
; *** IR Dump Before InstrProfilingLoweringPass on [module] ***
source_filename = "app.1f-cgu.0"

@__profn_app = private constant [3 x i8] c"app"

; Function Attrs: nonlazybind
define internal fastcc noundef i32 @_ZN3app3run17h0000000000000000E(ptr %0, i64 noundef range(i64 0, 9) %1) #0 {
  call void @llvm.instrprof.increment(ptr @__profn_run, i64 77, i32 4, i32 3)
  %3 = icmp eq ptr %0, null
  br i1 %3, label %9, label %"then it is"

"then it is":                                     ; preds = %2
  %5 = zext i1 %3 to i64
  call void @llvm.instrprof.increment.step(ptr @"__profn_run it", i64 77, i32 4, i32 2, i64 %5)
  switch i64 %1, label %9 [
    i64 0, label %7
    i64 1, label %7
  ]

7:                                                ; preds = %"then it is"
  call void @llvm.instrprof.value.profile(ptr @__profn_run, i64 77, i64 %1, i32 0, i32 0)
  %8 = invoke i32 @_ZN3app4walk17h0000000000000000E(ptr %0)
          to label %9 unwind label %10

9:                                                ; preds = %2, %7
  call void @llvm.instrprof.increment(ptr @__profn_run, i64 77, i32 4, i32 0)
  ret i32 0

10:
  call void @llvm.instrprof.increment(ptr @__profn_run, i64 77, i32 4, i32 1)
  resume { ptr, i32 } undef
}

define i32 @"_ZN3app<other>"() {
  call void @llvm.instrprof.increment(ptr @__profn_other, i64 5, i32 1, i32 0)
  ret i32 0
}

declare void @llvm.instrprof.increment(ptr, i64, i32, i32)
"""
RUN = "_ZN3app3run17h0000000000000000E"


def test_blocks_are_read_with_their_counters_and_successors() -> None:
    """Counters are no code, an instruction may have several lines, and labels may be quoted."""
    (function,) = parse_functions(UNIT, {(RUN, 77)})
    assert (function.symbol, function.hash, function.counters) == (RUN, 77, 4)
    assert [block.counters for block in function.blocks] == [(3,), (), (), (0,), (1,)]
    assert [block.choices for block in function.blocks] == [(), (2,), (), (), ()]
    assert [block.successors for block in function.blocks] == [
        ("9", '"then it is"'),
        ("9", "7", "7"),
        ("9", "10"),
        (),
        (),
    ]
    assert function.blocks[2] == Block(
        label="7",
        code=("%8 = invoke i32 @_ZN3app4walk17h0000000000000000E(ptr %0) to label %9 unwind label %10",),
        successors=("9", "10"),
        counters=(),
        choices=(),
        sites=((0, 0),),
    )


def test_only_wanted_functions_are_read() -> None:
    """A name alone is not enough: a build with another control flow may have written the file."""
    assert [each.symbol for each in parse_functions(UNIT, {("_ZN3app<other>", 5)})] == ["_ZN3app<other>"]
    assert list(parse_functions(UNIT, {(RUN, 78), ("_ZN3app<other>", 77)})) == []


def test_the_newest_file_of_a_module_is_kept() -> None:
    """The number of the pass in front differs from build to build; the hash of the module's name does not."""
    files = [
        ("90-aa-module-before.ll", 2),
        ("120-aa-module-before.ll", 3),
        ("7-aa-module-before.ll", 1),
        ("9-bb.ll", 1),
    ]
    outdated = find_outdated((PurePath("flow", name), written) for name, written in files)
    assert sorted(path.name for path in outdated) == ["7-aa-module-before.ll", "90-aa-module-before.ll"]
