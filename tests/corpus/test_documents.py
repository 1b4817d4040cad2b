import json
import logging
import os
import subprocess
from pathlib import Path
from typing import IO, ClassVar

import pytest

from argo_ml.corpus import isolated_reading
from argo_ml.corpus.documents import read_documents
from argo_ml.corpus.isolated_reading import ReaderProcess, ReadingLimits
from argo_ml.corpus.readers import READERS, Reading, UnreadableError
from argo_ml.corpus.rejected import GuessedEncoding, RejectedFile
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
            "only-links.rst": ".. toctree::\n\n   a\n",
            "good.txt": "Text.",
        },
    )
    document_set = read_documents(str(tmp_path))
    assert [document.id for document in document_set.documents] == ["good.txt"]
    assert document_set.rejected[1:] == (
        RejectedFile("empty.txt", "no text"),
        RejectedFile("only-links.rst", "no text"),
    )
    assert document_set.rejected[0].name == "bad.pdf"
    assert "not a" in document_set.rejected[0].reason


def test_hidden_files_are_skipped_and_other_kinds_named(tmp_path: Path) -> None:
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
    assert document_set.ignored == ("ATTRIBUTION.md", "LICENSE", "c.csv")


def test_signs_before_words_stay(tmp_path: Path) -> None:
    text = "____ is the capital.\n----BEGIN X----\nEnd."
    write(tmp_path, {"a.txt": f"****\n{text}\n-----  \n"})
    [document] = read_documents(str(tmp_path)).documents
    assert document.text == text


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
        b'{"id": "e", "contents": "half \\ud83d"}\n{"id": ' + b"9" * 5000 + b"}\n"
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
        ("corpus.jsonl:9", "half a surrogate pair, which is no character"),
        ("corpus.jsonl:10", "not JSON"),
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


def test_text_in_an_old_encoding_is_read_and_named(tmp_path: Path) -> None:
    write(
        tmp_path, {"latin.txt": b"Gr\xf6\xdfe", "b.md": "Größe".encode("cp1252"), "c.rst": "Größe"}
    )
    document_set = read_documents(str(tmp_path))
    assert [document.text for document in document_set.documents] == ["Größe"] * 3
    assert document_set.guessed == (
        GuessedEncoding("b.md", "cp1252"),
        GuessedEncoding("latin.txt", "cp1252"),
    )


def test_spaces_of_all_kinds_are_spaces_and_what_is_invisible_goes(tmp_path: Path) -> None:
    source = "a\tb\u00a0c\u3000d\u200be\u2009f so\u00adft \u2060g\x02h\u2028i\n"
    for name in ("a.txt", "b.md", "c.rst"):
        write(tmp_path, {name: source})
    for document in read_documents(str(tmp_path)).documents:
        assert document.text.split() == ["a", "b", "c", "d", "e", "f", "soft", "g", "h", "i"]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (
            "e\ufb00ect o\ufb03ce \ufb01rst \ufb02ow sta\ufb04 la\ufb05 \ufb06op",
            "effect office first flow staffl last stop",
        ),
        ("Orle\u0301ans", "Orl\u00e9ans"),
        ("\uff12\uff10\uff12\uff10\u5e74 \uff21\uff23\uff0c", "2020\u5e74 AC\uff0c"),
        ("10\u00b2 and 1\u00bd", "10\u00b2 and 1\u00bd"),
    ],
)
def test_letters_of_several_spellings_have_one(tmp_path: Path, written: str, read: str) -> None:
    [document] = read_documents(str(write(tmp_path, {"a.txt": written}))).documents
    assert document.text == read


def test_a_control_character_in_a_flashrag_corpus_is_a_space(tmp_path: Path) -> None:
    path = tmp_path / "corpus.jsonl"
    path.write_text(json.dumps({"id": 1, "contents": "Ti\x00tle\na\x02b\tc"}), encoding="utf-8")
    [document] = read_documents(str(path)).documents
    assert (document.title, document.text) == ("Ti tle", "a b\tc")


def test_a_file_whose_name_is_not_utf8_is_named(tmp_path: Path) -> None:
    write(tmp_path, {"good.txt": "Text."})
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/b\xe4d.txt"))).write_text("x", encoding="utf-8")
    document_set = read_documents(str(tmp_path))
    assert [document.id for document in document_set.documents] == ["good.txt"]
    assert document_set.rejected == (
        RejectedFile("b\ufffdd.txt", "its name is not UTF-8; rename it"),
    )


