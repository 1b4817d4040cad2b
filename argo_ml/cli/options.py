"""Command-line options from specs: every field one option, both as ``--a-b`` and as ``--a_b``.

Every option takes a value, booleans too, and an empty one means «not given»: this is how
``mlflow run`` passes the parameters of an entry point. A boolean that is named alone is true.
"""

from __future__ import annotations

import os
import types
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import click
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from argo_ml.cli.given_paths import check_given_paths
from argo_ml.cli.params_file import read_for
from argo_ml.cli.project_run import is_project_run
from argo_ml.cli.sections import sections
from argo_ml.config import (
    DoctorSpec,
    Spec,
    SpecType,
    StrategyFields,
    build,
    check_homes,
    expanded,
    refuse_unread,
    unknown_parameter,
)
from argo_ml.config.source_fields import DatabaseFields
from argo_ml.errors import ConfigError
from argo_ml.models.precision import with_precision
from argo_ml.waiting import set_database_timeout

PARAMS = "params"
DEBUG = "ARGO_ML_DEBUG"
OTHER = "In general"
"""Title of the options in help texts that are no parameters."""
STRATEGIES = "Strategies by name (docs/policies.md)"
"""Title of the strategies in help texts of commands that name some."""
NAMING_STRATEGIES = {"strategy", "strategies", "policies"}
"""Parameters that strategies are named by."""
SPELLING = "Names may be spelled with - or _; ARGO_ML_<NAME> sets a parameter, too."


class SpecCommand(click.Command):
    """A command whose options are the fields of a spec.

    Precedence: command line, environment (``ARGO_ML_<NAME>``), the file of ``--params``, default.
    `mlflow run` puts every parameter on the command line: there a default counts as not given.
    ``positional`` names a field that may also be given without its option.
    """

    def __init__(
        self,
        name: str,
        spec_type: type[SpecType],
        handler: Callable[[SpecType], None],
        positional: str = "",
    ) -> None:
        self.spec_type: type[Spec] = spec_type
        self._positional = positional

        def callback(**given: str | None) -> None:
            values = self._collect(given)
            spec = build(spec_type, values)
            _refuse_unread(spec, values)
            check_homes(spec)
            check_given_paths(spec)
            if isinstance(spec, DatabaseFields):
                set_database_timeout(spec.database_timeout_s)
            # What the doctor looks at, it looks at one by one.
            handler(spec if isinstance(spec, DoctorSpec) else with_precision(spec))

        options: list[click.Parameter] = [
            _option(field_name, field) for field_name, field in spec_type.model_fields.items()
        ]
        options += [_params_option(), debug_option()]
        if positional:
            options.append(
                click.Argument([_argument_name(positional)], required=False, metavar=positional)
            )
        super().__init__(
            name, params=options, callback=callback, help=handler.__doc__, epilog=SPELLING
        )

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            name = error.option_name.lstrip("-").replace("-", "_")
            raise ConfigError(unknown_parameter(name, self.spec_type)) from None

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """One list per section, every option under its parameter's name alone."""
        options = {
            option.name: option
            for option in self.get_params(ctx)
            if isinstance(option, click.Option)
        }
        for section, names in sections(self.spec_type).items():
            with formatter.section(section.value):
                formatter.write_dl([_help_row(options.pop(name)) for name in names])
        if NAMING_STRATEGIES & self.spec_type.model_fields.keys():
            from argo_ml.cli.strategy_list import strategy_list

            with formatter.section(STRATEGIES):
                formatter.write_dl(strategy_list(self.spec_type))
        records = [option.get_help_record(ctx) for option in options.values()]
        with formatter.section(OTHER):
            formatter.write_dl([record for record in records if record is not None])

    def _collect(self, given: Mapping[str, str | None]) -> dict[str, object]:
        fields = self.spec_type.model_fields
        path = given[PARAMS]
        from_file = read_for(self.spec_type, expanded(path, PARAMS)) if path else {}
        from_environment = {
            name: os.environ[variable(name)] for name in fields if os.environ.get(variable(name))
        }
        from_command: dict[str, object] = {name: given[name] for name in fields if given[name]}
        if is_project_run():
            from_command = {
                name: value
                for name, value in from_command.items()
                if value != default_text(fields[name])
            }
        if self._positional and given[_argument_name(self._positional)]:
            if self._positional in from_command:
                raise ConfigError(f"{self._positional} is given twice")
            from_command[self._positional] = given[_argument_name(self._positional)]
        return {**from_file, **from_environment, **from_command}


