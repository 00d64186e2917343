"""Nothing old may pass for new: published binaries, results that are kept, and sources that change meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest

from optbuild.files import sha256_of
from tests.integration.optbuild_program import (
    MEASURE,
    VARIANTS,
    Optbuild,
    copy_crate,
    edit,
    fail,
    variant_of,
    write_profile,
    write_script,
)

pytestmark = pytest.mark.pgo

AUTO = VARIANTS.replace("true", '"auto"')


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of its own for one test."""
    return copy_crate("tally", tmp_path / "tally")


def published(project: Path) -> list[str]:
    """The binaries that people would take."""
    directory = project / "target/optbuild/artifacts"
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("variants", "train", "options", "status"),
    [(AUTO, "true", (), 0), (VARIANTS, "exit 1", ("--keep-going",), 11), (VARIANTS, "exit 1", ("--jobs", "1"), 11)],
)
def test_a_variant_that_is_not_built_any_more_leaves_nothing_behind(
    optbuild: Optbuild, project: Path, variants: str, train: str, options: tuple[str, ...], status: int
) -> None:
    """Beside this run's binaries there is none of an earlier one, whether the variant was skipped or has failed."""
    write_profile(project, variants=variants)
    optbuild.run("build", cwd=project).expect(0)
    assert published(project) == ["pgo/tally", "release/tally"]
    (project / "target/optbuild/artifacts/release/renamed-since").touch()
    write_profile(project, variants=variants, train=train)
    source = project / "src/main.rs"
    source.write_text(source.read_text().replace('"{below}: {}"', '"{below} = {}"'))
    record = optbuild.run("build", "--json", *options, cwd=project).expect(status).document
    assert published(project) == ["release/tally"]
    (artifact,) = variant_of(record, "release")["artifacts"]
    assert sha256_of(Path(artifact["path"])) == artifact["sha256"]


def test_in_a_directory_of_one_s_own_it_is_the_same(optbuild: Optbuild, project: Path, tmp_path: Path) -> None:
    """With `--out`, that directory is kept in order, and a variant that was not asked for stays."""
    write_profile(project, variants=AUTO)
    out = tmp_path / "out"
    optbuild.run("build", "--out", "../out", cwd=project).expect(0)
    write_profile(project, variants=AUTO, train="true")
    optbuild.run("build", "release", "--out", "../out", cwd=project).expect(0)
    assert (out / "pgo/tally").is_file()
    optbuild.run("build", "--out", "../out", cwd=project).expect(0)
    assert not (out / "pgo").exists()
    assert (out / "release/tally").is_file()


def test_the_script_of_a_workload_is_part_of_it(optbuild: Optbuild, project: Path) -> None:
    """When it changes, what it yields is trained and measured anew."""
    script = write_script(project / "run.sh", 'exec "$1" data/train.txt')
    (project / "optbuild.toml").write_text(
        f'schema = 1\n{VARIANTS}[[workloads]]\nname = "w"\ncommand = ["./run.sh", "{{bin}}"]\n{MEASURE}'
    )
    first = optbuild.run("pgo", "--json", cwd=project).expect(0).document
    assert optbuild.run("pgo", "--json", cwd=project).expect(0).document == first
    write_script(script, 'exec "$1" data/bench.txt')
    second = optbuild.run("pgo", "--json", cwd=project).expect(0).document
    assert second["run_id"] != first["run_id"]
    digests = [variant_of(record, "pgo")["pgo"]["profdata"]["sha256"] for record in (first, second)]
    assert digests[0] != digests[1]


def test_an_output_that_only_the_command_names_is_no_input(optbuild: Optbuild, project: Path) -> None:
    """It is not there at first, and differs each time; the next run trains and measures nothing again all the same."""
    write_script(project / "run.sh", '"$1" "$2" && date +%s%N > "$3"')
    workloads = "".join(
        f'[[workloads]]\nname = "{use}"\nuse = ["{use}"]\n'
        f'command = ["./run.sh", "{{bin}}", "data/{use}.txt", "out.log"]\ncompare-output = "stdout"\n'
        for use in ("train", "bench")
    )
    (project / "optbuild.toml").write_text(f"schema = 1\n{VARIANTS}{workloads}{MEASURE}")
    first = optbuild.run("pgo", "--json", cwd=project).expect(0).document
    assert (project / "out.log").is_file()
    assert optbuild.run("pgo", "--json", cwd=project).expect(0).document == first
    again = optbuild.run("pgo", "--json", "--fresh", cwd=project).expect(0).document
    for record in (first, again):
        assert variant_of(record, "pgo")["pgo"]["in_sample"] is False


