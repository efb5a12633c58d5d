"""Loads a file written for a platform: the platform's names are its globals before its first line runs."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from quant.core.errors import Location
from quant.trading.strategies.errors import StrategyLoadError
from quant.trading.strategies.guard import Guard
from quant.trading.strategies.loading import load_sources, locate
from quant.trading.strategies.platforms.host import Host, installed
from quant.trading.strategies.platforms.joinquant import JoinQuant
from quant.trading.strategies.platforms.ricequant import RiceQuant
from quant.trading.strategies.platforms.terms import Terms

PLATFORMS: Final[Mapping[str, type[Host]]] = {"joinquant": JoinQuant, "ricequant": RiceQuant}
_MAIN: Final = {
    "joinquant": ("initialize",),
    "ricequant": ("init", "handle_bar", "before_trading", "open_auction"),
}


def load_platform(
    root: Path, entry: str, style: str, params: Mapping[str, Any] | None = None, *, terms: Terms
) -> Host:
    """The file behind ``entry`` (``strategies.my_file``); ``params`` replace its constants of these names.

    Raises:
        StrategyLoadError: a malformed entry, no such file, code that fails to load, wrong params.
    """
    folder, file, parts = locate(root, entry, "")
    where = Location(file.relative_to(folder.parent).as_posix())
    host = PLATFORMS[style](terms, Guard(folder, parts[-1]))
    finder = _Finder(host.names())
    sys.meta_path.insert(0, finder)
    try:
        with installed(host.modules()):
            module, host.fingerprint = load_sources(folder, parts, finder.watch)
    finally:
        sys.meta_path.remove(finder)
    if not any(callable(getattr(module, name, None)) for name in _MAIN[style]):
        raise StrategyLoadError(
            "strategy.entry",
            f"the file has no function {' or '.join(_MAIN[style])}",
            where=where,
            expected=f"a file written for {host.platform}",
            hint="a class is declared as strategies.FILE:CLASS without style",
        )
    for name, value in (params or {}).items():
        if not hasattr(module, name) or name in host.names():
            raise StrategyLoadError(
                "strategy.params",
                f"the file has no constant {name!r} to replace",
                where=where,
                expected=", ".join(_constants(module, host)) or "a file with constants",
                found=name,
            )
        setattr(module, name, value)
    host.module = module
    return host


def _constants(module: ModuleType, host: Host) -> list[str]:
    known = host.names()
    plain = (str, int, float, bool, list, tuple, dict)
    return [n for n, v in vars(module).items() if n not in known and n[0] != "_" and type(v) in plain]


class _Loader(SourceFileLoader):
    """Puts the platform's names into a module before its first line runs."""

    def __init__(self, name: str, path: str, names: Mapping[str, Any]) -> None:
        super().__init__(name, path)
        self._names = names

    def exec_module(self, module: ModuleType) -> None:
        vars(module).update(self._names)
        super().exec_module(module)


@dataclass
class _Finder:
    """Finds the modules of one private package of strategies."""

    names: Mapping[str, Any]
    package: str = "\0"

    def watch(self, package: str) -> None:
        """The package that is loading now."""
        self.package = package
        importlib.invalidate_caches()

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not name.startswith(f"{self.package}."):
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(name, spec.loader.path, self.names)
        return spec
