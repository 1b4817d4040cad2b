import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import httpx2
import numpy as np
import pytest
import torch
from builders import hubs
from builders.hubs import Hub
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from argo_ml.config import ExperimentSpec, build
from argo_ml.corpus.embedder_files import embedder_files, find_embedder
from argo_ml.corpus.embedder_prompts import CONFIG, GivenPrompts
from argo_ml.corpus.embedding import (
    SentenceEmbedder,
    embedder_of,
    load_embedder,
    torch_device,
)
from argo_ml.errors import ModelError
from argo_ml.models.digests import files_digest


def test_vectors_are_unit_rows_of_float32(sentence_embedder: SentenceEmbedder) -> None:
    vectors = sentence_embedder.embed_passages(["A city.", "A much longer text about a city."])
    assert vectors.shape == (2, 384)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_related_texts_are_nearer(sentence_embedder: SentenceEmbedder) -> None:
    passages = sentence_embedder.embed_passages(
        ["Lima is the capital of Peru.", "Gold is a metal."]
    )
    [query] = sentence_embedder.embed_queries(["Which city governs Peru?"])
    near, far = passages @ query
    assert near > far + 0.2


def test_tokens_are_counted_without_special_ones(sentence_embedder: SentenceEmbedder) -> None:
    assert sentence_embedder.count_tokens(["", "city", "a city of gold"]) == [0, 1, 4]
    assert sentence_embedder.count_tokens([]) == []


def test_the_embedded_model_reads_256_tokens_with_two_special_ones(
    sentence_embedder: SentenceEmbedder,
) -> None:
    assert sentence_embedder.max_tokens == 254


def test_loading_shows_no_progress_bar(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    embedder = load_embedder("all-minilm-l6-v2", tmp_path, device="cpu")
    embedder.embed_queries(["text"] * 40)
    assert capfd.readouterr() == ("", "")


def copy_of_embedded_model(folder: Path) -> Path:
    folder.mkdir()
    source = find_embedder("all-minilm-l6-v2")
    for path in embedder_files(source):
        target = folder / path.relative_to(source)
        target.parent.mkdir(exist_ok=True)
        target.symlink_to(path)
    return folder


@pytest.mark.parametrize(
    ("saved", "given"),
    [
        ({"query": "query: ", "passage": "passage: "}, GivenPrompts()),
        ({"query": "another: "}, GivenPrompts("query: ", "passage: ")),
    ],
)
def test_passages_and_queries_get_their_prompts(
    tmp_path: Path,
    sentence_embedder: SentenceEmbedder,
    saved: dict[str, str],
    given: GivenPrompts,
) -> None:
    folder = copy_of_embedded_model(tmp_path / "copy")
    (folder / CONFIG).unlink()
    (folder / CONFIG).write_text(json.dumps({"prompts": saved}), encoding="utf-8")
    embedder = load_embedder(str(folder), tmp_path, device="cpu", given=given)
    expected = sentence_embedder.embed_passages(["passage: A city.", "query: Where?"])
    found = [*embedder.embed_passages(["A city."]), *embedder.embed_queries(["Where?"])]
    assert np.allclose(found, expected, atol=1e-6)
    assert embedder.max_tokens == 252


def test_prompts_that_are_given_count_in_the_identity_and_none_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SentenceEmbedder, "load_now", lambda embedder: None)
    plain, asked, both = (
        load_embedder("all-minilm-l6-v2", tmp_path, "cpu", (), given).identity
        for given in (GivenPrompts(), GivenPrompts("query: "), GivenPrompts("query: ", "p: "))
    )
    assert plain.rpartition(":")[0] == "sentence-transformers 6 sha256"
    assert len({plain, asked, both}) == 3


class RecordingTokenizer:
    """A token a word; remembers how many texts it was given at once."""

    unk_token_id = 0

    def __init__(self) -> None:
        self.n_texts: list[int] = []

    def __call__(self, texts: list[str], **settings: bool) -> dict[str, list[list[int]]]:
        self.n_texts.append(len(texts))
        return {"input_ids": [[len(word) for word in text.split()] for text in texts]}


