"""Feeds: where market events come from."""

from quant.trading.feeds.replay import ReplayFeed, SliceCursor

__all__ = ["ReplayFeed", "SliceCursor"]
