"""MLflow runs: opened, logged in batches, and ended exactly once."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from mlflow.entities import Run as Run
from mlflow.exceptions import MlflowException

from argo_ml.addresses import password_advice, redacted, redacted_value
from argo_ml.errors import ArgoError, MissingArtifactError, StoppedError, TrackingError
from argo_ml.escaping import markdown
from argo_ml.interruption import forget_stop
from argo_ml.tracking.artifact_files import local_folder, log_files
from argo_ml.tracking.descriptions import NOTE as NOTE
from argo_ml.tracking.descriptions import describe_experiment
from argo_ml.tracking.environment import DIRTY, USER, source_tags
from argo_ml.tracking.experiments import experiment_id, note_home_of_id
from argo_ml.tracking.first_use import create_whole
from argo_ml.tracking.input_datasets import InputDataset
from argo_ml.tracking.location import Surroundings, remember_store
from argo_ml.tracking.names import metric_name, setting
from argo_ml.tracking.opened_run import KIND as KIND
from argo_ml.tracking.opened_run import (
    OPENED_RUN,
    find_opened_run,
    opened_client,
    opened_in,
    remember_opened_store,
)
from argo_ml.tracking.owners import OWNER, is_own, joined_tag, left_tag, own_tag
from argo_ml.tracking.patience import wait_patiently
from argo_ml.tracking.stores import (
    NOT_THERE,
    check_reachable,
    explained,
    first_line,
    sqlite_path,
    sqlite_uri,
    with_collisions,
    without_stray_folder,
)
from argo_ml.tracking.traces import EpisodeTrace, write_traces
from argo_ml.waiting import is_locked_advice, short_patience

PARENT = "mlflow.parentRunId"
CELL_ID = "argo.cell_id"
SWEEP_ID = "argo.sweep_id"
STAGE = "argo.stage"
"""Tag of what an advice has run: which of its stages that is."""
COMMAND = "argo.command"
"""Tag of what a command has begun: a digest of parameters, by which the same command finds it."""
ERROR = "argo.error"
WARNING = "argo.warning"
BATCH_TOKENS = "argo.batch_tokens"
CONTEXT_TOKENS = "argo.context_tokens"
"""Tag of what a server has computed for: most tokens of a prompt and its answer that it takes."""
LOST = "argo.lost"
"""Tag of a run that another process has ended: the process that died."""
CALLS_ELSEWHERE = "argo.calls_elsewhere"
"""Tag of a sweep or study of which processes with a call cache of their own executed calls."""
LEDGER = "argo.ledger"
"""Tag of a sweep or study: the id of the ledger that it began with."""
DEGENERATE = "argo.degenerate"
POINTER = "resume"
"""The kind of a run that `mlflow run` opened for what another run is of."""

logger = logging.getLogger(__name__)

_PAGE = 1000
"""Runs in an answer: the most that MLflow gives."""
_waited_for_in_vain: set[str] = set()
"""Stores that did not take what was logged of a run when it ended."""
_IN_WORDS = frozenset({ERROR, WARNING, NOTE})
_PARAM_LIMIT = 6000
_BATCH_LIMIT = 800
"""Metrics in a request, of which MLflow takes 1,000 together with params and tags."""


class TrackedRun:
    """One MLflow run; params that are already there are left as they are.

    ``stored`` is given for a run that was made just now, or that is continued: params that it has
    are not asked for, and points of metrics that it has are not logged again, so that its histories
    are those of a run that was not interrupted.
    """

    def __init__(self, client: MlflowClient, run_id: str, stored: Run | None = None) -> None:
        self._client = client
        self.run_id = run_id
        self._known = {} if stored is None else dict(stored.data.metrics)
        self._params = None if stored is None else dict(stored.data.params)
        self._histories: dict[str, dict[int, set[float]]] = {}

    def log(
        self,
        *,
        params: Mapping[str, object] | None = None,
        metrics: Mapping[str, float] | None = None,
        tags: Mapping[str, str] | None = None,
        step: int = 0,
        curves: Mapping[int, Mapping[str, float]] | None = None,
        once: bool = False,
    ) -> None:
        """Log everything in one request, if MLflow takes so much; ``step`` is that of ``metrics``,
        0 where they have no course, and ``curves`` has metrics at other steps.

        ``once``: what a continued run has at a step stays, whatever it says, as readings of time
        differ.
        """
        now = int(time.time() * 1000)
        steps = [*(curves or {}).items(), (step, metrics or {})]
        points = [
            Metric(metric_name(key), value, now, at)
            for at, values in steps
            for key, value in values.items()
            if not self._has_point(metric_name(key), at, value, once)
        ]
        *before, last = _batches(points)
        with self._explained():
            new_params = self._new_params(params or {})
            for batch in before:
                self._client.log_batch(self.run_id, metrics=batch)
            self._client.log_batch(
                self.run_id,
                metrics=last,
                params=new_params,
                tags=[RunTag(key, value) for key, value in _kept(tags or {}).items()],
            )
        if self._params is not None:
            self._params.update((param.key, param.value) for param in new_params)

    def _has_point(self, name: str, step: int, value: float, at_any_value: bool) -> bool:
        if name not in self._known:
            return False
        if name not in self._histories:
            history: dict[int, set[float]] = {}
            with self._explained():
                for point in self._client.get_metric_history(self.run_id, name):
                    history.setdefault(point.step, set()).add(point.value)
            self._histories[name] = history
        values = self._histories[name].get(step, set())
        return bool(values) if at_any_value else value in values

    def _new_params(self, params: Mapping[str, object]) -> list[Param]:
        """MLflow refuses to change a param: what `mlflow run` logged as the string given stays.

        Where the value in use is another text, it goes under ``settings/``.
        """
        present = self._present_params() if params else {}
        texts = {key: _param_text(value) for key, value in params.items()}
        new = {}
        for key, text in texts.items():
            name = key.rpartition("/")[2]
            if not any(_same(text, present.get(known)) for known in (key, name)):
                new[setting(name) if name in present else key] = text
        return [Param(key, text) for key, text in new.items() if key not in present]

    def _present_params(self) -> Mapping[str, str]:
        if self._params is not None:
            return self._params
        params: Mapping[str, str] = self._client.get_run(self.run_id).data.params
        return params

    @property
    def tags(self) -> Mapping[str, str]:
        """As they are stored now."""
        with self._explained():
            tags: Mapping[str, str] = self._client.get_run(self.run_id).data.tags
        return tags

    def warn(self, message: str) -> None:
        """Log a warning and keep it on the run."""
        logger.warning("%s", message)
        self.keep_warning(message)

    def keep_warning(self, message: str) -> None:
        """Keep a warning as a tag and in the description, once."""
        tags = self.tags
        kept = tags.get(WARNING, "").splitlines()
        if message not in kept:
            text = "\n".join([*kept, message])[:_PARAM_LIMIT]
            note = f"{tags.get(NOTE, '')}\n\n{_warning(message)}".strip()
            self.log(tags={WARNING: text, NOTE: note[:_PARAM_LIMIT]})

    def describe(self, text: str, figures: str = "") -> None:
        """Set the description, in Markdown: the text, the warnings kept until now, the figures."""
        kept = self.tags.get(WARNING, "").splitlines()
        parts = (text, *map(_warning, kept), figures)
        self.log(tags={NOTE: "\n\n".join(filter(None, parts))})

    def log_inputs(self, datasets: Sequence[InputDataset]) -> None:
        with self._explained():
            inputs = [dataset.as_input() for dataset in datasets]
            with_collisions(partial(self._client.log_inputs, self.run_id, inputs))

    def log_folder(self, folder: Path) -> None:
        with self._explained():
            log_files(self._client, self.run_id, folder)

    def read_artifact(self, name: str) -> bytes | None:
        """A file at the top of its artifacts; None where it has no such file.

        Raises `TrackingError` where they cannot be read from here.
        """
        with self._explained(), tempfile.TemporaryDirectory() as folder:
            stored = self._client.list_artifacts(self.run_id)
            if not any(artifact.path == name for artifact in stored):
                if folder_elsewhere := _folder_elsewhere(self._client, self.run_id):
                    raise TrackingError(
                        f"{name} of run {self.run_id!r} cannot be fetched ({folder_elsewhere} is "
                        "not on this machine)"
                    )
                return None
            return Path(self._client.download_artifacts(self.run_id, name, folder)).read_bytes()

    @property
    def artifact_folder(self) -> Path | None:
        """Where its artifacts lie on this machine; None where they lie elsewhere."""
        with self._explained():
            return local_folder(self._client.get_run(self.run_id).info.artifact_uri)

    @property
    def experiment_id(self) -> str:
        with self._explained():
            return str(self._client.get_run(self.run_id).info.experiment_id)

    def log_traces(self, traces: Sequence[EpisodeTrace]) -> None:
        write_traces(str(self._client.tracking_uri), self.experiment_id, traces)

    def describe_experiment(self, answer: str) -> None:
        """Let the experiment's page say what this run came to, unless it is part of another."""
        with self._explained():
            run = self._client.get_run(self.run_id)
            parent_id = run.data.tags.get(PARENT)
            # A run of somebody else's program is no whole that will say it itself.
            if not parent_id or KIND not in self._client.get_run(parent_id).data.tags:
                describe_experiment(self._client, run, answer)

    def rename(self, name: str) -> None:
        with self._explained():
            self._client.update_run(self.run_id, name=redacted(name))

    def point_to(self, run_id: str, name: str, note: str) -> None:
        """Make this run a mere pointer: commands that are given its id take the other one."""
        self.log(tags={KIND: POINTER, SWEEP_ID: run_id, NOTE: note, **own_tag()})
        self.rename(name)

    def reopen(self, beside_others: bool = False) -> None:
        """Set an ended run going again, as this process's; the error it ended with is forgotten.

        ``beside_others``: the processes that are at work on it stay named.
        """
        tags = self.tags
        with self._explained():
            # In this order: a run that is RUNNING names who is at work on it.
            self.log(tags=joined_tag(tags) if beside_others else own_tag())
            self._client.update_run(self.run_id, status="RUNNING")
            for name in {ERROR, LOST} & tags.keys():
                self._client.delete_tag(self.run_id, name)

    def end(self, status: str = "FINISHED") -> None:
        with self._explained():
            self._client.set_terminated(self.run_id, status)

    def fail(self, error: BaseException) -> bool:
        """End as KILLED after an interruption or a stop on purpose, else as FAILED; the error is
        kept as a tag. Returns whether the store took it, as `end_with` does."""
        if isinstance(error, KeyboardInterrupt):
            return self.end_with("interrupted", "KILLED")
        if isinstance(error, StoppedError):
            return self.end_with(str(error), "KILLED")
        message = str(error) if isinstance(error, ArgoError) else f"{type(error).__name__}: {error}"
        return self.end_with(message, "FAILED")

    def end_with(
        self, message: str, status: str, more_tags: Mapping[str, str] | None = None
    ) -> bool:
        """End for the reason ``message``, which is kept as a tag, and with it what this process has
        begun under the run: after it, since a cluster may leave seconds until it kills. Returns
        whether the store took it.

        A store that is gone is logged and nothing else: the reason itself matters more than where
        it is stored.
        """
        tags = {ERROR: message[:_PARAM_LIMIT], **(more_tags or {})}
        try:
            with self.last_words(message):
                for run_id in (self.run_id, *self._open_children()):
                    run = TrackedRun(self._client, run_id)
                    run.log(tags=tags)
                    run.end(status)
        except TrackingError as gone:
            logger.warning("run %s could not be ended (%s)", self.run_id, gone)
            return False
        return True

    @contextlib.contextmanager
    def last_words(self, message: str) -> Iterator[None]:
        """What is logged inside is about a run that ends with the error ``message``.

        Raises `TrackingError`, at once where nothing answers. A store that was waited for in vain
        is not waited for as long again.
        """
        store = str(self._client.tracking_uri)
        is_spent = is_locked_advice(message) or store in _waited_for_in_vain
        with short_patience() if is_spent else contextlib.nullcontext():
            try:
                check_reachable(store)
                yield
            except TrackingError:
                _waited_for_in_vain.add(store)
                raise
        _waited_for_in_vain.discard(store)

    def _open_children(self) -> list[str]:
        """The runs that this process has begun under it and not ended."""
        condition = f"tags.`{PARENT}` = '{self.run_id}' and attributes.status = 'RUNNING'"
        running = search_runs(self._client, [self.experiment_id], condition)
        return [run.info.run_id for run in running if is_own(run)]

    @contextlib.contextmanager
    def recording_failure(self, beside_others: bool = False) -> Iterator[None]:
        """End the run with an error of the block.

        ``beside_others``: where other processes may be at work on it, it stays theirs.
        """
        try:
            yield
        except BaseException as error:
            forget_stop()
            if not (beside_others and self._is_left_to_others(error)):
                self.fail(error)
            raise

    def _is_left_to_others(self, error: BaseException) -> bool:
        """Whether others may be at work on it. It then names this process no more, and what this
        process has begun under it ends with the error."""
        try:
            with self._explained():
                left = left_tag(self._client.get_run(self.run_id).data.tags)
            if not left:
                return False
            for run_id in self._open_children():
                TrackedRun(self._client, run_id).fail(error)
            self.log(tags=left)
        except TrackingError as gone:
            logger.warning("run %s could not be left to others (%s)", self.run_id, gone)
            return False
        return True

    def _explained(self) -> contextlib.AbstractContextManager[None]:
        return explained(self._client.tracking_uri)


