"""A workspace: the folder of a quant.toml, its settings, and where its state lies.

Settings are read once and passed down as a value; each knows its origin
(flag > environment QUANT__A__B > profile > quant.toml > default).
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quant.core.errors import Location, StateConflict, UsageError
from quant.core.versions import WORKSPACE_FORMAT

if TYPE_CHECKING:
    from quant.warehouse.store import Address

FILE = "quant.toml"
ENVIRONMENT_PREFIX = "QUANT__"
SECRET_WORDS = ("token", "secret", "password", "passwd", "apikey", "api_key")
_IN_ADDRESS = re.compile(r"(://[^:@/\s]+):[^@\s]+@")
DEFAULTS: Mapping[str, Any] = {
    "format": WORKSPACE_FORMAT,
    "name": "",
    "paths.specs": "specs",
    "paths.strategies": "strategies",
    "paths.state": ".quant",
    "defaults.profile": "demo",
    "defaults.backtest": "",
    "defaults.deployment": "",
    "report.lang": "en",
    "report.up": "red",
    "engine.threads": 1,
    "engine.sql": "clickhouse",
    "engine.panel_cache_mb": 4096,
}


@dataclass(frozen=True, slots=True)
class Setting:
    """One value in force and the place it came from."""

    key: str
    value: Any
    origin: str

    @property
    def shown(self) -> str:
        """The value for a screen; secrets are masked."""
        secret = any(word in self.key.lower().rsplit(".", 1)[-1] for word in SECRET_WORDS)
        return "***" if secret and self.value else _IN_ADDRESS.sub(r"\1:***@", str(self.value))

    def as_dict(self) -> dict[str, str]:
        return {"key": self.key, "value": self.shown, "origin": self.origin}


@dataclass(frozen=True, slots=True)
class Workspace:
    """Where a command works. ``profile`` chose the sources and defaults in ``settings``."""

    root: Path
    profile: str
    settings: tuple[Setting, ...]

    @classmethod
    def find(cls, path: Path | None = None, *, profile: str | None = None) -> Workspace:
        """The workspace of ``path`` or of the nearest parent of the current folder that has a quant.toml."""
        root = find_root(path)
        document = read_settings_file(root / FILE)
        chosen, origin = _profile(document, profile)
        settings = _layers(document, chosen, origin, root)
        return cls(root=root, profile=chosen, settings=settings)

    def get(self, key: str) -> Any:
        """A setting's value; None when it is not set."""
        return next((s.value for s in self.settings if s.key == key), None)

    def section(self, prefix: str) -> dict[str, Any]:
        """All settings below ``prefix.`` with the prefix cut off."""
        head = prefix + "."
        return {s.key[len(head) :]: s.value for s in self.settings if s.key.startswith(head)}

    def _path(self, key: str) -> Path:
        return (self.root / str(self.get(key))).resolve()

    @property
    def specs(self) -> Path:
        return self._path("paths.specs")

    @property
    def strategies(self) -> Path:
        return self._path("paths.strategies")

    @property
    def state(self) -> Path:
        """Everything made here; one subfolder a profile, so that profiles never mix."""
        return self._path("paths.state") / self.profile

    @property
    def lake(self) -> Path | Address:
        """Where the lake lies: below the state unless ``paths.lake`` names a folder or a bucket, whose
        ``storage`` settings say how it is reached.
        """
        given = self.get("paths.lake")
        if not given:
            return self.state / "lake"
        if "://" in str(given):
            from quant.warehouse.store import Address

            return Address(str(given), self.section("storage"), self.state / "writer.lock")
        return (self.root / str(given)).resolve()

    @property
    def quota(self) -> Path | None:
        """Where the calls of vendors are counted; None for the user's own place."""
        given = self.get("paths.quota")
        return (self.root / Path(str(given)).expanduser()).resolve() if given else None

    @property
    def runs(self) -> Path:
        return self.state / "runs"

    @property
    def sessions(self) -> Path:
        return self.state / "sessions"

    @property
    def ledger(self) -> Path:
        return self.state / "ledger.db"

    @property
    def dagster_home(self) -> Path:
        return self.state / "dagster"


