"""Questions and corpora as inputs of runs; importing this does not import MLflow, which takes
seconds."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from argo_ml.addresses import redacted

COLUMNS: Mapping[str, Mapping[str, str]] = {
    "questions": {
        "id": "string",
        "question": "string",
        "choices": "array",
        "golden_answers": "array",
        "difficulty": "string",
    },
    "corpus": {"id": "string", "title": "string", "text": "string", "source": "string"},
}
"""The columns of a row of each context, and their types."""
_OPTIONAL = frozenset({"choices", "difficulty", "title", "source"})


@dataclass(frozen=True, slots=True)
class InputDataset:
    """Questions or corpus as MLflow records them: `as_input` is its `DatasetInput`.

    ``source`` is a path, or says in a few words where they come from.
    """

    name: str
    digest: str
    source: str
    context: str
    size: int

    def as_input(self) -> Any:
        from mlflow.entities import Dataset, DatasetInput, InputTag

        profile = json.dumps({"size": self.size, "num_rows": self.size})
        # Digests longer than 36 characters are refused by MLflow's database.
        dataset = Dataset(
            redacted(self.name),
            self.digest[:36],
            "local",
            json.dumps({"uri": redacted(_whole(self.source))}),
            schema=_schema(COLUMNS.get(self.context, {})),
            profile=profile,
        )
        return DatasetInput(dataset, [InputTag("mlflow.data.context", self.context)])


def _whole(source: str) -> str:
    """A path that is there from its root on; words as they are."""
    path = os.path.expanduser(source)
    return str(Path(path).resolve()) if os.path.exists(path) else source


def _schema(columns: Mapping[str, str]) -> str | None:
    """The columns in the form that MLflow's interface shows."""
    described = [
        {"name": name, "required": name not in _OPTIONAL, **_type(kind)}
        for name, kind in columns.items()
    ]
    return json.dumps({"mlflow_colspec": described}) if described else None


def _type(kind: str) -> dict[str, object]:
    if kind == "array":
        return {"type": "array", "items": {"type": "string"}}
    return {"type": kind}
