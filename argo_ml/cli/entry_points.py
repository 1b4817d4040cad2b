"""The MLflow entry points, generated from the specs so that they cannot drift from the options.

``python -m argo_ml.cli.entry_points`` writes the file MLproject of the current folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from argo_ml.cli.command_specs import ENTRY_POINTS
from argo_ml.cli.options import default_text, value_type
from argo_ml.cli.sections import ordered_names
from argo_ml.config import Spec

HEADER = (
    "# Written by `make mlproject` from the specs in argo_ml/config.\n"
    "# An empty value means «not set»; every value is validated by the command itself.\n"
)


def project() -> dict[str, Any]:
    """The content of MLproject."""
    return {
        "name": "argo_ml",
        "conda_env": "conda.yaml",
        "entry_points": {
            name: {"parameters": _parameters(spec_type), "command": _command(command, spec_type)}
            for name, (command, spec_type) in ENTRY_POINTS.items()
        },
    }


def project_text() -> str:
    return HEADER + yaml.safe_dump(
        project(), sort_keys=False, width=100, default_flow_style=None, allow_unicode=True
    )


def _parameters(spec_type: type[Spec]) -> dict[str, dict[str, str]]:
    fields = spec_type.model_fields
    return {
        name: {
            "type": "float" if value_type(fields[name]) in (int, float) else "string",
            "default": default_text(fields[name]),
        }
        for name in ordered_names(spec_type)
    }


def _command(command: str, spec_type: type[Spec]) -> str:
    options = [f"--{name} {{{name}}}" for name in ordered_names(spec_type)]
    return " ".join([f"python -m argo_ml {command}", *options])


if __name__ == "__main__":
    Path("MLproject").write_text(project_text(), encoding="utf-8")
