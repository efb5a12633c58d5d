"""After a restart: make the book's open orders and the venue's agree, by events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from quant.core.errors import StateConflict
from quant.native.batch import Batch, BatchKind, Phase, ReportKind

if TYPE_CHECKING:
    from quant.trading.ports import Book, Venue


def reconcile(book: Book, venue: Venue, last: Batch | None) -> Iterator[Batch]:
    """Reports that bring the book to what the venue says; none when they agree.

    An order that the book holds as sent but the venue does not know was never accepted: it is cancelled.

    Raises:
        StateConflict: the venue works an order that this session never sent.
    """
    if last is None:
        return
    theirs = {int(order) for order in venue.open_state()["order_id"]}
    ours = open_orders(book)
    strangers = sorted(theirs - set(ours))
    if strangers:
        raise StateConflict(
            "session.stranger",
            f"the venue works {len(strangers)} orders that this session never sent",
            expected="only orders of this session",
            found=", ".join(map(str, strangers[:5])),
            hint="cancel them at the venue, or run only one session on the account",
        )
    lost = sorted(set(ours) - theirs)
    if lost:
        yield _cancelled(lost, [ours[order] for order in lost], last)


def open_orders(book: Book) -> dict[int, int]:
    """Open quantity by order id of the orders the book believes to be at the venue."""
    from quant.native.kernel import OrderState

    orders = book.orders()
    states = (OrderState.SENT, OrderState.WORKING, OrderState.PARTIAL, OrderState.CANCELLING,
              OrderState.REPLACING)  # fmt: skip
    sent = np.isin(orders["state"], [int(state.value) for state in states])
    left = orders["quantity"] - orders["filled"]
    return dict(zip(orders["order_id"][sent].tolist(), left[sent].tolist(), strict=True))


def _cancelled(orders: list[int], quantities: list[int], last: Batch) -> Batch:
    from quant.native.kernel import Reason

    columns: dict[str, Any] = {
        "order_id": orders,
        "kind": [int(ReportKind.CANCELLED)] * len(orders),
        "quantity": quantities,
        "reason": [int(Reason.VENUE_SILENT.value)] * len(orders),
    }
    return Batch.of(BatchKind.REPORTS, last.ts, Phase(last.phase), last.t, **columns)
