"""Where servers are: their URLs, and the secrets that go with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

OPENAI_KEY_VARIABLE = "OPENAI_API_KEY"
OPENAI_HOST = "api.openai.com"
KEY_VARIABLES = ("ARGO_ML_API_KEY", OPENAI_KEY_VARIABLE)
_EXAMPLE = "http://127.0.0.1:8000/v1"
_VERSION = "/v1"


@dataclass(frozen=True, slots=True)
class Address:
    """``root`` is the URL without its ending ``/v1``; user and password stand apart from it.

    Only ``root`` is shown anywhere.
    """

    root: str
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    def __str__(self) -> str:
        return self.root

    @classmethod
    def parse(cls, url: str) -> Address:
        """Raises ValueError that names ``url`` without its secrets."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port = None, None
        if not host or parts.scheme not in ("http", "https"):
            raise ValueError(f"server_urls: {shown(url)} is no address such as {_EXAMPLE}")
        if parts.query or parts.fragment:
            raise ValueError(
                f"server_urls: {shown(url)} takes nothing after its path; put a key into "
                f"{KEY_VARIABLES[0]}"
            )
        place = f"[{host}]" if ":" in host else host
        if port is not None:
            place = f"{place}:{port}"
        path = parts.path.rstrip("/").removesuffix(_VERSION)
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        return cls(f"{parts.scheme}://{place}{path}", user, password)


def shown(url: str) -> str:
    """``url`` without user, password and query, however it is spelled."""
    scheme, separator, rest = url.partition("://") if "://" in url else ("", "", url)
    ends = [rest.index(mark) for mark in "?#" if mark in rest]
    if "@" in rest:
        # Which of the marks belong to the password cannot be told.
        rest = "..." if ends else rest.rpartition("@")[2]
    return f"{scheme}{separator}{rest[: min(ends)] if ends else rest}"


def check_names(model: str, urls: Sequence[str]) -> None:
    """Raises ValueError where ``model`` names an address, or there are no usable ``urls``."""
    if "://" in model:
        raise ValueError(
            "model=server:NAME takes the name that the server gives its model; "
            "the address goes into server_urls"
        )
    if not urls:
        raise ValueError(f"model={model} needs server_urls={_EXAMPLE} or another address")
    roots = [Address.parse(url).root for url in urls]
    for root in roots:
        if roots.count(root) > 1:
            raise ValueError(f"server_urls names {root} twice")