class Tracking:
    """One experiment of one tracking store."""

    def __init__(self, client: MlflowClient, experiment_id: str, uri: str) -> None:
        self.client = client
        self.experiment_id = experiment_id
        self.uri = uri

    @property
    def experiment_name(self) -> str:
        with explained(self.uri):
            return str(self.client.get_experiment(self.experiment_id).name)

    def create(self, name: str, tags: Mapping[str, str]) -> TrackedRun:
        return TrackedRun(self.client, self._created(name, tags).info.run_id)

    def create_child(self, parent: TrackedRun, name: str, tags: Mapping[str, str]) -> TrackedRun:
        """A run to which this process alone logs, so that it is not asked what it has."""
        run = self._created(name, {**tags, PARENT: parent.run_id})
        return TrackedRun(self.client, run.info.run_id, run)

    def _created(self, name: str, tags: Mapping[str, str]) -> Run:
        with explained(self.uri):
            return self.client.create_run(
                self.experiment_id,
                tags=_kept({**source_tags(), **own_tag(), **tags}),
                run_name=redacted(name),
            )

    def opened_run(self) -> TrackedRun | None:
        """The run that `mlflow run` opened for this process, as long as no command has used it;
        handed out once."""
        if not os.environ.get(OPENED_RUN):
            return None
        client = opened_client(self.client)
        opened = find_opened_run(client)
        os.environ.pop(OPENED_RUN, None)
        return TrackedRun(client, opened.info.run_id) if opened else None

    def adopt_or_create(self, name: str, tags: Mapping[str, str]) -> TrackedRun:
        """The run that `mlflow run` opened, if it is in this experiment; else a new one.

        MLflow cannot move a run: one in another experiment ends as a pointer to the new one.
        """
        home = opened_in(self.client)
        run = self.opened_run()
        if run is None:
            return self.create(name, tags)
        if home != self.experiment_id:
            created = self.create(name, tags)
            run.point_to(created.run_id, f"to {name}", f"What it began is `{created.run_id}`.")
            run.end()
            return created
        # `mlflow run` names the commit but not whether the working tree differs from it.
        dirty = {key: value for key, value in source_tags().items() if key == DIRTY}
        run.log(tags={**dirty, **own_tag(), **tags})
        run.rename(name)
        return run

    def children(self, parent_id: str) -> list[Run]:
        return self._search(f"tags.`{PARENT}` = '{parent_id}'")

    def in_status(self, status: str) -> list[Run]:
        """The runs that have ended so, or not yet."""
        return self._search(f"attributes.status = '{status}'")

    def _search(self, condition: str) -> list[Run]:
        return search_runs(self.client, [self.experiment_id], condition)

    def latest_finished(self, kind: str) -> Run | None:
        """The run of this kind that ended last: of this user, where there is one."""
        ended = f"tags.`{KIND}` = '{kind}' and attributes.status = 'FINISHED'"
        user = source_tags()[USER]
        own = None if "'" in user else self._latest(f"{ended} and tags.`{USER}` = '{user}'")
        return own or self._latest(ended)

    def begun(self, kind: str, commands: Collection[str]) -> list[Run]:
        """What this user has begun by one of these commands, the newest first."""
        user = source_tags()[USER]
        begun = [
            run
            for command in commands
            for run in self._search(f"tags.`{KIND}` = '{kind}' and tags.`{COMMAND}` = '{command}'")
            if run.data.tags.get(USER) == user
        ]
        return sorted(begun, key=lambda run: int(run.info.start_time), reverse=True)

    def _latest(self, condition: str) -> Run | None:
        with explained(self.uri):
            latest = self.client.search_runs(
                [self.experiment_id],
                condition,
                max_results=1,
                order_by=["attributes.end_time DESC"],
            )
        return latest[0] if latest else None

    def get(self, run_id: str) -> Run:
        with explained(self.uri):
            try:
                return self.client.get_run(run_id)
            except MlflowException as error:
                if error.error_code not in NOT_THERE:
                    raise
                raise TrackingError(
                    f"run {run_id!r} is not in {redacted(self.uri)} ({first_line(error)})"
                ) from None

    def get_or_none(self, run_id: str) -> Run | None:
        """The run; None where the store has none of that id."""
        with explained(self.uri):
            try:
                return self.client.get_run(run_id)
            except MlflowException as error:
                if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                    return None
                raise

    def find(self, run_id: str) -> Run:
        """The run, or the one that it points to: `mlflow run` shows the id of what it opened."""
        run = self.get(run_id)
        is_pointer = run.data.tags.get(KIND) == POINTER
        return self.get(run.data.tags.get(SWEEP_ID, "")) if is_pointer else run

    def history_steps(self, run_id: str, metric: str) -> list[int]:
        """The steps at which a run has a metric, once each."""
        with explained(self.uri):
            history = self.client.get_metric_history(run_id, metric_name(metric))
        return sorted({point.step for point in history})

    def download(self, run_id: str, artifact: str, folder: Path) -> Path:
        """Raises `MissingArtifactError` for what the run does not keep, and `TrackingError` where
        it cannot be fetched."""
        try:
            with explained(self.uri):
                return Path(self.client.download_artifacts(run_id, artifact, str(folder)))
        except TrackingError as error:
            if self._may_keep(run_id, artifact):
                raise TrackingError(
                    f"{artifact} of run {run_id!r} cannot be fetched ({error})"
                ) from None
            raise MissingArtifactError(f"run {run_id!r} has no artifact {artifact!r}") from None

    def _may_keep(self, run_id: str, artifact: str) -> bool:
        """Whether a run has an artifact, or nothing says what it has."""
        with contextlib.suppress(TrackingError), explained(self.uri):
            check_reachable(self.uri)
            stored = self.client.list_artifacts(run_id, artifact.rpartition("/")[0] or None)
            return (
                any(known.path == artifact for known in stored)
                or _folder_elsewhere(self.client, run_id) is not None
            )
        return True


