"""Make what the code knows better than a writer: the JSON schemas and the pages of docs/reference.

`python docs/generate.py` checks that the committed files are what the code gives; with `--write` it renews them.
Not for any other page: those are written by hand.
"""  # noqa: INP001 - a script beside the pages it makes, no package

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, fields
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

from typer import Typer
from typer.models import ArgumentInfo, OptionInfo

from optbuild import errors
from optbuild.cli.app import app
from optbuild.cli.help_topics import TOPICS
from optbuild.fleet import settings as fleet_settings
from optbuild.fleet.plan import render_matrix_schema
from optbuild.fleet.results import render_unit_schema
from optbuild.fleet.settings import make_fleet_schema, render_fleet_schema
from optbuild.fleet.summary import make_report_schema, render_report_schema
from optbuild.profile import model as profile_model
from optbuild.profile.schema import make_profile_schema, render_profile_schema
from optbuild.record.advice import render_advice_schema
from optbuild.record.explanation import render_explanation_schema
from optbuild.record.heap import render_heap_schema
from optbuild.record.store import make_record_schema, render_record_schema
from optbuild.record.verification import render_verification_schema
from optbuild.report.flame.document import render_document_schema

ROOT = Path(__file__).resolve().parents[1]
WRITE_COMMAND = "nox -s schema -- --write"

_MADE = "<!-- Made by docs/generate.py from the code; changes here are overwritten. -->\n"
_BUILD_PROFILE_INTRODUCTION = """\
# The build profile: `optbuild.toml`

The file is next to `Cargo.toml`; optbuild finds it by walking up from the project's directory. `-f FILE` names another
file, `-f preset:NAME` one that comes with optbuild. Unknown keys are errors. `optbuild schema profile` prints the JSON
schema that this page is made from.

A *duration* is a text such as `"500ms"`, `"30s"`, `"5m"` or `"1h"`. A *ratio* is `"3%"` or `0.03`, a *size*
`"500MB"` or `"20GiB"`. Paths are relative to the build profile. Keys that are not marked *required* are optional.
"""
_RECORD_INTRODUCTION = """\
# The record

The document that `--json` prints, stored in `<target-dir>/optbuild/runs/<run-id>/record.json`. Units are in the names
(`_s` seconds, `_bytes` bytes, `_ratio` a fraction); changes are fractions, so −0.118 is 11.8% less. There is no NaN.
Within `optbuild/record/1` fields are only added: ignore unknown ones. `optbuild schema record` prints the JSON
schema that this page is made from.

A command that fails before its run begins also prints a record, with `status`, `exit_code` and `error`; it is not
stored. `build_s` of a variant is `null` if a compiled unit of the program, or a training run, was reused; build scripts
and procedural macros do not count, because all variants share them.
"""
_FLEET_INTRODUCTION = """\
# A fleet: `FLEET.toml` and its report

A list of projects for `optbuild fleet`. Each table names one project by `path`, by `git` and `rev`, or by `crate` and
`version`. Unknown keys are errors, and all errors are shown at once. `optbuild schema fleet` prints the JSON schema
that this page is made from; `fleet-plan`, `fleet-unit` and `fleet-report` are those of the other documents.
[How to measure many projects](../how-to/many-projects.md) shows all of it at work.
"""
_FLEET_REPORT_INTRODUCTION = """\
# The report of a fleet

The document of `fleet run --json`, `fleet merge --json` and `fleet report --format json`. As in the record, units are
in the names, changes are fractions, and fields are only added. A comparison and a host are those of
[the record](record.md).
"""
_FLEET_OBJECTS = frozenset({"FleetReport", "UnitSummary", "ProjectSource", "FleetMean"})
_EXIT_CODES_INTRODUCTION = """\
# Exit codes

The same list as `optbuild help exit-codes`. The last column is the value of `code` in the record's `error`, which
`--json` prints.
"""
_COMMANDS_INTRODUCTION = """\
# Commands

Every command also takes `-h` or `--help`. Results go to standard output, progress and errors to standard error. The
words after the first `--` of a command line are one workload: a program and its arguments, never a shell string.
`cargo optbuild …` is the same as `optbuild …`.
"""
_PROFILE_TABLES = (
    ("[project]", "ProjectSettings"),
    ("[variants.NAME]", "VariantSettings"),
    ("[[workloads]]", "Workload"),
    ("[raw-profiles]", "RawProfileSettings"),
    ("[profile-data]", "ProfileDataSettings"),
    ("[evidence]", "EvidenceSettings"),
    ("[measure]", "MeasureSettings"),
    ("[gates]", "GateSettings"),
    ("[tune]", "TuneSettings"),
)
_PLAIN_TYPES = {"string": "string", "boolean": "`true` or `false`", "null": "`null`"}
_NO_DEFAULT = "–"
_LEFT_WIDTH = 30


