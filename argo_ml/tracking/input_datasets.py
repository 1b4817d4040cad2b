"""Questions and corpora as inputs of runs; importing this does not import MLflow, which takes
seconds."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from argo_ml.addresses import redacted


@dataclass(frozen=True, slots=True)
class InputDataset:
    """Questions or corpus as MLflow records them: `as_input` is its `DatasetInput`."""

    name: str
    digest: str
    source: str
    context: str
    size: int

    def as_input(self) -> Any:
        from mlflow.entities import Dataset, DatasetInput, InputTag

        profile = json.dumps({"size": self.size})
        # Digests longer than 36 characters are refused by MLflow's database.
        source = redacted(self.source)
        dataset = Dataset(redacted(self.name), self.digest[:36], "local", source, profile=profile)
        return DatasetInput(dataset, [InputTag("mlflow.data.context", self.context)])
