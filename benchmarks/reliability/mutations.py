"""Mutated inputs of every kind, and what becomes of them.

An input may be read, or refused by one of the project's errors; a document may be set aside. It
must not end in another error, run longer than its limit, or take more memory than that.
"""

from __future__ import annotations

import json
import logging
import random
import resource
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

from argo_ml.config import SweepSpec, build, read_params
from argo_ml.corpus.documents import read_documents
from argo_ml.corpus.isolated_reading import ReadingLimits
from argo_ml.corpus.readers import READERS
from argo_ml.corpus.rejected import RejectedFile
from argo_ml.datasets.jsonl import JsonLines
from argo_ml.errors import ArgoError
from argo_ml.evaluation.protocol import evaluate, with_conclusion
from argo_ml.evaluation.record import Evaluation
from argo_ml.replay.reading import read_outcomes
from argo_ml.results.artifacts import CALIBRATION, EVALUATION, RESULTS, SPEC
from argo_ml.results.records import Results
from argo_ml.results.stored import computing_with, stored_record
from argo_ml.sweep.calibration_source import open_calibration
from argo_ml.sweep.record import SweepRecord, open_record
from argo_ml.sweep.running import run_sweep
from argo_ml.testing.calibrations import World
from argo_ml.verification.verify import verify_record
from benchmarks.workplace import scripted, workplace

LIMITS = ReadingLimits(seconds=10.0, memory_mb=1024)
N_INPUTS = 50_000
N_PER_FOLDER = 200
"""Documents that one process reads after each other."""

