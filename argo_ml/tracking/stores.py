"""Tracking stores and servers: is it there, asked briefly before MLflow asks for minutes."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar
from urllib.parse import SplitResult, parse_qsl, urlsplit

from mlflow import MlflowClient, get_tracking_uri
from mlflow.entities import Experiment
from mlflow.exceptions import MlflowException
from mlflow.store.tracking import SEARCH_MAX_RESULTS_DEFAULT
from mlflow.utils import get_results_from_paginated_fn
from mlflow.utils.credentials import get_default_host_creds
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from argo_ml.addresses import redacted
from argo_ml.errors import TrackingError, one_line
from argo_ml.interruption import uninterrupted
from argo_ml.waiting import PARAMETER, database_timeout_s, is_locked, locked_advice

logger = logging.getLogger(__name__)
ValueType = TypeVar("ValueType")

REACH_TIMEOUT_S = 5
STORE_VARIABLE = "MLFLOW_TRACKING_URI"
CERTIFICATE_VARIABLE = "MLFLOW_TRACKING_SERVER_CERT_PATH"
LOCAL_STORE = "mlflow.db"
"""MLflow's own default, in the folder where it starts."""
COLLISIONS = ("UNIQUE constraint failed", "duplicate key value", "Duplicate entry")
"""What SQLite, PostgreSQL and MySQL say of a row that is there already."""
COLLISION_TRIES = 5
NOT_THERE = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
"""What MLflow says of an id that nothing has, and of text that is no id."""
_STORE_ERRORS = (MlflowException, SQLAlchemyError, ImportError, OSError, NotImplementedError)
"""The last is raised for what a store, or a server of an older version, does not know."""
_STORE_CLIENTS = frozenset(
    {"azure", "boto3", "botocore", "ftplib", "google", "paramiko", "pysftp", "s3transfer"}
)
"""Packages by which MLflow reaches where artifacts are; what they raise it lets through."""
_FAILED_FILE = "##### File"
"""Before the reason why a file could not be fetched, which MLflow gives below a heading."""
_DATABASE_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}


def check_reachable(uri: str) -> None:
    """Raises `TrackingError` within seconds where MLflow would retry for minutes."""
    try:
        check_database(uri)
    except OSError as error:
        raise TrackingError(f"tracking_uri={redacted(uri)} {error}{_other_way(uri)}") from None


def _other_way(uri: str) -> str:
    """What works without this store, by whoever named it; nothing where nobody did."""
    if uri == os.environ.get(STORE_VARIABLE):
        return f", or unset {STORE_VARIABLE} for a local store"
    if sqlite_path(uri) == Path.cwd() / LOCAL_STORE:
        return ""
    return ", or leave tracking_uri empty for a local store"


def check_database(uri: str) -> None:
    """Raises OSError that says, after the name of ``uri``, what is wrong and would work."""
    parts = _split(uri)
    scheme = parts.scheme.partition("+")[0]
    if scheme in ("http", "https"):
        _check_server(uri)
    elif scheme in _DATABASE_PORTS:
        _check_port(parts, _DATABASE_PORTS[scheme])
    elif (path := sqlite_path(uri)) is not None:
        _check_file(path)


def sqlite_path(uri: str) -> Path | None:
    """The file of an SQLite store; None for every other kind.

    Raises `TrackingError` for a path of which a part would be taken for something else.
    """
    parts = _split(uri)
    if parts.scheme.partition("+")[0] != "sqlite":
        return None
    query = uri.partition("?")[2]
    if query and not parse_qsl(query):
        raise TrackingError(f"{uri}: what follows its ? is no setting; write a ? in a path as %3F")
    try:
        name = make_url(uri).database
    except ArgumentError:
        raise TrackingError(f"{uri}: no URL; use sqlite:///FILE.db") from None
    return Path(name) if name else None


def is_yet_to_be_made(uri: str) -> bool:
    """Whether it is an SQLite store that the first run will create. Raises `TrackingError`."""
    path = sqlite_path(uri)
    return path is not None and not path.exists()


def sqlite_uri(path: Path) -> str:
    """The URL of an SQLite file.

    Only what would end or change the path is quoted: MLflow makes a folder of the quoted name, too.
    """
    return f"sqlite:///{str(path).replace('%', '%25').replace('?', '%3F')}"


def is_same_store(uri: str, other: str) -> bool:
    """Whether two URIs are of one store; files may be spelled in several ways."""
    path, other_path = sqlite_path(uri), sqlite_path(other)
    if path is None or other_path is None:
        return uri.rstrip("/") == other.rstrip("/")
    return path.resolve() == other_path.resolve()


@contextlib.contextmanager
def without_stray_folder(uri: str) -> Iterator[None]:
    """Remove the folder that MLflow makes of a quoted path when it opens an SQLite store."""
    path = sqlite_path(uri)
    spelled = Path(uri.partition("///")[2]).parent
    is_stray = path is not None and path.parent != spelled and not spelled.exists()
    yield
    if is_stray:
        with contextlib.suppress(OSError):
            os.removedirs(spelled)


def with_collisions(call: Callable[[], ValueType]) -> ValueType:
    """Call again what met another process that inserted the same row: the row is there then.

    MLflow looks for rows that several runs share (data sets, tags of an experiment) before it
    inserts them, and inserts in one transaction, of which nothing is left where it fails.
    """
    for _ in range(COLLISION_TRIES - 1):
        try:
            return call()
        except (MlflowException, SQLAlchemyError) as error:
            if not any(said in str(error) for said in COLLISIONS):
                raise
    return call()