def render_files() -> dict[str, str]:
    """Every generated file by its path from the repository's root."""
    return {
        "schemas/optbuild-profile.schema.json": render_profile_schema(),
        "schemas/optbuild-record.schema.json": render_record_schema(),
        "schemas/optbuild-explanation.schema.json": render_explanation_schema(),
        "schemas/optbuild-verification.schema.json": render_verification_schema(),
        "schemas/optbuild-flamegraph.schema.json": render_document_schema(),
        "schemas/optbuild-fleet.schema.json": render_fleet_schema(),
        "schemas/optbuild-fleet-plan.schema.json": render_matrix_schema(),
        "schemas/optbuild-fleet-unit.schema.json": render_unit_schema(),
        "schemas/optbuild-fleet-report.schema.json": render_report_schema(),
        "schemas/optbuild-advice.schema.json": render_advice_schema(),
        "schemas/optbuild-heap.schema.json": render_heap_schema(),
        "docs/reference/build-profile.md": render_build_profile_page(),
        "docs/reference/fleet.md": render_fleet_page(),
        "docs/reference/commands.md": render_commands_page(),
        "docs/reference/record.md": render_record_page(),
        "docs/reference/exit-codes.md": render_exit_codes_page(),
    }


def find_drift(root: Path) -> list[str]:
    """The generated files that are missing or not what the code gives."""
    return [name for name, text in render_files().items() if _read(root / name) != text]


def render_build_profile_page() -> str:
    """The reference of `optbuild.toml`: every key of every table."""
    schema = make_profile_schema()
    definitions = schema["$defs"]
    parts = [_MADE, _BUILD_PROFILE_INTRODUCTION, "## Top level\n"]
    parts.append(_profile_table(schema, definitions, profile_model.ProfileSettings))
    for heading, name in _PROFILE_TABLES:
        definition = definitions[name]
        parts += [f"## `{heading}`\n", definition["description"] + "\n"]
        parts.append(_profile_table(definition, definitions, getattr(profile_model, name)))
    return "\n".join(parts)


def render_fleet_page() -> str:
    """The reference of a fleet: every key of `FLEET.toml`, and every field of a report."""
    schema = make_fleet_schema()
    definitions = schema["$defs"]
    parts = [_MADE, _FLEET_INTRODUCTION, "## Top level\n"]
    parts.append(_profile_table(schema, definitions, fleet_settings.FleetSettings))
    definition = definitions["FleetProject"]
    parts += ["## `[[projects]]`\n", definition["description"] + "\n"]
    parts.append(_profile_table(definition, definitions, fleet_settings.FleetProject))
    report = make_report_schema()
    found = {"FleetReport": report, **report["$defs"]}
    parts.append(_FLEET_REPORT_INTRODUCTION)
    parts += _object_sections("FleetReport", found, only=_FLEET_OBJECTS)
    own = {name.lower() for name in _FLEET_OBJECTS}
    return re.sub(r"\(#(\w+)\)", lambda m: m[0] if m[1] in own else f"(record.md#{m[1]})", "\n".join(parts))


def render_record_page() -> str:
    """The reference of the record: every object and every field."""
    schema = make_record_schema()
    definitions = {"RunRecord": schema, **schema["$defs"]}
    return "\n".join([_MADE, _RECORD_INTRODUCTION, *_object_sections("RunRecord", definitions)])


def _object_sections(root: str, definitions: Mapping[str, Any], only: frozenset[str] | None = None) -> list[str]:
    """A section for each object that a document is made of, with all of its fields; links lead to these sections."""
    parts = []
    for name in _reachable(root, definitions):
        if only is not None and name not in only:
            continue
        summary, attributes = _read_docstring(definitions[name].get("description", ""))
        parts += [f"## {name}\n", _as_json(summary) + "\n"]
        rows = (
            (f"`{key}`", _type_of(node, definitions, link=True), _as_json(attributes.get(key, "")))
            for key, node in definitions[name]["properties"].items()
        )
        parts.append(_table(("field", "type", "meaning"), rows))
    return parts


