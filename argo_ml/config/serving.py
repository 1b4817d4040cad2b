"""Specs of the commands about policies in use."""

from __future__ import annotations

import re

from pydantic import Field, field_validator

from argo_ml.config.base import Spec, operational
from argo_ml.config.price_fields import NotNegative
from argo_ml.config.run_fields import StoreFields

_NAME = re.compile(r"[^/:.%\"'\\\s][^/:%\"'\\]*")
_ALIAS = re.compile(r"(?!v\d+$|latest$)[A-Za-z0-9_-]+")


class PolicyNameFields(Spec):
    """The registered model of a policy, and one of its versions."""

    name: str = Field("argo-policy", **operational("Registered model of the policy."))
    alias: str = Field("champion", **operational("Alias of its version, as in models:/NAME@ALIAS."))

    @field_validator("name")
    @classmethod
    def _registrable(cls, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise ValueError("is no name of a model; use letters, digits, - and _")
        return name

    @field_validator("alias")
    @classmethod
    def _usable_alias(cls, alias: str) -> str:
        if not _ALIAS.fullmatch(alias):
            raise ValueError("is no alias; use letters, digits, - and _, and neither latest nor v1")
        return alias


class PublishSpec(StoreFields, PolicyNameFields):
    """A policy of a finished sweep, and the name that it is to be served under."""

    sweep: str = Field(
        "",
        description="Run id of the sweep or replay that justifies the policy; empty for the "
        "latest finished sweep of yours in the experiment.",
    )
    advice: str = Field(
        "",
        description="Run id of an advice, whose strategy of every price range is published, in the "
        "place of a sweep.",
    )
    strategy: str = Field(
        "",
        description="Strategy to publish; empty: the one that its headline is about, at every "
        "price.",
    )
    replace: bool = Field(
        False, **operational("true: take the alias from the version that has it.")
    )
    default_price: NotNegative | None = Field(
        None,
        **operational(
            "Price of a retrieval where a request names none, in the unit of the sweep's prices; "
            "empty: the middle one of the sweep, or of those that the advice was asked about."
        ),
    )
    trace_sampling: float = Field(
        1.0,
        ge=0,
        le=1,
        **operational(
            "Share of served requests that are traced; MLFLOW_TRACE_SAMPLING_RATIO wins."
        ),
    )


class WatchSpec(StoreFields, PolicyNameFields):
    """A published policy whose served requests are looked at."""
