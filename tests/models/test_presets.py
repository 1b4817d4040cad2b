from __future__ import annotations

from pathlib import Path

import pytest

from argo_ml.errors import ConfigError, ModelError
from argo_ml.models.presets import ModelSource, SourceKind, resolve


def test_presets_are_hub_ids(tmp_path: Path) -> None:
    expected = ModelSource(SourceKind.HUB, "Qwen/Qwen2.5-7B-Instruct")
    assert resolve("qwen2.5-7b", tmp_path) == expected


def test_hub_ids_may_name_a_revision(tmp_path: Path) -> None:
    assert resolve("org/name", tmp_path) == ModelSource(SourceKind.HUB, "org/name")
    source = resolve("org/name@refs/pr/1", tmp_path)
    assert source == ModelSource(SourceKind.HUB, "org/name", revision="refs/pr/1")


def test_scripts_are_named_by_their_file(tmp_path: Path) -> None:
    source = resolve("scripted:a/b.yaml", tmp_path)
    assert source == ModelSource(SourceKind.SCRIPTED, "a/b.yaml")


def test_models_of_servers_are_named_by_what_they_are_called_there(tmp_path: Path) -> None:
    source = resolve("server:org/name", tmp_path)
    assert source == ModelSource(SourceKind.SERVER, "org/name")
    assert resolve("server:", tmp_path) == ModelSource(SourceKind.SERVER, "")


def test_embedded_model_that_was_not_fetched(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="run argo-ml fetch"):
        resolve("smollm2-135m", tmp_path)


def test_folder_with_a_configuration(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.gguf").write_text("")
    expected = ModelSource(SourceKind.FOLDER, str(tmp_path.resolve()))
    assert resolve(str(tmp_path), tmp_path) == expected


def test_gguf_file_and_folder_with_one(tmp_path: Path) -> None:
    (tmp_path / "a.gguf").write_text("")
    expected = ModelSource(SourceKind.GGUF, str(tmp_path.resolve()), "a.gguf")
    assert resolve(str(tmp_path / "a.gguf"), tmp_path) == expected
    assert resolve(str(tmp_path), tmp_path) == expected


def test_local_folder_comes_before_a_hub_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "org" / "name").mkdir(parents=True)
    (tmp_path / "org" / "name" / "config.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    assert resolve("org/name", tmp_path).kind is SourceKind.FOLDER


def test_folder_with_several_gguf_files_names_them(tmp_path: Path) -> None:
    for name in ("a.gguf", "b.gguf"):
        (tmp_path / name).write_text("")
    with pytest.raises(ConfigError, match=r"not exactly one .gguf there \(a.gguf, b.gguf\)"):
        resolve(str(tmp_path), tmp_path)


@pytest.mark.parametrize(
    ("model", "complaint"),
    [
        ("qwen2.5-7", "did you mean 'qwen2.5-7b'"),
        ("./nothing", "no such file or folder"),
        ("~/nothing.gguf", "no such file or folder"),
        ("models/nothing.gguf", "no such file or folder"),
        ("a b", "is unknown"),
        ("scripted:", "scripted:FILE needs a file"),
    ],
)
def test_other_names_are_refused(tmp_path: Path, model: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        resolve(model, tmp_path)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_text("")
    with pytest.raises(ConfigError, match=r"must be a \.gguf"):
        resolve(str(tmp_path / "model.bin"), tmp_path)
