"""YAML and JSON that somebody else wrote: parsed within bounds, or refused in one line.

YAML comes without aliases, with which a few hundred bytes stand for gigabytes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from argo_ml.errors import one_line

LARGEST_YAML = 1024 * 1024
"""Bytes; it is read at about a megabyte a minute."""

_SHOWN = 200
ModelType = TypeVar("ModelType", bound=BaseModel)


class MalformedError(ValueError):
    """Why a text is not what it should be, in one line."""


class _Loader(yaml.SafeLoader):
    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise MalformedError(
                f"line {mark.line + 1}: an alias (*); write out what it stands for"
            )
        return super().compose_node(parent, index)


def parse_yaml(content: bytes) -> object:
    """The value of a YAML or JSON text in UTF-8 (JSON is YAML). Raises `MalformedError`."""
    if len(content) > LARGEST_YAML:
        raise MalformedError(f"{len(content)} bytes, of {LARGEST_YAML} at most")
    try:
        # A safe loader, although the linter knows only one by name.
        value: object = yaml.load(_decode(content), _Loader)
        return _checked(value)
    except MalformedError:
        raise
    except yaml.YAMLError as error:
        raise MalformedError(f"not YAML or JSON ({one_line(error)[:_SHOWN]})") from None
    except RecursionError:
        raise MalformedError("nested too deeply") from None
    # Dates such as 2026-02-30 and tags such as !!int on a word raise whatever they end in.
    except Exception as error:
        reason = f"{type(error).__name__}: {one_line(error)}"
        raise MalformedError(f"holds an impossible value ({reason[:_SHOWN]})") from None


def parse_json(content: bytes) -> Any:
    """The value of a JSON text in UTF-8. Raises `MalformedError`."""
    try:
        return _checked(json.loads(_decode(content)))
    except MalformedError:
        raise
    except json.JSONDecodeError as error:
        raise MalformedError(f"not JSON ({error.msg}, line {error.lineno})") from None
    except ValueError:
        raise MalformedError("holds a number of thousands of digits") from None
    except RecursionError:
        raise MalformedError("nested too deeply") from None


def parse_record(record_type: type[ModelType], content: bytes) -> ModelType:
    """A record of a JSON text. Raises `MalformedError` that names the first field that is wrong."""
    try:
        return record_type.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise MalformedError(one_line(f"{where[:_SHOWN]}: {first['msg']}"[:_SHOWN])) from None


def read_bytes(path: Path, largest: int) -> bytes:
    """A file's content. Raises OSError, and `MalformedError` for one of more bytes."""
    with path.open("rb") as file:
        content = file.read(largest + 1)
    if len(content) > largest:
        raise MalformedError(f"more than {largest} bytes")
    return content


def _decode(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MalformedError(f"not UTF-8 text (byte {error.start}); save it as UTF-8") from None


def _checked(value: object) -> object:
    """The value, without half a surrogate pair, which no database and no terminal takes."""
    try:
        json.dumps(value, ensure_ascii=False, default=str, skipkeys=True).encode()
    except UnicodeEncodeError:
        raise MalformedError("holds half of a surrogate pair, which is no character") from None
    return value