def render_exit_codes_page() -> str:
    """The exit codes, each with the values of `error.code` that come with it."""
    words: dict[str, list[str]] = {}
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, errors.OptbuildError):
            number = "128+n" if kind is errors.InterruptedRunError else str(kind.exit_code)
            words.setdefault(number, []).append(f"`{kind.code}`")
    rows = []
    for line in TOPICS["exit-codes"].splitlines():
        number, meaning = line.split(maxsplit=1)
        rows.append((number, meaning, ", ".join(words.get(number, []))))
    headings = ("exit code", "meaning", "`error.code`")
    return "\n".join((_MADE, _EXIT_CODES_INTRODUCTION, _table(headings, rows)))


def render_commands_page() -> str:
    """The reference of the command line: what `--help` says, without a terminal's width."""
    commands = dict(_shown_commands())
    width = max(map(len, commands))
    overview = (f"{name:<{width}}  {_first_line(command)}" for name, command in commands.items())
    parts = [_MADE, _COMMANDS_INTRODUCTION, _text_block(overview)]
    for name, command in commands.items():
        parts += [f"## optbuild {name}\n", f"{inspect.getdoc(command)}\n", _text_block(_usage(name, command))]
    return "\n".join(parts)


def main(argv: list[str]) -> int:
    """Check the generated files, or renew them."""
    if argv not in ([], ["--write"]):
        sys.stderr.write("usage: python docs/generate.py [--write]\n")
        return 2
    drifted = find_drift(ROOT)
    if not argv:
        for name in drifted:
            sys.stderr.write(f"{name} is not what the code gives\n")
        if drifted:
            sys.stderr.write(f"help: {WRITE_COMMAND}\n")
        return 1 if drifted else 0
    texts = render_files()
    for name in drifted:
        (ROOT / name).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / name).write_text(texts[name], encoding="utf-8")
        sys.stdout.write(f"wrote {name}\n")
    return 0


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


def _profile_table(schema: Mapping[str, Any], definitions: Mapping[str, Any], model: type) -> str:
    defaults = _defaults_of(model)
    required = schema.get("required", ())
    rows = (
        (
            f"`{key}`",
            _type_of(node, definitions),
            "*required*" if key in required else defaults.get(key, _NO_DEFAULT),
            node.get("description", ""),
        )
        for key, node in schema["properties"].items()
    )
    return _table(("key", "type", "default", "meaning"), rows)


def _defaults_of(model: type) -> dict[str, str]:
    """Defaults by key, as TOML has them. The schema leaves out those that the model keeps in another unit."""
    defaults = {}
    for item in fields(model):
        name, _, unit = item.name.rpartition("_")
        scale = {"s": _as_duration, "bytes": _as_size}.get(unit)
        key = (item.name if scale is None else name).replace("_", "-")
        if item.default is not MISSING and item.default is not None:
            defaults[key] = f"`{json.dumps(item.default if scale is None else scale(item.default))}`"
    return defaults


def _as_size(size_bytes: int) -> str:
    return f"{size_bytes >> 30}GiB"


def _as_duration(seconds: float) -> str:
    return f"{seconds / 60:g}m" if seconds % 60 == 0 else f"{seconds:g}s"


def _type_of(node: Mapping[str, Any], definitions: Mapping[str, Any], *, link: bool = False) -> str:
    """A schema node in words, in those of TOML or, with links to the objects' headings, in those of JSON."""
    table = "object" if link else "table"
    if "$ref" in node:
        name = node["$ref"].rpartition("/")[2]
        if "properties" not in definitions[name]:
            return _type_of(definitions[name], definitions)
        return f"[{name}](#{name.lower()})" if link else table
    if "anyOf" in node:
        options = [_type_of(option, definitions, link=link) for option in node["anyOf"]]
        return "ratio" if "ratio" in options else " or ".join(options)
    if "enum" in node or "const" in node:
        values = node.get("enum", [node.get("const")])
        return " or ".join(f"`{json.dumps(value)}`" for value in values)
    if items := node.get("items" if node.get("type") == "array" else "additionalProperties"):
        whole = "array" if node.get("type") == "array" else table
        return f"{whole} of {_plural(_type_of(items, definitions, link=link))}" if isinstance(items, Mapping) else whole
    return _scalar_type(node)


def _plural(words: str) -> str:
    return re.sub(r"^(table|string|number|array|any value)\b", r"\1s", words).replace("any values", "values")


