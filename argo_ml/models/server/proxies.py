"""Proxies that the environment names: can they be used."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from urllib.request import proxy_bypass

from argo_ml.errors import ConfigError
from argo_ml.models.server.keys import is_loopback

VARIABLES = ("all_proxy", "http_proxy", "https_proxy")
"""In small or large letters."""


def is_past_proxies(host: str) -> bool:
    """Whether a host is asked without a proxy that the environment names.

    ``NO_PROXY`` names those that are, so that a proxy which cannot be used does not matter to them.
    A proxy cannot reach this machine itself, and would read the key.
    """
    return is_loopback(host) or bool(proxy_bypass(host))


@contextlib.contextmanager
def usable_proxies() -> Iterator[None]:
    """Raises `ConfigError` that names the variable where a client cannot use its proxy."""
    try:
        yield
    except (ImportError, ValueError):
        names = unusual_proxies(os.environ)
        if not names:
            raise
        raise ConfigError(
            f"{', '.join(names)}: names no http or https proxy; pip install socksio for one that "
            "speaks socks5, or unset it"
        ) from None


def unusual_proxies(environment: Mapping[str, str]) -> list[str]:
    """Variables whose proxies speak neither http nor https."""
    schemes = {
        name: value.partition("://")[0].lower()
        for name, value in environment.items()
        if name.lower() in VARIABLES and "://" in value
    }
    return sorted(name for name, scheme in schemes.items() if scheme not in ("http", "https"))
