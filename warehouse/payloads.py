"""Raw payloads as received, by digest: normalisation can be redone without asking the vendor again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from quant.core.errors import CheckFailed
from quant.core.hashing import canonical_json, digest
from quant.warehouse.files import write_atomic
from quant.warehouse.sources.port import Payload


@dataclass(frozen=True, slots=True)
class PayloadStore:
    """``<lake>/raw/<source>/<first two digits>/<digest>`` and beside it the request as JSON."""

    root: Path

    def path(self, source: str, payload_digest: str) -> Path:
        return self.root / "raw" / source / payload_digest[:2] / payload_digest

    def put(self, source: str, payload: Payload) -> Path:
        """Store a payload once; a half-known file from a power cut is written again."""
        path = self.path(source, payload.digest)
        if not (path.is_file() and path.stat().st_size == len(payload.content)):
            request = {
                "dataset": payload.dataset,
                "media_type": payload.media_type,
                "request": _plain(payload.request),
            }
            write_atomic(path.with_suffix(".json"), canonical_json(request), durable=False)
            write_atomic(path, payload.content, durable=False)
        return path

    def get(self, source: str, payload_digest: str) -> Payload:
        """A stored payload. Raises CheckFailed ``payload.digest`` when its bytes changed."""
        import json

        path = self.path(source, payload_digest)
        content, about = path.read_bytes(), json.loads(path.with_suffix(".json").read_bytes())
        found = digest(content)
        if found != payload_digest:
            raise CheckFailed(
                "payload.digest",
                f"a stored payload of {source} has changed",
                expected=payload_digest,
                found=found,
                hint=f"remove {path} and sync again",
            )
        return Payload(about["dataset"], content, about["media_type"], about["request"], payload_digest)


def _plain(request: Mapping[str, object]) -> dict[str, object]:
    return {key: repr(value) if isinstance(value, float) else value for key, value in request.items()}
