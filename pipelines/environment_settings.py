"""Settings given in the environment: which there are, and what values they take.

A misspelt name or a value of the wrong kind is an error, as it is in quant.toml.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Annotated, Any, Final

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from quant.core.errors import UsageError
from quant.specs.schema.model import Part
from quant.specs.schema.project import (
    ClickHouseSettings,
    EngineSettings,
    Paths,
    Profile,
    ProjectDefaults,
    ReportSettings,
    StorageSettings,
)

_SECTIONS: Final[Mapping[str, type[Part]]] = {
    "paths": Paths,
    "defaults": ProjectDefaults,
    "report": ReportSettings,
    "engine": EngineSettings,
    "storage": StorageSettings,
    "clickhouse": ClickHouseSettings,
}
_PRIVATE: Final = ("storage", "clickhouse")
"""Their values may be credentials by mistake, which no error repeats."""
_OF_A_PROFILE: Final = {"from": "from_", "to": "to"}


def known_settings() -> Mapping[str, FieldInfo]:
    """Every setting that the environment may give. What a profile is made of (its sources and their folders)
    is not among them: it decides which data lie in the profile's lake.
    """
    sections = {
        f"{head}.{name}": info for head, part in _SECTIONS.items() for name, info in part.model_fields.items()
    }
    return {**sections, **{name: Profile.model_fields[field] for name, field in _OF_A_PROFILE.items()}}


def checked(key: str, value: str, variable: str) -> Any:
    """The value of a setting as quant.toml would hold it.

    Raises UsageError ``setting.unknown`` and ``setting.value``, with the variable it stands in.
    """
    known = known_settings()
    info = known.get(key)
    if info is None:
        near = get_close_matches(key, known, n=1)
        meant = f"did you mean QUANT__{near[0].upper().replace('.', '__')}? " if near else ""
        raise UsageError(
            "setting.unknown",
            f"{variable} is no setting",
            expected=", ".join(sorted(known)),
            found=key,
            hint=f"{meant}quant config show lists the settings; unset {variable}",
        )
    kind: Any = info.annotation
    for rule in info.metadata:
        kind = Annotated[kind, rule]
    try:
        return _plain(TypeAdapter[Any](kind).validate_python(_scalar(value)))
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        raise UsageError(
            "setting.value",
            f"{variable}: {first['msg']}",
            expected=str(first.get("ctx", {}).get("expected", info.annotation)),
            found=None if key.split(".")[0] in _PRIVATE else value,
        ) from None


def _scalar(value: str) -> Any:
    """A number or a truth value as such, all else as text."""
    try:
        found = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return value
    return found if isinstance(found, bool | int) else value


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value
