"""Addresses of tracking stores: what file one means, and what is said of one that does not work."""

from __future__ import annotations

import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from builders.places import free_port
from mlflow.exceptions import MlflowException
from sqlalchemy.engine import make_url

from argo_ml.errors import TrackingError
from argo_ml.tracking.stores import (
    check_reachable,
    errors_explained,
    first_line,
    sqlite_path,
    sqlite_uri,
    with_collisions,
)


@pytest.mark.parametrize("name", ["plain", "a b", "ü", "c#", "c?2", "100%", "c%41", "?#% ü"])
def test_url_of_a_file_names_that_file(name: str) -> None:
    path = Path("/folder") / name / "mlflow.db"

    assert sqlite_path(sqlite_uri(path)) == path
    assert make_url(sqlite_uri(path)).database == str(path)


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("sqlite:////a%20b/c.db", Path("/a b/c.db")),
        ("sqlite:///c.db?timeout=5", Path("c.db")),
        ("sqlite+pysqlite:////c.db", Path("/c.db")),
        ("sqlite://", None),
        ("postgresql://host/base", None),
        ("http://host", None),
    ],
)
def test_file_of_a_url(uri: str, path: Path | None) -> None:
    assert sqlite_path(uri) == path


def test_path_that_would_be_cut_at_its_mark_is_refused() -> None:
    with pytest.raises(TrackingError, match="write a \\? in a path as %3F"):
        sqlite_path("sqlite:////folder/c?2/mlflow.db")


def test_advice_is_what_was_not_done_already(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(TrackingError, match="or leave tracking_uri empty for a local store"):
        check_reachable(uri)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with pytest.raises(TrackingError, match="or unset MLFLOW_TRACKING_URI for a local store"):
        check_reachable(uri)
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mlflow.db").mkdir()
    with pytest.raises(TrackingError, match=r"use sqlite:///FILE.db$"):
        check_reachable(sqlite_uri(tmp_path / "mlflow.db"))


class Healthy(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """The certificate of an authority of one's own, with its key in the same file."""
    path = tmp_path / "own.pem"
    command = [
        *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
        *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
        *("-keyout", str(path), "-out", str(tmp_path / "certificate.pem")),
    ]
    made = subprocess.run(command, capture_output=True, check=False)
    if made.returncode:
        pytest.skip("openssl makes no certificate here")
    path.write_text(path.read_text() + (tmp_path / "certificate.pem").read_text())
    return path


@pytest.fixture
def secure_server(certificate: Path) -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Healthy)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"https://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_server_is_asked_with_the_certificates_that_mlflow_takes(
    secure_server: str, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(TrackingError, match="name the file of its certificate authority in MLFLOW"):
        check_reachable(secure_server)

    monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", str(certificate))
    check_reachable(secure_server)

    monkeypatch.delenv("MLFLOW_TRACKING_SERVER_CERT_PATH")
    monkeypatch.setenv("MLFLOW_TRACKING_INSECURE_TLS", "true")
    check_reachable(secure_server)


def raised_by(package: str) -> Exception:
    """An error of a class of the package's own that is derived from nothing."""
    kind = type("NoCredentialsError", (Exception,), {"__module__": f"{package}.exceptions"})
    error: Exception = kind("Unable to locate credentials")
    return error


@pytest.mark.parametrize(
    "error",
    [
        raised_by("botocore"),
        raised_by("google"),
        raised_by("azure"),
        NotImplementedError("log_spans is not supported"),
    ],
)
def test_what_mlflow_lets_through_is_one_line_that_names_the_store(error: Exception) -> None:
    with pytest.raises(TrackingError) as raised, errors_explained("http://tracking:5000"):
        raise error

    assert str(raised.value) == f"tracking_uri=http://tracking:5000: {error}"


def test_an_error_of_the_program_stays_what_it_is() -> None:
    with pytest.raises(KeyError), errors_explained("http://tracking:5000"):
        raise KeyError("name")


def test_a_full_disk_is_said_with_what_helps() -> None:
    error = OSError("(sqlite3.OperationalError) database or disk is full\n[SQL: INSERT]")
    assert first_line(error) == (
        "(sqlite3.OperationalError) database or disk is full; free disk space, and go on"
    )


class Colliding:
    """Fails as often as it is said, and then is done."""

    def __init__(self, message: str, n_failures: int) -> None:
        self.message, self.n_failures = message, n_failures
        self.n_calls = 0

    def __call__(self) -> str:
        self.n_calls += 1
        if self.n_calls <= self.n_failures:
            raise MlflowException(self.message)
        return "done"


@pytest.mark.parametrize(
    "message",
    [
        "(sqlite3.IntegrityError) UNIQUE constraint failed: datasets.experiment_id, datasets.name",
        "(psycopg2.errors.UniqueViolation) duplicate key value violates unique constraint",
    ],
)
def test_a_row_that_another_process_inserted_meanwhile_is_taken(message: str) -> None:
    call = Colliding(message, n_failures=2)
    assert with_collisions(call) == "done"
    assert call.n_calls == 3


def test_a_collision_that_does_not_end_is_raised() -> None:
    call = Colliding("UNIQUE constraint failed: experiment_tags.key", n_failures=9)
    with pytest.raises(MlflowException, match=r"experiment_tags\.key"):
        with_collisions(call)
    assert call.n_calls == 5


def test_what_is_no_collision_is_raised_at_once() -> None:
    call = Colliding("no such table: runs", n_failures=1)
    with pytest.raises(MlflowException, match="no such table"):
        with_collisions(call)
    assert call.n_calls == 1
