from pathlib import Path

import pytest

from argo_ml.corpus.readers.base import Section
from argo_ml.corpus.readers.rst import rst_sections


def text_of(source: str) -> str:
    return "\n\n".join(section.text for section in rst_sections(source))


def test_sections_carry_the_headings_above_them() -> None:
    source = """
Guide
=====

Start here.

Install
-------

Run it.

Usage
-----

Details
~~~~~~~

Use it.
"""
    assert rst_sections(source) == [
        Section(("Guide",), "Start here."),
        Section(("Guide", "Install"), "Run it."),
        Section(("Guide", "Usage", "Details"), "Use it."),
    ]


def test_text_before_the_first_heading_has_no_title() -> None:
    source = "Before.\n\nA\n=\n\nx\n\nB\n=\n\ny\n"
    assert rst_sections(source)[0] == Section((), "Before.")


@pytest.mark.parametrize(
    ("role", "shown"),
    [
        (":ref:`the guide <guide>`", "the guide"),
        (":doc:`../how-to/install-guide`", "install guide"),
        (":doc:`Guide <../guide>`", "Guide"),
        (":py:class:`~package.module.Name`", "Name"),
        (":made-up:`kept`", "kept"),
        ("`kept`:made-up:", "kept"),
        (":download:`file <a/b.zip>`", "file"),
        (":sup:`2`", "2"),
        ("``code``", "code"),
        ("`link <https://example.org>`_", "link"),
        ("missing_", "missing"),
        ("|missing|", "missing"),
    ],
)
def test_roles_and_references_keep_their_text(role: str, shown: str) -> None:
    assert text_of(f"See {role} here.") == f"See {shown} here."


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("3 x 10\\ :sup:`8` m/s", "3 x 10^8 m/s"),
        ("5,000\\ :superscript:`1` people\\ :sup:`2`", "5,000^1 people 2"),
        ("the 20\\ :sup:`th`, H\\ :sub:`2`\\ O", "the 20th, H2O"),
    ],
)
def test_a_raised_number_is_no_part_of_the_one_before(source: str, shown: str) -> None:
    assert text_of(source) == shown


@pytest.mark.parametrize(
    "directive",
    [
        ".. toctree::\n   :maxdepth: 2\n\n   intro\n   usage",
        ".. image:: figure.png\n   :width: 300\n   :alt: A figure",
        ".. contents::\n   :local:",
        ".. include:: /etc/passwd",
        ".. literalinclude:: /etc/passwd\n   :language: text",
        ".. raw:: html\n\n   <b>bold</b>",
        ".. raw:: html\n   :file: /etc/passwd",
        ".. csv-table::\n   :file: /etc/passwd",
        ".. automodule:: os\n   :members:",
        ".. _target:",
        ".. A comment\n   that goes on",
        "* :ref:`genindex`\n* :ref:`search`",
    ],
)
def test_directives_without_text_of_their_own_leave_nothing(directive: str) -> None:
    assert text_of(f"Before.\n\n{directive}\n\nAfter.") == "Before.\n\nAfter."


@pytest.mark.parametrize(
    ("directive", "shown"),
    [
        (".. note:: Mind the gap.", "Mind the gap."),
        (".. seealso::\n\n   The :doc:`guide`.", "The guide."),
        (".. versionadded:: 1.2\n   More.", "1.2 More."),
        (".. only:: html\n\n   Shown.", "Shown."),
        (".. unheard-of:: Argument\n   :option: x\n\n   Content.", "Argument\n\nContent."),
        (".. code-block:: python\n   :linenos:\n\n   x = 1\n   y = 2", "x = 1\ny = 2"),
        (".. figure:: a.png\n   :width: 5\n\n   Its caption.", "Its caption."),
    ],
)
def test_directives_keep_their_text(directive: str, shown: str) -> None:
    assert text_of(directive) == shown


def test_lists_tables_and_terms_become_lines() -> None:
    source = """
* one
* two

3. three
4. four

term
  Its meaning.

:field: value

===== =====
Head  Top
===== =====
left  right
===== =====
"""
    assert text_of(source) == (
        "- one\n- two\n\n3. three\n4. four\n\nterm: Its meaning.\n\nfield: value\n\n"
        "Head | Top\nleft | right"
    )


def test_a_malformed_table_keeps_its_text() -> None:
    source = "+----+----+\n| a  | b  |\n+----+\n\nAfter.\n"
    text = text_of(source)
    assert "| a  | b  |" in text
    assert "After." in text


def test_a_comment_right_below_text_is_not_text() -> None:
    source = "Some text.\n.. SPDX-License-Identifier: CC-BY-4.0\n.. More of it\n\nAfter.\n"
    assert text_of(source) == "Some text.\n\nAfter."


def test_broken_markup_is_read_in_silence(capfd: pytest.CaptureFixture[str]) -> None:
    source = "Title\n==\n\n.. image::\n\n*open `open\n\n   odd indent\nend\n\n=====\nOver\n---\n"
    assert "odd indent" in text_of(source)
    assert capfd.readouterr() == ("", "")


def test_an_included_file_is_not_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("secret text", encoding="utf-8")
    source = f"Text.\n\n.. include:: {secret}\n\n.. raw:: html\n   :file: {secret}\n"
    assert "secret text" not in text_of(source)
