"""Where servers are, and the secrets that go with them: `redacted` text may be shown and kept."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import SplitResult, quote, unquote, urlsplit

OPENAI_KEY_VARIABLE = "OPENAI_API_KEY"
OPENAI_HOST = "api.openai.com"
_AZURE_OPENAI = (".openai.azure.com", ".services.ai.azure.com", ".cognitiveservices.azure.com")
KEY_FILE_VARIABLE = "ARGO_ML_API_KEY_FILE"
KEY_VARIABLES = ("ARGO_ML_API_KEY", KEY_FILE_VARIABLE, OPENAI_KEY_VARIABLE)
_EXAMPLE = "http://127.0.0.1:8000/v1"
_VERSION = "/v1"

HIDDEN = "PASSWORD"
"""What stands in the place of a password, or of a user name over HTTP that is one by itself."""
_USER_INFO = re.compile(
    r"\b(?!sqlite|file|models:/[^/])([A-Za-z][\w+.-]*:/{1,2})(?!/)([^\s\"'<>]*)@", re.IGNORECASE
)
_SECRET_SETTING = re.compile(
    r"([?&][\w.-]*(?:pass|pwd|secret|token|key|sig|auth|credential)[\w.-]*=)[^\s&#\"']+",
    re.IGNORECASE,
)
_HEADER = re.compile(
    r"(authorization[\"']*\s*[:=]\s*[\"']*(?:(?:bearer|basic)\s+)?)[^\s\"',}]+", re.IGNORECASE
)
_SECRET_VARIABLE = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|PASSWD)$")
_SHORTEST = 6
"""Characters of a secret that is looked for wherever it stands; shorter ones are words as well."""
_SHORTEST_IN_VALUES = 12
"""The same in a value that is read back, where a word such as ``ollama`` is a host or a folder."""
BLOTTED = "***"
"""What stands in the place of any other secret."""
_known: set[str] = set()


@dataclass(frozen=True, slots=True)
class Address:
    """``root`` is the URL without its ending ``/v1``; user and password stand apart from it.

    Only ``root`` is shown anywhere. ``has_version`` is false where the URL ended in another path,
    which may take the place of ``/v1``, as in ``https://host/v1beta/openai``.
    """

    root: str
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    has_version: bool = True

    def __str__(self) -> str:
        return self.root

    @classmethod
    def parse(cls, url: str) -> Address:
        """Raises ValueError that names ``url`` without its secrets."""
        parts = http_parts(url)
        if parts is None:
            raise ValueError(f"server_urls: {shown(url)} is no address such as {_EXAMPLE}")
        if "api-version" in parts.query:
            raise ValueError(
                f"server_urls: {shown(url)} takes nothing after its path; use the address of Azure "
                "that ends in /openai/v1, without api-version"
            )
        if parts.query or parts.fragment:
            raise ValueError(
                f"server_urls: {shown(url)} takes nothing after its path; put a key into "
                f"{KEY_VARIABLES[0]}"
            )
        place = host_in_url(parts)
        if parts.port is not None:
            place = f"{place}:{parts.port}"
        given = parts.path.rstrip("/")
        path = given.removesuffix(_VERSION)
        has_version = path != given or not path
        return cls(f"{parts.scheme}://{place}{path}", *credentials(url), has_version)

    @property
    def is_azure_openai(self) -> bool:
        return (urlsplit(self.root).hostname or "").endswith(_AZURE_OPENAI)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What a server that repeats what it was sent must not make us say."""
        header = basic_authentication(self.user, self.password)
        return (self.password, quote(self.password, safe=""), header) if self.user else ()


def http_parts(url: str) -> SplitResult | None:
    """The parts of an address over HTTP, with a usable host and port; None where it is none."""
    try:
        parts = urlsplit(url)
        has_place = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return None
    return parts if has_place and parts.scheme in ("http", "https") else None


def host_in_url(parts: SplitResult) -> str:
    """The host as a URL has it: numbers of IPv6 in brackets."""
    host = parts.hostname or ""
    return f"[{host}]" if ":" in host else host


