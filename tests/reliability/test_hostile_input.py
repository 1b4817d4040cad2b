"""Inputs that once took minutes or gigabytes or ended in a traceback, and mutated ones."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from builders.stored_sweep import FetchedSweep

from argo_ml.config import SweepSpec, build, read_params
from argo_ml.corpus.documents import DocumentSet, read_documents
from argo_ml.corpus.isolated_reading import ReaderProcess, ReadingLimits
from argo_ml.corpus.readers.markdown import markdown_sections
from argo_ml.corpus.rejected import RejectedFile
from argo_ml.datasets import lines
from argo_ml.datasets.jsonl import JsonLines
from argo_ml.errors import ArgoError, ConfigError, DataError
from argo_ml.models.digests import files_digest
from argo_ml.sweep.calibration_source import open_calibration
from benchmarks.reliability import mutations
from benchmarks.reliability.mutations import packed, pdf

LIMITS = ReadingLimits(seconds=2.0, memory_mb=300)
TOO_SLOW = "longer than 2 s of processor time; raise document_seconds"
TOO_LARGE = "more than 300 MB of memory; raise document_mb"
N_MUTATIONS = 60


def read_beside_good(folder: Path, name: str, content: bytes) -> DocumentSet:
    """Read the document in the midst of others, which come before and after it."""
    for good in ("a.rst", "z.rst"):
        (folder / good).write_text("Sound.")
    (folder / name).write_bytes(content)
    return read_documents(str(folder), LIMITS)


def substitutions() -> bytes:
    """Each name stands for two of the next: 2**24 words of half a kilobyte."""
    names = [f".. |{chr(97 + i)}| replace:: |{chr(98 + i)}| |{chr(98 + i)}|" for i in range(24)]
    return "\n".join([*names, ".. |y| replace:: x", "", "|a|"]).encode()


def drawn_lines() -> bytes:
    return pdf(b"".join(b"%d %d %d 9 re f\n" % (i % 97, i % 89, i % 7) for i in range(60_000)))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no limit of processor time")
def test_a_reader_that_the_system_ended_over_time_was_too_slow(tmp_path: Path) -> None:
    path = tmp_path / "m.rst"
    path.write_bytes(substitutions())
    process = ReaderProcess(ReadingLimits(seconds=60.0, memory_mb=300))
    process.ask(path)
    os.kill(process.pid, signal.SIGXCPU)
    assert "longer than 60 s of processor time" in str(process.reply())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("m.rst", substitutions(), TOO_SLOW),
        ("m.pdf", drawn_lines(), "raise document_"),
        ("m.docx", packed("<a>" * 60_000_000), "raise document_"),
        ("m.rst", b"* " * 3000 + b"x", "nested too deeply"),
        ("m.rst", b".. class:: x\n\n   " * 2000, ""),
    ],
)
def test_a_document_that_takes_too_much_is_set_aside_by_name(
    tmp_path: Path, name: str, content: bytes, reason: str
) -> None:
    document_set = read_beside_good(tmp_path, name, content)
    assert [document.id for document in document_set.documents] == ["a.rst", "z.rst"]
    [rejected] = document_set.rejected
    assert rejected.name == name
    assert reason in rejected.reason


@pytest.mark.slow
@pytest.mark.parametrize("unit", [" ", "<!--", "<tr>", "<a ", "`a``b "])
def test_markdown_of_one_thing_repeated_is_read_or_set_aside(tmp_path: Path, unit: str) -> None:
    content = ("x " + unit * (100_000 // len(unit))).encode()
    document_set = read_beside_good(tmp_path, "m.md", content)
    assert [document.id for document in document_set.documents][::2] == ["a.rst", "z.rst"] or (
        document_set.rejected[0].name == "m.md"
    )


@pytest.mark.parametrize("unit", ["<!--", "<!--\n", "<!-- a\n\n", "a <!--"])
def test_comments_that_never_end_take_time_in_proportion(unit: str) -> None:
    started = time.process_time()
    markdown_sections(unit * (50_000 // len(unit)))
    assert time.process_time() - started < 2


@pytest.fixture
def deep_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """1,500 folders in each other, with a text in the last; taken away again by steps."""
    monkeypatch.chdir(tmp_path)
    for _ in range(1500):
        os.mkdir("d")
        os.chdir("d")
    Path("b.txt").write_text("Deep.")
    yield tmp_path
    os.unlink("b.txt")
    for _ in range(1500):
        os.chdir("..")
        os.rmdir("d")


def test_folders_may_lie_deep_in_each_other(deep_folder: Path) -> None:
    (deep_folder / "a.txt").write_text("Sound.")
    documents = read_documents(str(deep_folder)).documents
    assert [document.text for document in documents] == ["Sound.", "Deep."]


@pytest.mark.parametrize("content", [b"[" * 100_000, b"\xff", b"9" * 5000])
def test_damaged_notes_beside_models_and_indexes_are_made_again(
    tmp_path: Path, content: bytes
) -> None:
    memo, model = tmp_path / "memo.json", tmp_path / "model.bin"
    memo.write_bytes(content)
    model.write_bytes(b"weights")
    assert files_digest([model], memo) == files_digest([model])


def test_a_line_that_is_too_long_is_set_aside_by_its_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "LONGEST_LINE", 100)
    path = tmp_path / "q.jsonl"
    long = '{"id": "b", "question": "' + "x" * 300 + '", "golden_answers": ["y"]}'
    path.write_text(f'\ufeff{long}\n{{"question": "Q?", "golden_answers": ["y"]}}\n{long}')
    loaded = JsonLines(path).load()
    assert [question.id for question in loaded.questions] == ["line-2"]
    assert [(line.line, line.reason) for line in loaded.rejected] == [
        (1, "more than 100 bytes"),
        (3, "more than 100 bytes"),
    ]


def test_a_file_that_is_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "LARGEST_FILE", 1000)
    path = tmp_path / "q.jsonl"
    path.write_text("{}\n" * 400)
    with pytest.raises(DataError, match="more than 1,000 bytes; split it"):
        JsonLines(path).load()


def test_front_matter_that_never_ends_is_text(tmp_path: Path) -> None:
    (tmp_path / "m.md").write_text("---\n" + "a::::\n" * 200)
    [document] = read_documents(str(tmp_path)).documents
    assert document.text.startswith("a::::")


def test_aliases_of_front_matter_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "m.md").write_text(f"---\n{aliases()}title: a\n---\nText.\n")
    [document] = read_documents(str(tmp_path)).documents
    assert (document.title, document.text) == ("m", "Text.")


def aliases() -> str:
    """Ten times ten times ... of a word."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for i in range(8):
        listed = ", ".join([f"*a{i}"] * 10)
        lines.append(f"a{i + 1}: &a{i + 1} [{listed}]")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (aliases().encode(), "line 2: an alias"),
        (b"seed: " + b"9" * 5000, "impossible value"),
        (b"seed: 2026-02-30", "impossible value"),
        (b"seed: !!timestamp x", "impossible value"),
        ("model: caf\u00e9".encode("latin-1"), r"not UTF-8 text \(byte 10\)"),
        (b"[" * 20_000, "nested too deeply"),
        (b'{"model": "\\ud800"}', "half of a surrogate pair"),
        (b"1: 2", "parameter 1 is not a name"),
        (b"#" * 2_000_000, "more than 1048576 bytes"),
    ],
)
def test_a_hostile_parameter_file_is_refused_in_one_line(
    tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "params.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=message) as refusal:
        build(SweepSpec, read_params(path))
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "content",
    [b"[" * 20_000, b'{"id": ' + b"9" * 5000 + b"}", b'"\\ud800"', b'"\\uD8FF"'],
)
def test_hostile_lines_of_questions_and_corpora_are_rejected(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "corpus.jsonl"
    path.write_bytes(content + b'\n{"id": "a", "contents": "Text."}\n')
    document_set = read_documents(str(path))
    assert [document.id for document in document_set.documents] == ["a"]
    assert [file.name for file in document_set.rejected] == ["corpus.jsonl:1"]


@pytest.mark.parametrize("content", [b"", b"\xff", b"{}", b"[1]", b"seed: [\n", b"1: 2"])
def test_a_damaged_spec_is_named_with_its_run(fetched_sweep: FetchedSweep, content: bytes) -> None:
    fetched_sweep.artifact("spec.yaml").write_bytes(content)
    record = fetched_sweep.record
    if content == b"{}":
        assert record.spec() == SweepSpec()
        return
    with pytest.raises(DataError, match=f"spec.yaml of run {record.run_id}: damaged"):
        record.spec()


@pytest.mark.parametrize("content", [b"", b"\xff", b"{}", b"[" * 5000])
def test_damaged_results_are_named_with_their_run(
    fetched_sweep: FetchedSweep, content: bytes
) -> None:
    fetched_sweep.artifact("results.json").write_bytes(content)
    with pytest.raises(DataError, match=f"results.json of run {fetched_sweep.record.run_id}"):
        fetched_sweep.record.results()


@pytest.mark.parametrize("run_id", ["a" * 1000, "../../elsewhere", "a/b", ".."])
def test_a_run_of_results_that_is_none_names_no_folder(
    fetched_sweep: FetchedSweep, run_id: str
) -> None:
    fetched_sweep.edit_results(lambda content: content["cells"][0].update(run_id=run_id))
    with pytest.raises(DataError, match=r"damaged: cells\.0\.run_id: "):
        fetched_sweep.record.results()


@pytest.mark.parametrize("content", [b"", b"\xff", b"{}", b"[" * 5000])
def test_a_damaged_calibration_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "calibration.json"
    path.write_bytes(content)
    with pytest.raises(ArgoError, match=r"calibration\.json"):
        open_calibration(SweepSpec(calibration=str(path)))


def test_mutated_texts_are_read_or_refused(tmp_path: Path) -> None:
    for kind in mutations.text_kinds(tmp_path):
        counts = kind.count(N_MUTATIONS, random.Random(kind.name))
        assert counts.raised == []
        assert counts.outcomes["read"] and counts.outcomes["refused"]


@pytest.mark.slow
def test_mutated_records_are_read_or_refused(fetched_sweep: FetchedSweep) -> None:
    for kind in mutations.stored_kinds(fetched_sweep.record):
        counts = kind.count(N_MUTATIONS // 3, random.Random(kind.name))
        assert [message for message, _ in counts.raised] == []


@pytest.mark.slow
@pytest.mark.parametrize("suffix", mutations.SEEDS)
def test_mutated_documents_are_read_or_set_aside(tmp_path: Path, suffix: str) -> None:
    counts = mutations.document_counts(suffix, N_MUTATIONS, random.Random(suffix), tmp_path)
    assert counts.raised == []
    assert counts.outcomes.total() == N_MUTATIONS


def test_a_document_that_its_parser_crashed_on_has_raised(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(b"x")
    counts = mutations.Counts(".pdf")
    rejected = [RejectedFile("a.pdf", "its parser crashed (x)"), RejectedFile("b.pdf", "encrypted")]

    mutations.count_rejected(counts, tmp_path, rejected, 3)

    assert counts.outcomes == {"limited": 0, "raised": 1, "refused": 1, "read": 1}
    assert counts.raised == [("its parser crashed (x)", b"x")]


def test_an_error_of_several_lines_has_raised(tmp_path: Path) -> None:
    def read() -> object:
        raise ArgoError("one\ntwo")

    counts = mutations.Kind("k", (b"{}",), tmp_path / "f", read).count(1, random.Random(0))

    assert counts.outcomes == {"raised": 1}
    assert [message for message, _ in counts.raised] == ["ArgoError: one\ntwo"]
