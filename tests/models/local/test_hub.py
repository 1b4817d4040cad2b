"""The hub as a user meets it: reachable, refusing, and not there. A server on loopback plays it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from builders import hubs
from builders.hubs import COMMIT, Hub
from huggingface_hub import constants

from argo_ml.errors import ModelError
from argo_ml.models.local import hub


@pytest.fixture
def server() -> Iterator[Hub]:
    with hubs.running() as server:
        yield server


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "hub"
    hubs.use_own_cache(folder, monkeypatch)
    return folder


def test_a_model_is_found_with_the_preferred_weights(server: Hub) -> None:
    model = hub.find("org/name", endpoint=server.url)
    assert model.small_files == ("config.json", "tokenizer.json")
    assert model.weights == ("model.safetensors",)


def test_bin_weights_are_taken_where_there_are_no_others(server: Hub) -> None:
    del server.files["model.safetensors"]
    assert hub.find("org/name", endpoint=server.url).weights == ("pytorch_model.bin",)


def test_a_revision_is_asked_for(server: Hub) -> None:
    hub.find("org/name", "v1", endpoint=server.url)
    assert server.requested[0].startswith("/api/models/org/name/revision/v1")


def test_small_files_come_without_the_weights(server: Hub) -> None:
    model = hub.find("org/name", endpoint=server.url)
    small = hub.fetch_small_files(model, server.url)
    assert sorted(path.name for path in small.iterdir()) == ["config.json", "tokenizer.json"]
    whole = hub.fetch_weights(model, server.url)
    assert whole == small
    assert whole.name == COMMIT
    assert (whole / "model.safetensors").read_bytes() == b"weights"
    assert not (whole / "pytorch_model.bin").exists()


@pytest.mark.parametrize("revision", ["", "v1", COMMIT])
def test_a_downloaded_model_is_used_while_the_hub_is_away(server: Hub, revision: str) -> None:
    model = hub.find("org/name", revision, endpoint=server.url)
    folder = hub.fetch_weights(model, server.url)
    away = hub.find("org/name", revision, endpoint="http://127.0.0.1:1")
    assert hub.fetch_small_files(away) == hub.fetch_weights(away) == folder


def test_a_copy_without_weights_is_refused_while_the_hub_is_away(server: Hub) -> None:
    small = hub.fetch_small_files(hub.find("org/name", endpoint=server.url), server.url)

    away = hub.find("org/name", endpoint="http://127.0.0.1:1")

    assert hub.fetch_small_files(away) == small
    with pytest.raises(ModelError, match="the copy that is here lacks weights"):
        hub.fetch_weights(away)


def test_what_a_download_takes_is_what_is_not_here_of_the_weights(server: Hub) -> None:
    assert hub.bytes_to_download("org/name", endpoint=server.url) == len(b"weights")

    hub.fetch_weights(hub.find("org/name", endpoint=server.url), server.url)

    assert hub.bytes_to_download("org/name", endpoint=server.url) == 0
    assert hub.bytes_to_download("org/name", endpoint="http://127.0.0.1:1") == 0


INDEX = "model.safetensors.index.json"
SHARDS = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
INDEXED = json.dumps({"weight_map": {"a": SHARDS[0], "b": SHARDS[1], "c": SHARDS[1]}})


@pytest.mark.parametrize(
    ("names", "has_weights"),
    [
        ((), False),
        (("model.safetensors",), True),
        (("pytorch_model.bin",), True),
        (("weights.safetensors",), True),
        (("consolidated.safetensors",), False),
        ((INDEX,), False),
        ((INDEX, SHARDS[0]), False),
        ((INDEX, *SHARDS), True),
        ((INDEX, "pytorch_model.bin"), True),
        ((SHARDS[0],), False),
    ],
)
def test_weights_are_there_where_all_of_their_files_are(
    tmp_path: Path, names: tuple[str, ...], has_weights: bool
) -> None:
    for name in ("config.json", *names):
        (tmp_path / name).write_text(INDEXED)
    (tmp_path / "model.bin").symlink_to(tmp_path / "gone")

    assert hub.has_weights(tmp_path) is has_weights


def test_an_unreachable_hub_is_one_line_that_says_what_to_do() -> None:
    with pytest.raises(ModelError) as caught:
        hub.find("org/name", endpoint="http://127.0.0.1:1")
    text = str(caught.value)
    assert text.startswith("model=org/name: the hub cannot be reached (")
    assert text.endswith("give a local folder, or fetch it while online")
    assert "\n" not in text


def test_offline_mode_asks_nothing(server: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match="give a local folder, or fetch it while online"):
        hub.find("org/name", endpoint=server.url)
    assert server.requested == []


@pytest.mark.parametrize(
    ("status", "code", "complaint"),
    [
        (403, "GatedRepo", "accept terms.*hf auth login or set HF_TOKEN"),
        (404, "RepoNotFound", "no such model, or it is private"),
        (404, "RevisionNotFound", "model=org/name@v1: the hub has no such revision"),
        (400, "", "the hub refused it"),
    ],
)
def test_refusals_are_one_line(server: Hub, status: int, code: str, complaint: str) -> None:
    server.error = (status, code)
    with pytest.raises(ModelError, match=complaint) as caught:
        hub.find("org/name", "v1", endpoint=server.url)
    assert "\n" not in str(caught.value)


def test_a_gated_models_files_are_refused_with_the_same_line(server: Hub) -> None:
    model = hub.find("org/name", endpoint=server.url)
    server.error = (403, "GatedRepo")
    with pytest.raises(ModelError, match="accept terms"):
        hub.fetch_small_files(model, server.url)


def test_a_repository_without_usable_weights_is_refused(server: Hub) -> None:
    server.files = {"config.json": b"{}", "model.gguf": b""}
    with pytest.raises(ModelError, match=r"no config\.json with \.safetensors or \.bin weights"):
        hub.find("org/name", endpoint=server.url)


def test_a_name_that_is_no_hub_id_is_refused() -> None:
    with pytest.raises(ModelError, match="not a hub id"):
        hub.find("org/a--b", endpoint="http://127.0.0.1:1")
