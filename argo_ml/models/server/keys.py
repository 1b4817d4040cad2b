"""Keys of model servers: which server gets which."""

from __future__ import annotations

import contextlib
import ipaddress
import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from argo_ml.addresses import KEY_VARIABLES, OPENAI_HOST, OPENAI_KEY_VARIABLE, Address
from argo_ml.errors import ConfigError


def api_key(address: Address, environment: Mapping[str, str] = os.environ) -> str:
    """The key for this server; empty where none is set.

    OPENAI_API_KEY is for OpenAI's own host, ARGO_ML_API_KEY for any. Raises `ConfigError` for a key
    that no HTTP header can carry, or that would be readable on its way.
    """
    host = urlsplit(address.root).hostname or ""
    for name in KEY_VARIABLES:
        key = environment.get(name, "").strip()
        if not key or (name == OPENAI_KEY_VARIABLE and host != OPENAI_HOST):
            continue
        if not key.isascii() or not key.isprintable() or " " in key:
            raise ConfigError(f"{name} holds white space or other characters that no key has")
        if address.root.startswith("http://") and not is_loopback(host):
            raise ConfigError(
                f"server_urls: {address} would get the key of {name} over plain http, readable for "
                f"all on the way; use https, an ssh tunnel to 127.0.0.1, or unset {name}"
            )
        return key
    return ""


def is_loopback(host: str) -> bool:
    """Whether this machine itself is meant; no proxy is asked for what is there."""
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost" or host.endswith(".localhost")
