import json
import logging
from pathlib import Path

import pytest

from argo_ml.corpus.documents import RejectedFile, read_documents
from argo_ml.errors import DataError
from argo_ml.types import Document


def write(folder: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def test_a_folder_gives_a_document_per_section(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"notes/a_b.txt": "Plain text.\n", "guide.rst": "Guide\n=====\n\nx\n\nPart\n----\n\ny\n"},
    )
    assert read_documents(str(tmp_path)).documents == (
        Document("guide.rst:1", "x", "Guide", "guide.rst"),
        Document("guide.rst:2", "y", "Guide > Part", "guide.rst"),
        Document("notes/a_b.txt", "Plain text.", "a b", "notes/a_b.txt"),
    )


def test_documents_do_not_depend_on_where_the_folder_lies(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {"a.txt": "Text.", "sub/b.md": "# Title\n\nMore."}
    here = read_documents(str(write(tmp_path / "here", files)))
    there = read_documents(str(write(tmp_path / "far" / "there", files)))
    assert here == there


def test_files_that_cannot_be_read_are_named_and_the_rest_is_kept(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "bad.pdf": b"no pdf",
            "empty.txt": " \n",
            "latin.txt": b"Gr\xf6\xdfe",
            "only-links.rst": ".. toctree::\n\n   a\n",
            "good.txt": "Text.",
        },
    )
    document_set = read_documents(str(tmp_path))
    assert [document.id for document in document_set.documents] == ["good.txt"]
    assert document_set.rejected[1:] == (
        RejectedFile("empty.txt", "no text"),
        RejectedFile("latin.txt", "not UTF-8: byte 0xf6 at 2"),
        RejectedFile("only-links.rst", "no text"),
    )
    assert document_set.rejected[0].name == "bad.pdf"
    assert "not a" in document_set.rejected[0].reason


def test_hidden_files_are_skipped_and_other_kinds_counted(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "a.txt": "Text.",
        ".hidden.txt": "x",
        ".git/b.txt": "x",
        "c.csv": "x",
        "LICENSE": "x",
        "ATTRIBUTION.md": "Who wrote it.",
        "license.md": "A page about licences.",
    }
    document_set = read_documents(str(write(tmp_path, files)))
    assert [document.id for document in document_set.documents] == ["a.txt", "license.md"]
    assert document_set.n_ignored == 3


def test_line_ends_byte_order_marks_and_ruled_lines_go(tmp_path: Path) -> None:
    write(tmp_path, {"a.txt": "\ufeffOne.\r\n=======\r\n\r\n\r\n\r\nTwo.\r\n"})
    [document] = read_documents(str(tmp_path)).documents
    assert document.text == "One.\n\nTwo."


def test_a_single_file_will_do(tmp_path: Path) -> None:
    write(tmp_path, {"a.TXT": "Text.", "b.txt": "Other."})
    assert [d.id for d in read_documents(str(tmp_path / "a.TXT")).documents] == ["a.TXT"]


def test_a_flashrag_corpus_keeps_its_ids_and_titles(tmp_path: Path) -> None:
    lines = [
        {"id": "0", "contents": '"Aaron"\nAaron is a prophet.\nHe speaks.'},
        {"id": 1, "contents": "No title here."},
        {"id": "2", "contents": "x" * 201 + "\nA long first line is text."},
    ]
    path = tmp_path / "corpus.jsonl"
    path.write_text("\n\n".join(map(json.dumps, lines)), encoding="utf-8")
    first, second, third = read_documents(str(path)).documents
    assert first == Document("0", "Aaron is a prophet.\nHe speaks.", "Aaron", "corpus.jsonl")
    assert second == Document("1", "No title here.", "", "corpus.jsonl")
    assert third.title == ""
    assert third.text.startswith("xxx")


def test_bad_lines_of_a_flashrag_corpus_are_named(tmp_path: Path) -> None:
    path = tmp_path / "corpus.jsonl"
    path.write_bytes(
        b'{"id": "a", "contents": "T\\ntext"}\n{"id": "b"\n[1]\n{"contents": "x"}\n'
        b'{"id": "c", "contents": " "}\n{"id": "a", "contents": "again"}\n'
        b'{"id": "d", "contents": "\xff"}\n{"id": true, "contents": "x"}\n'
    )
    document_set = read_documents(str(path))
    assert len(document_set.documents) == 1
    assert [
        (rejected.name, rejected.reason.split(" (")[0]) for rejected in document_set.rejected
    ] == [
        ("corpus.jsonl:2", "not JSON"),
        ("corpus.jsonl:3", "not a JSON object"),
        ("corpus.jsonl:4", "no id"),
        ("corpus.jsonl:5", "no contents"),
        ("corpus.jsonl:6", "repeats the id of line 1"),
        ("corpus.jsonl:7", "not UTF-8"),
        ("corpus.jsonl:8", "no id"),
    ]


@pytest.mark.parametrize(
    ("files", "location", "message"),
    [
        ({}, "missing", "no such folder or file; give a folder of"),
        ({}, "", "empty; give a folder of"),
        ({"a.csv": "x"}, "", "none of its 1 files is of a known kind"),
        ({"a.txt": ""}, "", r"no usable text \(1 rejected, the first is a.txt: no text\)"),
        ({"a.csv": "x"}, "a.csv", "cannot be read as documents"),
        ({"a.jsonl": ""}, "a.jsonl", "empty; give a folder of"),
        ({"a.jsonl": "{"}, "a.jsonl", "no usable text"),
    ],
)
def test_a_corpus_without_text_is_an_error_that_says_what_works(
    tmp_path: Path, files: dict[str, str | bytes], location: str, message: str
) -> None:
    write(tmp_path, files)
    with pytest.raises(DataError, match=message) as error:
        read_documents(str(tmp_path / location))
    assert str(error.value).startswith(f"documents={tmp_path / location}: ")
    assert "\n" not in str(error.value)


def test_parsers_complain_to_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path, {"bad.pdf": b"%PDF-1.4 cut off", "good.txt": "Text."})
    with caplog.at_level(logging.DEBUG):
        read_documents(str(tmp_path))
    assert [r for r in caplog.records if r.levelno >= logging.WARNING] == []
