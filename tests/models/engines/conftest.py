"""One real llama.cpp server for all tests that need one; they skip where it is not installed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from builders.engine_servers import process_of

from argo_ml.config import ExperimentSpec
from argo_ml.models import LanguageModel, load_model


@pytest.fixture(scope="session")
def llama(llama_spec: ExperimentSpec) -> Iterator[LanguageModel]:
    """The tiny model behind llama.cpp's own server, which the session's tests share."""
    model = load_model(llama_spec)
    yield model
    process_of(model).close()


@pytest.fixture(scope="session")
def local(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    """The same model in this process."""
    cache = str(tmp_path_factory.mktemp("cache"))
    return load_model(ExperimentSpec(model=str(tiny_folder), cache_dir=cache, device="cpu"))
