"""The command tree, one module a command or group."""

from __future__ import annotations

import typer

from quant.qcli.commands import (
    backtest,
    config,
    data,
    deploy,
    doctor,
    init,
    live,
    plan,
    rules,
    run,
    secret,
    spec,
    ui,
    universe,
    upgrade,
    warehouse,
)


def register(app: typer.Typer) -> None:
    """Add every command, in the order in which a user meets them."""
    app.command("init")(init.init)
    app.add_typer(data.app, name="data")
    app.add_typer(warehouse.app, name="warehouse")
    app.add_typer(spec.app, name="spec")
    app.add_typer(universe.app, name="universe")
    app.add_typer(rules.app, name="rules")
    app.command("plan")(plan.plan)
    app.command("backtest")(backtest.backtest)
    app.add_typer(run.app, name="run")
    app.command("deploy")(deploy.deploy)
    app.add_typer(live.app, name="live")
    app.command("ui")(ui.ui)
    app.add_typer(config.app, name="config")
    app.add_typer(secret.app, name="secret")
    app.command("doctor")(doctor.doctor)
    app.command("upgrade")(upgrade.upgrade)
