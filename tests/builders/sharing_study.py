"""The small study, one question a shard; all shards come to ask, and read, the same."""

from __future__ import annotations

import json
from pathlib import Path

from builders import small_study


def write(folder: Path) -> dict[str, str]:
    """Write the sources into ``folder``; returns the parameters of a sweep over them."""
    values = small_study.write(folder)
    rule = {"regex": ".", "completion": "What is the capital of Ardenia?"}
    (folder / "script.json").write_text(json.dumps({"rules": [rule], "default": "hash"}))
    return {**values, "max_new_tokens": "8", "shard_size": "1"}
