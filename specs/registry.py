"""All documents of a workspace and of the shipped library, by kind and name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType

from quant.core.errors import Location, SpecError, SpecErrors
from quant.specs.document import Document
from quant.specs.kinds import KINDS
from quant.specs.loader import (
    PROJECT_FILE,
    Loaded,
    read_file,
    read_folders,
    read_library,
    shown_path,
)

DEFAULT_FOLDER = "specs"


@dataclass(frozen=True, slots=True)
class Registry:
    """Documents by ``kind/name``; a document of the workspace stands in front of the library's of that name.

    ``root`` is the workspace, ``texts`` the text of every file read.
    """

    root: Path
    documents: Mapping[str, Document]
    texts: Mapping[str, str]
    shadowed: tuple[Document, ...] = field(default=())

    def get(self, kind: str, name: str, where: Location | None = None) -> Document:
        """The document, or SpecError ``spec.reference`` with the nearest name."""
        found = self.documents.get(f"{kind}/{name}")
        if found is None:
            raise self.missing(kind, name, where)
        return found

    def missing(self, kind: str, name: str, where: Location | None) -> SpecError:
        known = self.names(kind)
        near = get_close_matches(name, known, n=1)
        return SpecError(
            "spec.reference",
            f"there is no {kind} named {name!r}",
            where=where,
            found=name,
            expected=", ".join(known) or f"a document of kind {kind}",
            hint=f"did you mean {near[0]}?" if near else f"add a document of kind {kind}",
        )

    def names(self, kind: str) -> list[str]:
        return sorted(d.name for d in self.documents.values() if d.kind == kind)

    def of(self, kind: str) -> list[Document]:
        return [d for d in self.documents.values() if d.kind == kind]

    @property
    def project(self) -> Document | None:
        """The document of quant.toml."""
        found = self.of("project")
        return found[0] if found else None

    def find(self, text: str, kinds: Iterable[str]) -> Document:
        """A document by name, ``kind/name``, file, or ``file#name``.

        Raises SpecError when nothing, or more than one thing, is meant.
        """
        wanted = tuple(kinds)
        file, _, name = text.partition("#")
        if file.endswith((".yaml", ".yml", ".toml")):
            return self._in_file(file, name, wanted)
        for kind in wanted:
            plain = text.removeprefix(f"{kind}/")
            if f"{kind}/{plain}" in self.documents:
                return self.documents[f"{kind}/{plain}"]
        raise self.missing(wanted[0], text, None)

    def _in_file(self, file: str, name: str, kinds: tuple[str, ...]) -> Document:
        names = {file, shown_path(Path(file) if Path(file).is_absolute() else Path.cwd() / file, self.root)}
        found = [
            d
            for d in self.documents.values()
            if d.marks.file in names and d.kind in kinds and (not name or d.name == name)
        ]
        if len(found) == 1:
            return found[0]
        here = Location(file)
        if not found:
            raise SpecError(
                "spec.reference",
                f"the file holds no {' or '.join(kinds)}" + (f" named {name!r}" if name else ""),
                where=here,
                expected=f"a document of kind {' or '.join(kinds)}",
            )
        raise SpecError(
            "spec.reference",
            f"the file holds several documents of kind {' or '.join(kinds)}",
            where=here,
            expected=f"one of {', '.join(d.name for d in found)}",
            hint=f"name it: {file}#{found[0].name}",
        )

    def __iter__(self) -> Iterator[Document]:
        return iter(self.documents.values())


def read_workspace(
    root: Path, extra: Iterable[Path] = (), *, library: bool = True, folder: str | None = None
) -> tuple[Registry, list[SpecError]]:
    """Everything that can be read below a workspace, and everything that cannot.

    ``extra`` are spec files outside its folder, ``folder`` stands for the one that quant.toml names.
    """
    loaded = Loaded()
    project = root / PROJECT_FILE
    if project.is_file():
        read_file(project, PROJECT_FILE, loaded)
    folders = [folder or _declared_folder(loaded)]
    if (root / folders[0]).is_dir():
        read_folders(root, folders, loaded)
    for path in extra:
        if shown_path(path, root) not in loaded.texts:
            read_file(path, shown_path(path, root), loaded)
    shipped = read_library() if library else Loaded()
    errors = [*loaded.errors, *shipped.errors]
    texts = {**shipped.texts, **loaded.texts}
    documents: dict[str, Document] = {}
    shadowed: list[Document] = []
    for document in [*loaded.documents, *shipped.documents]:
        first = documents.setdefault(document.key, document)
        if first is document:
            continue
        if first.origin == document.origin:
            errors.append(
                SpecError(
                    "spec.duplicate",
                    f"{document.kind} {document.name!r} is defined twice",
                    where=document.marks.value(("name",)),
                    found=document.name,
                    hint=f"the first stands at {first.marks.start}",
                )
            )
        else:
            shadowed.append(document)
    ordered = dict(sorted(documents.items(), key=lambda item: (KINDS.index(item[1].kind), item[1].name)))
    registry = Registry(root, MappingProxyType(ordered), MappingProxyType(texts), tuple(shadowed))
    return registry, errors


def load_workspace(root: Path, extra: Iterable[Path] = ()) -> Registry:
    """All documents of a workspace and the shipped library. Raises SpecErrors with every fault of every file:
    syntax, schema, names and meaning."""
    from quant.specs.lint import check

    registry, errors = read_workspace(root, extra)
    errors += check(registry)
    if errors:
        raise SpecErrors(errors)
    return registry


def _declared_folder(loaded: Loaded) -> str:
    for document in loaded.documents:
        if document.kind == "project":
            paths = document.tree.get("paths")
            folder = paths.get("specs") if isinstance(paths, dict) else None
            if isinstance(folder, str) and ".." not in Path(folder).parts and not Path(folder).is_absolute():
                return folder
    return DEFAULT_FOLDER
