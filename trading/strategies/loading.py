"""Loads a user's strategy class from the workspace's strategies folder, by a declared ``module:Class``.

The folder becomes a private package of its own, so its files import each other relatively
(``from .signals import slope``) and neither ``sys.path`` nor the import name ``strategies`` is touched.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from quant.core.errors import Location
from quant.trading.strategies.errors import StrategyLoadError, describe, place_in
from quant.trading.strategies.python import PythonStrategy

_ENTRY: Final = re.compile(r"([^\W\d]\w*)((?:\.[^\W\d]\w*)+)(?::([^\W\d]\w*))?", re.ASCII)


def load_strategy(root: Path, entry: str, params: Mapping[str, Any] | None = None) -> PythonStrategy:
    """An instance of the class behind ``entry`` (``strategies.ma:DoubleMA``), made with ``params``.

    The first part of the entry is the folder below ``root`` that its file lies in, at any depth.
    Every call loads the code anew. ``fingerprint`` of the result covers every file that was loaded.

    Raises:
        StrategyLoadError: a malformed entry, no such file or class, code that fails to load, wrong params.
    """
    folder, file, parts = locate(root, entry, "Class")
    module, fingerprint = load_sources(folder, parts)
    where = Location(file.relative_to(folder.parent).as_posix())
    chosen = _class(module, entry.rpartition(":")[2], where)
    instance = _instance(folder, chosen, dict(params or {}), where)
    return PythonStrategy(instance, folder=folder, fingerprint=fingerprint)


def locate(root: Path, entry: str, named: str) -> tuple[Path, Path, list[str]]:
    """The folder, the file and the module path below the folder of ``entry``; ``named`` = what it must name.

    Raises StrategyLoadError.
    """
    match = _ENTRY.fullmatch(entry)
    if match is None or (match[3] is None) is not (named == ""):
        raise StrategyLoadError(
            "strategy.entry",
            f"{entry!r} is not a strategy entry",
            expected="strategies.<module>" + (f":<{named}>" if named else ""),
            found=entry,
        )
    folder = (root / match[1]).resolve()
    parts = match[2].lstrip(".").split(".")
    file = folder.joinpath(*parts).with_suffix(".py")
    if not file.is_file() or not file.resolve().is_relative_to(folder):
        raise StrategyLoadError(
            "strategy.missing",
            f"there is no file for {entry!r}",
            expected=file.relative_to(folder.parent).as_posix(),
            hint=_others(folder),
        )
    return folder, file, parts


def load_sources(
    folder: Path, parts: list[str], watch: Callable[[str], None] | None = None
) -> tuple[ModuleType, str]:
    """The module, loaded anew, and the fingerprint of every file that was loaded.

    ``watch`` is told the name of the private package before anything loads. Raises StrategyLoadError.
    """
    with _package(folder) as package:
        if watch is not None:
            watch(package)
        module = _load(folder, f"{package}.{'.'.join(parts)}")
        sources = [
            m.__file__
            for name, m in sorted(sys.modules.items())
            if name.startswith(f"{package}.") and getattr(m, "__file__", None)
        ]
    return module, _fingerprint(folder, sources)


@contextlib.contextmanager
def _package(folder: Path) -> Iterator[str]:
    """A private package over ``folder`` while its modules load; its modules leave ``sys.modules`` after."""
    name = "_quant_strategies_" + hashlib.sha256(str(folder).encode()).hexdigest()[:12]
    _forget(name)
    package = ModuleType(name)
    package.__path__ = [str(folder)]
    package.__spec__ = ModuleSpec(name, None, is_package=True)
    sys.modules[name] = package
    bytecode, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    importlib.invalidate_caches()
    try:
        yield name
    finally:
        sys.dont_write_bytecode = bytecode
        _forget(name)


def _forget(package: str) -> None:
    for name in [n for n in sys.modules if n == package or n.startswith(f"{package}.")]:
        del sys.modules[name]


_ELSEWHERE: Final = {
    "jqlib": "jqlib exists at JoinQuant only: compute it with NumPy or pandas from attribute_history",
    "jqfactor": "jqfactor exists at JoinQuant only: declare the factor in the spec language",
    "rqdatac": "a strategy reads no vendor: history_bars, get_price and instruments have the data of the run",
    "rqfactor": "rqfactor exists at RiceQuant only: declare the factor in the spec language",
    "jqdatasdk": "a strategy reads no vendor: attribute_history, get_price have the data of the run",
    "tushare": "a strategy reads no vendor: quant data sync brings its data into the lake",
    "talib": "install TA-Lib into the environment of quant, or compute it with NumPy or pandas",
}


def _absent(module: str | None) -> str | None:
    """What to do about a module that there is not."""
    top = (module or "").split(".")[0]
    if not top:
        return None
    return _ELSEWHERE.get(top, f"install {top} into the environment of quant, or write the file without it")


def _load(folder: Path, name: str) -> ModuleType:
    try:
        with contextlib.redirect_stdout(sys.stderr):
            return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        wanted = error.name if isinstance(error, ModuleNotFoundError) else None
        neighbour = (wanted or "").split(".")[0] == folder.name
        hint = "import a neighbour file with 'from .name import …'" if neighbour else _absent(wanted)
        raise StrategyLoadError(
            "strategy.import",
            f"the strategy cannot be loaded: {describe(error)}",
            where=place_in(folder, error),
            hint=hint,
        ) from error


def _class(module: ModuleType, name: str, where: Location) -> type[Any]:
    found = getattr(module, name, None)
    local = {n for n, v in vars(module).items() if inspect.isclass(v) and v.__module__ == module.__name__}
    if not inspect.isclass(found):
        raise StrategyLoadError(
            "strategy.class",
            f"the file has no class {name!r}",
            where=where,
            found=name,
            expected=", ".join(sorted(local)) or "a class",
        )
    if not callable(getattr(found, "decide", None)):
        raise StrategyLoadError(
            "strategy.class",
            f"{name} has no method decide(self, view)",
            where=_line(found, where),
            expected="def decide(self, view)",
        )
    return found


def _instance(folder: Path, chosen: type[Any], params: dict[str, Any], where: Location) -> Any:
    try:
        inspect.signature(chosen).bind(**params)
    except TypeError as error:
        raise StrategyLoadError(
            "strategy.params",
            f"{chosen.__name__} does not take these params: {error}",
            where=_line(chosen, where),
            expected=f"{chosen.__name__}{inspect.signature(chosen)}",
            found=", ".join(params) or "none",
        ) from error
    try:
        with contextlib.redirect_stdout(sys.stderr):
            return chosen(**params)
    except (Exception, SystemExit) as error:
        raise StrategyLoadError(
            "strategy.params",
            f"{chosen.__name__} cannot be made: {describe(error)}",
            where=place_in(folder, error) or where,
        ) from error


def _line(chosen: type[Any], where: Location) -> Location:
    code = getattr(vars(chosen).get("__init__"), "__code__", None)
    return Location(where.file, code.co_firstlineno) if code is not None else where


def _others(folder: Path) -> str:
    if not folder.is_dir():
        return f"make the folder {folder.name!r} beside quant.toml"
    names = sorted(p.relative_to(folder.parent).as_posix() for p in folder.rglob("*.py"))
    return f"the folder has {', '.join(names[:8])}" if names else "the folder is empty"


def _fingerprint(folder: Path, sources: list[str | None]) -> str:
    state = hashlib.sha256(b"quant/strategy/1")
    for source in sorted(s for s in sources if s):
        text = Path(source).read_bytes().replace(b"\r\n", b"\n")
        name = Path(source).resolve().relative_to(folder).as_posix()
        state.update(f"{name}:{len(text)}:".encode() + text)
    return state.hexdigest()