def undisturbed(uri: str) -> contextlib.AbstractContextManager[None]:
    """Lets no interruption leave a transaction of a store open. A server has its own transactions,
    and may be long in answering."""
    is_server = uri.startswith(("http://", "https://"))
    return contextlib.nullcontext() if is_server else uninterrupted()


@contextlib.contextmanager
def explained(uri: str) -> Iterator[None]:
    """Turns what MLflow raises about a store into one `TrackingError` of one line.

    Inside, a database is `undisturbed`.
    """
    with errors_explained(uri), undisturbed(uri):
        yield


@contextlib.contextmanager
def errors_explained(uri: str) -> Iterator[None]:
    """As `explained`, for what takes minutes and may be interrupted."""
    try:
        yield
    except Exception as error:
        if not is_of_a_store(error):
            raise
        raise TrackingError(f"tracking_uri={redacted(uri)}: {first_line(error)}") from None


def is_of_a_store(error: Exception) -> bool:
    """Whether MLflow, or a package by which it reaches stores, has raised it."""
    packages = {kind.__module__.partition(".")[0] for kind in type(error).__mro__}
    return isinstance(error, _STORE_ERRORS) or not packages.isdisjoint(_STORE_CLIENTS)


def first_line(error: BaseException) -> str:
    """What an error of a store says; of a database that stays locked, who is to blame, of a full
    disk what helps, and of files that could not be fetched the reason of the first."""
    if is_locked(str(error)):
        return locked_advice()
    lines = str(error).splitlines()
    reasons = [number for number, line in enumerate(lines, 1) if line.startswith(_FAILED_FILE)]
    said = next(iter(lines[min(reasons, default=0) :]), type(error).__name__)
    return f"{said}; free disk space, and go on" if "disk is full" in said else said


def _split(uri: str) -> SplitResult:
    try:
        return urlsplit(uri)
    except ValueError as error:
        raise TrackingError(f"tracking_uri={uri}: {error}") from None


def _check_server(uri: str) -> None:
    import requests

    # As MLflow itself asks: with its certificates, and its leave to do without.
    credentials = get_default_host_creds(uri)  # type: ignore[no-untyped-call]
    try:
        response = requests.get(
            f"{uri.rstrip('/')}/health",
            timeout=REACH_TIMEOUT_S,
            verify=credentials.verify,
            cert=credentials.client_cert_path,
        )
    except requests.exceptions.SSLError as error:
        raise OSError(
            f"is not trusted ({one_line(_reason(error))}); name the file of its certificate "
            f"authority in {CERTIFICATE_VARIABLE}"
        ) from None
    except requests.RequestException as error:
        raise OSError(
            f"cannot be reached ({type(error).__name__}); start it with `mlflow server`"
        ) from None
    if response.status_code >= 500:
        raise OSError(f"answers with HTTP {response.status_code}; look into the server's log")


def _reason(error: BaseException) -> str:
    """What a chain of wrapped errors began with."""
    inner = error.args[0] if error.args else error
    reason = getattr(inner, "reason", inner)
    return _reason(reason) if isinstance(reason, BaseException) and reason.args else str(error)


def _check_port(parts: SplitResult, default_port: int) -> None:
    if not parts.hostname:
        return
    try:
        address = (parts.hostname, parts.port or default_port)
        socket.create_connection(address, timeout=REACH_TIMEOUT_S).close()
    except (OSError, ValueError) as error:
        raise OSError(f"cannot be reached ({error}); start the database") from None


def _check_file(path: Path) -> None:
    """A database that can be read, or a folder in which one can be created."""
    try:
        if path.exists():
            _read_patiently(path)
        else:
            nearest = next(place for place in path.absolute().parents if place.exists())
            tempfile.TemporaryFile(dir=nearest).close()
    except (OSError, sqlite3.Error) as error:
        if is_locked(str(error)):
            raise OSError(f"cannot be read: {locked_advice()}") from None
        raise OSError(f"cannot be used ({error}); use sqlite:///FILE.db") from None


def _read_patiently(path: Path) -> None:
    """Wait for a database that is locked, and say so."""
    patience_s = database_timeout_s()
    try:
        _read(path, min(patience_s, REACH_TIMEOUT_S))
    except sqlite3.OperationalError as error:
        if not is_locked(str(error)) or patience_s <= REACH_TIMEOUT_S:
            raise
        logger.warning(
            "%s is locked by another program: waiting for it, %g s at most (%s)",
            *(path.name, patience_s, PARAMETER),
        )
        _read(path, patience_s - REACH_TIMEOUT_S)


def _read(path: Path, timeout_s: float) -> None:
    with contextlib.closing(sqlite3.connect(path, timeout=timeout_s)) as database:
        database.execute("SELECT name FROM sqlite_master LIMIT 1")


def default_uri() -> str:
    """Where MLflow tracks when nobody says."""
    return str(get_tracking_uri())


def active_experiments(client: MlflowClient) -> list[Experiment]:
    """All of a store, which gives a thousand of them at a time."""

    def page(n: int, token: str | None) -> list[Experiment]:
        return client.search_experiments(max_results=n, page_token=token)

    found: list[Experiment] = get_results_from_paginated_fn(page, SEARCH_MAX_RESULTS_DEFAULT)  # type: ignore[no-untyped-call]
    return found


def count_experiments(uri: str) -> int:
    """Active experiments of a store that is there. Raises `TrackingError`."""
    with explained(uri):
        return len(active_experiments(MlflowClient(uri)))
