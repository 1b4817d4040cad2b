from __future__ import annotations

import hashlib
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from builders.loopback import serving

from argo_ml.datasets.oran_files import fetch_oran, oran_checksums, oran_source
from argo_ml.models.downloads import FetchError

pytestmark = pytest.mark.slow


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
    server = GitHub()
    with serving(server):
        yield server
        server.go_on.set()


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
    fetched = fetch_oran(cache, str(source), checksums=CHECKSUMS)
    assert fetched.questions == cache / "data" / "oran-bench-13k"
    assert (cache / "data" / QUESTIONS).read_bytes() == b"questions"
    assert (cache / "data" / DOCUMENT).read_bytes() == b"document"
    assert "Creative Commons" in (cache / "data/oran-sc-docs/ATTRIBUTION").read_text()
    assert leftovers(cache) == []


def test_oran_files_come_from_the_server(github: GitHub, cache: Path) -> None:
    fetched = fetch_oran(cache, base_url=github.url, checksums=CHECKSUMS)
    assert fetched.documents == cache / "data" / "oran-sc-docs"
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
    fetched = fetch_oran(cache, str(source), checksums=CHECKSUMS)
    assert fetched.questions is None
    assert fetched.documents == cache / "data" / "oran-sc-docs"


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
    "from argo_ml.datasets.oran_files import fetch_oran; "
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
    fetched = fetch_oran(cache, str(SHARED_DATA))
    assert fetched.questions is not None and fetched.documents is not None
    assert (fetched.questions / "fin_H.json").stat().st_size > 0