TOKENS: tuple[bytes, ...] = (
    *(b"\x00", b"\xff\xfe", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\r", b"\n\n", b"\t", b"   "),
    *(b'"', b"'", b"{", b"}", b"[", b"]", b":", b",", b"<", b">", b"`", b"*", b"|", b"&", b"_"),
    *(b"<!--", b"-->", b"<tr>", b"<table>", b"<pre>", b"</p>", b"---\n", b".. |a| replace:: |a|\n"),
    *(b"NaN", b"-1", b"1e999", b"null", b"true", b'""', b"[]", b"{}", b"0", b"9" * 5000),
    *(b'"\\ud800"', b"2026-02-30", b"!!int x", b"&a [*a]", b"*a", b"\\u0000", b"[" * 3000),
)

VALUES: tuple[Any, ...] = (
    *(None, True, -1, 0, 10**30, 1e308, -0.5, "", "x", "2026-02-30", [], {}, [[]], {"x": 1}),
    *("no such", ["x", "x"], float("nan"), float("inf"), "\x1b[31m", "a" * 10_000),
)


def mutated(content: bytes, rng: random.Random) -> bytes:
    """The content with one to four bits, bytes or stretches changed, or cut off."""
    data = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        start = rng.randrange(len(data) + 1)
        end = min(len(data), start + rng.choice((1, 2, 8, 64, 512)))
        change = rng.randrange(6)
        if change == 0 and start < len(data):
            data[start] ^= 1 << rng.randrange(8)
        elif change == 1:
            del data[start:end]
        elif change == 2:
            data[start:start] = data[start:end] * rng.choice((1, 2, 50))
        elif change == 3:
            data[start:end] = rng.randbytes(end - start)
        elif change == 4:
            data[start:start] = rng.choice(TOKENS) * rng.choice((1, 1, 3, 200))
        elif rng.random() < 0.2:
            del data[start:]
    return bytes(data)


def mutated_json(content: bytes, rng: random.Random) -> bytes:
    """JSON that is still JSON: one to three of its values replaced, dropped or doubled."""
    value = json.loads(content)
    for _ in range(rng.randint(1, 3)):
        _change_value(value, rng)
    return json.dumps(value).encode()


def _change_value(value: Any, rng: random.Random) -> None:
    while True:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        if not keys:
            return
        key = rng.choice(keys)
        if not isinstance(value[key], (dict, list)) or rng.random() < 0.3:
            break
        value = value[key]
    if rng.random() < 0.25:
        del value[key]
    elif isinstance(value, list) and rng.random() < 0.2:
        value.append(deepcopy(value[key]))
    else:
        value[key] = deepcopy(rng.choice(VALUES))


@dataclass(slots=True)
class Counts:
    """What became of the inputs of a kind."""

    kind: str
    n: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    slowest_s: float = 0.0
    raised: list[tuple[str, bytes]] = field(default_factory=list)
    """The errors that were not the project's, with the inputs that they were about."""

    def has_raised(self, error: Exception, content: bytes) -> str:
        """Keep the error as an example; returns the name of the outcome."""
        self.raised.append((f"{type(error).__name__}: {error}"[:200], content))
        return "raised"

    def as_dict(self) -> dict[str, Any]:
        names = ("read", "refused", "limited", "raised")
        counts = {name: self.outcomes[name] for name in names}
        largest = max(
            resource.getrusage(who).ru_maxrss
            for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        )
        facts = {"slowest_s": round(self.slowest_s, 2), "peak_mb_so_far": largest // 1024}
        return {"kind": self.kind, "n": self.n, **counts, **facts}


@dataclass(frozen=True, slots=True)
class Kind:
    """Sound inputs of a kind of file, and what reads them."""

    name: str
    seeds: tuple[bytes, ...]
    file: Path
    read: Callable[[], object]
    is_json: bool = False

    def count(self, n: int, rng: random.Random) -> Counts:
        """Mutate ``n`` times, and put the sound content back."""
        counts = Counts(self.name)
        self.file.parent.mkdir(parents=True, exist_ok=True)
        for _ in range(n):
            mutate = mutated_json if self.is_json and rng.random() < 0.5 else mutated
            content = mutate(rng.choice(self.seeds), rng)
            self.file.write_bytes(content)
            self._count_one(counts, content)
        self.file.write_bytes(self.seeds[0])
        return counts

    def _count_one(self, counts: Counts, content: bytes) -> None:
        started = time.process_time()
        try:
            self.read()
            outcome = "read"
        except ArgoError as error:
            outcome = "refused"
            if "\n" in str(error):
                outcome = counts.has_raised(error, content)
        except Exception as error:
            outcome = counts.has_raised(error, content)
        counts.n += 1
        counts.outcomes[outcome] += 1
        counts.slowest_s = max(counts.slowest_s, time.process_time() - started)


def text_kinds(folder: Path) -> tuple[Kind, ...]:
    """Files that people write: parameters, questions, outcomes and FlashRAG corpora."""
    params, spec = folder / "params.yaml", folder / "params.json"
    questions, outcomes, corpus = (folder / f"{name}.jsonl" for name in ("q", "outcomes", "corpus"))
    return (
        Kind("params.yaml", (_PARAMS,), params, lambda: build(SweepSpec, read_params(params))),
        Kind("params.json", (_JSON,), spec, lambda: build(SweepSpec, read_params(spec)), True),
        Kind("questions", (_QUESTIONS,), questions, lambda: JsonLines(questions).load()),
        Kind("outcomes", (_OUTCOME,), outcomes, lambda: read_outcomes(outcomes, "outcomes"), True),
        Kind("corpus", (_CORPUS,), corpus, lambda: read_documents(str(corpus)), True),
    )


def stored_kinds(record: SweepRecord) -> tuple[Kind, ...]:
    """What a sweep's run stores, as `verify` and `report` read it, and a calibration."""
    own = record.artifact(RESULTS).parent
    results = record.results()
    evaluation = own / EVALUATION
    calibration = own / CALIBRATION
    spec = SweepSpec(calibration=str(calibration))

    def verify() -> object:
        verdicts = list(verify_record(record))
        for verdict in verdicts:
            if verdict.name == "spec and results":
                raise ArgoError(verdict.detail)
        return verdicts

    def evaluate_again() -> Evaluation:
        with computing_with(RESULTS, record.run_id):
            return evaluate(record.results())

    def conclude() -> Evaluation:
        stored = stored_record(evaluation, Evaluation, record.run_id)
        with computing_with(EVALUATION, record.run_id):
            return with_conclusion(stored, results)

    sound = _sound(results)
    return (
        Kind(SPEC, (record.artifact(SPEC).read_bytes(),), own / SPEC, verify),
        Kind(f"{RESULTS} (verify)", (sound[RESULTS],), own / RESULTS, verify, True),
        Kind(f"{RESULTS} (report)", (sound[RESULTS],), own / RESULTS, evaluate_again, True),
        Kind(EVALUATION, (sound[EVALUATION],), evaluation, conclude, True),
        Kind(CALIBRATION, (sound[CALIBRATION],), calibration, lambda: open_calibration(spec), True),
    )


def _sound(results: Results) -> Mapping[str, bytes]:
    return {
        RESULTS: results.model_dump_json().encode(),
        EVALUATION: evaluate(results).model_dump_json().encode(),
        CALIBRATION: World(n_questions=12).calibration.model_dump_json().encode(),
    }


def document_counts(suffix: str, n: int, rng: random.Random, folder: Path) -> Counts:
    """Read ``n`` mutated documents of a kind, `N_PER_FOLDER` at a time as a corpus."""
    counts = Counts(suffix)
    while counts.n < n:
        names = {f"{i}{suffix}" for i in range(min(N_PER_FOLDER, n - counts.n))}
        place = Path(tempfile.mkdtemp(dir=folder))
        (place / "good.txt").write_text("Sound.")
        for name in names:
            (place / name).write_bytes(mutated(SEEDS[suffix], rng))
        started = time.monotonic()
        _count_folder(counts, place, names)
        counts.slowest_s = max(counts.slowest_s, (time.monotonic() - started) / len(names))
        counts.n += len(names)
    return counts


def _count_folder(counts: Counts, place: Path, names: set[str]) -> None:
    try:
        rejected = read_documents(str(place), LIMITS).rejected
    except Exception as error:
        counts.outcomes[counts.has_raised(error, str(place).encode())] += len(names)
        return
    count_rejected(counts, place, rejected, len(names))


def count_rejected(
    counts: Counts, place: Path, rejected: Sequence[RejectedFile], n_files: int
) -> None:
    """Of ``n_files`` in ``place``; one that its parser crashed on has raised."""
    limited = [file for file in rejected if "document_" in file.reason]
    crashed = [file for file in rejected if "crashed" in file.reason]
    counts.outcomes["limited"] += len(limited)
    counts.outcomes["raised"] += len(crashed)
    counts.outcomes["refused"] += len(rejected) - len(limited) - len(crashed)
    counts.outcomes["read"] += n_files - len(rejected)
    counts.raised += [(file.reason, (place / file.name).read_bytes()) for file in crashed]


_PARAMS = b"""# parameters
mode: small
n_questions: 6
retrieval_costs: [0.02, 0.2]
strategies: "argo,never,single"
min_similarity: 0.3
seed: 7
model: scripted:table.json
"""
_JSON = json.dumps({"mode": "small", "n_questions": 6, "seed": 1, "gamma": 0.98}).encode()
_QUESTIONS = b"""{"id": "a", "question": "Capital of Peru?", "golden_answers": ["Lima"]}
{"id": "b", "question": "Two?", "choices": ["1", "2"], "golden_answers": [1]}
{"question": "Three?", "golden_answers": [3], "metadata": {"difficulty": "easy"}}
"""
_OUTCOME = json.dumps(
    {
        "id": "a",
        "question": "Two?",
        "choices": ["1", "2"],
        "golden_answers": [1],
        "outcomes": {
            "none": {"answer": 0, "correct": False, "probabilities": [0.6, 0.4], "confidence": 0.5},
            "retrieve": {"answer": 1, "correct": True},
        },
    }
).encode()
_CORPUS = json.dumps({"id": "a", "contents": "Title\nText of a passage."}).encode()

_HTML = b"""<html><head><title>Page</title></head><body><nav>Menu</nav><main><h1>Head</h1>
<p>Some <b>text</b> &amp; more.</p><table><tr><td>1</td><td>2</td></tr></table><ul><li>a<li>b</ul>
<pre>code</pre><!-- comment --></main></body></html>"""
_MARKDOWN = b"""---
title: Page
tags: [a, b]
---
# Head

Some *text*, **more**, `code` and a [link](a.md) <b>tag</b>.

| a | b |
|---|---|
| 1 | 2 |

- one
- two

<div>block</div>

```
listing
```
"""
_RST = b"""Title
=====

Text with :ref:`a role <x>`, *emphasis*, ``code`` and |name|.

.. |name| replace:: a name

.. note:: A note
   of two lines.

+---+---+
| 1 | 2 |
+---+---+

- one
- two

::

   listing
"""


def _docx() -> bytes:
    """The smallest Word file: one paragraph."""
    body = "<w:p><w:r><w:t>Some text of a document.</w:t></w:r></w:p>" * 3
    return packed(f'<w:document xmlns:w="{_WORD}"><w:body>{body}</w:body></w:document>')


_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_OPEN_XML = "http://schemas.openxmlformats.org"


def packed(document: str) -> bytes:
    """A Word file of its main part alone."""
    main = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{_OPEN_XML}/package/2006/content-types">'
        f'<Override PartName="/word/document.xml" ContentType="{main}"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{_OPEN_XML}/package/2006/relationships">'
        f'<Relationship Id="r1" Type="{_OPEN_XML}/officeDocument/2006/relationships/officeDocument"'
        ' Target="word/document.xml"/></Relationships>',
        "word/document.xml": document,
    }
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, f'<?xml version="1.0" encoding="UTF-8"?>{text}')
    return buffer.getvalue()


