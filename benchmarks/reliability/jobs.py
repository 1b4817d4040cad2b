"""Small jobs of every kind that can be killed and run again, and everything that they leave."""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from argo_ml.results.artifacts import SPEC
from argo_ml.testing.embedders import WordEmbedder
from argo_ml.tracking.artifact_files import UNFINISHED

RIVERS = ("Velt", "Mirn", "Ostr", "Penh", "Quell", "Rusk")
N_QUESTIONS = 120
N_DOCUMENTS = 1100
"""Of the index that is built; from 1,000 passages on Chroma has files of vectors."""
_ID = re.compile(r"[0-9a-f]{32}")
_STAGE = "argo.stage"
_KEPT_TAGS = ("argo.kind", "argo.cell_id", "argo.degenerate", "argo.error", "argo.trial_state")

State = dict[str, Any]
"""What a job has left, flat: by name."""


@dataclass(frozen=True, slots=True)
class Job:
    """``run`` does the job in the current folder, or goes on with what a killed one has left.

    ``kind`` is that of its MLflow run; empty where it has none. What ``begins_anew`` has another
    run after a kill, and the killed one has paid for what it executed.
    """

    name: str
    run: Callable[[], None]
    kind: str
    begins_anew: bool = False


def write_sources(folder: Path) -> None:
    """Documents, questions about them in all splits, and a script that logs every call."""
    (folder / "documents").mkdir(parents=True)
    lines = []
    for number, river in enumerate(RIVERS, 1):
        text = f"The {river} is a river. It is {number} km long."
        (folder / "documents" / f"{river}.txt").write_text(text)
    for number in range(N_QUESTIONS):
        river = RIVERS[number % len(RIVERS)]
        question = {"id": f"q{number}", "question": f"How long is the {river} at bridge {number}?"}
        choices = [f"{length} km" for length in range(1, 5)]
        lines.append(json.dumps({**question, "choices": choices, "golden_answers": [number % 4]}))
    (folder / "questions.jsonl").write_text("\n".join(lines))
    script = {"default": "hash", "log": "calls.log"}
    (folder / "script.json").write_text(json.dumps(script))


SHARED = {
    "dataset": "jsonl",
    "questions": "questions.jsonl",
    "documents": "documents",
    "model": "scripted:script.json",
    "max_new_tokens": 4,
    "cache_dir": "cache",
    "tracking_uri": "sqlite:///mlflow.db",
    "experiment": "killed",
}


def run_sweep() -> None:
    """A sweep of four cells and two shards; goes on with one that has stored its spec."""
    from argo_ml.config import SweepSpec, build
    from argo_ml.sweep import running

    values = {
        **SHARED,
        "split": "test",
        "n_questions": 4,
        "shard_size": 2,
        "n_prices": 2,
        "strategies": "argo,random",
        "max_steps": 3,
    }
    running.run_sweep(build(SweepSpec, {**values, "resume": resumable("sweep")}))


def run_calibration() -> None:
    """A calibration of ten questions, which begins anew after a kill."""
    from argo_ml.config import CalibrateSpec, build
    from argo_ml.exploring import calibrate

    values = {**SHARED, "split": "calibration", "n_questions": 10, "max_steps": 2, "shard_size": 5}
    calibrate.run_calibration(build(CalibrateSpec, values))


def run_study() -> None:
    """A study of three trials, and of its best settings on other questions."""
    from argo_ml.config import StudySpec, build
    from argo_ml.study import running

    values = {
        **SHARED,
        "split": "tune",
        "test_split": "test",
        "n_questions": 2,
        "shard_size": 2,
        "n_trials": 3,
        "max_steps_range": "1,2",
        "max_steps": 2,
        "heartbeat_s": 1,
    }
    running.run_study(build(StudySpec, values))


def run_advice() -> None:
    """Explores, chooses and confirms on ten questions each, the fewest that are enough; goes on
    with one that has its spec."""
    from argo_ml.advising import running
    from argo_ml.config import AdviseSpec, build

    sizes = {"n_calibration": 10, "n_tune": 10, "n_test": 10, "shard_size": 10}
    plans = {"policies": "never,single,argo_calibrated", "retrieval_costs": "0.1"}
    values = {**SHARED, **sizes, **plans, "max_steps": 1, "explorations": 0}
    running.run_advice(build(AdviseSpec, {**values, "resume": resumable("advice")}))


