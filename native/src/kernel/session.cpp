#include <algorithm>
#include <chrono>
#include <utility>

#include "quant/kernel/kernel.hpp"
#include "quant/prim/wide.hpp"

namespace quant {
namespace {

unsigned month_of(int32_t session) {
  const std::chrono::sys_days day{std::chrono::days{session}};
  return static_cast<unsigned>(std::chrono::year_month_day{day}.month());
}

// Folds one position into the session's 64-bit mix (docs/kernel.md): cheap, and any difference shows.
uint64_t fold(uint64_t mix, int64_t value) {
  mix = (mix ^ static_cast<uint64_t>(value)) * 0x9e3779b97f4a7c15u;
  return mix ^ (mix >> 32);
}

}  // namespace

void Kernel::open_session(int32_t t, Commands& out) {
  if (!closed_) {  // a venue that never answered: its orders of the day are void
    const std::vector<int64_t> open = open_;
    waiting_.clear();
    for (const int64_t id : open) {
      if (!order(id).carried) advance(order(id), OrderEvent::EXPIRE, Reason::VENUE_SILENT);
    }
    close_session();
  }
  for (const int64_t id : open_) order(id).carried = false;
  carried_ = 0;
  if (config_.brief && marked_ < t - 1) mark_to_close(t - 1);
  row_ = t;
  phase_ = Phase::kPreopen;
  closed_ = false;
  opened_ = ledger_.totals();
  ledger_.begin_session(session(), market_.sessions[session()]);
  book_actions(out);
  ledger_.pay_receivables(t, session());
  ledger_.check();
  const std::vector<Intent> pending = std::exchange(pending_, {});
  convert(pending, out);
}

// A later bar of the session: what was decided on the one before becomes orders.
void Kernel::begin_bar(int32_t t, Commands& out) {
  if (marked_ < t - 1) mark_to_close(t - 1);
  row_ = t;
  phase_ = Phase::kOpen;
  if (pending_.empty()) return;
  const std::vector<Intent> pending = std::exchange(pending_, {});
  convert(pending, out);
}

void Kernel::book_actions(Commands& out) {
  const CorporateActions& actions = market_.actions;
  while (next_action_ < actions.size && actions.ex_index[next_action_] < session()) ++next_action_;
  for (; next_action_ < actions.size && actions.ex_index[next_action_] == session(); ++next_action_) {
    const size_t k = next_action_;
    const int32_t i = actions.instrument[k];
    const std::vector<int64_t> open = open_;  // orders from before stand at prices that are no longer
    for (const int64_t id : open) {
      if (order(id).instrument == i) request_cancel(order(id), Reason::CORPORATE_ACTION, out);
    }
    const Position* position = ledger_.find(i);
    if (position == nullptr || position->quantity == 0) continue;
    const int64_t withheld = ledger_.book_action(
        row_, std::max(actions.pay_index[k], session()), i, actions.cash_per_share[k], actions.bonus_ratio[k],
        market_.pre_close[market_.of_day(row_, i)], lots(i).bonus_days, dividend_tax(i), config_.rounding);
    session_(Mark::kAction, i, actions.pay_index[k] > session(), actions.cash_per_share[k],
             actions.bonus_ratio[k]);
    if (withheld > 0) session_(Mark::kDividendTax, int64_t{0}, withheld);
  }
}

// What an input may have made possible: waiting buys once their price is known and all sells are done, and
// the end of the session once no order is open.
void Kernel::settle(Commands& out) {
  ledger_.balance();
  if (closed_) return;
  if (!waiting_.empty()) release_buys(out);
  if (phase_ == Phase::kClose && open_orders_ == carried_ && market_.closes(row_)) close_session();
}

void Kernel::close_session() {
  mark_to_close(row_);
  for (const int32_t slot : ledger_.held()) ++ledger_.at(slot).sessions_held;
  ledger_.check();
  closed_ = true;
  if (config_.brief) return;
  const int64_t nav = ledger_.nav();
  const Totals& totals = ledger_.totals();
  const int64_t fees = sub(add(totals.fees, totals.taxes), add(opened_.fees, opened_.taxes));
  nav_history_.push_back({row_, market_.sessions[session()], nav, ledger_.cash(), ledger_.market_value(),
                          ledger_.receivable(), fees, sub(totals.traded, opened_.traded),
                          static_cast<int64_t>(ledger_.held().size())});
  check_breakers(nav);
  uint64_t mix = 0;
  const bool record = month_ends();
  for (const int32_t slot : ledger_.held()) {
    const Position& p = ledger_.at(slot);
    for (const int64_t value : {int64_t{p.instrument}, p.quantity, p.locked, p.mark, p.cost})
      mix = fold(mix, value);
    if (record) position_history_.push_back({row_, p.instrument, p.quantity, p.cost, p.mark});
  }
  session_(Mark::kEnd, market_.sessions[session()], ledger_.cash(), ledger_.market_value(),
           ledger_.receivable(), nav, totals.fees, totals.taxes, totals.price_pnl, totals.dividends,
           static_cast<int64_t>(ledger_.held().size()), mix, halted_, paused_);
  Sha256 state;
  state.update(head_.data(), head_.size());
  state.update(session_.bytes().data(), session_.bytes().size());
  head_ = state.finish();
  chain_.push_back({market_.sessions[session()], head_});
  session_.clear();
}

// To the last closes up to bar `t` since the bar of the last marks: bars in between may have been left out.
void Kernel::mark_to_close(int32_t t) {
  const int32_t since = std::exchange(marked_, t) + 1;
  for (const int32_t slot : ledger_.held()) mark(ledger_.at(slot), t, since);
}

void Kernel::mark(Position& position, int32_t t, int32_t since) {
  const int64_t price = config_.brief ? market_.newest_close(t, position.instrument, since)
                                      : market_.last_close(t, position.instrument, since);
  if (price > 0) ledger_.mark(position, price);
}

void Kernel::check_breakers(int64_t nav) {
  peak_ = std::max(peak_, nav);
  const Reason reason = breaker(nav, previous_nav_, peak_, config_.limits);
  previous_nav_ = nav;
  if (reason != Reason::NONE && !halted_) halt(reason, nullptr);
}

void Kernel::halt(Reason reason, Commands* out) {
  halted_ = true;
  session_(Mark::kHalt, reason);
  const std::vector<Intent> pending = std::exchange(pending_, {});
  Commands none;
  convert(pending, none);  // what was decided before the halt is refused, not kept for after the reset
  if (out == nullptr) return;
  for (const int64_t id : std::vector<int64_t>(open_)) request_cancel(order(id), Reason::HALTED, *out);
}

bool Kernel::month_ends() const {
  const int32_t next = session() + 1;
  return next == market_.D || month_of(market_.sessions[session()]) != month_of(market_.sessions[next]);
}

}  // namespace quant