def pdf(content: bytes) -> bytes:
    """A PDF of one page that shows ``content``, a stream of its drawing commands."""
    parts = (
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R"
        b"/Resources<</Font<</F1<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(content), content),
    )
    body, offsets = b"%PDF-1.4\n", []
    for number, part in enumerate(parts, 1):
        offsets.append(len(body))
        body += b"%d 0 obj%s\nendobj\n" % (number, part)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    end = b"trailer<</Size 5/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % len(body)
    return body + b"xref\n0 5\n0000000000 65535 f \n" + table + end


SEEDS: Mapping[str, bytes] = {
    ".txt": "Plain text, with a caf\u00e9.\n\nTwo paragraphs.\n".encode(),
    ".md": _MARKDOWN,
    ".html": _HTML,
    ".rst": _RST,
    ".docx": _docx(),
    ".pdf": pdf(b"BT /F1 12 Tf 72 720 Td (Some text of a page) Tj ET"),
}
"""A sound document of each kind."""
assert set(SEEDS) == set(READERS) - {".htm"}


def mutations(n: int, seed: int, folder: Path, record: SweepRecord) -> Iterator[Counts]:
    """About ``n`` mutated inputs, as many of each kind; documents one in three."""
    small = (*text_kinds(folder / "text"), *stored_kinds(record))
    for kind in small:
        yield kind.count(2 * n // (3 * len(small)), random.Random(f"{seed} {kind.name}"))
    for suffix in SEEDS:
        rng = random.Random(f"{seed} {suffix}")
        yield document_counts(suffix, n // (3 * len(SEEDS)), rng, folder)


def campaign(folder: Path, n: int, seed: int) -> Sequence[Counts]:
    """Read ``n`` mutated inputs (0: 50,000), and say on standard error what was raised."""
    logging.disable(logging.WARNING)
    with workplace() as place:
        counted = list(mutations(n or N_INPUTS, seed, folder, stored_sweep(place)))
    for counts in counted:
        for message, content in counts.raised[:5]:
            sys.stderr.write(f"{counts.kind}: {message}: {content[:200]!r}\n")
    return counted


def stored_sweep(folder: Path) -> SweepRecord:
    """A finished sweep of a scripted model, with its files fetched."""
    spec = SweepSpec(
        model=scripted(folder),
        cache_dir=str(folder),
        tracking_uri=f"sqlite:///{folder / 'mlflow.db'}",
        n_questions=4,
        retrieval_costs=(0.02, 0.2),
    )
    sweep = run_sweep(spec)
    record = open_record(sweep.sweep_id, spec.tracking_uri, "", folder / "fetched")
    list(verify_record(record))
    return record
