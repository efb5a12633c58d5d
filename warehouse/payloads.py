"""Raw payloads as received, by digest: normalisation can be redone without asking the vendor again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from quant.core.errors import CheckFailed
from quant.core.hashing import canonical_json, digest
from quant.warehouse.sources.port import Payload
from quant.warehouse.store import LocalFolder, Storage


class PayloadStore:
    """``<lake>/raw/<source>/<first two digits>/<digest>`` and beside it the request as JSON."""

    def __init__(self, root: Path | Storage) -> None:
        self.store: Storage = LocalFolder(root.absolute()) if isinstance(root, Path) else root

    def name(self, source: str, payload_digest: str) -> str:
        return f"raw/{source}/{payload_digest[:2]}/{payload_digest}"

    def path(self, source: str, payload_digest: str) -> Path:
        """Where a payload lies in a local lake."""
        assert isinstance(self.store, LocalFolder), "payloads on object storage have no path"
        return self.store.root / self.name(source, payload_digest)

    def put(self, source: str, payload: Payload) -> str:
        """Store a payload once; a half-known file from a power cut is written again. Its name."""
        name = self.name(source, payload.digest)
        if self.store.size(name) != len(payload.content):
            request = {
                "dataset": payload.dataset,
                "media_type": payload.media_type,
                "request": _plain(payload.request),
            }
            self.store.write(f"{name}.json", canonical_json(request), durable=False)
            self.store.write(name, payload.content, durable=False)
        return name

    def get(self, source: str, payload_digest: str) -> Payload:
        """A stored payload. Raises CheckFailed ``payload.digest`` when its bytes changed."""
        name = self.name(source, payload_digest)
        content, about = self.store.read(name), json.loads(self.store.read(f"{name}.json"))
        found = digest(content)
        if found != payload_digest:
            raise CheckFailed(
                "payload.digest",
                f"a stored payload of {source} has changed",
                expected=payload_digest,
                found=found,
                hint=f"remove {self.store.location(name)} and sync again",
            )
        return Payload(about["dataset"], content, about["media_type"], about["request"], payload_digest)


def _plain(request: Mapping[str, object]) -> dict[str, object]:
    return {key: repr(value) if isinstance(value, float) else value for key, value in request.items()}
