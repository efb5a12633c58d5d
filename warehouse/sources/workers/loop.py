"""The loop of a worker: a line of JSON in, a line of JSON and the answer's bytes out."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from queue import SimpleQueue
from typing import IO, Any, Protocol

from quant.warehouse.sources.vendor import Answer, Trouble, VendorFault

JSON = "application/json"
Params = Mapping[str, Any]


class Program(Protocol):
    """What a worker does: ``open`` once with the source's options and secret, then one question at a time."""

    def open(self, options: Params) -> None: ...

    def ask(self, endpoint: str, params: Params, timeout: float) -> Answer: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class _Pipes:
    questions: SimpleQueue[Params | None]
    answers: IO[bytes]


def serve(program: Program) -> None:
    """Answer until the parent says close or is gone."""
    pipes = _own_pipes()
    for question in _questions(pipes):
        try:
            if question["do"] == "open":
                program.open(question["options"])
                _send(pipes, Answer(b"", JSON, 0))
            else:
                answer = program.ask(question["endpoint"], question["params"], float(question["timeout"]))
                _send(pipes, answer)
        except VendorFault as fault:
            _refuse(pipes, fault.trouble, str(fault), fault.retry_after)
        except Exception as error:
            _refuse(pipes, "invalid", f"{type(error).__name__}: {error}", None)
    program.close()
    sys.stderr.flush()
    os._exit(0)  # to take the SDK's modules down in order takes longer than to log out


def as_json(value: object) -> bytes:
    """The bytes of an answer: the same for the same value."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def _own_pipes() -> _Pipes:
    """Keep the pipes for us: what an SDK prints goes to stderr, what it reads is nothing."""
    answers = os.fdopen(os.dup(1), "wb")
    asked = os.fdopen(os.dup(0), "rb")
    os.dup2(2, 1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    sys.stdout = sys.stderr
    questions: SimpleQueue[Params | None] = SimpleQueue()
    threading.Thread(target=_read, args=(asked, questions), daemon=True).start()
    return _Pipes(questions, answers)


def _read(asked: IO[bytes], questions: SimpleQueue[Params | None]) -> None:
    """Hand questions over; a parent that is gone ends the process, whatever the SDK is doing."""
    for line in asked:
        question = json.loads(line)
        questions.put(None if question["do"] == "close" else question)
    os._exit(0)


def _questions(pipes: _Pipes) -> Iterator[Params]:
    while (question := pipes.questions.get()) is not None:
        yield question


def _send(pipes: _Pipes, answer: Answer) -> None:
    header = {
        "ok": True,
        "media_type": answer.media_type,
        "rows": answer.rows,
        "empty_is_known": answer.empty_is_known,
        "size": len(answer.content),
    }
    pipes.answers.write(as_json(header) + b"\n" + answer.content)
    pipes.answers.flush()


def _refuse(pipes: _Pipes, trouble: Trouble, message: str, retry_after: float | None) -> None:
    header = {"ok": False, "trouble": trouble, "message": message[:2000], "retry_after": retry_after}
    pipes.answers.write(as_json(header) + b"\n")
    pipes.answers.flush()
