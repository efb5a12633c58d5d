"""The schema for editors and the reference for people, both made from the models."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel

from quant.specs.expr.fields import FIELDS
from quant.specs.kinds import KINDS
from quant.specs.schema.model import Header, Part
from quant.specs.schema.select import choices_at, descriptions, key_of, models, part_at

_DRAFT = "https://json-schema.org/draft/2020-12/schema"


def json_schema(kind: str | None = None) -> dict[str, Any]:
    """The JSON Schema of one kind, or of every kind chosen by the keys ``kind`` and ``provider``."""
    chosen = [kind] if kind is not None else list(KINDS)
    definitions: dict[str, Any] = {}
    branches = []
    for name in chosen:
        for model in models()[name]:
            schema = model.model_json_schema(by_alias=True, ref_template="#/$defs/{model}")
            definitions.update(schema.pop("$defs", {}))
            _relax(schema)
            definitions[model.__name__] = schema
            branches.append(_branch(name, model))
    for owner in _every_part(chosen):
        _describe(definitions, owner)
    body = {"type": "object", "required": ["apiVersion", "kind", "name"], "allOf": branches}
    return {
        "$schema": _DRAFT,
        "title": kind or "quant spec",
        **body,
        "$defs": dict(sorted(definitions.items())),
    }


def _branch(kind: str, model: type[Header]) -> dict[str, Any]:
    """If the keys say that a document is of this model, it must be one."""
    condition: dict[str, Any] = {"kind": {"const": kind}}
    required = ["kind"]
    provider = model.model_fields.get("provider")
    if provider is not None:
        condition["provider"] = {"const": get_args(provider.annotation)[0]}
        required.append("provider")
    return {
        "if": {"properties": condition, "required": required},
        "then": {"$ref": f"#/$defs/{model.__name__}"},
    }


def _relax(schema: dict[str, Any]) -> None:
    """A document with a defaults list takes what it leaves out from the documents it starts from."""
    if "defaults" not in schema["properties"] or schema["properties"]["defaults"].get("type") != "array":
        return
    inherited = [key for key in schema["required"] if key not in ("apiVersion", "kind", "name", "provider")]
    schema["required"] = [key for key in schema["required"] if key not in inherited]
    if inherited:
        schema |= {"if": {"not": {"required": ["defaults"]}}, "then": {"required": inherited}}


def _every_part(kinds: list[str]) -> list[type[BaseModel]]:
    found: list[type[BaseModel]] = []
    for kind in kinds:
        for model in models()[kind]:
            _collect(model, found)
    return found


def _collect(model: type[BaseModel], found: list[type[BaseModel]]) -> None:
    if model in found:
        return
    found.append(model)
    for name, field in model.model_fields.items():
        key = key_of(name, field.alias)
        for path in ((key,), (key, 0), (key, "*")):
            part = part_at(model, path)
            if part is not None:
                _collect(part, found)


def _describe(definitions: dict[str, Any], model: type[BaseModel]) -> None:
    schema = definitions.get(model.__name__)
    if schema is None:
        return
    words = descriptions(model)
    for name, field in model.model_fields.items():
        body = schema.get("properties", {}).get(key_of(name, field.alias))
        if body is not None and name in words:
            body["description"] = words[name]
    if model.__name__ == "BacktestSpec":
        span = schema["properties"]["range"]
        reference = {k: span.pop(k) for k in ("$ref", "allOf") if k in span}
        span["anyOf"] = [
            reference,
            {"type": "array", "items": {"type": "string", "format": "date"}, "minItems": 2, "maxItems": 2},
        ]


def reference_markdown() -> str:
    """The spec reference as one Markdown page."""
    lines = [
        "# Spec reference",
        "",
        "Generated from the schema; do not edit. Every document has `apiVersion: quant/v1`, `kind` and",
        "`name`; a file may hold several documents. Numbers may be written as `0.1`, `10%`, `25bp`, `1.5x`,",
        "`10_000_000`, `1000万`.",
        "",
        "Overrides on the command line: `key=value` for a key of the executed document,",
        "`strategy.construct.top=50` for a key of a document it uses (`strategy`, `universe`, `cost`,",
        "`risk`, `factor`), `universe=liquid` to use another document, or a short name declared under",
        "`params`.",
        "",
    ]
    for kind in KINDS:
        lines += [f"## {kind}", ""]
        for model in models()[kind]:
            lines += _section(model)
    return "\n".join([*lines, *_fields_section()])


def _section(model: type[Header]) -> list[str]:
    lines = [
        " ".join((model.__doc__ or "").split()),
        "",
        "| key | value | default | meaning |",
        "|---|---|---|---|",
    ]
    lines += [_row(*cells) for cells in _rows(model, ())]
    refused = [key for part in _every_part_of(model) for key in getattr(part, "not_enforced", {})]
    if refused:
        lines += [
            "",
            "Known but not enforced by this version, therefore refused: "
            + ", ".join(f"`{k}`" for k in refused)
            + ".",
        ]
    return [*lines, ""]


def _every_part_of(model: type[BaseModel]) -> list[type[BaseModel]]:
    found: list[type[BaseModel]] = []
    _collect(model, found)
    return found


def _rows(model: type[BaseModel], path: tuple[str, ...]) -> Iterator[tuple[str, str, str, str]]:
    words = descriptions(model)
    for name, field in model.model_fields.items():
        key = key_of(name, field.alias)
        if not path and key in ("apiVersion", "kind", "name", "description"):
            continue
        here = (*path, key)
        choices = choices_at(model, (key,))
        value = " \\| ".join(_choice(c) for c in choices) if choices else _type_words(model, key)
        default = (
            "required" if field.is_required() else _default(field.get_default(call_default_factory=True))
        )
        yield ".".join(here), value, default, words.get(name, "")
        for step, shown in (((key,), here), ((key, "*"), (*here, "NAME")), ((key, 0), (*path, f"{key}[]"))):
            part = part_at(model, step)
            if part is not None:
                yield from _rows(part, shown)
                break


def _choice(word: str) -> str:
    """A word of a table cell: blanks by name, the cell's own separator escaped."""
    return "tab" if word == "\t" else f"`{word}`".replace("|", "\\|")


def _type_words(model: type[BaseModel], key: str) -> str:
    schema = model.model_json_schema(by_alias=True)["properties"][key]
    return _words(schema)


def _words(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_words(s) for s in schema["anyOf"] if s.get("type") != "null"))
    if "$ref" in schema or schema.get("type") == "object":
        return "mapping"
    if "description" in schema:
        return str(schema["description"])
    kind = schema.get("format") or schema.get("type")
    if isinstance(kind, list):
        return "text"
    if kind == "array":
        return f"list of {_words(schema.get('items', {}))}"
    return {"string": "text", "integer": "whole number", "boolean": "`true` or `false`"}.get(
        str(kind), str(kind or "any")
    )


def _default(value: Any) -> str:
    if value is None:
        return "—"
    if isinstance(value, (Part, dict, list)):
        return "see below" if isinstance(value, Part) else "empty"
    shown = str(value).lower() if isinstance(value, bool) else str(value)
    return f"`{shown}`" if shown else "—"


def _row(key: str, value: str, default: str, meaning: str) -> str:
    return f"| `{key}` | {value} | {default} | {meaning.replace('|', '&#124;')} |"


def _fields_section() -> list[str]:
    lines = ["## Fields of expressions", "", "| field | meaning | known at |", "|---|---|---|"]
    lines += [f"| `${f.name}` | {f.summary} | {f.available.name.lower()} |" for f in FIELDS.values()]
    return [*lines, ""]
