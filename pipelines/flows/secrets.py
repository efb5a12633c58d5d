"""``quant secret``: credentials of this user, by reference; values never come back out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from quant.core.errors import UsageError
from quant.warehouse.secrets import SecretRef, list_secrets, remove_secret, set_secret

if TYPE_CHECKING:
    from quant.pipelines.workspace import Workspace


@dataclass(frozen=True, slots=True)
class KeptSecret:
    """A secret and where it is kept."""

    reference: str
    kept: str

    @classmethod
    def of(cls, ref: SecretRef) -> KeptSecret:
        places = {"keyring": "keyring", "file": "encrypted file", "env": "environment"}
        return cls(str(ref), places[ref.scheme])

    def as_dict(self) -> dict[str, str]:
        return {"reference": self.reference, "kept": self.kept}


def keep(name: str, value: str, folder: Path | None = None) -> KeptSecret:
    """Store a credential. ``name`` is a reference, or a bare name, which means the encrypted file."""
    kept = KeptSecret.of(set_secret(_reference(name), value))
    _note(folder, "secret.set", kept)
    return kept


def forget(name: str, folder: Path | None = None) -> KeptSecret:
    """Remove a credential."""
    gone = KeptSecret.of(remove_secret(_reference(name)))
    _note(folder, "secret.rm", gone)
    return gone


def kept() -> list[KeptSecret]:
    """What is there, by name."""
    return [KeptSecret.of(ref) for ref in list_secrets()]


def _reference(name: str) -> str:
    return name if ":" in name else f"file://{name}"


def _note(folder: Path | None, verb: str, what: KeptSecret) -> None:
    """In the ledger of the workspace the command was given in, if it was given in one."""
    desk = _desk(folder)
    if desk is None:
        return
    from quant.pipelines.actor import current_actor
    from quant.warehouse.ledger import Ledger

    Ledger(desk.ledger).audit(verb, what.reference, current_actor(desk.root).as_dict())


def _desk(folder: Path | None) -> Workspace | None:
    from quant.pipelines.workspace import Workspace

    try:
        return Workspace.find(folder)
    except UsageError:
        if folder is not None:
            raise
        return None
