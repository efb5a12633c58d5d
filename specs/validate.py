"""A tree becomes a model; faults become errors with place, expectation, finding and nearest name."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError

from quant.core.errors import SpecError
from quant.specs.document import Marks, Path, Tree
from quant.specs.loader import describe
from quant.specs.schema.model import Header
from quant.specs.schema.select import PROVIDERS, choices_at, fields_at, model_for, part_at

SECRET_WORDS = ("secret", "token", "password", "passwd", "apikey", "api_key")
_IN_ADDRESS = re.compile(r"(://[^:@/\s]+):[^@\s]+@")
"""A password in an address is not shown."""


def validate(kind: str, tree: dict[str, Tree], marks: Marks) -> tuple[Header | None, list[SpecError]]:
    """The model of a document, or everything that is wrong with it."""
    model = model_for(kind, tree)
    if model is None:
        return None, [_unknown_provider(tree, marks)]
    try:
        return model.model_validate(tree), []
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False)
    grouped: dict[Path, list[dict[str, Any]]] = {}
    for fault in faults:
        path = _real_path(tuple(fault["loc"]), tree, missing=fault["type"] == "missing")
        grouped.setdefault(path, []).append(dict(fault))
    return None, [_error(model, path, found, tree, marks) for path, found in grouped.items()]


def _unknown_provider(tree: dict[str, Tree], marks: Marks) -> SpecError:
    found = tree.get("provider")
    near = get_close_matches(str(found), PROVIDERS, n=1)
    return SpecError(
        "spec.value" if "provider" in tree else "spec.missing_key",
        "unknown provider" if "provider" in tree else "the key provider is missing",
        where=marks.value(("provider",)),
        expected=" or ".join(PROVIDERS),
        found=describe(found) if "provider" in tree else None,
        hint=f"did you mean {near[0]}?" if near else None,
    )


def _real_path(loc: tuple[Any, ...], tree: Tree, *, missing: bool) -> Path:
    """The path in the tree: pydantic's location without its names of unions and keys."""
    path: list[str | int] = []
    current: Tree = tree
    for position, step in enumerate(loc):
        inside = isinstance(current, list) and isinstance(step, int) and step < len(current)
        if inside or (isinstance(current, dict) and step in current):
            current = current[step]  # type: ignore[index]
        elif missing and position == len(loc) - 1:
            pass
        else:
            continue
        path.append(step)
    return tuple(path)


def value_at(tree: Tree, path: Path) -> Tree:
    """The value at a path; None where there is none."""
    current = tree
    for step in path:
        if isinstance(current, dict) and isinstance(step, str):
            current = current.get(step)
        elif isinstance(current, list) and isinstance(step, int) and step < len(current):
            current = current[step]
        else:
            return None
    return current


def shown(path: Path) -> str:
    """A path for people: ``limits.single_name``, ``where[1]``."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else (f".{step}" if text else str(step))
    return text


def _error(
    model: type[BaseModel], path: Path, faults: list[dict[str, Any]], tree: Tree, marks: Marks
) -> SpecError:
    fault = min(faults, key=lambda f: 0 if f["type"] == "quant" else 1)
    match fault["type"]:
        case "extra_forbidden":
            return _unknown_key(model, path, marks)
        case "missing":
            where = marks.key(path[:-1]) if len(path) > 1 else marks.start
            return SpecError(
                "spec.missing_key",
                f"the key {shown(path)} is missing",
                where=where,
                expected=_description(model, path),
            )
    value = value_at(tree, path)
    secret = any(isinstance(s, str) and any(w in s.lower() for w in SECRET_WORDS) for s in path)
    found = "(not shown)" if secret else _IN_ADDRESS.sub(r"\1:***@", describe(value))
    where = marks.value(path)
    context = fault.get("ctx") or {}
    if fault["type"] == "quant":
        return SpecError(
            "spec.value",
            f"{shown(path)}: {context['message']}",
            where=where,
            expected=context["expected"],
            found=found,
            hint=context["hint"] or None,
        )
    choices = choices_at(model, path)
    if choices:
        near = get_close_matches(str(value), choices, n=1)
        return SpecError(
            "spec.value",
            f"{shown(path)}: not one of the allowed values",
            where=where,
            expected=" or ".join(choices),
            found=found,
            hint=f"did you mean {near[0]}?" if near else None,
        )
    expected = _expected(fault["type"], context)
    return SpecError(
        "spec.type",
        f"{shown(path) or 'the document'}: {_plainly(fault)}",
        where=where,
        expected=expected,
        found=found,
    )


def _unknown_key(model: type[BaseModel], path: Path, marks: Marks) -> SpecError:
    key = str(path[-1])
    part = part_at(model, path[:-1])
    rules: dict[str, str] = getattr(part, "not_enforced", {})
    if key in rules:
        return SpecError(
            "spec.unenforced",
            f"{shown(path)} is not enforced by this version",
            where=marks.key(path),
            expected="a key this version enforces",
            found=key,
            hint=rules[key] or "remove the key",
        )
    known = [f.name for f in fields_at(model, path[:-1]) or []]
    near = get_close_matches(key, known, n=1)
    return SpecError(
        "spec.unknown_key",
        f"unknown key {shown(path)}",
        where=marks.key(path),
        expected=", ".join(known) or "no keys",
        found=key,
        hint=f"did you mean {near[0]}?" if near else None,
    )


def _description(model: type[BaseModel], path: Path) -> str:
    for field in fields_at(model, path[:-1]) or []:
        if field.name == path[-1] and field.description:
            return " ".join(field.description.split())
    return f"a value for {path[-1]}"


_EXPECTED = {
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "dict_type": "a mapping",
    "list_type": "a list",
    "string_type": "a text",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "too_short": "at least one entry",
}


def _expected(kind: str, context: dict[str, Any]) -> str:
    if kind in _EXPECTED:
        return _EXPECTED[kind]
    return str(context.get("expected") or "another value")


def _plainly(fault: dict[str, Any]) -> str:
    expected = _EXPECTED.get(fault["type"])
    return f"must be {expected}" if expected else str(fault["msg"])[:200].lower()
