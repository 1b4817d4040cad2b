"""What a model knew at the end of a prompt, made short: the format that all parts keep it in."""

from __future__ import annotations

import base64
import struct
from collections.abc import Sequence

from argo_ml.errors import DataError

HiddenState = tuple[float, ...]
"""`N_LAYERS` times `N_PROJECTIONS` numbers in half precision; empty where nobody asked for it."""

N_LAYERS = 4
"""Layers that are read, at equal distances up to the last one."""
N_PROJECTIONS = 64
"""Numbers kept of each of them."""


def encode_state(state: HiddenState) -> str:
    """Base64 of half-precision numbers, two bytes each, which loses nothing of a `HiddenState`."""
    return base64.b64encode(struct.pack(f"<{len(state)}e", *state)).decode()


def decode_state(text: str) -> HiddenState:
    """Raises `DataError` for what `encode_state` has not made."""
    try:
        content = base64.b64decode(text, validate=True)
        return struct.unpack(f"<{len(content) // 2}e", content)
    except (ValueError, struct.error):
        raise DataError(
            f"hidden_state={text!r:.40}: is no base64 of half-precision numbers"
        ) from None


def rounded_state(values: Sequence[float]) -> HiddenState:
    """The nearest half-precision numbers, so that a state is the same before and after storage."""
    return struct.unpack(f"<{len(values)}e", struct.pack(f"<{len(values)}e", *values))
