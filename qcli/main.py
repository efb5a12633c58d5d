"""Entry point of ``quant``: one error boundary around thin commands.

Command modules import only typer; everything heavy is imported inside a command's body, so that
``quant --help`` stays fast.
"""

from __future__ import annotations

import errno
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn, TypeVar

import typer

from quant.core.errors import QuantError, UsageError
from quant.qcli import commands
from quant.qcli.screen import print_failure, print_internal

HELP = """Reviewed specs in, reproducible backtests and trading sessions out.

Start with: quant init my-desk --template ashare, then quant data sync, quant backtest SPEC,
quant deploy --env paper, quant ui.
"""


_Error = TypeVar("_Error", bound=BaseException)
DISK_HINTS = {
    errno.EROFS: "work in a folder that can be written, or copy the workspace to one",
    errno.EACCES: "allow your user to read and write it, or copy the workspace to a folder of yours",
    errno.EPERM: "allow your user to read and write it, or copy the workspace to a folder of yours",
    errno.ENOSPC: "free some space (quant data gc), then run the command again",
}


class Terminated(BaseException):
    """SIGTERM arrived; unwinds in order and ends the process with 143."""


def build() -> typer.Typer:
    """The command tree."""
    app = typer.Typer(
        help=HELP,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=True,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @app.callback()
    def root(
        _version: Annotated[
            bool,
            typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_version),
        ] = False,
    ) -> None:
        return None

    commands.register(app)
    return app


def _version(wanted: bool) -> None:
    if wanted:
        import quant

        typer.echo(quant.__version__)
        raise typer.Exit(0)


def run(argv: Sequence[str]) -> int:
    """Run one command line; returns the exit code. A traceback comes out only with ``--debug``."""
    debug, as_json = "--debug" in argv, "--json" in argv
    arguments = [a for a in argv if a != "--debug"]
    try:
        code = build()(args=arguments, prog_name="quant", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except KeyboardInterrupt:
        return _stopped("interrupted", 130, as_json=as_json)
    except Terminated:
        return _stopped("terminated", 143, as_json=as_json)
    except QuantError as error:
        if debug:
            raise
        error = _of_usage(error, arguments)
        print_failure(_without_secrets(error), as_json=as_json)
        return error.exit_code
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except Exception as error:
        return _framework_exit(error, as_json=as_json, debug=debug)


def _of_usage(error: QuantError, arguments: Sequence[str]) -> QuantError:
    """A date that was typed and that no shipped calendar covers is the command line's fault."""
    fault = error.fault
    typed = " ".join(arguments).replace("-", "")
    if fault.code != "calendar.range" or not fault.found or fault.found.replace("-", "") not in typed:
        return error
    return UsageError(
        fault.code,
        fault.message,
        where=fault.where,
        expected=fault.expected,
        found=fault.found,
        hint=fault.hint,
    )


def _stopped(how: str, code: int, *, as_json: bool) -> int:
    """Ctrl-C and SIGTERM end in order: one line, one object with ``--json``, and the code of the signal."""
    hint = "run the command again: what was finished is kept"
    print_failure(QuantError("process.stopped", how, hint=hint), as_json=as_json)
    return code


def _framework_exit(error: Exception, *, as_json: bool, debug: bool) -> int:
    """Usage errors and exits of the argument parser; anything else is a bug of ours, said in one line."""
    code = getattr(error, "exit_code", None)
    if isinstance(code, int):
        show = getattr(error, "show", None)
        if callable(show):
            if as_json:
                print_failure(QuantError("usage", str(error)), as_json=True)
            else:
                show()
        return code
    if type(error).__name__ == "Abort":
        return _stopped("interrupted", 130, as_json=as_json)
    files = sys.modules.get("quant.warehouse.files")
    if files is not None and files.is_full(error) and not debug:
        full: QuantError = files.no_room(Path(getattr(error, "filename", None) or "a file"), str(error)[:200])
        print_failure(_without_secrets(full), as_json=as_json)
        return full.exit_code
    if isinstance(error, OSError) and error.errno in DISK_HINTS and not debug:
        fault = QuantError(
            "disk.refused",
            error.strerror or str(error),
            found=str(error.filename or ""),
            hint=DISK_HINTS[error.errno],
        )
        print_failure(fault, as_json=as_json)
        return fault.exit_code
    if debug:
        raise error
    print_internal(_without_secrets(error), as_json=as_json)
    return 1


def _without_secrets(error: _Error) -> _Error:
    """The error with every credential blacked out that this process has resolved, if it resolved one."""
    known = sys.modules.get("quant.warehouse.secrets")
    if known is not None:
        known.redact_error(error)
    return error


def _on_sigterm(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise Terminated


def main() -> NoReturn:
    """Console script."""
    if hasattr(signal, "SIGTERM"):
        signal.signal(signal.SIGTERM, _on_sigterm)
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