def test_another_environment_of_the_caller_is_another_result(optbuild: Optbuild, project: Path) -> None:
    """What every workload gets unasked decides as much as what it asks for."""
    first = optbuild.run("pgo", "--json", cwd=project).expect(0).document
    assert optbuild.run("pgo", "--json", cwd=project, env={"UNRELATED": "1"}).expect(0).document == first
    other = optbuild.run("pgo", "--json", cwd=project, env={"TZ": "Asia/Tokyo"}).expect(0).document
    assert other["run_id"] != first["run_id"]


def meddling_rustc(tmp_path: Path, act: str) -> dict[str, str]:
    """A compiler that, once, does something right after it has compiled `tally`."""
    wrapper = write_script(
        tmp_path / "wrapper",
        f'case "$*" in *"--crate-name tally"*) "$@" || exit; [ -e "{tmp_path}/done" ] && exit;'
        f' touch "{tmp_path}/done"; {act};; *) exec "$@";; esac',
    )
    return {"RUSTC_WRAPPER": str(wrapper)}


def test_a_source_that_is_edited_during_the_first_build_is_refused(
    optbuild: Optbuild, project: Path, tmp_path: Path
) -> None:
    """The baseline was compiled from something else than the variants would be; the next run is fine.

    Beside another build it would be done once more, for that one may have written the source.
    """
    optbuild.run("build", cwd=project).expect(0)
    source = project / "src/main.rs"
    source.write_text("// another one\n" + source.read_text())
    env = meddling_rustc(tmp_path, f'echo "// edited" >> "{source}"')
    words = ("not-comparable", "src/main.rs changed while the variants were built")
    ended = fail(optbuild, project, 15, *words, options=("--jobs", "1"), env=env)
    assert ended.error["location"] == str(source)
    assert published(project) == []
    optbuild.run("build", cwd=project, env=env).expect(0)
    assert published(project) == ["pgo/tally", "release/tally"]


def test_an_input_that_is_edited_during_the_builds_is_refused(
    optbuild: Optbuild, project: Path, tmp_path: Path
) -> None:
    """It is not trained on under the name of what it was."""
    env = meddling_rustc(tmp_path, f'echo 20 >> "{project}/data/train.txt"')
    ended = fail(optbuild, project, 15, "not-comparable", "data/train.txt has changed", env=env)
    assert ended.error["location"] == f"{project}/data/train.txt"
    optbuild.run("build", cwd=project, env=env).expect(0)


@pytest.mark.parametrize("watching", ['println!("cargo:rerun-if-changed=build.rs");', ""])
def test_a_build_script_may_write_into_the_source_tree(optbuild: Optbuild, project: Path, watching: str) -> None:
    """Generated code beside the other sources is no edit, in the first build and in each that follows."""
    (project / "build.rs").write_text(
        # Renamed, since two builds may do this at the same time.
        'fn main() { let made = std::env::var("OUT_DIR").unwrap() + "/made.rs"; '
        'std::fs::write(&made, "pub const A: u64 = 0;").unwrap(); '
        f'std::fs::rename(&made, "src/made.rs").unwrap(); {watching} }}'
    )
    edit(project / "src/main.rs", "fn main() {", "mod made;\nfn main() {\n    assert_eq!(made::A, 0);")
    for _ in range(2):
        optbuild.run("build", cwd=project).expect(0)
    assert published(project) == ["pgo/tally", "release/tally"]


def test_a_binary_behind_a_default_feature_is_built(optbuild: Optbuild, project: Path) -> None:
    """Cargo builds it unasked, and so `{bin:NAME}` can name it."""
    (project / "src/bin").mkdir()
    (project / "src/bin/more.rs").write_text('fn main() { println!("more"); }\n')
    with (project / "Cargo.toml").open("a") as manifest:
        manifest.write(
            '[[bin]]\nname = "more"\nrequired-features = ["cli"]\n'
            '[features]\ndefault = ["full"]\nfull = ["cli"]\ncli = []\n'
        )
    write_profile(project)
    profile = project / "optbuild.toml"
    profile.write_text(profile.read_text().replace('"{bin}"', '"{bin:tally}"'))
    optbuild.run("build", "release", cwd=project).expect(0)
    assert published(project) == ["release/more", "release/tally"]


def test_bench_stores_its_result_in_the_project_around_it(optbuild: Optbuild, project: Path) -> None:
    """From any directory of it, with a build profile or without; a project that cargo refuses is no hindrance."""
    program = write_script(project / "program", "exit 0")
    call = ("bench", "--max-time", "300ms", f"a={program}", f"b={program}", "--", "{bin}")
    (project / "optbuild.toml").unlink()
    optbuild.run(*call, cwd=project / "src").expect(0)
    runs = project / "target/optbuild/runs"
    assert len(list(runs.glob("*/record.json"))) == 1
    (project / "Cargo.toml").write_text("[package")
    said = optbuild.run(*call, cwd=project / "src").expect(0).stderr
    assert f"the result will not be stored in {project}" in said
    assert len(list(runs.glob("*/record.json"))) == 1
