"""What a user is told about models that cannot be loaded."""

from __future__ import annotations

import json
import logging
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import constants

from argo_ml.config import ExperimentSpec
from argo_ml.errors import ConfigError, ModelError
from argo_ml.models import LanguageModel, load_model
from argo_ml.models.deferred import load_now
from argo_ml.models.opening import is_served
from argo_ml.testing.models import QUESTIONS, generation, scoring

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path: Path, tiny_folder: Path) -> Path:
    """A model's folder that the test may damage."""
    return Path(shutil.copytree(tiny_folder, tmp_path / "tiny"))


def load(model: Path | str, cache: Path, **fields: Any) -> LanguageModel:
    return load_model(ExperimentSpec(model=str(model), cache_dir=cache, device="cpu", **fields))


def complaint(model: Path | str, cache: Path, **fields: Any) -> str:
    with pytest.raises(ModelError) as caught:
        load(model, cache, **fields)
    text = str(caught.value)
    assert text.startswith(f"model={model}: ")
    assert "\n" not in text
    return text


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"model": "server:m", "server_urls": ("http://host/v1",)}, True),
        ({"model": "qwen2.5-7b", "engine": "vllm"}, True),
        ({"model": "qwen2.5-7b"}, False),
        ({"model": "scripted:script.json"}, False),
    ],
)
def test_models_that_servers_compute_with(values: dict[str, Any], expected: bool) -> None:
    assert is_served(ExperimentSpec(**values)) is expected


def test_truncated_weights(folder: Path, tmp_path: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    assert "cannot be loaded" in complaint(folder, tmp_path)


def test_missing_weights(folder: Path, tmp_path: Path) -> None:
    (folder / "model.safetensors").unlink()
    assert "no file named model.safetensors" in complaint(folder, tmp_path)


def test_weights_that_lack_tensors(folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    del weights["model.layers.0.mlp.up_proj.weight"]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    message = complaint(folder, tmp_path)
    assert "its weights lack 1 tensors, such as model.layers.0.mlp.up_proj.weight" in message


def test_weights_of_another_shape(folder: Path, tmp_path: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "intermediate_size": 32}))
    assert "cannot be loaded" in complaint(folder, tmp_path)


def test_configuration_that_is_not_json(folder: Path, tmp_path: Path) -> None:
    (folder / "config.json").write_text("{")
    assert "cannot be loaded" in complaint(folder, tmp_path)


def test_unknown_architecture(folder: Path, tmp_path: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "perceptron-2000"}')
    assert "perceptron-2000" in complaint(folder, tmp_path)


def test_missing_tokenizer(folder: Path, tmp_path: Path) -> None:
    for path in folder.glob("tokenizer*"):
        path.unlink()
    assert "cannot be loaded" in complaint(folder, tmp_path)


