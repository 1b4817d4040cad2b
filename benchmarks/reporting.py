"""Tables on the terminal and JSON beside them."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results"


def report(name: str, rows: Sequence[Mapping[str, Any]], **facts: Any) -> None:
    """Print ``rows`` as a table and write them with ``facts`` to results/<name>.json."""
    table = Table(title=name)
    columns = list(dict.fromkeys(column for row in rows for column in row))
    for column in columns:
        table.add_column(column, justify="right" if _is_numeric(rows, column) else "left")
    for row in rows:
        table.add_row(*(_text(row.get(column, "")) for column in columns))
    console = Console(width=240)
    console.print(table)
    for fact, value in facts.items():
        console.print(f"{fact}: {_text(value)}")
    RESULTS.mkdir(exist_ok=True)
    machine = {"cores": os.cpu_count(), "python": platform.python_version()}
    content = {"machine": machine, "facts": facts, "rows": list(rows)}
    (RESULTS / f"{name}.json").write_text(json.dumps(content, indent=1), encoding="utf-8")


def _is_numeric(rows: Sequence[Mapping[str, Any]], column: str) -> bool:
    return all(isinstance(row.get(column, 0), (int, float)) for row in rows)


def _text(value: Any) -> str:
    return (
        f"{value:,.4g}"
        if isinstance(value, float)
        else f"{value:,}"
        if isinstance(value, int) and not isinstance(value, bool)
        else str(value)
    )
