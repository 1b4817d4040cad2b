import contextlib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import chromadb
import pytest
import requests
from builders.places import free_port
from chromadb.api import ClientAPI
from chromadb.config import Settings

from argo_ml.corpus.base import Retriever
from argo_ml.corpus.documents import DocumentSet
from argo_ml.corpus.index import IndexContent
from argo_ml.corpus.opening import Corpus, index_documents
from argo_ml.corpus.server_store import ServerStore
from argo_ml.corpus.splitting import SplitSettings
from argo_ml.errors import ConfigError, CorpusIndexError
from argo_ml.models.server.fleet import RetryPolicy
from argo_ml.testing.embedders import WordEmbedder
from argo_ml.testing.retrievers import DOCUMENTS, RetrieverSuite
from argo_ml.types import Document, Passage

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Chroma server of this module's own."""
    with running(tmp_path_factory.mktemp("chroma")) as (url, _):
        yield url


@contextlib.contextmanager
def running(folder: Path) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    port = free_port()
    command = [str(Path(sys.executable).with_name("chroma")), "run", "--host", "127.0.0.1"]
    command += ["--port", str(port), "--path", str(folder)]
    url = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until_up(url)
        yield url, process
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def listening() -> Iterator[tuple[str, list[str]]]:
    """A server that lets nobody in, and the credentials that it was shown."""
    credentials: list[str] = []

    class Doorkeeper(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            credentials.append(self.headers["Authorization"])
            self.send_error(401)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Doorkeeper) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}", credentials
        httpd.shutdown()


def wait_until_up(url: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            requests.get(f"{url}/api/v2/heartbeat", timeout=5)
        except requests.ConnectionError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(f"{url}: the Chroma server did not come up")


@pytest.fixture
def client(server: str) -> ClientAPI:
    port = int(server.rpartition(":")[2])
    settings = Settings(anonymized_telemetry=False)
    return chromadb.HttpClient(host="127.0.0.1", port=port, settings=settings)


def build(server: str, locks: Path, documents: tuple[Document, ...]) -> Corpus:
    document_set, settings = DocumentSet(documents), SplitSettings(40, 0)
    return index_documents(document_set, "", settings, WordEmbedder(), ServerStore(server), locks)


class TestRetrieverOfAServer(RetrieverSuite):
    @pytest.fixture
    def retriever(self, server: str, tmp_path: Path) -> Retriever:
        return build(server, tmp_path, DOCUMENTS).retriever


def test_an_index_is_built_once_and_reused(server: str, tmp_path: Path) -> None:
    documents = (Document("a", "used twice"),)
    assert build(server, tmp_path, documents).was_built
    assert not build(server, tmp_path, documents).was_built


def test_a_failed_build_leaves_no_collection(server: str, client: ClientAPI) -> None:
    def fail(passages: object) -> None:
        raise RuntimeError("out of memory")

    content = IndexContent([Passage("a", "text")], fail)  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="out of memory"):
        ServerStore(server).build("argo-failed", content, lambda n_done, n_total: None)
    assert [c.name for c in client.list_collections() if c.name.startswith("argo-failed")] == []


def test_the_slower_of_two_machines_uses_the_other_ones_index(
    server: str, client: ClientAPI
) -> None:
    embedder, store = WordEmbedder(), ServerStore(server)
    passages = [Passage("a", "text"), Passage("b", "more")]

    def embed_while_another_builds(block: object) -> object:
        other = IndexContent(passages, lambda _: embedder.embed_passages(["text", "more"]))
        if not any(c.name == "argo-race" for c in client.list_collections()):
            ServerStore(server).build("argo-race", other, lambda n_done, n_total: None)
        return embedder.embed_passages(["text", "more"])

    content = IndexContent(passages, embed_while_another_builds)  # type: ignore[arg-type]
    collection = store.build("argo-race", content, lambda n_done, n_total: None)

    assert collection.count() == 2
    names = [c.name for c in client.list_collections() if c.name.startswith("argo-race")]
    assert names == ["argo-race"]


def test_what_a_killed_builder_left_is_removed_after_a_day(server: str, client: ClientAPI) -> None:
    now = time.time()
    for suffix, started in (("old", now - 90_000), ("new", now - 60)):
        client.create_collection(f"argo-left-building-{suffix}", metadata={"started": started})
    content = IndexContent([Passage("a", "x")], lambda _: WordEmbedder().embed_passages(["x"]))
    ServerStore(server).build("argo-left", content, lambda n_done, n_total: None)
    names = {c.name for c in client.list_collections() if c.name.startswith("argo-left")}
    assert names == {"argo-left", "argo-left-building-new"}


def test_an_incomplete_collection_is_an_error(
    server: str, client: ClientAPI, tmp_path: Path
) -> None:
    documents = (Document("a", "one"), Document("b", "two"))
    corpus = build(server, tmp_path, documents)
    client.get_collection(corpus.collection).delete(ids=["b"])
    with pytest.raises(CorpusIndexError, match="holds 1 passages instead of 2; delete that"):
        build(server, tmp_path, documents)


def test_a_server_that_is_not_there_is_an_error_that_says_how_to_start_one() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(CorpusIndexError, match="chroma run --path") as error:
        ServerStore(url)
    assert str(error.value).startswith(f"chroma_url={url}: ")


def test_a_server_that_dies_between_two_searches_is_an_error_of_one_line(tmp_path: Path) -> None:
    with running(tmp_path / "chroma") as (url, process):
        store = ServerStore(url, RetryPolicy(max_retries=1, first_pause_s=0.01))
        documents = DocumentSet((Document("a", "one two"),))
        corpus = index_documents(
            documents, "", SplitSettings(40, 0), WordEmbedder(), store, tmp_path
        )
        corpus.retriever.retrieve(["one"], 1)
        process.kill()
        process.wait()
        with pytest.raises(CorpusIndexError, match=r"answers no more \(ConnectError, 2 tries\)"):
            corpus.retriever.retrieve(["two"], 1)


def test_a_password_in_the_address_is_sent_and_never_shown() -> None:
    with listening() as (url, requests_seen), pytest.raises(CorpusIndexError) as error:
        ServerStore(url.replace("http://", "http://me:s3cret@"))
    assert "s3cret" not in str(error.value) and "HTTP 401" in str(error.value)
    assert requests_seen == ["Basic bWU6czNjcmV0"]


def test_an_address_of_ipv6_keeps_its_brackets() -> None:
    with pytest.raises(CorpusIndexError, match=r"chroma_url=http://\[::1\]:1: no Chroma server"):
        ServerStore("http://[::1]:1")


def test_something_else_behind_the_url_is_an_error() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        with pytest.raises(CorpusIndexError, match="no Chroma server answers there"):
            ServerStore(f"http://127.0.0.1:{deaf.getsockname()[1]}")


@pytest.mark.parametrize(
    "url",
    [
        *("localhost:8000", "ftp://host", "http://", "http://host/chroma"),
        *("http://localhost:80O0", "http://localhost:99999", "http://[::1:8000"),
    ],
)
def test_an_address_that_is_none_is_an_error(url: str) -> None:
    with pytest.raises(ConfigError, match="not an address like http://localhost:8000"):
        ServerStore(url)
