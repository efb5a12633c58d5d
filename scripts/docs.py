"""``make docs`` writes the pages of docs/ that the code makes; ``--check`` exits 3 when one is stale."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent.parent / "docs"
STALE = 3
FRAME = ("from", "to", "source", "confidence", "note")


def spec_reference() -> str:
    from quant.specs.reference import reference_markdown

    page = reference_markdown()
    for raw, shown in (("`PydanticUndefined`", "empty"), ("`\t` \\| `|`", "tab \\| `\\|`")):
        page = page.replace(raw, shown)
    return page.replace("list of ['string', 'integer']", "list of text")


def data_contracts() -> str:
    from quant.warehouse.contracts.docs import contract_docs

    return contract_docs()


def operators() -> str:
    from quant.specs.expr.reference import render_reference

    return render_reference()


# --- order states -----------------------------------------------------------------------------------------


def order_states() -> str:
    """The kernel's own state table and reason codes."""
    from quant.native.kernel import OrderEvent, OrderState, Reason, next_state
    from quant.research.reports.words import word

    head = [
        "# Order states and reasons",
        "",
        "Generated from the kernel's state table (`native/include/quant/oms/order_state.hpp`, in Python",
        "`quant.native.kernel.next_state`). Rows are states, columns events; an empty cell is an event that",
        "cannot happen there: the kernel stops on it rather than guess.",
        "",
    ]
    events = list(OrderEvent)
    moves = [
        [_code(s), *(_code(next_state(s, e)) if next_state(s, e) is not None else "" for e in events)]
        for s in OrderState
    ]
    final = [s for s in OrderState if all(next_state(s, e) is None for e in events)]
    foot = ["", f"Final: {', '.join(_code(s) for s in final)}.", "", "## Reasons", ""]
    foot += [
        "Why an order was not (fully) filled or was changed, and why trading halted. The numbers are stored",
        "in journals, run folders and state hashes and never change. 1 to 9 come from the venue, 20 to 35",
        "from the kernel before an order is sent, 40 to 42 halt the account.",
        "",
    ]
    reasons = [[str(r.value), _code(r), word(f"reason_{r.name.lower()}", "en")] for r in Reason if r.value]
    return _page(
        [
            *head,
            *_table(["state", *(f"`{e.name.lower()}`" for e in events)], moves),
            *foot,
            *_table(["number", "reason", "meaning"], reasons),
        ]
    )


def _code(member: Any) -> str:
    return f"`{member.name.lower()}`"


# --- command line -----------------------------------------------------------------------------------------


def command_tree() -> Any:
    """The root command of the application, with its groups below ``commands``."""
    from typer.main import get_command

    from quant.qcli.main import build

    return get_command(build())