def find_root(path: Path | None = None) -> Path:
    """Folder of the nearest quant.toml; raises UsageError when there is none."""
    begin = (path or Path.cwd()).resolve()
    if path is not None:
        if (begin / FILE).is_file():
            return begin
        raise UsageError(
            "workspace.missing",
            f"{path} has no {FILE}",
            expected=f"a folder with {FILE}",
            hint=f"quant init {path} --template ashare",
        )
    for folder in (begin, *begin.parents):
        if (folder / FILE).is_file():
            return folder
    raise UsageError(
        "workspace.missing",
        f"no {FILE} here or in a parent folder",
        found=str(begin),
        expected=f"a folder with {FILE}",
        hint="quant init my-desk --template ashare && cd my-desk",
    )


def read_settings_file(path: Path) -> dict[str, Any]:
    """quant.toml as a mapping; raises UsageError on bad TOML and StateConflict on a newer format."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(
            "workspace.toml",
            f"{FILE} is not valid TOML: {error}",
            where=Location(str(path)),
            hint="mend the line that the message names",
        ) from error
    version = document.get("format", WORKSPACE_FORMAT)
    if not isinstance(version, int) or version < 1:
        raise UsageError(
            "workspace.format",
            "format is not a whole number",
            where=Location(str(path)),
            expected=f"format = {WORKSPACE_FORMAT}",
            found=repr(version),
        )
    if version > WORKSPACE_FORMAT:
        raise StateConflict(
            "workspace.newer",
            "this workspace was made by a newer quant",
            where=Location(str(path)),
            expected=f"format <= {WORKSPACE_FORMAT}",
            found=str(version),
            hint="install the newer version: pip install -U quant-toolkit",
        )
    return document


def _profile(document: Mapping[str, Any], flag: str | None) -> tuple[str, str]:
    known = sorted(document.get("profiles", {}))
    environment = os.environ.get("QUANT_PROFILE")
    setting = next(
        (n for n in sorted(os.environ) if n.upper() == f"{ENVIRONMENT_PREFIX}DEFAULTS__PROFILE"), ""
    )
    default = document.get("defaults", {}).get("profile")
    chosen, origin = next(
        (value, origin)
        for value, origin in (
            (flag, "flag --profile"),
            (environment, "environment QUANT_PROFILE"),
            (os.environ.get(setting), f"environment {setting}"),
            (default, FILE),
            (known[0] if known else "demo", "default"),
        )
        if value
    )
    if known and chosen not in known:
        raise UsageError(
            "workspace.profile",
            f"unknown profile {chosen!r}",
            expected=" or ".join(known),
            found=str(chosen),
            hint=f"add [profiles.{chosen}] to {FILE} or choose one with --profile",
        )
    return str(chosen), origin


def _layers(document: Mapping[str, Any], profile: str, origin: str, root: Path) -> tuple[Setting, ...]:
    merged = {key: Setting(key, value, "default") for key, value in DEFAULTS.items()}
    file = str(root / FILE)
    general = {key: value for key, value in document.items() if key != "profiles"}
    for key, value in _flatten(general):
        merged[key] = Setting(key, value, file)
    for key, value in _flatten(document.get("profiles", {}).get(profile, {})):
        merged[key] = Setting(key, value, f"{file} [profiles.{profile}]")
    for setting in _from_environment():
        merged[setting.key] = setting
    merged["profile"] = Setting("profile", profile, origin)
    if not merged["name"].value:
        merged["name"] = Setting("name", root.name, "default (folder name)")
    return tuple(merged[key] for key in sorted(merged))


def _from_environment() -> Iterator[Setting]:
    """Raises UsageError ``setting.unknown`` and ``setting.value``."""
    for name in sorted(os.environ):
        if name.startswith(ENVIRONMENT_PREFIX) and os.environ[name]:
            from quant.pipelines.environment_settings import checked

            key = name[len(ENVIRONMENT_PREFIX) :].lower().replace("__", ".")
            yield Setting(key, checked(key, os.environ[name], name), f"environment {name}")


def _flatten(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
