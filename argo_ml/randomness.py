"""Random draws that depend on what they are for and on nothing else.

Strategies, prices and workers that ask for the same draw get the same one (common random numbers).
"""

from __future__ import annotations

import hashlib
import random


def derived_rng(seed: int, *key: object) -> random.Random:
    """A generator for one purpose, such as ``derived_rng(seed, question_id, step, "channel")``."""
    material = "\x1f".join(map(str, (seed, *key)))
    digest = hashlib.sha256(material.encode()).digest()
    return random.Random(int.from_bytes(digest, "big"))