def test_folders_behind_links_are_read_once_and_circles_end(tmp_path: Path) -> None:
    folder = write(tmp_path / "docs", {"z/a.txt": "A."})
    write(tmp_path / "far", {"b.txt": "B."})
    (folder / "again").symlink_to(folder / "z")
    (folder / "far").symlink_to(tmp_path / "far")
    (folder / "z" / "up").symlink_to(folder)
    (tmp_path / "far" / "back").symlink_to(folder)
    (folder / "gone.txt").symlink_to(tmp_path / "nothing")
    document_set = read_documents(str(folder))
    assert [document.id for document in document_set.documents] == ["far/b.txt", "z/a.txt"]
    assert document_set.rejected == (RejectedFile("gone.txt", "a link to nothing"),)


def test_a_file_that_its_parser_fails_on_is_named_and_the_rest_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path) -> Reading:
        raise KeyError("no such role")

    monkeypatch.setattr("argo_ml.corpus.readers.reading.READERS", {**READERS, ".txt": fail})
    write(tmp_path, {"bad.txt": "x", "good.md": "Text."})
    document_set = read_documents(str(tmp_path))
    assert len(document_set.documents) == 1
    assert document_set.rejected == (
        RejectedFile("bad.txt", "its parser failed (KeyError: 'no such role')"),
    )


class CountingReader(ReaderProcess):
    """Remembers the names of the files that were parsed."""

    parsed: ClassVar[list[str]] = []

    def reply(self) -> Reading | UnreadableError:
        self.parsed.append(self._asked[0].name)
        return super().reply()


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr("argo_ml.corpus.isolated_reading.ReaderProcess", CountingReader)
    monkeypatch.setattr(CountingReader, "parsed", [])
    return CountingReader.parsed


def test_a_document_is_parsed_once_until_it_changes(tmp_path: Path, parsed: list[str]) -> None:
    folder, kept = (
        write(tmp_path / "docs", {"a.rst": "First.", "b.html": "<p>B"}),
        tmp_path / "kept",
    )
    first = read_documents(str(folder), kept_in=kept)
    assert read_documents(str(folder), kept_in=kept) == first
    assert parsed == ["a.rst", "b.html"]
    write(folder, {"a.rst": "Second."})
    texts = [own.text for own in read_documents(str(folder), kept_in=kept).documents]
    assert texts == ["Second.", "B"]
    assert parsed[2:] == ["a.rst"]


def test_a_file_is_parsed_again_under_other_limits_and_where_what_is_kept_is_damaged(
    tmp_path: Path, parsed: list[str]
) -> None:
    folder, kept = write(tmp_path / "docs", {"a.rst": "Text."}), tmp_path / "kept"
    first = read_documents(str(folder), kept_in=kept)
    read_documents(str(folder), ReadingLimits(seconds=90.0), kept_in=kept)
    for file in kept.iterdir():
        file.write_text("damaged")
    assert read_documents(str(folder), kept_in=kept) == first
    assert len(parsed) == 3


def test_a_file_that_could_not_be_read_is_tried_again(tmp_path: Path, parsed: list[str]) -> None:
    folder = write(tmp_path / "docs", {"a.docx": b"no zip", "b.txt": "Text."})
    kept = tmp_path / "kept"
    first, again = (read_documents(str(folder), kept_in=kept) for _ in range(2))
    assert first == again
    assert [own.name for own in first.rejected] == ["a.docx"]
    assert parsed == ["a.docx", "a.docx"]


def test_a_reader_that_is_interrupted_while_it_begins_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun: list[subprocess.Popen[bytes]] = []
    start = isolated_reading._start

    def remembering(limits: ReadingLimits, messages: IO[bytes]) -> subprocess.Popen[bytes]:
        begun.append(start(limits, messages))
        return begun[0]

    def interrupted(reader: ReaderProcess) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(isolated_reading, "_start", remembering)
    monkeypatch.setattr(ReaderProcess, "_wait_until_ready", interrupted)
    with pytest.raises(KeyboardInterrupt):
        ReaderProcess(ReadingLimits())
    assert begun[0].returncode is not None