def shown(url: str) -> str:
    """``url`` without user, password and query, however it is spelled."""
    scheme, separator, rest = url.partition("://") if "://" in url else ("", "", url)
    ends = [rest.index(mark) for mark in "?#" if mark in rest]
    if "@" in rest:
        # Which of the marks belong to the password cannot be told.
        rest = "..." if ends else rest.rpartition("@")[2]
    return f"{scheme}{separator}{rest[: min(ends)] if ends else rest}"


def credentials(url: str) -> tuple[str, str]:
    """User and password of a URL, as they are sent; empty where it has none."""
    parts = urlsplit(url)
    return unquote(parts.username or ""), unquote(parts.password or "")


def basic_authentication(user: str, password: str) -> str:
    """What stands behind ``Basic`` in the header of a request (RFC 7617)."""
    return base64.b64encode(f"{user}:{password}".encode()).decode()


def learn_secrets(text: str) -> None:
    """Let `redacted` know the passwords of the URLs in a parameter, wherever they turn up."""
    for match in _USER_INFO.finditer(text):
        user, separator, password = match[2].partition(":")
        if separator or _is_token(match):
            _known.update(_spellings(user, password if separator else user))


def learn_key(key: str) -> None:
    """Let `redacted` know a key that no environment variable holds."""
    if len(key) >= _SHORTEST:
        _known.add(key)


def redacted(text: str) -> str:
    """Text as it may be shown, logged and stored: without passwords and keys.

    Those of URLs and headers are known by their place, those of parameters and of environment
    variables by what they are.
    """
    return _redacted(text, _SHORTEST)


def redacted_value(text: str) -> str:
    """The `redacted` form of a parameter that is read back: it is whole where a short secret is
    also a word in it."""
    return _redacted(text, _SHORTEST_IN_VALUES)


def _redacted(text: str, shortest: int) -> str:
    if "@" in text:
        text = _USER_INFO.sub(_without_user_info, text)
    if "=" in text or ":" in text:
        text = _HEADER.sub(rf"\g<1>{HIDDEN}", _SECRET_SETTING.sub(rf"\g<1>{HIDDEN}", text))
    if len(text) < shortest or text.isspace():
        return text
    secrets = {*_known, *_keys(tuple(os.environ.items()))}
    return without(text, (secret for secret in secrets if len(secret) >= shortest))


def without(text: str, secrets: Iterable[str]) -> str:
    """What a server says, which may repeat what it was sent."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, BLOTTED)
    return text


def lacks_password(url: str) -> bool:
    """Whether this is the `redacted` form of a URL, which a run has kept."""
    return f"{HIDDEN}@" in url


def password_advice(name: str, url: str) -> str:
    """What to do where a parameter is as a run has kept it; empty where it is not."""
    if not lacks_password(url):
        return ""
    variable = f"ARGO_ML_{name.upper()}"
    return f"{name}={url}: was kept without its password; give {name} again, or set {variable}"


def _without_user_info(match: re.Match[str]) -> str:
    user, separator, _ = match[2].partition(":")
    if separator:
        return f"{match[1]}{user}:{HIDDEN}@"
    return f"{match[1]}{HIDDEN}@" if _is_token(match) else match[0]


def _is_token(match: re.Match[str]) -> bool:
    """Whether a user without a password may be one: over HTTP, while databases know theirs."""
    return match[1].rstrip(":/").lower().endswith(("http", "https"))


def _spellings(user: str, password: str) -> Iterator[str]:
    """A password as it is written, quoted, unquoted, and in the header of a request."""
    plain = unquote(password)
    if plain == HIDDEN:
        return
    header = basic_authentication(unquote(user), plain)
    spellings = (password, plain, quote(plain, safe=""), header)
    yield from (text for text in spellings if len(text) >= _SHORTEST)


@lru_cache(maxsize=8)
def _keys(environment: tuple[tuple[str, str], ...]) -> frozenset[str]:
    """The secrets among environment variables; a path names a file of one."""
    for _, value in environment:
        if "@" in value and "://" in value:
            learn_secrets(value)
    keys = (value.strip() for name, value in environment if _is_key(name, value))
    return frozenset(key for key in keys if len(key) >= _SHORTEST)


def _is_key(name: str, value: str) -> bool:
    is_secret = len(value) >= _SHORTEST and _SECRET_VARIABLE.search(name)
    return bool(is_secret) and not value.startswith(("/", "~"))


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