def build_index() -> None:
    """The index of enough documents for files of vectors; says what it retrieves."""
    from argo_ml.corpus.documents import DocumentSet
    from argo_ml.corpus.embedded_store import EmbeddedStore
    from argo_ml.corpus.opening import index_documents
    from argo_ml.corpus.splitting import SplitSettings
    from argo_ml.types import Document

    documents = tuple(
        Document(f"d{number}", f"This is document number {number}.", f"Title {number}", "here")
        for number in range(N_DOCUMENTS)
    )
    indexes = Path("cache/indexes")
    store, embedder = EmbeddedStore(indexes.absolute()), WordEmbedder()
    settings = SplitSettings(40, 0)
    corpus = index_documents(DocumentSet(documents), "", settings, embedder, store, indexes)
    queries = [f"document number {number}" for number in range(0, N_DOCUMENTS, 50)]
    hits = [
        [(hit.passage.id, round(hit.similarity, 6)) for hit in found]
        for found in corpus.retriever.retrieve(queries, 5)
    ]
    Path("hits.json").write_text(json.dumps(hits))


JOBS = {
    job.name: job
    for job in (
        Job("sweep", run_sweep, "sweep"),
        Job("calibrate", run_calibration, "calibration", begins_anew=True),
        Job("tune", run_study, "study"),
        Job("advise", run_advice, "advice"),
        Job("index", build_index, ""),
    )
}
"""By the name of the command; a further kind of job is a line here."""


def resumable(kind: str) -> str:
    """The id of an unfinished run that has stored its spec; empty where there is none."""
    with closing(_connected()) as database:
        rows = database.execute(
            "SELECT run_uuid, status, artifact_uri FROM runs JOIN tags USING (run_uuid) "
            "WHERE key = 'argo.kind' AND value = ? ORDER BY start_time",
            (kind,),
        ).fetchall()
    usable = [run for run, _, place in rows if (_local(place) / SPEC).exists()]
    return usable[-1] if usable else ""


def state(job: Job) -> State:
    """Everything that the job in the current folder has left that a user may look at."""
    if not job.kind:
        return {"hits": json.loads(Path("hits.json").read_text()), **_files("cache/indexes")}
    with closing(_connected()) as database:
        return {**_runs(database, job.kind), **_files("cache"), **_files("mlruns", UNFINISHED)}


def _connected() -> sqlite3.Connection:
    return sqlite3.connect("mlflow.db", timeout=60)


def _runs(database: sqlite3.Connection, kind: str) -> State:
    tags = _by_run(database, "SELECT run_uuid, key, value FROM tags")
    rows = database.execute("SELECT run_uuid, status, artifact_uri FROM runs").fetchall()
    status = {run: said for run, said, _ in rows}
    tops = [run for run in status if tags[run].get("argo.kind") == kind]
    whole = [run for run in tops if status[run] == "FINISHED"]
    left: State = {
        "finished runs": len(whole),
        "other runs": sorted(status[run] for run in tops if run not in whole),
    }
    if len(whole) != 1:
        return left
    params = _by_run(database, "SELECT run_uuid, key, value FROM params")
    names = _names(whole[0], tags, params, status)
    given_up = [run for run in status if run not in names and tags[run].get(_STAGE)]
    left["other runs"] = sorted([*left["other runs"], *(status[run] for run in given_up)])
    metrics = _histories(database)
    inputs = _inputs(database)
    for run, _, place in rows:
        if run in names:
            kept = {tag: tags[run][tag] for tag in _KEPT_TAGS if tag in tags[run]}
            of_run = {"status": status[run], "tags": kept, "params": params[run]}
            of_run |= {"metrics": metrics[run], "inputs": inputs[run]}
            of_run["artifacts"] = _artifacts(_local(place))
            for aspect, value in _flat(of_run):
                left[f"{names[run]} {aspect}"] = value
    return left


