"""The study in its Optuna storage: created once, shared by any number of workers, continued."""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
import sqlite3
import time
import warnings
import zlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import optuna
import sqlalchemy
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from argo_ml.addresses import password_advice, redacted
from argo_ml.config import StudySpec
from argo_ml.errors import StudyError
from argo_ml.interruption import uninterrupted
from argo_ml.locks import SILENT_S, ProcessLock
from argo_ml.results.study import OBJECTIVES, TRIAL
from argo_ml.tracking.patience import wait_patiently
from argo_ml.tracking.stores import (
    check_database,
    first_line,
    sqlite_path,
    sqlite_uri,
)

logger = logging.getLogger(__name__)

RUN_ID = "argo.run_id"
"""User attribute of a study: its MLflow run."""
SEARCH = "argo.search"
DIGESTS = "argo.digests"
CONCLUDED = "argo.concluded"
GRACE_BEATS = 4
"""Missed signs of life after which a trial's worker counts as dead."""
DONE = (TrialState.COMPLETE, TrialState.PRUNED)
TAKEN = (*DONE, TrialState.RUNNING)
_NEVER_S = 10 * 365 * 24 * 3600
_PAUSES_S = (0.05, 0.1, 0.2, 0.5, 1.0)
"""Between two questions to a server for its lock; the last goes on."""
_TAKE = {"postgresql": "pg_try_advisory_lock(:number)", "mysql": "GET_LOCK(:number, 0)"}
_GIVE_BACK = {"postgresql": "pg_advisory_unlock(:number)", "mysql": "RELEASE_LOCK(:number)"}
_BEATS = sqlalchemy.table(
    "trial_heartbeats",
    sqlalchemy.column("trial_id", sqlalchemy.Integer),
    sqlalchemy.column("heartbeat", sqlalchemy.DateTime),
)
"""Optuna's own table of signs of life."""


class StudyLock:
    """A lock that one worker of a study holds at a time, on whatever machine; freed if it dies.

    A file lock beside an SQLite database, an advisory lock of a server. A server is asked again and
    again: nothing can interrupt a driver that waits for it.
    """

    def __init__(self, url: str, name: str) -> None:
        path = sqlite_path(url)
        self._name = name
        self._file = (
            ProcessLock(path.with_name(f"{path.name}.lock"), f"study {name}") if path else None
        )
        self._engine = None if path else _lock_engine(url)
        self._number = zlib.crc32(name.encode())
        self._connection: sqlalchemy.Connection | None = None

    def acquire(self) -> None:
        if self._file is not None:
            self._file.acquire()
        elif self._engine is not None:
            self._connection = self._engine.connect()
            try:
                self._wait(self._connection)
            except BaseException:
                self.release()
                raise

    def release(self) -> None:
        if self._file is not None:
            self._file.release()
        elif self._connection is not None:
            connection, self._connection = self._connection, None
            try:
                with connection:
                    self._ask(connection, _GIVE_BACK)
            except SQLAlchemyError as error:
                # The server frees the lock of a connection that has gone.
                logger.warning("the lock of study %s: %s", self._name, first_line(error))

    def __enter__(self) -> StudyLock:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _wait(self, connection: sqlalchemy.Connection) -> None:
        began, is_told = time.monotonic(), False
        pauses = itertools.chain(_PAUSES_S, itertools.repeat(_PAUSES_S[-1]))
        while not self._ask(connection, _TAKE):
            if not is_told and time.monotonic() - began >= SILENT_S:
                logger.info("waiting for study %s, which another worker has", self._name)
                is_told = True
            time.sleep(next(pauses))

    def _ask(self, connection: sqlalchemy.Connection, calls: Mapping[str, str]) -> bool:
        statement = sqlalchemy.text(f"SELECT {calls[connection.dialect.name]}")
        return bool(connection.execute(statement, {"number": self._number}).scalar())


def _lock_engine(url: str) -> sqlalchemy.Engine:
    """Without transactions, which a server may end while the lock is held for hours."""
    return sqlalchemy.create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")