def test_texts_are_tokenized_some_at_a_time() -> None:
    model = SimpleNamespace(tokenizer=RecordingTokenizer())
    embedder = SentenceEmbedder("a", "a", lambda: model)
    texts = ["a b"] * 5000
    assert embedder.count_tokens(texts) == [2] * 5000
    assert embedder.count_unknown(texts) == [0] * 5000
    assert max(model.tokenizer.n_texts) <= 1024


def test_texts_that_are_too_many_for_memory_are_embedded_fewer_at_a_time() -> None:
    def encode(texts: list[str], batch_size: int, **settings: bool) -> list[list[float]]:
        if batch_size > 8:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return [[float(len(text))] for text in texts]

    model = SimpleNamespace(encode_document=encode)
    embedder = SentenceEmbedder("a", "a", lambda: model)
    assert embedder.embed_passages(["a", "bc"]).tolist() == [[1.0], [2.0]]


def test_a_model_that_is_out_of_memory_is_not_called_another_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*names: str, **settings: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")

    monkeypatch.setattr("sentence_transformers.SentenceTransformer", refuse)
    with pytest.raises(ModelError, match="embedding_model=all-minilm-l6-v2: no memory left"):
        load_embedder("all-minilm-l6-v2", tmp_path, device="cpu")


def test_identity_depends_on_files_and_not_on_their_place(tmp_path: Path) -> None:
    first = load_embedder("all-minilm-l6-v2", tmp_path, device="cpu")
    folder = copy_of_embedded_model(tmp_path / "copy")
    assert load_embedder(str(folder), tmp_path, device="cpu").identity == first.identity
    (folder / "vocab.txt").unlink()
    (folder / "vocab.txt").write_text("[PAD]\n", encoding="utf-8")
    assert load_embedder(str(folder), tmp_path, device="cpu").identity != first.identity


def test_copies_of_the_weights_for_other_libraries_do_not_count(tmp_path: Path) -> None:
    for name in ("model.safetensors", "1_Pooling/config.json", "onnx/config.json", "README.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x", encoding="utf-8")
    names = {path.relative_to(tmp_path).as_posix() for path in embedder_files(tmp_path)}
    assert names == {"model.safetensors", "1_Pooling/config.json"}


def identity(folder: Path, cache: Path) -> str:
    return load_embedder(str(folder), cache, device="cpu").identity


