"""The documentation is true: pages current, links whole, commands and options those of the application."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
NOTEBOOKS = sorted((ROOT / "docs").rglob("*.ipynb"))
TEXTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "specs" / "templates").rglob("*.md")),
    *NOTEBOOKS,
]
GLOBAL_OPTIONS = {"--help", "-h", "--debug"}
PLACEHOLDER = re.compile(r"…|\.\.\.|\[.*")
FENCE = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)


def load_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_script", ROOT / "scripts" / "docs.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["docs_script"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load_script()


@pytest.fixture(scope="module")
def tree(script: ModuleType) -> Any:
    return script.command_tree()


def text_of(path: Path) -> str:
    """Markdown; of a notebook its markdown cells."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        return text
    cells = json.loads(text)["cells"]
    return "\n\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")


# --- generated pages


def test_generated_pages_are_current(script: ModuleType) -> None:
    assert script.stale() == [], "run: make docs"


def test_check_exits_3_on_a_stale_page_and_writes_nothing(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script, "PAGES", {"cli.md": script.cli})
    monkeypatch.setattr(script, "stale", lambda: ["cli.md"])
    monkeypatch.setattr(script, "DOCS", tmp_path)
    assert script.main(["--check"]) == 3
    assert list(tmp_path.iterdir()) == []
    assert script.main([]) == 0
    assert (tmp_path / "cli.md").read_text(encoding="utf-8") == script.cli()


def test_a_page_that_is_absent_or_changed_is_stale(script: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "cli.md").write_text(script.cli() + "\nmore\n", encoding="utf-8")
    (tmp_path / "rules.md").write_text(script.rules(), encoding="utf-8")
    found = script.stale(tmp_path)
    assert "cli.md" in found and "order-states.md" in found and "rules.md" not in found


def test_every_command_and_every_rule_row_is_on_its_page(script: ModuleType, tree: Any) -> None:
    from quant.core.market.registry import china_tables

    page = script.cli()
    for words, _ in script.commands(tree):
        assert f"## {' '.join(words)}\n" in page
    rows = sum(line.startswith("| ") for line in script.rules().splitlines())
    assert rows > sum(len(set(table.rows)) > 0 for table in china_tables()) + 50
    assert set(script.TABLES) == {table.name for table in china_tables()}


# --- links


def links(text: str) -> Iterator[str]:
    """Targets of Markdown links and images that are files here."""
    for target in re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", text)):
        if not re.match(r"[a-z]+:", target):
            yield target


def anchors(path: Path) -> set[str]:
    """Anchors of the headings of a page, as code hosts make them."""
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", h.strip().lower()).replace(" ", "-") for h in headings)
    return {*plain, *re.findall(r'<a id="([^"]+)"', text)}


