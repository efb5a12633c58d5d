"""Reading spec files: the only module of this folder that touches the disk.

Every fault of every file is collected; a file that cannot be read does not hide the others.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from importlib.resources import files as package_files
from pathlib import Path

from quant.core.errors import Location, SpecError
from quant.core.hashing import digest
from quant.specs.document import API_VERSION, Document, Marks, Tree, walk
from quant.specs.kinds import KINDS, NAME
from quant.specs.read_toml import read_toml
from quant.specs.read_yaml import RawDocument, read_yaml

SUFFIXES = (".yaml", ".yml", ".toml")
MAX_BYTES = 1 << 20
MAX_FILES = 2_000
PROJECT_FILE = "quant.toml"


@dataclass(slots=True)
class Loaded:
    """What a folder of specs holds: documents, the text of each file, and the faults found on the way."""

    documents: list[Document] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    errors: list[SpecError] = field(default_factory=list)

    def add(self, text: bytes, shown: str, suffix: str, origin: str) -> None:
        documents, errors, decoded = parse(text, shown, suffix, origin)
        self.documents += documents
        self.errors += errors
        self.texts[shown] = decoded


def parse(
    content: bytes,
    shown: str,
    suffix: str,
    origin: str = "workspace",
) -> tuple[list[Document], list[SpecError], str]:
    """The documents of one file's bytes, its faults, and its text."""
    if len(content) > MAX_BYTES:
        where = Location(shown, 1, 1)
        return (
            [],
            [
                SpecError(
                    "spec.limit",
                    "the file is too large for a spec",
                    where=where,
                    expected=f"at most {MAX_BYTES} bytes",
                    found=f"{len(content)} bytes",
                )
            ],
            "",
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        where = Location(shown, before.count(b"\n") + 1, error.start - before.rfind(b"\n"))
        return (
            [],
            [
                SpecError(
                    "spec.encoding",
                    "the file is not UTF-8 text",
                    where=where,
                    expected="UTF-8",
                    found=f"byte 0x{content[error.start]:02x}",
                    hint="save the file as UTF-8",
                )
            ],
            "",
        )
    text = text.replace("\r\n", "\n")
    reader = read_toml if suffix == ".toml" else read_yaml
    raws, errors = reader(text, shown)
    documents = []
    for raw in raws:
        document, faults = register(raw, origin)
        errors += faults
        if document is not None:
            documents.append(document)
    if not raws and not errors:
        errors.append(
            SpecError(
                "spec.empty",
                "the file holds no document",
                where=Location(shown, 1, 1),
                expected="apiVersion, kind and name",
            )
        )
    return documents, errors, text


def register(raw: RawDocument, origin: str) -> tuple[Document | None, list[SpecError]]:
    """A raw document under its kind and name; faults of the header keep it out."""
    tree, marks = raw.tree, raw.marks
    if not isinstance(tree, dict):
        return None, [
            SpecError(
                "spec.type",
                "a document must be a mapping",
                where=marks.start,
                expected="keys and values",
                found=describe(tree),
            )
        ]
    errors = _forbidden(raw)
    version = tree.get("apiVersion")
    if version != API_VERSION:
        code = "spec.missing_key" if "apiVersion" not in tree else "spec.api_version"
        errors.append(
            SpecError(
                code,
                "apiVersion is missing" if version is None else "unknown apiVersion",
                where=marks.value(("apiVersion",)),
                expected=API_VERSION,
                found=None if version is None else describe(version),
                hint=f"begin the document with apiVersion: {API_VERSION}",
            )
        )
    kind, name = tree.get("kind"), tree.get("name")
    if kind not in KINDS:
        near = get_close_matches(str(kind), KINDS, n=1)
        errors.append(
            SpecError(
                "spec.kind",
                "kind is missing" if kind is None else "unknown kind",
                where=marks.value(("kind",)),
                expected=", ".join(KINDS),
                found=None if kind is None else describe(kind),
                hint=f"did you mean {near[0]}?" if near else None,
            )
        )
    if not isinstance(name, str) or not NAME.fullmatch(name):
        errors.append(
            SpecError(
                "spec.name",
                "name is missing" if name is None else "not a valid name",
                where=marks.value(("name",)),
                found=None if name is None else describe(name),
                expected="lower-case letters, digits, _ and -, at most 64, a letter first",
            )
        )
    defaults = tree.get("defaults", [])
    if not isinstance(defaults, list) and kind != "project":
        errors.append(
            SpecError(
                "spec.type",
                "defaults must be a list",
                where=marks.value(("defaults",)),
                expected="a list",
                found=describe(defaults),
            )
        )
    if errors:
        return None, errors
    _spell_range(tree, marks)
    return Document(str(kind), str(name), tree, marks, origin), []


def _spell_range(tree: dict[str, Tree], marks: Marks) -> None:
    """``range: [a, b]`` means ``range: {from: a, to: b}``, so that an override can name either end."""
    pair = tree.get("range")
    if not isinstance(pair, list) or len(pair) != 2:
        return
    tree["range"] = {"from": pair[0], "to": pair[1]}
    for index, name in enumerate(("from", "to")):
        for table in (marks.keys, marks.values):
            if ("range", index) in table:
                table["range", name] = table.pop(("range", index))


def _forbidden(raw: RawDocument) -> list[SpecError]:
    """Interpolations, missing-value marks and names of classes have no place in a reviewed spec."""
    errors = []
    for path, value in walk(raw.tree):
        key = path[-1] if path else ""
        if any(isinstance(text, str) and "${" in text for text in (key, value)):
            errors.append(
                SpecError(
                    "spec.forbidden",
                    "interpolation is not allowed",
                    where=raw.marks.value(path),
                    expected="a value",
                    found=describe(value),
                    hint="write the value, or give it on the command line as key=value",
                )
            )
        if value == "???":
            errors.append(
                SpecError(
                    "spec.forbidden",
                    "a missing-value mark is not allowed",
                    where=raw.marks.value(path),
                    expected="a value",
                    found="???",
                )
            )
        if isinstance(key, str) and key.startswith("_") and key.endswith("_") and len(key) > 2:
            errors.append(
                SpecError(
                    "spec.forbidden",
                    f"the key {key} is not allowed",
                    where=raw.marks.key(path),
                    expected="a key of the schema",
                    found=key,
                    hint="specs name no classes; a Python strategy is declared under code.entry",
                )
            )
    return errors


def describe(value: Tree) -> str:
    """How a wrong value is shown in an error, cut short."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case str():
            shown = value if len(value) <= 60 else value[:57] + "…"
            return f"{shown!r}"
        case _:
            return str(value)


def read_file(path: Path, shown: str, into: Loaded, origin: str = "workspace") -> None:
    """One spec file from the disk into ``into``."""
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        into.errors.append(
            SpecError("spec.file", f"cannot read the file: {error.strerror}", where=Location(shown))
        )
        return
    into.add(content, shown, path.suffix, origin)


def read_folders(root: Path, folders: Iterable[str], into: Loaded) -> None:
    """Every spec file below the declared folders of a workspace, in name order."""
    seen: set[Path] = set()
    for folder in folders:
        start = root / folder
        found = (
            [start]
            if start.is_file()
            else sorted(
                p for p in start.rglob("*") if p.suffix in SUFFIXES and p.is_file() and not _hidden(p, start)
            )
        )
        for path in found:
            if path in seen:
                continue
            seen.add(path)
            if len(seen) > MAX_FILES:
                into.errors.append(
                    SpecError(
                        "spec.limit",
                        "too many spec files",
                        where=Location(str(folder)),
                        expected=f"at most {MAX_FILES} files",
                    )
                )
                return
            read_file(path, shown_path(path, root), into)


def _hidden(path: Path, start: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(start).parts)


def shown_path(path: Path, root: Path) -> str:
    """A file's name for people: relative to the workspace where it lies in it."""
    try:
        return path.resolve().relative_to(root.resolve()).as_posix()
    except ValueError:
        return path.as_posix()


@cache
def read_library() -> Loaded:
    """The specs shipped with the package, read once a process."""
    library = package_files("quant.specs") / "library"
    loaded = Loaded()
    for entry in sorted(library.iterdir(), key=lambda e: e.name):
        if entry.name.endswith(".yaml"):
            loaded.add(entry.read_bytes(), f"library/{entry.name}", ".yaml", "library")
    return loaded


def read_code(root: Path, folder: str, module: str) -> tuple[str, str] | None:
    """Where the source of a Python strategy lies and the digest of its text; it is read, never imported."""
    parts = module.split(".")
    path = root.joinpath(*parts[:-1], parts[-1] + ".py")
    if parts[0] != folder or not path.is_file():
        return None
    return shown_path(path, root), digest(path.read_bytes().replace(b"\r\n", b"\n"))