@pytest.fixture
def unloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model as the hub has it; nobody loads it."""
    monkeypatch.setattr(SentenceEmbedder, "load_now", lambda embedder: None)
    folder = tmp_path / "model"
    (folder / "2_Dense").mkdir(parents=True)
    for name in ("config.json", "model.safetensors", "2_Dense/pytorch_model.bin"):
        (folder / name).write_text(name, encoding="utf-8")
    return folder


@pytest.mark.parametrize("copy", ["pytorch_model.bin", "consolidated.safetensors", "a.gguf"])
def test_a_copy_of_the_weights_that_is_not_loaded_leaves_the_identity(
    tmp_path: Path, unloaded: Path, copy: str
) -> None:
    before = identity(unloaded, tmp_path / "cache")
    (unloaded / copy).write_text("the same weights", encoding="utf-8")
    assert [identity(unloaded, tmp_path / "cache") for _ in range(2)] == [before, before]
    assert identity(unloaded, tmp_path / "another cache") == before


def test_a_copy_that_is_the_same_file_leaves_the_identity(tmp_path: Path, unloaded: Path) -> None:
    before = identity(unloaded, tmp_path / "cache")
    (unloaded / "consolidated.safetensors").symlink_to(unloaded / "model.safetensors")
    assert identity(unloaded, tmp_path / "cache") == before


@pytest.mark.parametrize("loaded", ["model.safetensors", "2_Dense/pytorch_model.bin"])
def test_weights_that_are_loaded_count_in_the_identity(
    tmp_path: Path, unloaded: Path, loaded: str
) -> None:
    before = identity(unloaded, tmp_path / "cache")
    (unloaded / loaded).write_text("other weights", encoding="utf-8")
    assert identity(unloaded, tmp_path / "cache") != before


def test_a_copy_that_counted_where_an_earlier_version_used_the_model_still_does(
    tmp_path: Path, unloaded: Path
) -> None:
    (unloaded / "pytorch_model.bin").write_text("the same weights", encoding="utf-8")
    cache = tmp_path / "cache"
    files = [path for path in unloaded.rglob("*") if path.is_file()]
    digest = files_digest(files, cache / "embedder_digests.json")
    assert identity(unloaded, cache) == f"sentence-transformers 6 sha256:{digest}"
    assert identity(unloaded, tmp_path / "another cache") != identity(unloaded, cache)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("all-minilm", "unknown; known: all-minilm-l6-v2, or a local folder, or a hub id"),
        ("/no/such/folder", "no such folder"),
        ("./missing", "no such folder"),
        ("no-org/no-model", "the hub cannot be reached and no copy is here"),
        ("-bad-/name", "not a hub id"),
    ],
)
def test_a_model_that_is_not_there_is_an_error_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, message: str
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match=message) as error:
        load_embedder(name, tmp_path)
    assert str(error.value).startswith(f"embedding_model={name}: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (GatedRepoError, "embedding_model=org/name: its owner asks you to accept terms; do so at"),
        (RevisionNotFoundError, "embedding_model=org/name@v2: the hub has no such revision"),
        (RepositoryNotFoundError, "embedding_model=org/name: the hub has no such model"),
    ],
)
def test_what_the_hub_refuses_is_told_as_of_language_models(
    monkeypatch: pytest.MonkeyPatch, error: type[HfHubHTTPError], message: str
) -> None:
    def refuse(*_: object, **__: object) -> None:
        request = httpx2.Request("GET", "https://hub")
        raise error("refused", response=httpx2.Response(403, request=request))

    monkeypatch.setattr("huggingface_hub.snapshot_download", refuse)
    with pytest.raises(ModelError, match=f"^{message}"):
        find_embedder("org/name@v2")


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    hubs.use_own_cache(tmp_path, monkeypatch)
    with hubs.running() as server:
        yield server


def test_of_two_copies_of_the_weights_one_is_downloaded(hub: Hub) -> None:
    hub.files["2_Dense/pytorch_model.bin"] = b"in no other format"
    folder = find_embedder("org/name", hub.url)
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert files == {
        "config.json",
        "tokenizer.json",
        "model.safetensors",
        "2_Dense/pytorch_model.bin",
    }


def test_weights_beside_those_that_are_never_loaded_are_downloaded(hub: Hub) -> None:
    del hub.files["model.safetensors"]
    folder = find_embedder("org/name", hub.url)
    assert (folder / "pytorch_model.bin").is_file()
    assert not (folder / "consolidated.safetensors").exists()


def test_threads_are_those_of_the_spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    set_to: list[int] = []
    monkeypatch.setattr("argo_ml.devices.threads.set_threads", set_to.append)
    embedder_of(build(ExperimentSpec, {"threads": 3, "device": "cpu", "cache_dir": tmp_path}))
    assert set_to == [3]


def test_the_first_of_the_chosen_gpus_is_that_of_the_lowest_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 3)
    monkeypatch.setattr("torch.cuda.memory_allocated", lambda gpu: 0)
    assert torch_device("auto", (2, 1)) == "cuda:1"


def test_a_folder_without_a_model_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="not a Sentence Transformers model"):
        load_embedder(str(tmp_path), tmp_path / "cache", device="cpu")


def test_a_gpu_that_is_not_there_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    with pytest.raises(ModelError, match="device=cuda"):
        load_embedder("all-minilm-l6-v2", tmp_path, device="cuda")