@pytest.mark.parametrize("path", TEXTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_relative_links_resolve(path: Path) -> None:
    broken = []
    for target in links(text_of(path)):
        place, _, anchor = target.partition("#")
        file = (path.parent / place).resolve() if place else path
        if not file.exists() or (anchor and file.suffix == ".md" and anchor not in anchors(file)):
            broken.append(target)
    assert broken == []


def test_a_broken_link_and_anchor_would_be_found(tmp_path: Path) -> None:
    page = tmp_path / "a.md"
    page.write_text("# One two\n[x](b.md) [y](#one-two) [z](https://example.org)\n", encoding="utf-8")
    assert list(links(page.read_text(encoding="utf-8"))) == ["b.md", "#one-two"]
    assert anchors(page) == {"one-two"}


# --- commands


def command_lines(text: str) -> Iterator[list[str]]:
    """The words after ``quant`` in code blocks and code spans, one list a command."""
    for block in FENCE.findall(text):
        lines = iter(re.sub(r"\\\n", " ", block).splitlines())
        for line in lines:
            yield from commands_of(line, lines)
    for span in re.findall(r"`([^`]+)`", FENCE.sub("", text)):
        if re.match(r"(?:[A-Z_]+=\S+ )*quant\s+[^=\s]", span):
            yield from commands_of(" ".join(span.split()), iter(()))


def commands_of(line: str, following: Iterator[str]) -> Iterator[list[str]]:
    """The quant commands of a shell line; a quotation that is open goes on in the following lines."""
    if "quant" not in line:
        return
    words = tokens(line)
    while words is None:
        more = next(following, None)
        if more is None:
            return
        line = f"{line} {more}"
        words = tokens(line)
    for command in split_at_operators(words):
        while command and (command[0] == "$" or re.fullmatch(r"[A-Z_]+=.*", command[0])):
            command = command[1:]
        if command and command[0] == "quant":
            yield command[1:]


def tokens(line: str) -> list[str] | None:
    lexer = shlex.shlex(line, posix=True, punctuation_chars="&|;")
    lexer.whitespace_split = True
    try:
        return list(lexer)
    except ValueError:
        return None


def split_at_operators(words: list[str]) -> Iterator[list[str]]:
    command: list[str] = []
    for word in words:
        if set(word) <= set("&|;"):
            yield command
            command = []
        else:
            command.append(word)
    yield command


def fault_of(words: list[str], tree: Any) -> str | None:
    """What is wrong with the words after ``quant``; None when every command and option exists."""
    node, positional, skip = tree, 0, False
    line = " ".join(["quant", *words])
    for word in words:
        if skip or PLACEHOLDER.fullmatch(word):
            skip = False
        elif word.startswith("-") and len(word) > 1:
            name, _, value = word.partition("=")
            known = {o: p for p in node.params for o in (*p.opts, *p.secondary_opts)}
            if name not in known and name not in GLOBAL_OPTIONS:
                return f"{line}: no option {name}"
            skip = name in known and not known[name].is_flag and not value
        elif getattr(node, "commands", None):
            if word not in node.commands:
                return f"{line}: no command {word}"
            node = node.commands[word]
        else:
            positional += 1
    arguments = [p for p in node.params if p.param_type_name == "argument"]
    if positional > len(arguments) and not any(p.nargs == -1 for p in arguments):
        return f"{line}: too many words"
    return None


@pytest.mark.parametrize(
    "path", [p for p in TEXTS if "adr" not in p.parts], ids=lambda p: str(p.relative_to(ROOT))
)
def test_commands_exist_with_their_options(path: Path, tree: Any) -> None:
    faults = [fault for words in command_lines(text_of(path)) if (fault := fault_of(words, tree))]
    assert faults == []


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("backtest momentum n=50", None),
        ("data sync --profile real", None),
        ("run ls -n 5", None),
        ("", None),
        ("data fetch", "no command fetch"),
        ("backtest momentum --fast", "no option --fast"),
        ("ui 3000", "too many words"),
    ],
)
def test_a_wrong_command_would_be_found(tree: Any, line: str, wrong: str | None) -> None:
    fault = fault_of(line.split(), tree)
    assert fault is None if wrong is None else wrong in (fault or "")


def test_commands_are_found_in_blocks_and_spans() -> None:
    text = (
        "```\n$ quant ui\nmake x && A=1 quant init a  # b\nquant data sql 'a\n b'\n```\n"
        "Say `quant run ls`, not `quant.open()`."
    )
    assert list(command_lines(text)) == [["ui"], ["init", "a"], ["data", "sql", "a  b"], ["run", "ls"]]


# --- notebooks and paths


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.name)
def test_notebooks_hold_their_outputs_and_no_errors(path: Path) -> None:
    cells = [c for c in json.loads(path.read_text(encoding="utf-8"))["cells"] if c["cell_type"] == "code"]
    assert all(c["execution_count"] == i for i, c in enumerate(cells, 1))
    outputs = [o for c in cells for o in c["outputs"]]
    assert len(outputs) >= len(cells) - 1
    assert {o["output_type"] for o in outputs} <= {"execute_result", "display_data", "stream"}


@pytest.mark.parametrize("path", TEXTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_folder_of_a_machine_is_named(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert re.findall(r"(?<![\w.])/(?:home|root|Users|work|tmp)/[\w.-]+", text) == []


def test_the_picture_of_the_report_is_small() -> None:
    picture = ROOT / "docs" / "images" / "report.png"
    assert picture.read_bytes().startswith(b"\x89PNG") and picture.stat().st_size < 400_000