def _folder_elsewhere(client: MlflowClient, run_id: str) -> Path | None:
    """The folder of a run's artifacts where it is not on this machine: parameters are logged after
    the first of them."""
    run = client.get_run(run_id)
    folder = local_folder(run.info.artifact_uri)
    is_elsewhere = folder is not None and not folder.is_dir() and bool(run.data.params)
    return folder if is_elsewhere else None


def tables_tag(*artifacts: str) -> dict[str, str]:
    """The tag by which MLflow shows JSON files as tables, and `mlflow.load_table` finds them."""
    tables = [{"path": artifact, "type": "table"} for artifact in artifacts]
    return {"mlflow.loggedArtifacts": json.dumps(tables)}


def connect(tracking_uri: str, experiment: str, create: bool = True) -> Tracking:
    """Open an experiment, creating it if needed unless ``create`` is False.

    An empty ``experiment`` is the one that MLflow was told of: `experiment_id` says which.

    Raises:
        TrackingError: the store or server cannot be used.
    """
    client = open_client(tracking_uri, create)
    uri = str(client.tracking_uri)
    with explained(uri):
        return Tracking(client, experiment_id(client, experiment, create), uri)


def store_of_runs(tracking_uri: str) -> Tracking:
    """A store that is there, for runs that are known by their ids: in no experiment."""
    client = open_client(tracking_uri, create=False)
    return Tracking(client, "", str(client.tracking_uri))


