"""What all kinds share: a header, frozen models, no unknown keys."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from quant.specs.schema.values import Name, Text


class Part(BaseModel):
    """A mapping inside a document."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, protected_namespaces=(), hide_input_in_errors=True, defer_build=True
    )
    not_enforced: ClassVar[dict[str, str]] = {}
    """Keys other systems know and this version does not enforce, with what to do instead. Giving one is an
    error, never a silent comment."""


class Header(Part):
    """What every document begins with."""

    api_version: Annotated[Literal["quant/v1"], Field(alias="apiVersion")]
    """The version of the language."""
    kind: str
    """What the document describes."""
    name: Name
    """The name other documents use."""
    description: Text = ""
    """Words for people; they never change a result."""


class Spec(Header):
    """The header of every document that can start from others."""

    defaults: Annotated[list[Any], Field(exclude=True)] = []
    """Documents this one starts from, composed before its own keys; `_self_` stands for its own keys."""
