"""Keys of model servers, and what is said without them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from argo_ml.config.addresses import KEY_VARIABLES
from argo_ml.errors import ConfigError


def api_key(environment: Mapping[str, str] = os.environ) -> str:
    """The key of the first variable that is set; empty where none is.

    Raises `ConfigError` for a key that no HTTP header can carry.
    """
    for name in KEY_VARIABLES:
        key = environment.get(name, "").strip()
        if not key:
            continue
        if not key.isascii() or not key.isprintable() or " " in key:
            raise ConfigError(f"{name} holds white space or other characters that no key has")
        return key
    return ""


def without_secrets(text: str, secrets: Iterable[str]) -> str:
    """What a server says, which may repeat what it was sent."""
    for secret in filter(None, secrets):
        text = text.replace(secret, "***")
    return text
