"""Tokens to syntax tree: precedence climbing over this grammar.

    script     = { line } ;  line = [ name "=" or ] ( newline | ";" )      -- the last line has no "="
    or         = and { "or" and } ;        and     = not { "and" not } ;    not = "not" not | compare
    compare    = sum { ( "<" | "<=" | ">" | ">=" | "==" | "!=" ) sum }      -- a < b < c means a < b and b < c
    sum        = product { ( "+" | "-" ) product } ;  product = unary { ( "*" | "/" ) unary }
    unary      = ( "-" | "+" ) unary | power ;        power   = atom [ "**" unary ]
    atom       = number | "$" name | name | name "(" [ or { "," or } ] ")" | "(" or ")"

Newlines inside parentheses and after an infix sign do not end a line; ``#`` starts a comment. Hand-written
rather than generated: importing lark and building its tables costs more than parsing every shipped factor,
and the messages below need the parser's own state.
"""

from __future__ import annotations

from collections.abc import Callable

from quant.core.errors import SpecError
from quant.specs.expr.lexer import Source, Token, tokens
from quant.specs.expr.nodes import (
    Apply,
    Assignment,
    Call,
    Comparison,
    Expression,
    FieldName,
    Literal,
    Name,
    Script,
)
from quant.specs.expr.ops import MAX_DEPTH

_COMPARE = {"<": "lt", "<=": "le", ">": "gt", ">=": "ge", "==": "eq", "!=": "ne"}
_SUM = {"+": "add", "-": "sub"}
_PRODUCT = {"*": "mul", "/": "div"}
_RESERVED = frozenset({"and", "or", "not"})
_Rule = Callable[[], Expression]
_OPERAND = "a field, a number, a name, a function or '('"


def parse(source: Source) -> Script:
    """Raises SpecError ``expr.syntax`` or ``expr.limit`` at the offending token."""
    return _Parser(source).script()