class StudyStore:
    """One study by its name in one storage."""

    def __init__(self, spec: StudySpec, name: str) -> None:
        """Open the storage. Raises `StudyError` where it cannot be used."""
        self.name = name
        self.grace_s = GRACE_BEATS * spec.heartbeat_s
        self.url = spec.storage or sqlite_uri(spec.cache_path / "studies" / f"{name}.db")
        path = sqlite_path(self.url)
        if path is not None:
            _make_folder(self.url, path.parent)
        with explaining_storage(self.url):
            self.lock = StudyLock(self.url, name)
            # Two workers that create the tables of one storage collide.
            with self.lock:
                self.storage = _open(self.url, spec.heartbeat_s)

    @uninterrupted()
    def is_silent(self, trial: FrozenTrial, now: datetime) -> bool:
        """Whether a running trial has given no sign of life for too long."""
        grace = timedelta(seconds=self.grace_s)
        statement = sqlalchemy.select(_BEATS.c.heartbeat, sqlalchemy.func.now()).where(
            _BEATS.c.trial_id == trial._trial_id
        )
        with self.storage.engine.connect() as connection:
            beat = connection.execute(statement).first()
        if beat is None:
            return trial.datetime_start is not None and trial.datetime_start < now - grace
        last, present = (moment.replace(tzinfo=None) for moment in beat)
        return bool(present - last > grace)

    @uninterrupted()
    def requeue(self, study: optuna.Study, trial_id: int) -> None:
        """Let a trial that did not end run again under its number, before all that wait.

        What it was suggested stays. The study's lock must be held.
        """
        statement = sqlalchemy.delete(_BEATS).where(_BEATS.c.trial_id == trial_id)
        with self.storage.engine.begin() as connection:
            connection.execute(statement)
        with contextlib.suppress(optuna.exceptions.UpdateFinishedTrialError):
            study._storage.set_trial_state_values(trial_id, TrialState.WAITING)

    @property
    def shown_url(self) -> str:
        return redacted(self.url)

    @uninterrupted()
    def find(self) -> optuna.Study | None:
        with explaining_storage(self.url), contextlib.suppress(KeyError):
            return optuna.load_study(study_name=self.name, storage=self.storage)
        return None

    @uninterrupted()
    def create(self, directions: Sequence[StudyDirection]) -> optuna.Study:
        with explaining_storage(self.url):
            return optuna.create_study(
                study_name=self.name, storage=self.storage, directions=directions
            )


def open_stored(spec: StudySpec, name: str) -> optuna.Study:
    """The study of this name. Raises `StudyError` where the storage has none."""
    store = StudyStore(spec, name)
    study = store.find()
    if study is None:
        raise StudyError(f"storage={store.shown_url}: has no study {name}; give its storage")
    return study


def study_name(spec: StudySpec, digests: Mapping[str, str]) -> str:
    """The user's name, or one that the same search on the same contents always gets."""
    content = spec.search_text + json.dumps(digests, sort_keys=True)
    return spec.study or f"argo-{zlib.crc32(content.encode()):08x}"


def check_same_search(study: optuna.Study, spec: StudySpec, digests: Mapping[str, str]) -> None:
    """Raises `StudyError` naming what the study was begun with otherwise."""
    attributes = study.user_attrs
    wanted = {**json.loads(spec.search_text), **digests}
    stored = {**json.loads(attributes[SEARCH]), **attributes[DIGESTS]}
    different = [name for name in {**wanted, **stored} if wanted.get(name) != stored.get(name)]
    if stored.get("precision") == "auto" and wanted.get("precision") == "float32":
        # What auto was on the CPU before processors were asked; the model's digest says the rest.
        different = [name for name in different if name != "precision"]
    if different:
        shown = "; ".join(
            f"{name} was {stored.get(name)} and is {wanted.get(name)} now" for name in different[:3]
        )
        raise StudyError(
            f"study={study.study_name}: searches otherwise ({shown}); give another study name"
        )


def check_fresh(study: optuna.Study) -> None:
    """Raises `StudyError` where the study was begun by something else than this package.

    A worker that died while it began one has left known settings that wait.
    """
    names = set(study.user_attrs)
    states = {trial.state for trial in all_trials(study)}
    is_left = states <= {TrialState.WAITING} and (SEARCH in names or not states)
    if not is_left or names - {SEARCH, DIGESTS, OBJECTIVES}:
        raise StudyError(
            f"study={study.study_name}: the storage has a study of that name by something else; "
            "give another study name"
        )


