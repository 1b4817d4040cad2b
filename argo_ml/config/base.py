"""What every spec has: strict fields, empty values as «not set», and errors that name the value.

Every field is a parameter of an MLflow entry point and a command-line option of the same name; its
description is the option's help. An unknown key or a bad value raises `ConfigError`.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)
from pydantic.fields import FieldInfo

from argo_ml.addresses import learn_secrets, redacted
from argo_ml.errors import ConfigError, one_line, system_reason
from argo_ml.parsing import LARGEST_YAML, MalformedError, parse_yaml, read_bytes


def split_commas(value: object) -> object:
    """A list as it was given: as text with commas, as values, or as the only one of them."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return (value,) if is_number else value


def is_unset(value: object) -> bool:
    """Whether a value means «not set»: an array has no truth value."""
    return value is None or (isinstance(value, str) and not value)


def _plain(value: object) -> object:
    """Numbers and arrays of NumPy and pandas as Python's."""
    return value.tolist() if hasattr(value, "tolist") else value


Names = Annotated[tuple[str, ...], BeforeValidator(split_commas)]
PriceList = Annotated[
    tuple[Annotated[float, Field(gt=0, allow_inf_nan=False)], ...], BeforeValidator(split_commas)
]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Probability = Annotated[float, Field(gt=0, le=1)]


def operational(description: str) -> Any:
    """Keyword arguments of a field that cannot change any number of a result."""
    return {"description": description, "json_schema_extra": {"operational": True}}


def left_out_at_default(description: str) -> Any:
    """Keyword arguments of a field of a later version: what is stored without it, identities
    among it, is what it was before there was any."""
    return {"description": description, "json_schema_extra": {"left_out_at_default": True}}


class HelpSection(Enum):
    """Titles under which help texts and documentation show parameters, in their order."""

    MOST_USED = "Most used"
    COMMAND = "Options"
    STRATEGIES = "Strategies and prices"
    MONEY = "Prices in your own unit"
    QUESTIONS = "Questions"
    DOCUMENTS = "Documents"
    MODEL = "Model"
    SERVERS = "Model servers"
    EPISODE = "Episode"
    PROCESS = "Decision process"
    CALIBRATION = "Looking at the question"
    STRATEGY_SETTINGS = "Settings of single strategies"
    SEARCH = "Search"
    RANGES = "Ranges of the search"
    TRACKING = "Tracking and cache"
    EXECUTION = "Execution"