class _Parser:
    def __init__(self, source: Source) -> None:
        self._source = source
        self._tokens = tokens(source)
        self._next = 0
        self._parentheses = 0
        self._depth = 0

    def script(self) -> Script:
        assignments: list[Assignment] = []
        self._skip_newlines()
        while self._assigns():
            assignments.append(self._assignment())
            self._end_line()
        if self._peek().kind == "end" and assignments:
            raise self._unexpected(
                "the expression that is the result",
                hint=f"end with the result itself, for example: {assignments[-1].name}",
            )
        result = self._expression()
        if self._peek().kind == "newline":
            self._end_line()
        if self._peek().kind != "end":
            raise self._unexpected(
                "the end: only the last line may lack 'name ='"
                if self._last().kind == "newline"
                else "an operator or the end of the line"
            )
        return Script(tuple(assignments), result)

    def _assigns(self) -> bool:
        following = self._tokens[min(self._next + 1, len(self._tokens) - 1)]
        return self._peek().kind == "name" and following.kind == "sign" and following.text == "="

    def _assignment(self) -> Assignment:
        name = self._take()
        if name.text in _RESERVED:
            raise self._source.error("expr.syntax", f"'{name.text}' cannot be a name", name.at)
        self._take()
        return Assignment(name.text, self._expression(), name.at)

    def _end_line(self) -> None:
        if self._peek().kind not in ("newline", "end"):
            raise self._unexpected("an operator, ';' or a new line")
        self._skip_newlines()

    def _skip_newlines(self) -> None:
        while self._tokens[self._next].kind == "newline":
            self._next += 1

    def _expression(self) -> Expression:
        return self._deeper(self._or)

    def _deeper(self, rule: _Rule) -> Expression:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._source.error(
                "expr.limit",
                "the expression is nested too deeply",
                self._peek().at,
                expected=f"at most {MAX_DEPTH} levels",
                hint="name a part: part = ... on a line of its own",
            )
        result = rule()
        self._depth -= 1
        return result

    def _or(self) -> Expression:
        left = self._and()
        while (sign := self._accept_name("or")) is not None:
            left = Apply("or", (left, self._and()), sign.at)
        return left

    def _and(self) -> Expression:
        left = self._not()
        while (sign := self._accept_name("and")) is not None:
            left = Apply("and", (left, self._not()), sign.at)
        return left

    def _not(self) -> Expression:
        sign = self._accept_name("not")
        if sign is not None:
            return Apply("not", (self._deeper(self._not),), sign.at)
        return self._compare()

    def _compare(self) -> Expression:
        operands = [self._sum()]
        signs: list[Token] = []
        while (sign := self._accept(_COMPARE)) is not None:
            signs.append(sign)
            operands.append(self._sum())
        if not signs:
            return operands[0]
        return Comparison(tuple(_COMPARE[s.text] for s in signs), tuple(operands), signs[0].at)

    def _sum(self) -> Expression:
        left = self._product()
        while (sign := self._accept(_SUM)) is not None:
            left = Apply(_SUM[sign.text], (left, self._product()), sign.at)
        return left

    def _product(self) -> Expression:
        left = self._unary()
        while (sign := self._accept(_PRODUCT)) is not None:
            left = Apply(_PRODUCT[sign.text], (left, self._unary()), sign.at)
        return left

    def _unary(self) -> Expression:
        sign = self._accept(_SUM)
        if sign is None:
            return self._power()
        operand = self._deeper(self._unary)
        return operand if sign.text == "+" else Apply("neg", (operand,), sign.at)

    def _power(self) -> Expression:
        base = self._atom()
        sign = self._accept({"**": "power"})
        return base if sign is None else Apply("power", (base, self._deeper(self._unary)), sign.at)

    def _atom(self) -> Expression:
        token = self._peek()
        if token.kind == "number":
            return Literal(self._number(self._take()), token.at)
        if token.kind == "field":
            return FieldName(self._take().text[1:], token.at)
        if token.kind == "name" and token.text not in _RESERVED:
            self._take()
            return self._call(token) if self._peek().text == "(" else Name(token.text, token.at)
        if token.text == "(":
            return self._group()
        raise self._unexpected(_OPERAND)

    def _number(self, token: Token) -> float:
        try:
            value = float(token.text)
        except ValueError:
            value = float("nan")
        if not abs(value) < float("inf"):
            raise self._source.error(
                "expr.syntax", f"{token.text} is not a number a float64 can hold", token.at, found=token.text
            )
        return value

    def _group(self) -> Expression:
        opening = self._open()
        inner = self._expression()
        self._close(opening)
        return inner

    def _call(self, function: Token) -> Expression:
        opening = self._open()
        args: list[Expression] = []
        if self._peek().text != ")":
            args.append(self._expression())
            while self._accept({",": ""}) is not None:
                args.append(self._expression())
        self._close(opening)
        return Call(function.text, tuple(args), function.at)

    def _open(self) -> Token:
        self._parentheses += 1
        return self._take()

    def _close(self, opening: Token) -> None:
        if self._peek().text != ")":
            where = self._source.place(opening.at)
            raise self._unexpected(f"',' or ')' for the '(' of {where.line}:{where.column}")
        self._parentheses -= 1
        self._take()

    def _peek(self) -> Token:
        if self._parentheses:
            self._skip_newlines()
        return self._tokens[self._next]

    def _last(self) -> Token:
        return self._tokens[max(self._next - 1, 0)]

    def _take(self) -> Token:
        token = self._peek()
        self._next = min(self._next + 1, len(self._tokens) - 1)
        return token

    def _accept(self, signs: dict[str, str]) -> Token | None:
        token = self._peek()
        if token.kind != "sign" or token.text not in signs:
            return None
        self._take()
        self._skip_newlines()
        return token

    def _accept_name(self, word: str) -> Token | None:
        token = self._peek()
        if token.kind != "name" or token.text != word:
            return None
        self._take()
        self._skip_newlines()
        return token

    def _unexpected(self, expected: str, hint: str | None = None) -> SpecError:
        token = self._peek()
        if hint is None and token.text == "=":
            hint = "compare with ==; assign on a line of its own"
        return self._source.error(
            "expr.syntax",
            f"expected {expected}, found {token.show()}",
            token.at,
            expected=expected,
            found=token.show(),
            hint=hint,
        )