def open_client(tracking_uri: str, create: bool) -> MlflowClient:
    """Use a tracking store for this process; one that is not there is created or refused."""
    import mlflow

    wait_patiently()
    surroundings = Surroundings.present()
    remember_opened_store(surroundings.variable)
    note_home_of_id(surroundings.variable)
    if tracking_uri:
        mlflow.set_tracking_uri(tracking_uri)
    uri = mlflow.get_tracking_uri()
    path = sqlite_path(uri)
    if path is not None and path.is_absolute() and uri != sqlite_uri(path):
        # MLflow quotes the name of its own default, and would make a folder of that name, too.
        uri = sqlite_uri(path)
        mlflow.set_tracking_uri(uri)
    if advice := password_advice("tracking_uri", uri):
        raise TrackingError(advice)
    remember_store(uri, surroundings)
    check_reachable(uri)
    if not create and path is not None and not path.exists():
        raise TrackingError(f"tracking_uri={uri}: there is no such store; name that of your runs")
    with explained(uri), without_stray_folder(uri):
        if path is not None:
            create_whole(path)
        return MlflowClient(uri)


def search_runs(client: MlflowClient, experiments: Sequence[str], condition: str) -> list[Run]:
    """All runs of these experiments that meet a condition, page by page."""
    found: list[Run] = []
    token = None
    while experiments:
        with explained(str(client.tracking_uri)):
            page = client.search_runs(
                list(experiments), condition, max_results=_PAGE, page_token=token
            )
        found.extend(page)
        token = page.token
        if not token:
            break
    return found