def _names(
    top: str,
    tags: Mapping[str, Mapping[str, str]],
    params: Mapping[str, Mapping[str, str]],
    status: Mapping[str, str],
) -> dict[str, str]:
    """The runs below ``top``, and it itself, by what they are on the way there.

    Stages that did not finish were begun again.
    """
    names = {top: "parent"}
    level = [top]
    while level:
        above, level = level, []
        for run in status:
            parent = tags[run].get("mlflow.parentRunId", "")
            if parent in above and (_STAGE not in tags[run] or status[run] == "FINISHED"):
                way = "" if parent == top else f"{names[parent]} "
                names[run] = way + _label(run, top, tags[run], params[run])
                level.append(run)
    return names


def _label(run: str, top: str, tags: Mapping[str, str], params: Mapping[str, str]) -> str:
    """What a run is, however often its job was begun."""
    if run == top:
        return "parent"
    if tags.get("argo.kind") == "trial":
        settings = {name: value for name, value in params.items() if name != "strategy"}
        return f"trial {json.dumps(settings, sort_keys=True)}"
    stage = tags.get(_STAGE)
    return f"stage {stage}" if stage else f"cell {tags.get('argo.cell_id')}"


def _flat(of_run: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for aspect, value in of_run.items():
        if aspect == "inputs" or not isinstance(value, dict):
            yield aspect, value
            continue
        for name, one in value.items():
            yield f"{aspect} {name}", one


def _by_run(database: sqlite3.Connection, query: str) -> defaultdict[str, dict[str, str]]:
    found: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for run, key, value in database.execute(query):
        found[run][key] = _same(value)
    return found


def _histories(database: sqlite3.Connection) -> defaultdict[str, dict[str, list[Any]]]:
    """The points of every metric, of which a killed job may have logged some twice.

    What was executed or lost for a run is compared with what the model wrote down instead. Readings
    of the machine, estimates of what is left, and trials lost with their workers are as they are.
    """
    found: defaultdict[str, defaultdict[str, set[Any]]] = defaultdict(lambda: defaultdict(set))
    query = (
        "SELECT run_uuid, key, step, value FROM metrics "
        "WHERE key NOT LIKE 'calls/lm_calls_%' AND key NOT LIKE 'lm_calls_paid_%' "
        "AND key NOT LIKE 'system/%' "
        "AND key NOT LIKE 'estimate/%' AND key != 'trials_failed'"
    )
    for run, key, step, value in database.execute(query):
        found[run][key].add((step, value))
    points: defaultdict[str, dict[str, list[Any]]] = defaultdict(dict)
    for run, histories in found.items():
        points[run] = {key: sorted(history) for key, history in histories.items()}
    return points


def _inputs(database: sqlite3.Connection) -> defaultdict[str, list[Any]]:
    found: defaultdict[str, list[Any]] = defaultdict(list)
    query = (
        "SELECT inputs.destination_id, datasets.name, datasets.digest, input_tags.value "
        "FROM inputs JOIN datasets ON datasets.dataset_uuid = inputs.source_id "
        "LEFT JOIN input_tags ON input_tags.input_uuid = inputs.input_uuid"
    )
    for run, *dataset in database.execute(query):
        found[run].append(dataset)
    for datasets in found.values():
        datasets.sort()
    return found


def _artifacts(folder: Path) -> dict[str, str]:
    """What MLflow lists of them."""
    return {
        str(path.relative_to(folder)): _digest(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(UNFINISHED)
    }


def _digest(path: Path) -> str:
    """Of a file without the ids of runs and the folder that it is in."""
    content = path.read_bytes().replace(str(Path.cwd()).encode(), b"FOLDER")
    return hashlib.sha256(_ID.sub("ID", content.decode("latin-1")).encode()).hexdigest()[:16]


def _files(folder: str, beginning: str = "") -> State:
    """What lies in a folder, of each only that it is there."""
    names = {_same(str(path)) for path in Path(folder).rglob(f"{beginning}*")}
    return {f"file {re.sub(r'[0-9a-f]{8}-[0-9a-f-]{27}', 'ID', name)}": True for name in names}


def _local(uri: str) -> Path:
    return Path(uri.removeprefix("file://"))


def _same(text: str) -> str:
    return _ID.sub("ID", text.replace(str(Path.cwd()), "FOLDER"))