def spec_command(
    group: click.Group, spec_type: type[SpecType], name: str, positional: str = ""
) -> Callable[[Callable[[SpecType], None]], SpecCommand]:
    """Decorator: a function of one spec becomes a command of ``group``."""

    def decorate(handler: Callable[[SpecType], None]) -> SpecCommand:
        command = SpecCommand(name, spec_type, handler, positional)
        group.add_command(command)
        return command

    return decorate


def _refuse_unread(spec: Spec, values: Mapping[str, object]) -> None:
    """What the environment sets holds for every command, and may have no use in this one."""
    given = [name for name in values if values[name] != os.environ.get(variable(name))]
    refuse_unread(spec, given)
    if isinstance(spec, StrategyFields):
        # Importing all policies takes a moment, which commands without any are spared.
        from argo_ml.policies.checking import refuse_unread_settings

        refuse_unread_settings(spec, given)


def debug_option() -> click.Option:
    return click.Option(
        ["--debug"],
        is_flag=True,
        expose_value=False,
        callback=_show_tracebacks,
        help=f"Show tracebacks; or set {DEBUG}=1.",
    )


def _show_tracebacks(_context: click.Context, _option: click.Parameter, is_wanted: bool) -> None:
    if is_wanted:
        os.environ[DEBUG] = "1"


def is_debugging() -> bool:
    return os.environ.get(DEBUG, "").lower() not in ("", "0", "false")


def variable(name: str) -> str:
    """Environment variable of a parameter."""
    return f"ARGO_ML_{name.upper()}"


def default_text(field: FieldInfo) -> str:
    """The default as a user would write it; empty for «not set»."""
    value = field.default
    if value is None or value is PydanticUndefined:
        return ""
    if isinstance(value, tuple):
        return ",".join(str(item) for item in value)
    return str(value)


def value_type(field: FieldInfo) -> Any:
    """The field's type, without the None of an optional one and without bounds."""
    annotation = set_type(field)
    is_bound = typing.get_origin(annotation) is typing.Annotated
    return typing.get_args(annotation)[0] if is_bound else annotation


def set_type(field: FieldInfo) -> Any:
    """The field's type, without the None of an optional one."""
    annotation = field.annotation
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        [annotation] = [part for part in typing.get_args(annotation) if part is not type(None)]
    return annotation


def _option(name: str, field: FieldInfo) -> click.Option:
    default = default_text(field)
    shown = f"  [default: {default}]" if default else ""
    # Of other types this would keep click from taking a value that begins with a dash.
    is_boolean = value_type(field) is bool
    alone: dict[str, Any] = {"is_flag": False, "flag_value": "true"} if is_boolean else {}
    return click.Option(
        [*_spellings(name), name],
        metavar=_metavar(field),
        help=f"{field.description or ''}{shown}",
        **alone,
    )


def _help_row(option: click.Option) -> tuple[str, str]:
    return f"--{option.name} {option.metavar}", option.help or ""


def _params_option() -> click.Option:
    return click.Option(
        [f"--{PARAMS}", PARAMS],
        metavar="FILE",
        help="YAML or JSON file of parameters; the command line and ARGO_ML_<NAME> come first.",
    )


def _spellings(name: str) -> list[str]:
    return list(dict.fromkeys((f"--{name.replace('_', '-')}", f"--{name}")))


def _argument_name(name: str) -> str:
    return f"{name}_argument"


_METAVARS = {int: "INTEGER", float: "NUMBER", bool: "true|false", Path: "PATH"}


def _metavar(field: FieldInfo) -> str:
    annotation = value_type(field)
    if typing.get_origin(annotation) is Literal:
        return "|".join(typing.get_args(annotation))
    if typing.get_origin(annotation) is tuple:
        return "LIST"
    return _METAVARS.get(annotation, "TEXT")
