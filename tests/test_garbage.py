"""How often Python looks for garbage."""

from __future__ import annotations

import gc

import pytest

from argo_ml.garbage import RARELY, rarely_collected


def test_garbage_is_looked_for_rarely_in_the_block_and_as_before_after_it() -> None:
    before = gc.get_threshold()

    with pytest.raises(KeyError), rarely_collected():
        inside = gc.get_threshold()
        raise KeyError

    assert inside == RARELY
    assert gc.get_threshold() == before