class Spec(BaseModel):
    """Base of all specs and groups; an empty string means «not set», as MLflow passes it.

    ``section`` is where the fields that a class declares are shown, ``most_used`` are the fields of
    a command that most people need, in their order, ``refused`` says of a parameter that other
    commands take what to do instead, and ``renamed`` what it is called here.
    """

    section: ClassVar[HelpSection] = HelpSection.COMMAND
    most_used: ClassVar[tuple[str, ...]] = ()
    refused: ClassVar[Mapping[str, str]] = MappingProxyType({})
    renamed: ClassVar[Mapping[str, str]] = MappingProxyType({})

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    @property
    def opens_model(self) -> bool:
        """Whether ``model`` is to be opened, and no mere title."""
        return False

    @model_validator(mode="before")
    @classmethod
    def _drop_unset(cls, values: object) -> object:
        if isinstance(values, dict):
            _check_text(values)
            _learn_secrets(values)
            return {name: _plain(value) for name, value in values.items() if not is_unset(value)}
        return values

    def unread(self) -> Iterator[tuple[str, str]]:
        """Parameters that nothing reads beside the others as they are, each with the reason."""
        yield from ()

    @model_serializer(mode="wrap")
    def _leave_out_later(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values: dict[str, Any] = serialize(self)
        fields = type(self).model_fields
        later = [name for name in values if _is_later(fields[name])]
        for name in later:
            if getattr(self, name) == fields[name].default:
                del values[name]
        return values


def _is_later(field: FieldInfo) -> bool:
    extra = field.json_schema_extra
    return isinstance(extra, dict) and bool(extra.get("left_out_at_default"))


def _learn_secrets(values: Mapping[str, object]) -> None:
    for name, value in values.items():
        # The one address that comes without a scheme.
        scheme = "ray://" if name == "ray_address" else ""
        for text in value if isinstance(value, (list, tuple)) else (value,):
            if isinstance(text, (str, Path)) and "@" in str(text):
                learn_secrets(f"{scheme}{text}")


def _check_text(values: Mapping[str, object]) -> None:
    """Raises ValueError for a value that is no text to anybody else, such as MLflow's database."""
    for name, value in values.items():
        try:
            if isinstance(value, (str, Path)):
                str(value).encode()
        except UnicodeEncodeError:
            shown = str(value).encode(errors="backslashreplace").decode()
            raise ValueError(f"{name}={shown}: is not UTF-8; rename the file or folder") from None


_HOME_PATHS = frozenset(
    {
        *("cache_dir", "documents", "questions", "outcomes", "calibration_outcomes", "calibration"),
        *("model", "embedding_model", "reranker", "engine_path", "source", "output"),
    }
)
"""Fields that may be a path below somebody's home."""
SHOWN = 400
"""Characters of a bad value that an error shows."""

CLEARER: Mapping[str, str] = MappingProxyType({"bool_parsing": "input should be true or false"})
"""What would do, by the type of an error of pydantic's whose message does not say it."""

STRATEGIES_ARE_POLICIES: Mapping[str, str] = MappingProxyType({"strategies": "policies"})

SpecType = TypeVar("SpecType", bound=Spec)


def identity_fields(spec: Spec) -> dict[str, Any]:
    """Fields that can change a result, as JSON values."""
    return {
        name: value
        for name, value in spec.model_dump(mode="json").items()
        if not is_operational(type(spec).model_fields[name])
    }


def shared_fields(spec: Spec, other: type[Spec]) -> dict[str, Any]:
    """The values of those fields of ``spec`` that specs of type ``other`` have too."""
    return {
        name: getattr(spec, name) for name in type(spec).model_fields if name in other.model_fields
    }


def is_operational(field: FieldInfo) -> bool:
    extra = field.json_schema_extra
    return isinstance(extra, dict) and bool(extra.get("operational"))


def unknown_parameter(name: str, spec_type: type[Spec]) -> str:
    """The error message for a parameter that ``spec_type`` does not take."""
    if name in spec_type.refused:
        return f"parameter {name!r} is not taken here: {spec_type.refused[name]}"
    if name in spec_type.renamed:
        return f"parameter {name!r} is called {spec_type.renamed[name]!r} here"
    return f"parameter {name!r} is unknown{suggest(name, spec_type.model_fields)}"


MOST_LISTED = 60


def suggest(name: str, known: Mapping[str, object]) -> str:
    """The tail of an error message: the nearest known name, then all of them.

    Where one is near, more than a screen can show are left out.
    """
    near = difflib.get_close_matches(name, known, n=1)
    if near and len(known) > MOST_LISTED:
        return f"; did you mean {near[0]!r}? --help lists all"
    hint = f"; did you mean {near[0]!r}?" if near else ";"
    return f"{hint} known: {', '.join(known)}"


def shown_value(value: object) -> str:
    """A parameter's value as a user writes it."""
    if isinstance(value, tuple):
        return ",".join(map(shown_value, value))
    return str(value).removesuffix(".0") if isinstance(value, float) else str(value)


def refuse_unread(spec: Spec, given: Collection[str]) -> None:
    """Raises `ConfigError` for a parameter among ``given`` that changes nothing beside the others.

    For what a user gives now: what runs have stored may have some, and stays readable. What goes on
    with something that was begun has most of its parameters there.
    """
    for name, reason in () if is_resumed(spec) else spec.unread():
        if name in given and is_set(spec, name):
            raise ConfigError(f"{name}={shown_value(getattr(spec, name))} {reason}")


LATEST = "latest"
"""A ``resume`` without a run id: the newest run of the same command. It may have to begin one, so
that it gives all parameters."""


def is_resumed(spec: Spec) -> bool:
    """Whether the spec names a run that has most of its parameters."""
    return getattr(spec, "resume", "") not in ("", LATEST)


def is_set(spec: Spec, name: str) -> bool:
    """Whether a field has another value than the default."""
    return bool(getattr(spec, name) != type(spec).model_fields[name].default)


def check_homes(spec: Spec) -> None:
    """Raises `ConfigError` for a path of ``spec`` that begins with a home that there is not."""
    titles = () if spec.opens_model else ("model",)
    for name in _HOME_PATHS.intersection(type(spec).model_fields).difference(titles):
        expanded(str(getattr(spec, name)), name)


def expanded(path: str, name: str) -> Path:
    """A path of the parameter ``name`` with its ``~`` replaced.

    Raises `ConfigError` where it names a user that there is not.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        user, _, rest = path.removeprefix("~").partition("/")
        wanted = f"there is no user {user}; write ~/{user}" if user else "there is no home folder"
        raise ConfigError(f"{name}={path}: {wanted}{rest and f'/{rest}'}") from None


def not_read_with(other: str) -> str:
    """The reason of a parameter that is not read beside another."""
    return f"is not read with {other}; leave one out"


def check_unrepeated(name: str, values: Sequence[object]) -> None:
    """Raises ValueError where a value of the parameter ``name`` is given twice."""
    if len(set(values)) != len(values):
        raise ValueError(f"{name}={shown_value(tuple(values))} repeats a value")


def build(spec_type: type[SpecType], values: Mapping[str, object]) -> SpecType:
    """Validate ``values``; a `ConfigError` names every offending one on one line."""
    strange = next((name for name in values if not isinstance(name, str)), None)
    if strange is not None:
        raise ConfigError(f"parameter {strange!r} is not a name")
    try:
        return spec_type(**values)
    except ValidationError as error:
        lines = [_explain(spec_type, problem) for problem in error.errors()]
        raise ConfigError("; ".join(dict.fromkeys(lines))) from None


def _explain(spec_type: type[Spec], problem: Any) -> str:
    name = str(problem["loc"][0]) if problem["loc"] else ""
    if problem["type"] == "extra_forbidden":
        return unknown_parameter(name, spec_type)
    message = CLEARER.get(problem["type"], problem["msg"].removeprefix("Value error, "))
    if not name:
        return str(message)
    given = redacted(one_line(str(problem["input"])))[:SHOWN]
    return f"{name}={given}: {message[0].lower()}{message[1:]}"


def read_params(path: Path, name: str = "params") -> dict[str, object]:
    """Parameters from a YAML or JSON file (JSON is YAML) that the parameter ``name`` gives."""
    try:
        values = parse_yaml(read_bytes(path, LARGEST_YAML))
    except OSError as error:
        raise ConfigError(f"{name}={path}: cannot be read ({system_reason(error)})") from None
    except MalformedError as error:
        raise ConfigError(f"{name}={path}: {error}") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{name}={path}: must hold parameter: value pairs")
    return values
