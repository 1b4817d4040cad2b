"""What the doctor says of one part, without importing what other commands show."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import click

from argo_ml.addresses import redacted
from argo_ml.doctor import Check, Status
from argo_ml.escaping import visible

_COLOURS: Mapping[Status, str] = MappingProxyType(
    {Status.OK: "green", Status.WARNING: "yellow", Status.ERROR: "red"}
)


def print_check(check: Check) -> None:
    is_bold = check.status is Status.ERROR
    label = click.style(f"{check.status.value:8}", fg=_COLOURS[check.status], bold=is_bold)
    click.echo(f"{label} {visible(redacted(f'{check.name}: {check.detail}'))}")
    if check.fix:
        click.echo(f"{'':9}-> {visible(redacted(check.fix))}")