def _warning(message: str) -> str:
    """A warning as a description shows it, in Markdown."""
    return f"**Warning:** {markdown(message)}"


def _batches(points: Sequence[Metric]) -> list[Sequence[Metric]]:
    """Batches of metrics: at least one, the last with room for params and tags."""
    starts = range(0, max(len(points), 1), _BATCH_LIMIT)
    return [points[start : start + _BATCH_LIMIT] for start in starts]


def is_logged_as(value: object, text: str | None) -> bool:
    """Whether ``text`` is what a param of this value is logged as."""
    return _same(_param_text(value), text)


def _kept(tags: Mapping[str, str]) -> dict[str, str]:
    return {key: _kept_tag(key, value) for key, value in tags.items()}


def _kept_tag(key: str, value: str) -> str:
    """Only what a person reads is searched for every secret: the rest is read back."""
    if key == OWNER:
        return value
    return redacted(value) if key in _IN_WORDS else redacted_value(value)


def _same(text: str, present: str | None) -> bool:
    """Whether a param says what is there already; 1 and 1.0 are one number."""
    if text == present or present is None:
        return text == present
    with contextlib.suppress(ValueError):
        return float(text) == float(present)
    return False


def _param_text(value: object) -> str:
    if value is None:
        return ""
    listed = ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
    return redacted_value(listed)[:_PARAM_LIMIT]
