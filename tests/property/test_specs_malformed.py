"""Whatever stands in a spec file, the answer is SpecErrors with lines, soon, and never another exception."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from spec_workspaces import FullCatalog, faults, write

from quant.core.errors import SpecError, SpecErrors
from quant.specs import load_workspace, read_workspace, resolve
from quant.specs.compile import compile_backtest

SECONDS = 2.0
SOUND = {
    "source": {
        "provider": "files",
        "license": "personal",
        "root": "data",
        "datasets": {
            "bars_1d": {
                "files": "bars/*.csv",
                "format": "csv",
                "fields": {
                    "c": {"as": "code", "style": "tushare"},
                    "d": {"as": "session"},
                    "o": {"as": "open", "unit": "yuan"},
                    "h": {"as": "high"},
                    "l": {"as": "low"},
                    "p": {"as": "close"},
                    "v": {"as": "volume", "unit": "lot100"},
                },
            }
        },
        "schedule": {"cron": "0 18 * * 1-5"},
    },
    "table": {"dataset": "bars_1d", "from": ["mine"], "checks": [{"check": "unique", "severity": "warn"}]},
    "universe": {"members": {"boards": ["STAR"]}, "where": ["$list_days >= 60", "not $suspended"]},
    "factor": {"expr": "$close / Ref($close, n) - 1", "params": {"n": 20}, "price": "raw"},
    "strategy": {
        "signal": "mine",
        "construct": {"method": "equal", "top": 30, "max_weight": "5%", "cash_buffer": "2%"},
        "rebalance": {"every": "month", "on": "last", "decide": "after_close"},
    },
    "cost": {
        "commission": {"rate": "2.5bp", "min": 5},
        "stamp": {"rate": "0.1%"},
        "rounding": "none",
        "slippage": {"ticks": 1},
    },
    "risk": {
        "limits": {"single_name": "10%", "gross": "1x", "order_value": 1000000},
        "forbidden": ["600519.SH"],
        "halt": {"daily_loss": "3%", "drawdown": "20%"},
    },
    "backtest": {
        "use": {"strategy": "mine", "universe": "mine", "cost": "mine", "risk": "mine"},
        "range": {"from": "2021-01-04", "to": "2021-12-31"},
        "cash": 10000000,
        "benchmark": "none",
        "fill": {"at": "vwap", "participation": "10%"},
        "params": {"n": "strategy.construct.top"},
    },
    "deployment": {
        "use": {"strategy": "mine"},
        "env": {
            "paper": {
                "broker": "paper",
                "feed": "replay",
                "from": "2021-01-04",
                "to": "2021-12-31",
                "cash": 1000000,
            }
        },
    },
}
FREE = {("factor", "params"), ("backtest", "params"), ("source", "datasets", "bars_1d", "fields")}
Files = dict[str, "str | bytes"]


def document(kind: str, body: dict[str, Any] | None = None, name: str = "") -> str:
    header = {
        "apiVersion": "quant/v1",
        "kind": kind,
        "name": name or ("bars_1d" if kind == "table" else "mine"),
    }
    return yaml.safe_dump(
        {**header, **(SOUND[kind] if body is None else body)}, sort_keys=False, allow_unicode=True
    )


def workspace(replaced: dict[str, str | bytes] | None = None) -> Files:
    files: Files = {f"{kind}.yaml": document(kind) for kind in SOUND}
    files.update({f"{kind}.yaml": text for kind, text in (replaced or {}).items()})
    return files


def paths(tree: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if at:
        yield at
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in items:
        yield from paths(value, (*at, key))


def value_at(tree: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        tree = tree[step]
    return tree


def changed(kind: str, path: tuple[Any, ...], change: Callable[[Any, Any], None]) -> str:
    body = yaml.safe_load(yaml.safe_dump(SOUND[kind]))
    change(value_at(body, path[:-1]), path[-1])
    return document(kind, body)


def setting(value: Any) -> Callable[[Any, Any], None]:
    def change(parent: Any, key: Any) -> None:
        parent[key] = value

    return change


def wrong_types() -> Iterator[tuple[str, Files]]:
    for kind, body in SOUND.items():
        for path in paths(body):
            wrong: Any = 12345 if isinstance(value_at(body, path), (dict, list)) else {"a": [1]}
            yield f"type {kind} {path}", workspace({kind: changed(kind, path, setting(wrong))})


def unknown_keys() -> Iterator[tuple[str, Files]]:
    for kind, body in SOUND.items():
        yield f"unknown {kind}", workspace({kind: document(kind, {**body, "unheard_of": 1})})
        for path in paths(body):
            if isinstance(value_at(body, path), dict) and (kind, *path) not in FREE:
                text = changed(kind, (*path, "unheard_of"), setting(1))
                yield f"unknown {kind} {path}", workspace({kind: text})


def missing_keys() -> Iterator[tuple[str, Files]]:
    for kind, path in (
        ("source", ("license",)),
        ("source", ("provider",)),
        ("source", ("root",)),
        ("source", ("datasets",)),
        ("table", ("dataset",)),
        ("factor", ("expr",)),
        ("strategy", ("signal",)),
        ("strategy", ("construct",)),
        ("strategy", ("construct", "top")),
        ("cost", ("commission",)),
        ("cost", ("commission", "rate")),
        ("backtest", ("use",)),
        ("backtest", ("use", "strategy")),
        ("backtest", ("range", "to")),
        ("backtest", ("cash",)),
        ("deployment", ("env",)),
        ("deployment", ("env", "paper", "cash")),
        ("factor", ("params", "n")),
        ("source", ("datasets", "bars_1d", "fields", "v")),
    ):
        yield f"missing {kind} {path}", workspace({kind: changed(kind, path, lambda p, k: p.pop(k))})
    for line in ("apiVersion", "kind", "name"):
        lines = [text for text in document("factor").splitlines() if not text.startswith(line)]
        yield f"missing {line}", workspace({"factor": "\n".join(lines)})


ABSURD = {
    ("strategy", "construct", "top"): [0, -1, 10**9, "many", 1.5, True, None, "1e999", int("9" * 41)],
    ("strategy", "construct", "max_weight"): [0, 1.5, "150%", -0.1, "x", "5bpp", ".nan", ".inf"],
    ("strategy", "construct", "cash_buffer"): ["100%", -1, "2x"],
    ("cost", "commission", "rate"): ["50%", -0.001, "1e-30", "%", "--1"],
    ("cost", "commission", "min"): [-5, "1e13", "five"],
    ("risk", "limits", "single_name"): [0, "101%", -1],
    ("risk", "limits", "gross"): [0, "11x", "1.5x"],
    ("risk", "halt", "daily_loss"): ["30%", 0, 2],
    ("risk", "forbidden", 0): ["", "600519.NYSE", "!", 12345678, "600519.SH.SH"],
    ("backtest", "cash"): [0, -1, "1e400", "ten", 10**30],
    ("backtest", "range", "from"): [
        "2022-01-04",
        "1980-01-01",
        "2021-13-01",
        "2021-02-30",
        20210104,
        "yesterday",
    ],
    ("backtest", "range", "to"): ["2020-01-01", "2099-12-31", ""],
    ("backtest", "fill", "participation"): [0, "120%"],
    ("backtest", "fill", "at"): ["open", "opne", "tomorrow"],
    ("backtest", "as_of"): ["2021-01-01", "now", 5],
    ("backtest", "seed"): [-1, 2**64, "x"],
    ("deployment", "env", "paper", "to"): ["2020-12-31"],
    ("deployment", "env", "paper", "broker"): ["qmt", "live"],
    ("factor", "params", "n"): [-20, 1.5, 10**6, "a"],
}


def absurd_numbers() -> Iterator[tuple[str, Files]]:
    for (kind, *path), values in ABSURD.items():
        for value in values:
            yield (
                f"absurd {kind} {path} {value!r}",
                workspace({kind: changed(kind, tuple(path), setting(value))}),
            )


def dangling_names() -> Iterator[tuple[str, Files]]:
    for kind, path in (
        ("table", ("from", 0)),
        ("strategy", ("signal",)),
        ("backtest", ("use", "strategy")),
        ("backtest", ("use", "universe")),
        ("backtest", ("use", "cost")),
        ("backtest", ("use", "risk")),
        ("deployment", ("use", "strategy")),
    ):
        for name in ("nobody", "../mine", "mine.yaml", "MINE"):
            yield f"dangling {kind} {path} {name}", workspace({kind: changed(kind, path, setting(name))})
    yield (
        "dangling alias",
        workspace({"backtest": changed("backtest", ("params", "n"), setting("strategy.nothing"))}),
    )
    yield "dangling defaults", workspace({"backtest": document("backtest", {"defaults": ["nobody"]})})
    yield (
        "dangling column",
        workspace(
            {"source": changed("source", ("datasets", "bars_1d", "fields", "o", "as"), setting("opening"))}
        ),
    )


def cycles() -> Iterator[tuple[str, Files]]:
    for length in (1, 2, 3, 5, 9):
        names = [f"ring{n}" for n in range(length)]
        text = "---\n".join(
            document("backtest", {**SOUND["backtest"], "defaults": [names[(n + 1) % length], "_self_"]}, name)
            for n, name in enumerate(names)
        )
        yield f"cycle of {length}", {**workspace(), "ring.yaml": text}
    twice = document("backtest", {**SOUND["backtest"], "defaults": ["mine", "mine"]}, "twice")
    yield "merged twice", {**workspace(), "twice.yaml": twice}
    for entry in (
        7,
        {"strategy": "mine"},
        "strategy/mine",
        "../mine",
        "${x}",
        "/etc/passwd",
        ["mine"],
        "hydra/launcher",
    ):
        text = document("backtest", {**SOUND["backtest"], "defaults": [entry]}, "odd")
        yield f"defaults {entry!r}", {**workspace(), "odd.yaml": text}


def look_ahead() -> Iterator[tuple[str, Files]]:
    for text in (
        "Ref($close, -1)",
        "$close / Ref($close, -5) - 1",
        "Delta($close, -2)",
        "Mean(Ref($open, -1), 5)",
        "x = Ref($close, -1)\nx / $close",
    ):
        yield f"look-ahead {text!r}", workspace({"factor": changed("factor", ("expr",), setting(text))})
        yield (
            f"look-ahead where {text!r}",
            workspace(
                {"universe": changed("universe", ("where", 0), setting(f"({text.splitlines()[-1]}) > 1"))}
            ),
        )
    early = {**SOUND["strategy"], "rebalance": {"every": "day", "decide": "before_close"}}
    for at in ("open", "vwap", "close"):  # at the close the fill is possible, but the factor reads the close
        yield (
            f"decide before {at}",
            workspace(
                {
                    "strategy": document("strategy", early),
                    "backtest": changed("backtest", ("fill",), setting({"at": at})),
                    "deployment": changed("deployment", ("fill",), setting({"at": at})),
                }
            ),
        )


def expressions() -> Iterator[tuple[str, Files]]:
    for text in (
        "",
        "   ",
        "#",
        "$close /",
        "/ $close",
        "$clsoe",
        "closes",
        "Mean($close)",
        "Mean($close, 0)",
        "Mean($close, 1.5)",
        "Mean($close, $volume)",
        "Mean($close, 99999)",
        "Nothing($close)",
        "__import__('os').system('x')",
        "lambda: 1",
        "$close.__class__",
        "a = 1",
        "a = a\na",
        "(" * 200 + "$close" + ")" * 200,
        "$close + " * 3000 + "1",
        "'text'",
        "$close if 1 else 2",
        "[x for x in 1]",
        "$close; $open",
        "1" * 500,
        "\x07",
        "Std($close, 1)",
        "Ref($close, 100000)",
        "eval($close)",
    ):
        yield f"expression {text[:30]!r}", workspace({"factor": changed("factor", ("expr",), setting(text))})


def traversal() -> Iterator[tuple[str, Files]]:
    for pattern in (
        "../../etc/passwd",
        "/etc/passwd",
        "a/../../b",
        "~/x",
        "C:\\x",
        "..\\x",
        "a\\..\\..\\b",
        "",
        "..",
        "bars/\x00.csv",
    ):
        yield (
            f"files {pattern!r}",
            workspace({"source": changed("source", ("datasets", "bars_1d", "files"), setting(pattern))}),
        )
    for root in ("../data", "a/../../b", "/data/../../etc", "..", ""):
        yield f"root {root!r}", workspace({"source": changed("source", ("root",), setting(root))})
    for entry in (
        "../x:A",
        "os:system",
        "strategies/../x:A",
        "strategies.nothing:A",
        "strategies.a",
        "strategies..a:A",
        "builtins:eval",
        "strategies.__init__:A",
        "strategies.a:A.b",
    ):
        body = {"code": {"entry": entry}}
        yield f"entry {entry!r}", workspace({"strategy": document("strategy", body)})
    for secret in ("hunter2", "http://x", "env://", "keyring://a b"):
        yield "secret in the clear", workspace({"source": changed("source", ("secret",), setting(secret))})


def bombs() -> Iterator[tuple[str, Files]]:
    head = "apiVersion: quant/v1\nkind: factor\nname: bomb\nexpr: $close\n"
    laughs = "a0: &a0 [x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30)
    )
    for label, text in {
        "laughs": head + laughs,
        "anchor": head + "params: &p {n: 1}\n",
        "alias": head + "params: *p\n",
        "self alias": "&a [*a]\n",
        "merge": head + "<<: {price: raw}\n",
        "deep list": head + "params: " + "[" * 5000,
        "deep closed": head + "params: " + "[" * 500 + "]" * 500,
        "deep map": head + "params: " + "{a: " * 3000,
        "deep blocks": head + "".join(" " * n + f"k{n}:\n" for n in range(500)),
        "dashes": "- " * 50_000,
        "many keys": head + "params:\n" + "".join(f"  k{n}: 1\n" for n in range(60_000)),
        "many documents": "---\na: 1\n" * 5_000,
        "large": head + "#" * (2 << 20),
        "long line": head + "description: " + "x" * 500_000,
        "tag": head + "params: !!python/object/apply:os.system [x]\n",
        "local tag": head + "params: !x {n: 1}\n",
        "binary tag": head + "description: !!binary aGk=\n",
        "directive": "%YAML 1.1\n---\n" + head,
        "tag directive": "%TAG ! tag:x,2000:\n---\n" + head,
        "duplicate": head + "expr: $open\n",
        "duplicate header": head + "kind: factor\n",
        "interpolation": head + "description: ${oc.env:HOME}\n",
        "interpolated key": head + "${a}: 1\n",
        "missing mark": head + "price: ???\n",
        "target": head + "_target_: os.system\n",
        "complex key": head + "? [a, b]\n: 1\n",
        "mapping key": head + "? {a: b}\n: 1\n",
        "tab": head + "params:\n\tn: 1\n",
        "unclosed": head + "description: 'x\n",
        "not a mapping": "- 1\n- 2\n",
        "a scalar": "hello\n",
        "only comments": "# nothing\n",
        "empty": "",
        "number": "12\n",
        "long number": head + "params: {n: " + "9" * 5_000 + "}\n",
        "exponent": head + "params: {n: 1e999999999}\n",
        "null key": head + "~: 1\n",
        "numeric name": "apiVersion: quant/v1\nkind: factor\nname: 12\nexpr: $close\n",
        "version": "apiVersion: quant/v9\nkind: factor\nname: a\nexpr: $close\n",
        "kind": "apiVersion: quant/v1\nkind: facto\nname: a\nexpr: $close\n",
        "unhashable kind": "apiVersion: quant/v1\nkind: [factor]\nname: a\nexpr: $close\n",
        "unhashable provider": "apiVersion: quant/v1\nkind: source\nname: a\nprovider: {a: 1}\n",
        "twice": head + "---\n" + head,
    }.items():
        yield f"bomb {label}", {**workspace(), "bomb.yaml": text}


def junk() -> Iterator[tuple[str, Files]]:
    draw = random.Random(7)
    for n in range(12):
        yield f"junk {n}", {**workspace(), "junk.yaml": draw.randbytes(draw.randrange(1, 4_000))}
        yield f"junk toml {n}", {**workspace(), "junk.toml": draw.randbytes(draw.randrange(1, 4_000))}
    yield "utf-16", {**workspace(), "wide.yaml": document("factor").encode("utf-16")}
    yield "latin-1", {**workspace(), "latin.yaml": "description: é".encode("latin-1")}
    yield "nul", {**workspace(), "nul.yaml": b"a: \x00\n"}
    yield "gzip", {**workspace(), "gz.yaml": b"\x1f\x8b\x08\x00" + bytes(range(256))}


def toml() -> Iterator[tuple[str, Files]]:
    head = 'apiVersion = "quant/v1"\nkind = "factor"\nname = "t"\n'
    for text in (
        head,
        head + "expr = 1\n",
        head + 'expr = "$close"\nexpr = "$open"\n',
        head + 'expr = "$clsoe"\n',
        head + "expr = \n",
        head + 'expr = "$close"\nunheard = 1\n',
        head + 'expr = "$close"\n[params]\nn = "many"\n',
        "a = " + "[" * 5000,
        head + 'expr = "$close"\nparams = {n = 1e400}\n',
        head + "expr = '''\n$close +\n'''\n",
        "[[documents]]\n",
        "=",
        head + 'expr = "$close"\nparams = {n = inf}\n',
        head + 'expr = "$close"\n[params]\nn = ' + "9" * 6_000 + "\n",
        "[[documents]]\n" + head,
        head + "expr = 2021-01-01\n",
        head + 'expr = "$close"\n[[params]]\nn = 1\n',
    ):
        yield f"toml {text[-30:]!r}", {**workspace(), "t.toml": text}
    for text in (
        'kind = "project"\n',
        'apiVersion = "quant/v1"\nkind = "project"\nname = "p"\n',
        "x",
        "[profiles]\n",
        'apiVersion = "quant/v1"\nkind = "project"\nname = "p"\n[profiles.a]\nsources = ["nobody"]\n',
        'apiVersion = "quant/v1"\nkind = "project"\nname = "p"\n[paths]\nspecs = "../.."\n'
        '[profiles.a]\nsources = ["sim"]\n',
    ):
        yield f"quant.toml {text[-30:]!r}", {**workspace(), "quant.toml": text}


CASES = [
    case
    for make in (
        wrong_types,
        unknown_keys,
        missing_keys,
        absurd_numbers,
        dangling_names,
        cycles,
        look_ahead,
        expressions,
        traversal,
        bombs,
        junk,
        toml,
    )
    for case in make()
]


def run(root: Path) -> None:
    """Everything a command does with specs before it touches data."""
    registry = load_workspace(root)
    for kind in ("backtest", "deployment"):
        for name in registry.names(kind):
            spec = resolve(registry, kind, name)
            if kind == "backtest":
                compile_backtest(spec, FullCatalog(), rulebook_hash="r", kernel_hash="k")


def test_the_sound_workspace_has_no_fault(tmp_path: Path) -> None:
    run(write(tmp_path, workspace()))


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 300


@pytest.mark.parametrize("files", [c[1] for c in CASES], ids=[c[0] for c in CASES])
def test_a_malformed_spec_is_refused_with_its_line(tmp_path: Path, files: Files) -> None:
    root = write(tmp_path, files)
    begin = time.perf_counter()
    with pytest.raises((SpecError, SpecErrors)) as caught:
        run(root)
    assert time.perf_counter() - begin < SECONDS
    for error in faults(caught.value):
        assert error.fault.where is not None, error
        assert error.fault.where.line >= 1, error
        assert error.fault.message
        assert "hunter2" not in str(error.fault)


OVERRIDES = [
    "",
    "=",
    "n",
    "n=",
    "n=0",
    "n=many",
    "n=-5",
    "n=1,2,3",
    "n=range(1,9)",
    "n=choice(1,2)",
    "n=[1",
    "n='",
    "nn=5",
    "cash=-1",
    "cash=${oc.env:HOME}",
    "hydra.run.dir=/tmp",
    "hydra/launcher=x",
    "defaults=[a]",
    "name=x",
    "strategy=nobody",
    "universe=../x",
    "factor.nothing=1",
    "strategy.construct.tpo=5",
    "range.from=tomorrow",
    "range=[a]",
    "~cash",
    "~range.from",
    "x.y.z=1",
    "use=1",
    "use.strategy=[a]",
    "cash={a:1}",
    "+cash=",
    "a b=c",
    "=5",
    "strategy.construct=1",
    "factor.params.n=-1",
    "factor.expr=Ref($close,-1)",
    "risk.forbidden=[x]",
    "cash=1e999",
    "n=" + "9" * 5000,
    "strategy.construct.top.x=1",
    "_target_=os.system",
    "kind=factor",
    "fill.at=opne",
    "n=\x00",
    "use.risk=none",
    "universe.where=[$close",
    "cost.commission=",
    "table.x=1",
    "params.n=x",
]


@pytest.mark.parametrize("text", OVERRIDES, ids=[repr(t[:30]) for t in OVERRIDES])
def test_a_malformed_override_is_refused_and_named(tmp_path: Path, text: str) -> None:
    registry = load_workspace(write(tmp_path, workspace()))
    begin = time.perf_counter()
    with pytest.raises((SpecError, SpecErrors)) as caught:
        resolve(registry, "backtest", "mine", [text])
    assert time.perf_counter() - begin < SECONDS
    for error in faults(caught.value):
        assert error.fault.where is not None, error
        assert error.fault.where.line >= 1 or error.fault.where.file.startswith("<override"), error


@given(data=st.data())
def test_damaged_specs_never_raise_anything_else(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Random edits of a sound document: it is accepted, or refused with lines."""
    kind = data.draw(st.sampled_from(sorted(SOUND)))
    text = document(kind)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text)))
        cut = data.draw(st.integers(0, 6))
        insert = data.draw(
            st.text(st.sampled_from("{}[]:,-#&*!|>'\"%@`~?\n \t019.axn$()=/<\x00\u2028é"), max_size=5)
        )
        text = text[:at] + insert + text[at + cut :]
    root = write(tmp_path_factory.mktemp("damaged"), {**workspace(), f"{kind}.yaml": text})
    begin = time.perf_counter()
    try:
        run(root)
    except (SpecError, SpecErrors) as error:
        assert all(e.fault.where is not None and e.fault.where.line >= 1 for e in faults(error))
    assert time.perf_counter() - begin < SECONDS


def test_all_faults_of_all_files_come_at_once(tmp_path: Path) -> None:
    files = workspace(
        {
            "factor": document("factor", {"expr": "$clsoe"}),
            "cost": document("cost", {"commission": 1}),
            "risk": b"\xff\xfe",
            "universe": "a: [\n",
        }
    )
    _, errors = read_workspace(write(tmp_path, files))
    assert {e.fault.where.file for e in errors if e.fault.where} == {"specs/risk.yaml", "specs/universe.yaml"}
    with pytest.raises(SpecErrors) as caught:
        load_workspace(tmp_path)
    found = {e.fault.where.file for e in caught.value.errors if e.fault.where}
    assert {f"specs/{k}.yaml" for k in ("factor", "cost", "risk", "universe")} <= found
