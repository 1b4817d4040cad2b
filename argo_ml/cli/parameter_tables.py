"""The documentation of every parameter, generated from the specs.

``python -m argo_ml.cli.parameter_tables`` writes docs/parameters.md of the current folder, and
argo_ml/__init__.pyi with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo

from argo_ml.cli import python_stub
from argo_ml.cli.command_specs import COMMANDS
from argo_ml.cli.options import default_text, set_type, value_type
from argo_ml.cli.sections import section_of
from argo_ml.config import HelpSection, is_operational

TARGET = Path("docs/parameters.md")

HEAD = """\
# Parameters

Written by `make docs` from the specs in `argo_ml/config`.

`-P name=value` of `mlflow run` and `--name value` of `argo-ml` are the same parameters. A value
comes from the command line, else from the environment (`ARGO_ML_<NAME>`), else from the file of
`--params FILE` (YAML or JSON), else it is the default. `mlflow run` passes every parameter on the
command line, so there a value that is the default counts as not given. A file may have parameters
that only other commands take: they are named and left out. An empty value means «not set». An
unknown name or a bad value ends the command with one line that says what works. So does a parameter
that nothing reads beside the others, such as `server_urls` with a model of this machine; one of the
environment is for all commands, and counts only where it is read.

Parameters marked ○ cannot change a number of a result, and so do not count in a cell's identity:
where files lie, how much runs at once. Questions, documents and models count by their contents.
"""

TITLES = {HelpSection.COMMAND: "Of single commands"}
"""Where a section's title in help texts does not say enough beside the others."""


def parameters_text() -> str:
    return HEAD + _most_used() + "".join(_section(section) for section in HelpSection)


def _most_used() -> str:
    rows = [
        f"| {_listed([command])} | {_listed(spec_type.most_used)} |\n"
        for command, spec_type in COMMANDS.items()
        if spec_type.most_used
    ]
    head = f"\n## {HelpSection.MOST_USED.value}\n\nFirst in `argo-ml COMMAND --help`.\n\n"
    return head + "| of | parameters |\n|---|---|\n" + "".join(rows)


def _section(section: HelpSection) -> str:
    """A table for every set of commands that take the same of the section's parameters."""
    takers: dict[str, list[str]] = {}
    for command, spec_type in COMMANDS.items():
        for name, field in spec_type.model_fields.items():
            if section_of(spec_type, name) is section:
                takers.setdefault(_row(name, field), []).append(command)
    tables: dict[str, str] = {}
    for row, commands in takers.items():
        tables[_listed(commands)] = tables.get(_listed(commands), "") + row
    head = "| parameter | default | values | meaning |\n|---|---|---|---|\n"
    texts = [f"\nOf {commands}.\n\n{head}{table}" for commands, table in tables.items()]
    title = TITLES.get(section, section.value)
    return f"\n## {title}\n" + "".join(texts) if texts else ""


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _row(name: str, field: FieldInfo) -> str:
    mark = " ○" if is_operational(field) else ""
    default = default_text(field)
    shown = f"`{default}`" if default else "not set"
    values = "; ".join(dict.fromkeys(_values(field))) or "text"
    meaning = (field.description or "").replace("|", "\\|")
    return f"| `{name}`{mark} | {shown} | {values} | {meaning} |\n"


def _values(field: FieldInfo) -> Iterator[str]:
    """What the field takes, in words."""
    yield from _type_values(value_type(field))
    # Those of an optional one are in its type.
    for own in (field, *getattr(set_type(field), "__metadata__", ())):
        yield from _bounds(getattr(own, "metadata", ()))


def _type_values(annotation: Any) -> Iterator[str]:
    origin = get_origin(annotation)
    if origin is Literal:
        yield ", ".join(f"`{argument}`" for argument in get_args(annotation))
    elif origin is tuple:
        yield "list"
    elif annotation in _NAMES:
        yield _NAMES[annotation]


_NAMES = {int: "whole number", float: "number", bool: "`true`, `false`", Path: "path"}


def _bounds(metadata: Any) -> Iterator[str]:
    for bound in metadata:
        if isinstance(bound, Gt):
            yield f"> {bound.gt}"
        elif isinstance(bound, Ge):
            yield f"≥ {bound.ge}"
        elif isinstance(bound, Le):
            yield f"≤ {bound.le}"
        elif isinstance(bound, Lt):
            yield f"< {bound.lt}"


if __name__ == "__main__":
    TARGET.write_text(parameters_text(), encoding="utf-8")
    python_stub.TARGET.write_text(python_stub.stub_text(), encoding="utf-8")