def _scalar_type(node: Mapping[str, Any]) -> str:
    if "pattern" in node:
        return "ratio" if "%" in node["pattern"] else "size" if "B" in node["pattern"] else "duration"
    if node.get("type") not in {"integer", "number"}:
        return _PLAIN_TYPES.get(node.get("type", ""), "any value")
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    limits = [f"{sign} {node[key]:g}" for key, sign in signs.items() if key in node]
    return f"{node['type']} {' and '.join(limits)}".rstrip()


def _reachable(name: str, definitions: Mapping[str, Any]) -> Iterator[str]:
    """The objects that an object is made of, itself first, each once."""
    found = [name]
    for each in found:
        yield each
        for reference in re.findall(r'"#/\$defs/(\w+)"', json.dumps(definitions[each]["properties"])):
            if reference not in found and "properties" in definitions[reference]:
                found.append(reference)


def _read_docstring(text: str) -> tuple[str, dict[str, str]]:
    """A docstring's sentences, and what its `Attributes` section says of each field."""
    summary, _, section = text.partition("\n\nAttributes:\n")
    attributes: dict[str, str] = {}
    name = ""
    for line in section.splitlines():
        if match := re.match(r" {4}(\w+): (.*)", line):
            name = match[1]
            attributes[name] = match[2]
        elif name:
            attributes[name] += f" {line.strip()}"
    return " ".join(summary.split()), attributes


def _as_json(text: str) -> str:
    return re.sub(r"\bNone\b", "`null`", text)


def _table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    headings = tuple(headings)
    lines = [headings, tuple(":--" for _ in headings), *rows]
    return "".join("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |\n" for line in lines)


def _shown_commands() -> Iterator[tuple[str, Callable[..., Any]]]:
    groups = [("", app), *((f"{group.info.name} ", group) for group in _groups())]
    for prefix, group in groups:
        for command in group.registered_commands:
            if command.callback is not None and not command.hidden:
                yield prefix + (command.name or command.callback.__name__), command.callback


def _groups() -> Iterator[Typer]:
    return (group.typer_instance for group in app.registered_groups if group.typer_instance is not None)


def _usage(name: str, command: Callable[..., Any]) -> Iterator[str]:
    """How to call a command, with the words that it declares for each argument and option."""
    arguments: list[tuple[str, str]] = []
    panels: dict[str, list[tuple[str, str]]] = {"Options": []}
    for parameter in inspect.signature(command).parameters.values():
        if get_origin(parameter.annotation) is not Annotated:
            continue
        kind, declared = get_args(parameter.annotation)[:2]
        if isinstance(declared, ArgumentInfo):
            arguments.append(
                (
                    _argument_name(declared, kind, is_required=parameter.default is inspect.Parameter.empty),
                    declared.help or "",
                )
            )
        elif isinstance(declared, OptionInfo):
            row = (_option_names(declared, kind), declared.help or "")
            panels.setdefault(declared.rich_help_panel or "Options", []).append(row)
    yield " ".join(("Usage: optbuild", name, "[OPTIONS]", *(metavar for metavar, _ in arguments)))
    for heading, rows in {"Arguments": arguments, **panels}.items():
        if rows:
            yield from ("", f"{heading}:", *(f"  {left:<{_LEFT_WIDTH}}  {right}" for left, right in rows))


def _argument_name(argument: ArgumentInfo, kind: object, *, is_required: bool) -> str:
    """The word for an argument: in brackets where it may be left out, with an ellipsis where there may be several."""
    word = argument.metavar or ""
    several = any(get_origin(each) is list for each in (kind, *get_args(kind)))
    return f"{word if is_required else f'[{word}]'}{'…' if several else ''}"


def _option_names(option: OptionInfo, kind: object) -> str:
    # Typer takes the first name for a default until the annotation is read.
    declared = [name for name in (option.default, *(option.param_decls or ())) if isinstance(name, str)]
    names = ", ".join(sorted(declared, key=len))
    if kind is bool or option.count:
        return names
    for choices in (kind, *get_args(kind)):
        if isinstance(choices, type) and issubclass(choices, Enum):
            return f"{names} {'|'.join(str(choice.value) for choice in choices)}"
    return f"{names} {option.metavar}"


def _text_block(lines: Iterable[str]) -> str:
    return "```text\n" + "\n".join(lines) + "\n```\n"


def _first_line(command: Callable[..., Any]) -> str:
    return (inspect.getdoc(command) or "").partition("\n")[0]


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