def commands(node: Any, words: tuple[str, ...] = ("quant",)) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command with the words that call it, groups before their members."""
    yield words, node
    for name, child in getattr(node, "commands", {}).items():
        yield from commands(child, (*words, name))


def cli() -> str:
    """Every command with its arguments and options."""
    lines = [
        "# Command line",
        "",
        "Generated from the command tree; `--help` says the same. Data go to stdout, progress and messages",
        "to stderr. `--json` prints one object with `schema_version`. `--debug`, anywhere on the line, shows",
        "the traceback of an error. What a process returns: [exit codes](exit-codes.md).",
        "",
    ]
    for words, node in commands(command_tree()):
        lines += [f"## {' '.join(words)}", "", *_help(node), ""]
        if getattr(node, "commands", None):
            rows = [[_link((*words, n)), _first(c)] for n, c in node.commands.items()]
            lines += [*_table(["command", "what it does"], rows), ""]
        else:
            lines += ["```", _usage(words, node), "```", ""]
        rows = [_parameter(p) for p in node.params if not p.hidden]
        if rows:
            lines += [*_table(["argument or option", "default", "meaning"], rows), ""]
    return _page(lines)


def _help(node: Any) -> list[str]:
    return [" ".join(part.split()) for part in (node.help or "").strip().split("\n\n")]


def _first(node: Any) -> str:
    return " ".join((node.help or "").split())


def _link(words: Sequence[str]) -> str:
    return f"[`{' '.join(words)}`](#{'-'.join(words)})"


def _usage(words: Sequence[str], node: Any) -> str:
    arguments = [_argument(p) for p in node.params if p.param_type_name == "argument"]
    return " ".join([*words, *arguments, "[OPTIONS]"])


def _argument(parameter: Any) -> str:
    if parameter.metavar:
        return str(parameter.metavar)
    name = parameter.name.upper() + ("..." if parameter.nargs == -1 else "")
    return name if parameter.required else f"[{name}]"


def _parameter(parameter: Any) -> list[str]:
    if parameter.param_type_name == "argument":
        name = f"`{_argument(parameter)}`"
    else:
        name = ", ".join(f"`{o}`" for o in (*parameter.opts, *parameter.secondary_opts))
        name += "" if parameter.is_flag else " VALUE"
    meaning = (parameter.help or "").strip()
    return [name, "required" if parameter.required else _default(parameter), meaning]


def _default(parameter: Any) -> str:
    value = parameter.default
    return "" if value is None or value is False or callable(value) else f"`{value}`"


# --- rulebook ---------------------------------------------------------------------------------------------

TABLES: Mapping[str, str] = {
    "boards": "Which board a code belongs to; the longest prefix wins.",
    "price_limits": "The largest daily move as a fraction of the reference price. A status that the data do "
    "not tell is looked up as `normal`, and the receipt says so.",
    "no_limit_days": "Sessions without a price limit, counted from the event.",
    "first_days": "Bounds of the listing day as multiples of the issue price.",
    "ticks": "The smallest price step, in yuan.",
    "lots": "Order sizes, in shares.",
    "settlement": "Sessions a bought position waits before it may be sold.",
    "stamp_duty": "Tax, a fraction of the traded amount.",
    "transfer_fee": "Fee of the clearing house, on both sides.",
    "commission": "The broker's commission where the cost spec does not say, in yuan.",
    "bonus_shares": "Sessions after the ex-date when bonus shares may first be sold.",
    "code_changes": "Codes that became others.",
    "ipo_halts": "Halts of a session without a price limit, at distances from its open.",
    "free_auctions": "The highest price of the opening auction of a session without a limit, as a "
    "multiple of the reference.",
    "phases": "The phases of a session, local times; cancels are taken from the start to `cancel_until`.",
    "after_hours": "The session at the day's closing price.",
    "circuit_breaker": "The index circuit breaker.",
    "market_halts": "Halts of the whole market that happened.",
    "price_cages": "The valid range of limit orders in continuous trading, and what happens beyond it.",
    "st_buy_caps": "Shares of one ST stock an account may buy in a day.",
    "high_frequency": "Orders and cancels of an account that count as high-frequency trading; either count.",
    "program_trading": "Since when program trading is under reporting rules.",
    "sale_cash": "Sessions until the cash of a sale may buy again, and until it may be withdrawn.",
    "etf_primary": "Sessions between creating or redeeming fund units and trading them.",
    "handling_fee": "Fee of the exchange, on both sides, normally inside the commission.",
    "regulatory_fee": "Fee of the regulator, on both sides, normally inside the commission.",
    "dividend_tax": "Tax on dividends by the record date and the holding period.",
    "financing_margin": "What an account puts up to buy on margin, as a share of the amount.",
    "short_margin": "What an account puts up to sell short, as a share of the amount.",
    "short_sales": "What a short sale must fulfil.",
    "margin_maintenance": "Collateral over debt at which a broker closes positions out.",
    "sessions": "Trading hours by exchange and product; the hours stand at the top of the file.",
    "no_night": "Sessions without a night part.",
}


def rules() -> str:
    """The rows of the rulebook with their dates, sources and confidence."""
    from quant.core.market.registry import china_tables
    from quant.core.market.tables import load_sources

    lines = [
        "# Market rules",
        "",
        "Generated from the dated tables in `core/market/data/`. A row holds from `from` to `to`, both local",
        "dates of the exchange; no `to` means still in force. A question that no row answers is an error:",
        "the newest row never stands in for history. The confidence is the author's: `sure`, `likely` or",
        "`unverified`.",
        "",
        "`quant rules show` lists the tables, `quant rules show 300750.SZ 2020-08-24` the rules of an",
        "instrument on a date, `quant rules explain` the row and the document behind each of them.",
        "[Real bars](rule-check.md) are replayed with `quant rules check`.",
        "[Worked cases](rule-cases.md) are run with `quant rules verify`. A hash of what the tables of all",
        "markets say is part of every plan and of every receipt.",
        "",
    ]
    for table in china_tables():
        lines += _rule_section(table)
    rows = [[_anchor(s.key), s.title, f"<{s.url}>" if s.url else ""] for s in load_sources().values()]
    return _page([*lines, "## Sources", "", *_table(["source", "what it is", "where"], rows), ""])


def _rule_section(table: Any) -> list[str]:
    from quant.core.market.tables import load_toml

    raw = load_toml(Path(table.file).stem)[table.name]
    names = list(dict.fromkeys(k for row in raw for k in row if k not in FRAME and k not in table.key_names))
    heads = [*table.key_names, "from", "to", *names, "source", "confidence", "note"]
    rows = [[_cell(row.get(head, "")) for head in heads] for row in raw]
    kept = [i for i, head in enumerate(heads) if head != "note" or any(r[i] for r in rows)]
    return [
        f"## {table.name}",
        "",
        f"{TABLES[table.name]} `{table.file}`",
        "",
        *_table([heads[i] for i in kept], [[r[i] for i in kept] for r in rows]),
        "",
    ]


def _cell(value: Any) -> str:
    return ", ".join(str(v) for v in value) if isinstance(value, list) else str(value)


def _anchor(key: str) -> str:
    return f'<a id="{key.lower()}"></a>{key}'


def vendor_endpoints() -> str:
    """What each vendor of the library is asked for."""
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    from vendor_page import vendor_page

    return vendor_page()


# --- writing ----------------------------------------------------------------------------------------------


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    return [*lines, *(f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |" for row in rows)]


def _page(lines: Sequence[str]) -> str:
    return "\n".join(lines).rstrip() + "\n"


PAGES: Mapping[str, Callable[[], str]] = {
    "spec-reference.md": spec_reference,
    "data-contracts.md": data_contracts,
    "operators.md": operators,
    "order-states.md": order_states,
    "cli.md": cli,
    "rules.md": rules,
    "vendor-endpoints.md": vendor_endpoints,
}


def stale(folder: Path = DOCS) -> list[str]:
    """Names of generated pages whose file is absent or says something else."""
    return [name for name, make in PAGES.items() if _read(folder / name) != make()]


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 3 when a page is stale")
    options = parser.parse_args(argv)
    changed = stale()
    for name in changed:
        if options.check:
            print(f"docs/{name} is stale: make docs", file=sys.stderr)
        else:
            (DOCS / name).write_text(PAGES[name](), encoding="utf-8", newline="\n")
            print(f"wrote docs/{name}", file=sys.stderr)
    return STALE if options.check and changed else 0


if __name__ == "__main__":
    sys.exit(main())
