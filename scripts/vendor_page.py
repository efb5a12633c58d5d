"""The page of what each vendor is asked for, made from the shipped sources and the registry of providers."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HEAD = """\
# What each vendor is asked for

Generated from `specs/library/vendors.yaml` and the registry of providers. How to use them:
[vendors](vendors.md).

**Not verified against the vendor.** Every adapter is driven through the vendor's own client, against
stand-ins on loopback that speak its wire format, and where there is recorded traffic against that. Nobody has
run them against the vendors themselves yet; limits and columns are those that the vendors publish, as far as
known.
"""


def vendor_page() -> str:
    """Markdown: datasets by source, then each source with endpoints, limits and columns."""
    sources = list(_sources())
    names = [spec.name for spec in sources]
    datasets = list(dict.fromkeys(name for spec in sources for name in spec.datasets))
    lines = [HEAD, *_row(["dataset", *(f"`{n}`" for n in names)]), "|" + "---|" * (len(names) + 1)]
    for dataset in datasets:
        cells = [_endpoints(spec.datasets.get(dataset)) for spec in sources]
        lines += _row([f"`{dataset}`", *cells])
    for spec in sources:
        lines += _section(spec)
    return "\n".join(lines).rstrip() + "\n"


def _sources() -> Iterator[Any]:
    from quant.specs import read_workspace
    from quant.specs.compose import compose_one, needs_compose
    from quant.specs.schema import VendorSource
    from quant.specs.validate import validate

    with tempfile.TemporaryDirectory() as empty:
        registry, errors = read_workspace(Path(empty))
    assert not errors, errors
    for document in registry.of("source"):
        whole = compose_one(registry, document, ()) if needs_compose(registry, document) else document
        model, _ = validate("source", whole.tree, whole.marks)
        if isinstance(model, VendorSource):
            yield model


def _endpoints(dataset: Any) -> str:
    if dataset is None:
        return ""
    return " + ".join(f"`{name}`" for name in (dataset.endpoint, *(part.endpoint for part in dataset.with_)))


def _section(spec: Any) -> list[str]:
    from quant.warehouse.sources.registry import PROVIDERS

    provider, limits = PROVIDERS[spec.provider], spec.limits
    allowed = {
        "a minute": limits.per_minute,
        "a day": limits.per_day,
        "rows a page": limits.max_rows,
    }
    said = ", ".join(f"{value} {what}" for what, value in allowed.items() if value is not None)
    lines = [
        "",
        f"## {spec.name}",
        "",
        " ".join(spec.description.split()),
        "",
        f"- client: `{provider.sdk}`{', several questions at once' if provider.threads else ''}",
        f"- secret: {f'`{spec.secret}`' if spec.secret else 'none'}",
        f"- licence: {spec.license}",
        f"- limits: {said or 'none known'}",
        "- not verified against the vendor",
        "",
        *_row(["dataset", "endpoint", "column", "here", "unit"]),
        "|---|---|---|---|---|",
    ]
    for name, dataset in spec.datasets.items():
        for part in (dataset, *dataset.with_):
            for column, read in part.fields.items():
                unit = "" if read.unit == "one" else f"`{read.unit}`"
                lines += _row([f"`{name}`", f"`{part.endpoint}`", f"`{column}`", f"`{read.as_}`", unit])
    return lines


def _row(cells: list[str]) -> list[str]:
    return [f"| {' | '.join(cells)} |"]
