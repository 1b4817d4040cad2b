from pathlib import Path

import pytest

from argo_ml.corpus.readers.base import UnreadableError
from argo_ml.corpus.readers.encodings import Decoded, decode
from argo_ml.corpus.readers.html import read_html

PAGES = [
    ("Hyvää päivää ja tervetuloa!", "iso-8859-1"),
    ("Où est l'élève? À l'école, bien sûr.", "windows-1252"),
    ("안녕하세요 세계", "euc-kr"),
    ("こんにちは世界", "shift_jis"),
    ("東京の天気は晴れです", "euc-jp"),
    ("Здравствуй, мир", "windows-1251"),
    ("Добрый день", "koi8-r"),
    ("Καλημέρα κόσμε", "iso-8859-7"),
    ("مرحبا بالعالم", "windows-1256"),
    ("שלום עולם", "windows-1255"),
    ("สวัสดีชาวโลก", "tis-620"),
    ("你好,世界", "gb2312"),
    ("你好,世界", "big5"),
]


def text_of(folder: Path, content: bytes) -> tuple[str, str]:
    (folder / "a.html").write_bytes(content)
    reading = read_html(folder / "a.html")
    return "".join(section.text for section in reading.sections), reading.guess


@pytest.mark.parametrize("text", dict(PAGES))
def test_a_page_in_utf8_is_read_as_such(tmp_path: Path, text: str) -> None:
    declared = f"<html><head><meta charset=utf-8></head><body><p>{text}</p></body></html>"
    assert text_of(tmp_path, declared.encode()) == (text, "")
    assert text_of(tmp_path, f"<p>{text}</p>".encode()) == (text, "")
    assert text_of(tmp_path, b"\xef\xbb\xbf" + f"<p>{text}</p>".encode()) == (text, "")
    assert text_of(tmp_path, f"<p>{text}</p>".encode("utf-16")) == (text, "")


@pytest.mark.parametrize(("text", "encoding"), PAGES)
def test_a_page_is_read_as_declared(tmp_path: Path, text: str, encoding: str) -> None:
    meta = f'<meta http-equiv="Content-Type" content="text/html; charset={encoding}"><p>{text}</p>'
    assert text_of(tmp_path, meta.encode(encoding)) == (text, "")
    xml = f'<?xml version="1.0" encoding="{encoding}"?><html><p>{text}</p></html>'
    assert text_of(tmp_path, xml.encode(encoding)) == (text, "")


@pytest.mark.parametrize("declared", ["utf-8", "no-such", "hex", "utf-16"])
def test_a_wrong_declaration_is_no_obstacle(tmp_path: Path, declared: str) -> None:
    page = f"<meta charset={declared}><p>Größe</p>"
    assert text_of(tmp_path, page.encode("cp1252")) == ("Größe", "cp1252")
    assert text_of(tmp_path, page.encode()) == ("Größe", "")


def test_a_byte_order_mark_beats_the_declaration(tmp_path: Path) -> None:
    page = "<meta charset=windows-1251><p>Größe</p>"
    assert text_of(tmp_path, page.encode("utf-8-sig")) == ("Größe", "")


@pytest.mark.parametrize(
    ("content", "decoded"),
    [
        ("Größe".encode("latin-1"), Decoded("Größe", "cp1252")),
        (b"one\r\ntwo\rthree", Decoded("one\ntwo\nthree")),
        ("Größe".encode("utf-16-le"), Decoded("Größe", "utf-16-le")),
        ("Größe".encode("utf-16-be"), Decoded("Größe", "utf-16-be")),
        (
            "Größe, Höhe, Länge".encode() + b"\xe2\x82",
            Decoded("Größe, Höhe, Länge\ufffd", "utf-8 with 1 unreadable characters"),
        ),
        (b"", Decoded("")),
    ],
)
def test_text_without_a_declaration(content: bytes, decoded: Decoded) -> None:
    assert decode(content) == decoded


@pytest.mark.parametrize("zeros", ["\0", "\0\0"])
@pytest.mark.parametrize(
    ("text", "encoding"),
    [("Le café est fermé le dimanche.", "cp1252"), ("Столица называется Люмен. " * 9, "cp1251")],
)
def test_zeros_that_fill_up_a_text_are_no_part_of_it(text: str, encoding: str, zeros: str) -> None:
    assert decode(f"{text}{zeros}".encode(encoding)).text.rstrip() == text.rstrip()
    assert decode(f"{zeros}{text}".encode(encoding)).text.strip() == text.strip()


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize(
    "text",
    [
        "Où est l'élève? À l'école, bien sûr.",
        "北京是中国的首都。\n" + "全市面积一万六千平方公里。" * 9,
        "東京の人口は約1,400万人です。\n",
        "Größe: 5 \u043a\u043c",
    ],
)
def test_utf16_is_known_without_a_mark(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding)) == Decoded(text, encoding)


def test_a_long_text_in_an_old_encoding_of_another_script_is_guessed() -> None:
    text = "Столица Веги называется Люмен, и в ней живёт сорок тысяч человек. " * 5
    assert decode(text.encode("cp1251")).text == text


def test_what_is_no_text_is_an_error() -> None:
    with pytest.raises(UnreadableError, match="not text"):
        decode(b"\x00\xd8\x00\xd8\x00")
