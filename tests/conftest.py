"""What tests of several folders share: a cache folder with the embedded model, MLflow stores."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from builders import drawing
from builders.places import linked_cache, shared_folder
from filelock import FileLock
from hypothesis import settings

from argo_ml import addresses
from argo_ml.config import CacheFields
from argo_ml.models.downloads import FetchError
from argo_ml.models.embedded_model import fetch_embedded_model

# So that answers are the same on every processor: without AMX precision=auto is float32.
os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_FP16")

# Shells let what they start in the background ignore it, and tests interrupt themselves.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Machines differ in speed, and shared ones stall.
settings.register_profile("unhurried", deadline=None, derandomize=True)
settings.load_profile("unhurried")

pytest_plugins = ["builders.published_policy", "builders.stored_sweep"]

ROOT = Path(__file__).parents[1]
SHARED_DATA = ROOT.parent / "shared" / "data"


@pytest.fixture(autouse=True)
def no_secrets_of_other_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords that one test planted must not be hidden in what another one prints."""
    monkeypatch.setattr(addresses, "_known", set())


@pytest.fixture(scope="session")
def embedded_model() -> Path:
    """The embedded model's file in the user's own cache, fetched where it is not there."""
    try:
        return fetch_embedded_model(CacheFields().cache_path)
    except FetchError as error:
        pytest.skip(f"embedded model: {error}")


@pytest.fixture(scope="session")
def warm_cache(embedded_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder that tests share for models and indexes, also those of other processes."""
    folder = shared_folder(tmp_path_factory) / "warm-cache"
    for name in ("indexes", "atlas"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        (folder / "models").symlink_to(embedded_model.parents[1])
    return folder


@pytest.fixture
def cache_dir(warm_cache: Path, tmp_path: Path) -> Path:
    """A cache folder of the test's own, but for models and indexes."""
    return linked_cache(warm_cache, tmp_path / "cache")


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database with its tables: creating them takes seconds, a copy does not."""
    from mlflow import MlflowClient

    path = shared_folder(tmp_path_factory) / "empty-store.db"
    with FileLock(f"{path}.lock"):
        if not path.exists():
            MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def tracking_uri(empty_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A fresh MLflow store; artifacts go below the test's folder."""
    monkeypatch.chdir(tmp_path)
    shutil.copyfile(empty_store, tmp_path / "mlflow.db")
    return f"sqlite:///{tmp_path / 'mlflow.db'}"


@pytest.fixture
def quick_figures(request: pytest.FixtureRequest) -> Iterator[None]:
    """Figures that the test makes are not drawn; those of fixtures for the whole module are."""
    is_drawn = request.node.get_closest_marker("drawn") is not None
    with contextlib.nullcontext() if is_drawn else drawing.left_out():
        yield


@pytest.fixture(scope="module")
def quick_figures_of_module() -> Iterator[None]:
    with drawing.left_out():
        yield


@pytest.fixture(scope="session")
def oran_questions() -> Path:
    return _shared("oran-bench-13k")


@pytest.fixture(scope="session")
def oran_documents() -> Path:
    return _shared("oran-sc-docs")


def _shared(name: str) -> Path:
    folder = SHARED_DATA / name
    if not folder.is_dir():
        pytest.skip(f"the real files of {name} are not beside the checkout")
    return folder
