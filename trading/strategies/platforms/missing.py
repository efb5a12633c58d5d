"""Names of a platform that are not offered here: using one says so, with what to use in its place."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

from quant.trading.strategies.errors import StrategyError


class Missing:
    """Stands for a function, class or object of the platform; any use of it is a StrategyError."""

    def __init__(self, platform: str, name: str, instead: str) -> None:
        self.__dict__.update(_platform=platform, _name=name, _instead=instead)

    def __call__(self, *_args: Any, **_named: Any) -> Any:
        raise self._error()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise self._error()

    def __setattr__(self, name: str, value: Any) -> None:
        raise self._error()

    def _error(self) -> StrategyError:
        return StrategyError(
            "platform.missing",
            f"{self._name} of {self._platform} is not offered here",
            found=self._name,
            hint=self._instead or "see docs/strategies-platforms.md for what is",
        )


def missing(platform: str, names: Mapping[str, str]) -> dict[str, Missing]:
    """A stand-in for each name; the values say what to use instead."""
    return {name: Missing(platform, name, instead) for name, instead in names.items()}


class Shim(ModuleType):
    """A module of the platform by another name; a name it lacks is an ImportError that says what it has."""

    def __init__(self, name: str, names: Mapping[str, Any]) -> None:
        super().__init__(name)
        self.__dict__.update(names)
        self.__all__ = sorted(n for n in names if not n.startswith("_"))
        self.__path__: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise ImportError(f"{self.__name__} has no {name!r} here", name=self.__name__)
