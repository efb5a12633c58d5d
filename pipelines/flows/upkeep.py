"""Upkeep of the lake: garbage, and snapshots, which are versions of all golden tables under a name."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from quant.core.errors import StateConflict, UsageError

if TYPE_CHECKING:
    from quant.pipelines.workspace import Workspace
    from quant.warehouse.lake import Lake

PREFIX: Final = "snapshot."
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_\-]{0,99}")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Golden tables as they were; gc keeps them until the snapshot is removed."""

    name: str
    versions: dict[str, int]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def collect_garbage(desk: Workspace, *, dry_run: bool) -> list[str]:
    """Compact and vacuum; versions that a run or a snapshot has pinned stay readable."""
    from quant.pipelines.actor import current_actor
    from quant.warehouse.lake import Lake
    from quant.warehouse.lake.upkeep import compact, gc
    from quant.warehouse.ledger import Ledger

    lake = Lake(desk.lake)
    if not dry_run:
        compact(lake)
    removed = [str(r) for r in gc(lake, dry_run=dry_run)]
    if not dry_run:
        Ledger(desk.ledger).audit("data.gc", "lake", current_actor(desk.root).as_dict(), removed=len(removed))
    return removed


def create_snapshot(desk: Workspace, name: str) -> Snapshot:
    """Pin the newest versions of all golden tables under a name. Naming the same versions again is fine.

    Raises StateConflict for a name that means other versions.
    """
    from quant.warehouse.lake import Lake

    lake = Lake(desk.lake)
    _refuse_bad_name(name)
    with lake.lock.hold("quant data snapshot"):
        versions = {table: version for table in lake.tables() if (version := lake.version(table)) is not None}
        if not versions:
            raise UsageError("snapshot.empty", "the lake is empty", hint="quant data sync")
        there = lake.pins().get(PREFIX + name)
        if there is not None and there != versions:
            raise StateConflict(
                "snapshot.exists",
                f"the snapshot {name} pins other versions",
                expected="a new name",
                found=", ".join(f"{t}={v}" for t, v in sorted(there.items())),
                hint=f"quant data snapshot rm {name}, or choose another name",
            )
        lake.pin(PREFIX + name, versions)
    _note(desk, "data.snapshot", name, versions=versions)
    return Snapshot(name, versions)


def list_snapshots(desk: Workspace) -> list[Snapshot]:
    """By name."""
    from quant.warehouse.lake import Lake

    pins = Lake(desk.lake).pins()
    return [Snapshot(n.removeprefix(PREFIX), v) for n, v in sorted(pins.items()) if n.startswith(PREFIX)]


def remove_snapshot(desk: Workspace, name: str) -> Snapshot:
    """Let go of a snapshot; its versions go with the next gc unless a run needs them."""
    from quant.warehouse.lake import Lake

    lake = Lake(desk.lake)
    with lake.lock.hold("quant data snapshot"):
        gone = Snapshot(name, snapshot_versions(lake, name))
        lake.unpin(PREFIX + name)
    _note(desk, "data.snapshot.rm", name)
    return gone


def snapshot_versions(lake: Lake, name: str) -> dict[str, int]:
    """The versions that a snapshot pins. Raises UsageError ``snapshot.unknown``."""
    pins = lake.pins()
    found = pins.get(PREFIX + name)
    if found is None:
        known = sorted(n.removeprefix(PREFIX) for n in pins if n.startswith(PREFIX))
        raise UsageError(
            "snapshot.unknown",
            f"there is no snapshot {name!r}",
            expected=", ".join(known) or "none was made yet",
            found=name,
            hint="quant data snapshot ls shows the snapshots there are",
        )
    return found


def _refuse_bad_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise UsageError(
            "snapshot.name",
            f"{name!r} cannot name a snapshot",
            expected="letters, digits, _ and -, at most 100",
            found=name,
        )


def _note(desk: Workspace, action: str, name: str, **more: object) -> None:
    from quant.pipelines.actor import current_actor
    from quant.warehouse.ledger import Ledger

    Ledger(desk.ledger).audit(action, name, current_actor(desk.root).as_dict(), **more)