@pytest.mark.parametrize(
    "content", [b"", b"garbage" * 100, b"GGUF" + b"\xff" * 1000, b"GGUF\x03\0\0\0" + b"\x01" * 500]
)
def test_damaged_gguf(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.gguf"
    path.write_bytes(content)
    assert "bad.gguf cannot be loaded" in complaint(path, tmp_path)


def test_a_model_larger_than_memory_is_refused_before_its_weights_are_read(
    folder: Path, tmp_path: Path
) -> None:
    config = json.loads((folder / "config.json").read_text())
    huge = {"hidden_size": 65_536, "num_hidden_layers": 50, "intermediate_size": 900_000}
    (folder / "config.json").write_text(json.dumps({**config, **huge, "head_dim": 128}))
    (folder / "model.safetensors").unlink()
    message = complaint(folder, tmp_path)
    assert "GB for its weights, this machine has" in message
    assert "; model=qwen2.5-3b, or model=qwen2.5-1.5b, or model=qwen2.5-0.5b" in message


def test_quantisation_without_its_library_or_a_gpu(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"quantization=4bit: (bitsandbytes is not|needs a CUDA)"):
        load(folder, tmp_path, quantization="4bit")


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without GPU")
def test_a_gpu_that_is_not_there(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="device=cuda: no CUDA GPU is visible"):
        load_model(ExperimentSpec(model=str(folder), cache_dir=tmp_path, device="cuda"))


def test_a_gguf_model_is_expanded_once_and_stays_the_same(tiny_gguf: Path, tmp_path: Path) -> None:
    first = load(tiny_gguf, tmp_path)
    [kept] = (tmp_path / "models" / "converted").iterdir()
    assert "quantization_config" not in json.loads((kept / "config.json").read_text())
    changed = kept.stat().st_mtime_ns
    second = load(tiny_gguf, tmp_path)
    assert second.identity == first.identity
    requests = [generation(question) for question in QUESTIONS]
    assert [c.text for c in second.generate(requests)] == [c.text for c in first.generate(requests)]
    [a], [b] = (model.score([scoring(QUESTIONS[0])]) for model in (first, second))
    assert a.log_likelihoods == b.log_likelihoods
    assert [path.name for path in kept.parent.iterdir()] == [kept.name]
    assert kept.stat().st_mtime_ns == changed


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "contents.sha256"])
def test_a_damaged_expansion_is_made_again(
    tiny_gguf: Path, tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    [expected] = load(tiny_gguf, tmp_path).score([scoring(QUESTIONS[0])])
    [kept] = (tmp_path / "models" / "converted").iterdir()
    content = bytearray((kept / name).read_bytes())
    content[len(content) // 2] ^= 1
    (kept / name).write_bytes(content)
    [scores] = load(tiny_gguf, tmp_path).score([scoring(QUESTIONS[0])])
    assert scores.log_likelihoods == expected.log_likelihoods
    assert f"{kept} is damaged; expanded anew" in caplog.text
    assert content != (kept / name).read_bytes()


def test_an_expansion_without_digest_is_made_again(tiny_gguf: Path, tmp_path: Path) -> None:
    load(tiny_gguf, tmp_path)
    [kept] = (tmp_path / "models" / "converted").iterdir()
    (kept / "contents.sha256").unlink()
    load_now(load(tiny_gguf, tmp_path))
    assert (kept / "contents.sha256").is_file()


def test_an_expansion_that_cannot_be_kept_is_only_reported(
    tiny_gguf: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "models").write_text("in the way")
    with caplog.at_level(logging.WARNING):
        model = load(tiny_gguf, tmp_path)
    assert len(model.generate([generation(QUESTIONS[0])])) == 1
    assert "not kept for faster loading" in caplog.text


def test_loading_says_nothing(
    tiny_gguf: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """No progress bars or notices: what matters is raised."""
    for _ in range(2):
        model = load(tiny_gguf, tmp_path)
        model.generate([generation(QUESTIONS[0])])
        model.score([scoring(QUESTIONS[0])])
    assert capfd.readouterr() == ("", "")


def test_importing_the_package_imports_no_heavy_library() -> None:
    script = "import sys, argo_ml.models; print({'torch', 'transformers'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert result.stdout.strip() == b"set()"


def test_a_hub_model_is_known_by_its_commit(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the hub's own cache, as after a download, without a hub."""
    repository = tmp_path / "hub" / "models--org--tiny"
    shutil.copytree(folder, repository / "snapshots" / "0123abc")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0123abc")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert " org/tiny@0123abc float32 " in load("org/tiny", tmp_path).identity


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("servr:tiny", "prefix 'servr' is unknown; did you mean 'server'? known: scripted, server"),
        ("vllm:org/tiny", "prefix 'vllm' is unknown; known: scripted, server"),
        ("C:/models/tiny", "is unknown; known: smollm2-135m"),
        (r"C:\models\tiny", "is unknown; known: smollm2-135m"),
    ],
)
def test_an_unknown_prefix_is_named_with_the_known_ones(
    model: str, reason: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=re.escape(reason)):
        load(model, tmp_path)


def test_a_folder_with_a_colon_in_its_name_is_a_folder(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.rename(tmp_path / "tiny:one")
    monkeypatch.chdir(tmp_path)
    assert load("tiny:one", tmp_path).identity.startswith("transformers sha256:")


def test_hidden_states_of_a_model_that_tells_of_none(tmp_path: Path) -> None:
    table = tmp_path / "table.json"
    table.write_text('{"rules": [{"contains": "a", "completion": "b"}]}')
    with pytest.raises(ConfigError, match=r"^hidden_states=true: model=scripted:.* tells of none"):
        load(f"scripted:{table}", tmp_path, hidden_states=True)
