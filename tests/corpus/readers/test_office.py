import zipfile
from html import escape
from pathlib import Path

import pytest

from argo_ml.corpus.documents import read_documents
from argo_ml.corpus.readers.base import Section, UnreadableError
from argo_ml.corpus.readers.office import read_docx, read_pdf

WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def write_docx(path: Path, paragraph: str = "The unit sends beams.", raised: str = "") -> None:
    """A Word file with a heading and a paragraph, whose end is raised."""
    superscript = (
        f'<w:r><w:rPr><w:vertAlign w:val="superscript"/></w:rPr><w:t>{escape(raised)}</w:t></w:r>'
    )
    document = (
        f'<w:document xmlns:w="{WORD}"><w:body>'
        '<w:p><w:pPr><w:pStyle w:val="Heading1"/></w:pPr><w:r><w:t>Radio</w:t></w:r></w:p>'
        f"<w:p><w:r><w:t>{escape(paragraph)}</w:t></w:r>{superscript if raised else ''}</w:p>"
        "</w:body></w:document>"
    )
    styles = (
        f'<w:styles xmlns:w="{WORD}"><w:style w:type="paragraph" w:styleId="Heading1">'
        '<w:name w:val="heading 1"/></w:style></w:styles>'
    )
    kinds = (
        f'<Types xmlns="{PACKAGE}/content-types"><Default Extension="rels" ContentType='
        '"application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/></Types>'
    )
    root = (
        f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="r1" '
        f'Type="{OFFICE}/officeDocument" Target="word/document.xml"/></Relationships>'
    )
    inner = (
        f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="r1" '
        f'Type="{OFFICE}/styles" Target="styles.xml"/></Relationships>'
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("[Content_Types].xml", kinds)
        archive.writestr("_rels/.rels", root)
        archive.writestr("word/document.xml", document)
        archive.writestr("word/styles.xml", styles)
        archive.writestr("word/_rels/document.xml.rels", inner)


def write_pdf(path: Path, text: str) -> None:
    """A PDF of one page with one line of text."""
    stream = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode()
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R"
        b"/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(stream), stream),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    content, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(content))
        content += b"%d 0 obj%s endobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    content += b"xref\n0 6\n0000000000 65535 f \n%strailer<</Size 6/Root 1 0 R>>\n" % table
    content += b"startxref\n%d\n%%%%EOF\n" % content.index(b"xref\n")
    path.write_bytes(content)


def test_reads_a_pdf(tmp_path: Path) -> None:
    write_pdf(tmp_path / "a.pdf", "The unit sends beams.")
    [section] = read_pdf(tmp_path / "a.pdf").sections
    assert section.titles == ()
    assert section.text.strip() == "The unit sends beams."


def test_a_ligature_that_a_pdf_draws_is_its_letters(tmp_path: Path) -> None:
    write_pdf(tmp_path / "a.pdf", r"A \256rst \257ow")
    [document] = read_documents(str(tmp_path)).documents
    assert document.text == "A first flow"


def test_reads_a_word_file_by_its_headings(tmp_path: Path) -> None:
    write_docx(tmp_path / "a.docx")
    [section] = read_docx(tmp_path / "a.docx").sections
    assert section == Section(("Radio",), "The unit sends beams.")


@pytest.mark.parametrize(
    "paragraph", ["if a<b and c>d then stop", "as shown [1][2] in data[0][1]", "a * b_c_d # `x`"]
)
def test_a_word_file_keeps_what_looks_like_markup(tmp_path: Path, paragraph: str) -> None:
    write_docx(tmp_path / "a.docx", paragraph)
    [section] = read_docx(tmp_path / "a.docx").sections
    assert section.text == paragraph


def test_a_raised_number_of_a_word_file_is_no_part_of_the_one_before(tmp_path: Path) -> None:
    write_docx(tmp_path / "a.docx", "about 10", raised="8")
    [section] = read_docx(tmp_path / "a.docx").sections
    assert section.text == "about 10^8"


@pytest.mark.parametrize(
    ("line", "shown"),
    [("exam-\nple", "example"), ("5-\n10", "5-\n10"), ("- one\n- two", "- one\n- two")],
)
def test_a_word_cut_at_the_end_of_a_line_is_joined_and_a_range_is_not(
    monkeypatch: pytest.MonkeyPatch, line: str, shown: str
) -> None:
    monkeypatch.setattr("argo_ml.corpus.readers.office._pdf_text", lambda path: line)
    [section] = read_pdf(Path("a.pdf")).sections
    assert section.text == shown


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.pdf", b"this is no pdf"),
        ("b.pdf", b"%PDF-1.4\n1 0 obj<<"),
        ("a.docx", b"this is no zip"),
        ("b.docx", b"PK\x03\x04 cut off"),
    ],
)
def test_a_damaged_file_gives_the_reason_in_one_line(
    tmp_path: Path, name: str, content: bytes
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    read = read_pdf if name.endswith("pdf") else read_docx
    with pytest.raises(UnreadableError, match=f"not a.* {path.suffix[1:]} file") as error:
        read(path)
    assert "\n" not in str(error.value)
