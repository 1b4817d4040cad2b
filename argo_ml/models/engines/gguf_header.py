"""The shape of a model out of the first bytes of its GGUF file, without reading the rest.

The format is that of https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from argo_ml.errors import ModelError

_SCALARS = dict(enumerate(("<B", "<b", "<H", "<h", "<I", "<i", "<f", "<?")))
_SCALARS |= {10: "<Q", 11: "<q", 12: "<d"}
_STRING, _ARRAY = 8, 9
_MOST_FIELDS, _LONGEST = 10_000, 2**20
_TOKENIZER = "tokenizer."
"""Its fields come after the model's own and are long."""
F16_BYTES = 2


@dataclass(frozen=True, slots=True)
class GgufShape:
    """``bytes_per_token`` is what keys and values of one token take in float16."""

    context: int
    bytes_per_token: int


def read_shape(path: Path) -> GgufShape:
    """Raises `ModelError` for a file that is none."""
    try:
        with path.open("rb") as file:
            return _shape(_fields(file))
    except (OSError, struct.error, ValueError, KeyError, TypeError, MemoryError) as error:
        raise ModelError(f"model={path}: is no readable GGUF file ({error!r})") from None


def _shape(fields: Mapping[str, Any]) -> GgufShape:
    name = fields["general.architecture"]

    def field(key: str, default: Any = None) -> Any:
        return fields.get(f"{name}.{key}", default)

    n_layers, n_heads = int(field("block_count")), field("attention.head_count")
    heads = field("attention.head_count_kv", n_heads)
    n_heads_of_all = sum(heads) if isinstance(heads, list) else heads * n_layers
    first = n_heads[0] if isinstance(n_heads, list) else n_heads
    width = int(field("embedding_length")) // max(1, first)
    key, value = field("attention.key_length", width), field("attention.value_length", width)
    return GgufShape(int(field("context_length")), n_heads_of_all * (key + value) * F16_BYTES)


def _fields(file: BinaryIO) -> dict[str, Any]:
    """The fields before those of the tokenizer."""
    if file.read(4) != b"GGUF":
        raise ValueError("it does not begin with GGUF")
    _version, _n_tensors, n_fields = struct.unpack("<IQQ", file.read(20))
    fields: dict[str, Any] = {}
    for _ in range(min(n_fields, _MOST_FIELDS)):
        name = _string(file)
        if name.startswith(_TOKENIZER):
            break
        [kind] = struct.unpack("<I", file.read(4))
        fields[name] = _value(file, kind)
    return fields


def _value(file: BinaryIO, kind: int) -> Any:
    if kind == _STRING:
        return _string(file)
    if kind == _ARRAY:
        item, length = struct.unpack("<IQ", file.read(12))
        if length > _LONGEST:
            raise ValueError(f"a list of {length}")
        return [_value(file, item) for _ in range(length)]
    form = _SCALARS[kind]
    [value] = struct.unpack(form, file.read(struct.calcsize(form)))
    return value


def _string(file: BinaryIO) -> str:
    [length] = struct.unpack("<Q", file.read(8))
    if length > _LONGEST:
        raise ValueError(f"a text of {length} bytes")
    return file.read(length).decode(errors="replace")
