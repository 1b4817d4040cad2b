from pathlib import Path

import numpy as np
import pytest

from argo_ml.corpus.embedder_files import embedder_files, find_embedder
from argo_ml.corpus.embedding import SentenceEmbedder, load_embedder
from argo_ml.errors import ModelError


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


def test_identity_depends_on_files_and_not_on_their_place(tmp_path: Path) -> None:
    first = load_embedder("all-minilm-l6-v2", tmp_path, device="cpu")
    folder = tmp_path / "copy"
    folder.mkdir()
    source = find_embedder("all-minilm-l6-v2")
    for path in embedder_files(source):
        target = folder / path.relative_to(source)
        target.parent.mkdir(exist_ok=True)
        target.symlink_to(path)
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


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("all-minilm", "unknown; known: all-minilm-l6-v2, or a local folder, or a hub id"),
        ("/no/such/folder", "no such folder"),
        ("./missing", "no such folder"),
        ("no-org/no-model", "the hub cannot be reached and no copy is here"),
        ("-bad-/name", "cannot be downloaded|cannot be reached"),
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


def test_a_folder_without_a_model_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="not a Sentence Transformers model"):
        load_embedder(str(tmp_path), tmp_path / "cache", device="cpu")


def test_a_gpu_that_is_not_there_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    with pytest.raises(ModelError, match="device=cuda"):
        load_embedder("all-minilm-l6-v2", tmp_path, device="cuda")
