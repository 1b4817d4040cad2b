"""Keys of model servers: which server gets which."""

from __future__ import annotations

import contextlib
import ipaddress
import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from argo_ml.addresses import (
    KEY_FILE_VARIABLE,
    KEY_VARIABLES,
    OPENAI_HOST,
    OPENAI_KEY_VARIABLE,
    Address,
    learn_key,
)
from argo_ml.config import expanded
from argo_ml.errors import ConfigError, system_reason


def api_key(address: Address, environment: Mapping[str, str] = os.environ) -> str:
    """The key for this server; empty where none is set, or user and password are sent instead.

    OPENAI_API_KEY is for OpenAI's own host, ARGO_ML_API_KEY for any, and so is the key in the file
    that ARGO_ML_API_KEY_FILE names. Raises `ConfigError` for a file that cannot be read, a key that
    no HTTP header can carry, and for one or a password that would be readable on its way.
    """
    if address.user:
        _check_unreadable(address, "its user and password", "leave them out")
        return ""
    host = urlsplit(address.root).hostname or ""
    for name in KEY_VARIABLES:
        key = environment.get(name, "").strip()
        if key and name == KEY_FILE_VARIABLE:
            key = _read(key)
        if not key or (name == OPENAI_KEY_VARIABLE and host != OPENAI_HOST):
            continue
        if not key.isascii() or not key.isprintable() or " " in key:
            raise ConfigError(f"{name} holds white space or other characters that no key has")
        _check_unreadable(address, f"the key of {name}", f"unset {name}")
        return key
    return ""


def key_advice(environment: Mapping[str, str] = os.environ) -> str:
    """What helps against a key that a server does not take."""
    variable, file_variable, _ = KEY_VARIABLES
    is_in_file = environment.get(file_variable, "").strip()
    if is_in_file and not environment.get(variable, "").strip():
        return f"put a key that it takes into the file that {file_variable} names"
    return f"set {variable} to a key that it takes"


def _read(path: str) -> str:
    try:
        file = expanded(path, KEY_FILE_VARIABLE)
        key = file.read_text("utf-8", errors="replace").strip()
    except OSError as error:
        reason = system_reason(error)
        raise ConfigError(f"{KEY_FILE_VARIABLE}={path}: cannot be read ({reason})") from None
    learn_key(key)
    return key


def _check_unreadable(address: Address, secret: str, otherwise: str) -> None:
    """Raises `ConfigError` where what is sent with each request could be read on its way."""
    host = urlsplit(address.root).hostname or ""
    if address.root.startswith("http://") and not is_loopback(host):
        raise ConfigError(
            f"server_urls: {address} would get {secret} over plain http, readable for all on the "
            f"way; use https, an ssh tunnel to 127.0.0.1, or {otherwise}"
        )


def is_loopback(host: str) -> bool:
    """Whether this machine itself is meant; no proxy is asked for what is there."""
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost" or host.endswith(".localhost")