def begin_trial(trial: Trial, run_id: str, settings: Mapping[str, float]) -> None:
    """Settings that are no parameters of Optuna's are attributes, which its dashboard draws."""
    for name in [name for name in settings if name not in trial.params]:
        trial.set_user_attr(name, settings[name])
    trial.set_user_attr(TRIAL, {"run_id": run_id, "settings": dict(settings)})


def run_id_of(trial: FrozenTrial) -> str:
    """The id of the trial's run; empty before the trial has begun."""
    return str(trial.user_attrs.get(TRIAL, {}).get("run_id", ""))


def in_states(study: optuna.Study, *states: TrialState) -> list[FrozenTrial]:
    return [trial for trial in all_trials(study) if trial.state in states]


@uninterrupted()
def set_concluded(study: optuna.Study, n_trials: int) -> None:
    study.set_user_attr(CONCLUDED, n_trials)


@uninterrupted()
def n_concluded(study: optuna.Study) -> int:
    """Of how many trials the best settings were judged; 0 before that."""
    return int(study.user_attrs.get(CONCLUDED, 0))


@uninterrupted()
def all_trials(study: optuna.Study) -> list[FrozenTrial]:
    return study.get_trials(deepcopy=False)


@uninterrupted()
def save_copy(study: optuna.Study, path: Path) -> None:
    """The study alone as an SQLite storage of its own, which optuna-dashboard opens: one file."""
    copied = _open(sqlite_uri(path), None)
    with silently():
        optuna.copy_study(
            from_study_name=study.study_name, from_storage=study._storage, to_storage=copied
        )
    copied.remove_session()
    copied.engine.dispose()
    # Until then the trials stand in the log beside the file.
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")


@contextlib.contextmanager
def explaining_storage(url: str) -> Iterator[None]:
    """Turns what goes wrong with a storage into one `StudyError` of one line."""
    try:
        yield
    except ImportError as error:
        raise StudyError(
            f"storage={redacted(url)}: its driver is not there ({error.name}); "
            'pip install "argo_ml[postgresql]"'
        ) from None
    except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        cause = error.__cause__ or error
        raise StudyError(f"storage={redacted(url)}: {first_line(cause)}") from None


def check(url: str) -> None:
    """Raises `StudyError` for a URL of no storage, and where nothing answers there."""
    if advice := password_advice("storage", url):
        raise StudyError(advice)
    if urlsplit(url).scheme.partition("+")[0] not in ("sqlite", "postgresql", "mysql"):
        raise StudyError(
            f"storage={redacted(url)}: give a URL such as sqlite:///study.db or "
            "postgresql://user:password@host/database"
        )
    try:
        check_database(url)
    except OSError as error:
        raise StudyError(f"storage={redacted(url)} {error}") from None


def _open(url: str, heartbeat_s: int | None) -> RDBStorage:
    wait_patiently()
    check(url)
    is_server = sqlite_path(url) is None
    with silently():
        storage = RDBStorage(
            url,
            # The judging takes hours, in which a connection may be cut.
            engine_kwargs={"pool_pre_ping": True} if is_server else None,
            heartbeat_interval=heartbeat_s,
            # Optuna would fail a silent trial, where it is to run again.
            grace_period=heartbeat_s and _NEVER_S,
        )
    if not is_server:
        _write_ahead(storage.engine)
    return storage


def _make_folder(url: str, folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StudyError(f"storage={redacted(url)}: {error}; give another storage") from None


def _write_ahead(engine: sqlalchemy.Engine) -> None:
    """A log that a killed process cannot damage, without waiting for the disk at every value."""

    def set_pragmas(connection: Any, _: object) -> None:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")

    sqlalchemy.event.listen(engine, "connect", set_pragmas)
    engine.dispose()


@contextlib.contextmanager
def silently() -> Iterator[None]:
    """Heartbeats are marked experimental; what Optuna logs, the study shows in its own way."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield
