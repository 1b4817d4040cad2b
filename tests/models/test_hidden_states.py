from __future__ import annotations

import math

import pytest

from argo_ml.errors import DataError
from argo_ml.models.hidden_states import decode_state, encode_state, rounded_state


def test_a_state_comes_back_as_it_was_stored_in_two_bytes_a_number() -> None:
    state = rounded_state([0.1, -2.734375, math.pi, 0.0])
    text = encode_state(state)
    assert decode_state(text) == state
    assert len(text) == 12
    assert state == pytest.approx([0.1, -2.734375, math.pi, 0.0], rel=1e-3)


def test_no_state_is_no_text() -> None:
    assert encode_state(()) == ""
    assert decode_state("") == ()


@pytest.mark.parametrize("text", ["?", "AAA", "AAAA"])
def test_what_is_no_state_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="hidden_state="):
        decode_state(text)
