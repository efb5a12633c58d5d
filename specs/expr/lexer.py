"""Text to tokens. Offsets are kept; ``Source`` turns them into places of the file the text stands in."""

from __future__ import annotations

import re
from dataclasses import dataclass

from quant.core.errors import Location, SpecError
from quant.specs.expr.ops import MAX_TEXT

_TOKEN = re.compile(
    r"""(?P<space>[ \t\r]+|\#[^\n]*)
      | (?P<newline>\n|;)
      | (?P<number>(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9]+)?)
      | (?P<field>\$[A-Za-z_][A-Za-z0-9_]*)
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<sign>\*\*|<=|>=|==|!=|[-+*/()<>,=])""",
    re.VERBOSE,
)
_HINTS = {
    "&": "write: and", "|": "write: or", "!": "write: not", "^": "write: **", "$": "a field is $ and a name",
    "（": "use ASCII ( )", "）": "use ASCII ( )", "，": "use an ASCII comma", "。": "use an ASCII point",
    "“": "text has no place in an expression", '"': "text has no place in an expression",
    "'": "text has no place in an expression", "[": "there are no lists", "%": "write a fraction: 0.05",
    "：": "assign with =", ":": "assign with =", ".": "functions are written Mean(x, n)",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Token:
    kind: str  # number, field, name, sign, newline, end
    text: str
    at: int

    def show(self) -> str:
        if self.kind == "newline":
            return "end of line" if self.text == "\n" else "';'"
        return "end of expression" if self.kind == "end" else f"'{self.text}'"


@dataclass(frozen=True, slots=True)
class Source:
    """An expression's text and the place of its first character."""

    text: str
    origin: Location

    def place(self, at: int) -> Location:
        """The place of offset ``at``; further lines are taken to be indented like the first."""
        line = self.text.count("\n", 0, at)
        column = at - (self.text.rfind("\n", 0, at) + 1)
        return Location(
            self.origin.file, max(self.origin.line, 1) + line, max(self.origin.column, 1) + column
        )

    def error(
        self,
        code: str,
        message: str,
        at: int,
        *,
        expected: str | None = None,
        found: str | None = None,
        hint: str | None = None,
    ) -> SpecError:
        return SpecError(code, message, where=self.place(at), expected=expected, found=found, hint=hint)


def tokens(source: Source) -> list[Token]:
    """The tokens and a closing ``end``. Raises SpecError for a character the language does not have."""
    text = source.text
    if len(text) > MAX_TEXT:
        raise source.error(
            "expr.limit",
            "the expression is too long",
            0,
            expected=f"at most {MAX_TEXT} characters",
            found=str(len(text)),
        )
    out: list[Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise source.error(
                "expr.syntax",
                f"unexpected character {text[at]!r}",
                at,
                found=repr(text[at]),
                expected="a field, a number, a name or an operator",
                hint=_HINTS.get(text[at]),
            )
        if match.lastgroup != "space":
            out.append(Token(str(match.lastgroup), match.group(), at))
        at = match.end()
    out.append(Token("end", "", len(text.rstrip())))
    return out
