#include "quant/ledger/ledger.hpp"

#include <algorithm>

#include "quant/prim/wide.hpp"

namespace quant {

Ledger::Ledger(int32_t instruments, int64_t cash)
    : cash_(cash), slot_of_(static_cast<size_t>(instruments), -1) {
  totals_.deposits = cash;
  record(0, LedgerKind::kDeposit, -1, cash, 0, 0);
}

int64_t Ledger::nav() const { return add(add(cash_, market_value_), receivable_); }

const Position* Ledger::find(int32_t instrument) const {
  const int32_t slot = slot_of_[static_cast<size_t>(instrument)];
  return slot < 0 ? nullptr : &positions_[static_cast<size_t>(slot)];
}

Position& Ledger::touch(int32_t instrument) {
  int32_t& slot = slot_of_[static_cast<size_t>(instrument)];
  if (slot < 0) {
    slot = static_cast<int32_t>(positions_.size());
    positions_.emplace_back().instrument = instrument;
  }
  return positions_[static_cast<size_t>(slot)];
}

void Ledger::reserve(int64_t amount) { reserved_ = add(reserved_, amount); }

int64_t Ledger::withdrawable() const { return std::max<int64_t>(sub(available(), unsettled_), 0); }

void Ledger::begin_session(int32_t session, int32_t date) {
  session_ = session;
  today_ = date;
  unsettled_ = 0;
  for (const int32_t slot : held_) {
    Position& position = at(slot);
    position.locked = 0;
    for (const Lot& lot : position.lots) {
      if (lot.free > session) position.locked += lot.quantity;
    }
  }
}

void Ledger::pay_receivables(int32_t row, int32_t session) {
  for (const Receivable& due : receivables_) {
    if (due.pay_session > session) continue;
    cash_ = add(cash_, due.amount);
    receivable_ = sub(receivable_, due.amount);
    record(row, LedgerKind::kDividendPaid, due.instrument, due.amount, 0, 0);
  }
  std::erase_if(receivables_, [&](const Receivable& due) { return due.pay_session <= session; });
}

int64_t Ledger::book_action(int32_t row, int32_t pay_session, int32_t instrument, int64_t cash_per_share,
                            int64_t bonus_ratio, int64_t reference, int64_t bonus_days,
                            const DividendTaxRule& tax, int64_t unit) {
  Position& position = touch(instrument);
  int64_t withheld = 0;
  if (cash_per_share > 0) {
    const int64_t amount = mul(position.quantity, cash_per_share);
    if (tax.flat()) withheld = levy(amount, tax.beyond, unit);
    const int64_t paid = sub(amount, withheld);
    position.pnl = add(position.pnl, paid);
    totals_.dividends = add(totals_.dividends, amount);
    totals_.taxes = add(totals_.taxes, withheld);
    receivable_ = add(receivable_, paid);
    receivables_.push_back({pay_session, instrument, paid});
    record(row, LedgerKind::kDividend, instrument, amount, 0, 0);
    if (withheld > 0) record(row, LedgerKind::kDividendTax, instrument, -withheld, 0, 0);
    if (!tax.flat()) position.distributions.push_back({today_, cash_per_share, tax});
  }
  const int64_t bonus = mul_div(position.quantity, bonus_ratio, kRatioScale);
  if (reference <= 0) {  // no quote on the ex-date: the theoretical ex-price, rounded half up to the cent
    const int64_t cent = kPriceScale / 100;
    const int64_t before = std::max<int64_t>(position.mark - cash_per_share / kMicrosPerPrice, 0);
    reference = mul(mul_div_half_up(before, kRatioScale, mul(add(kRatioScale, bonus_ratio), cent)), cent);
  }
  if (bonus > 0) {
    const int64_t value = notional_micros(position.mark, bonus);
    position.quantity = add(position.quantity, bonus);
    if (bonus_days > 0) position.locked = add(position.locked, bonus);
    position.lots.push_back({today_, session_ + static_cast<int32_t>(bonus_days), bonus});
    position.pnl = add(position.pnl, value);
    totals_.price_pnl = add(totals_.price_pnl, value);
    market_value_ = add(market_value_, value);
    record(row, LedgerKind::kBonus, instrument, 0, bonus, 0);
  }
  mark(position, reference);
  return withheld;
}

void Ledger::mark(Position& position, int64_t price) {
  if (price == position.mark) return;
  const int64_t gain = notional_micros(sub(price, position.mark), position.quantity);
  position.pnl = add(position.pnl, gain);
  totals_.price_pnl = add(totals_.price_pnl, gain);
  market_value_ = add(market_value_, gain);
  position.mark = price;
}

void Ledger::fill(int32_t row, int64_t order_id, Position& position, int8_t side, int64_t quantity,
                  int64_t price, const Fees& fees, int64_t settlement_days) {
  if (side == kSell && quantity > position.quantity) {
    broken("ledger.short", "a fill sells more shares than are held");
  }
  const int64_t notional = notional_micros(price, quantity);
  const int64_t before = position.quantity;
  if (before == 0) position.mark = price;
  const int64_t gain = notional_micros(side * sub(position.mark, price), quantity);
  const int64_t paid = add(side * notional, fees.total());
  cash_ = sub(cash_, paid);
  position.quantity = add(position.quantity, side * quantity);
  position.cost = add(position.cost, side == kBuy ? paid : -mul_div(position.cost, quantity, before));
  position.pnl = add(position.pnl, sub(gain, fees.total()));
  position.traded = add(position.traded, notional);
  totals_.price_pnl = add(totals_.price_pnl, gain);
  totals_.fees = add(totals_.fees, add(fees.commission, fees.transfer));
  totals_.taxes = add(totals_.taxes, fees.stamp);
  totals_.traded = add(totals_.traded, notional);
  market_value_ = add(market_value_, notional_micros(side * position.mark, quantity));
  if (side == kBuy) {
    if (settlement_days > 0) position.locked = add(position.locked, quantity);
    const int32_t free = session_ + static_cast<int32_t>(settlement_days);
    if (!position.lots.empty() && position.lots.back().bought == today_ && position.lots.back().free == free)
      position.lots.back().quantity = add(position.lots.back().quantity, quantity);
    else
      position.lots.push_back({today_, free, quantity});
  } else {
    take_lots(position, quantity);
    unsettled_ = sub(unsettled_, paid);
  }
  if (before == 0) hold(position);
  if (position.quantity == 0) drop(position);
  record(row, LedgerKind::kTrade, position.instrument, -side * notional, side * quantity, order_id);
  if (fees.commission)
    record(row, LedgerKind::kCommission, position.instrument, -fees.commission, 0, order_id);
  if (fees.stamp) record(row, LedgerKind::kStamp, position.instrument, -fees.stamp, 0, order_id);
  if (fees.transfer) record(row, LedgerKind::kTransfer, position.instrument, -fees.transfer, 0, order_id);
}

int64_t Ledger::dividend_tax(const Position& position, int64_t quantity, int64_t unit) const {
  if (position.distributions.empty()) return 0;
  std::vector<TaxLot> lots;
  lots.reserve(position.lots.size());
  for (const Lot& lot : position.lots) lots.push_back({lot.bought, lot.quantity});
  int64_t tax = 0;
  for (const Distribution& paid : position.distributions) {
    tax = add(tax, quant::dividend_tax(paid.rule, lots, paid.ex - 1, today_, quantity, paid.taxable, unit));
  }
  return tax;
}

void Ledger::pay_dividend_tax(int32_t row, int64_t order_id, Position& position, int64_t tax) {
  cash_ = sub(cash_, tax);
  unsettled_ = sub(unsettled_, tax);
  position.pnl = sub(position.pnl, tax);
  totals_.taxes = add(totals_.taxes, tax);
  record(row, LedgerKind::kDividendTax, position.instrument, -tax, 0, order_id);
}

// First in, first out; a dividend is forgotten when no lot is left that received it.
void Ledger::take_lots(Position& position, int64_t quantity) {
  auto lot = position.lots.begin();
  for (; lot != position.lots.end() && lot->quantity <= quantity; ++lot) quantity -= lot->quantity;
  if (quantity > 0) lot->quantity -= quantity;
  position.lots.erase(position.lots.begin(), lot);
  const int32_t oldest = position.lots.empty() ? INT32_MAX : position.lots.front().bought;
  std::erase_if(position.distributions, [&](const Distribution& paid) { return paid.ex <= oldest; });
}

void Ledger::balance() const {
  const int64_t owned = add(add(nav(), totals_.fees), totals_.taxes);
  const int64_t earned = add(add(totals_.deposits, totals_.price_pnl), totals_.dividends);
  if (owned != earned) {
    broken("ledger.conservation",
           "cash + positions + receivable + fees + taxes differ from deposits + gains by " +
               std::to_string(sub(owned, earned)) + " micro-yuan");
  }
}

void Ledger::check() const {
  int64_t value = 0, owed = 0;
  for (const int32_t slot : held_) {
    const Position& position = positions_[static_cast<size_t>(slot)];
    value = add(value, notional_micros(position.mark, position.quantity));
  }
  for (const Receivable& due : receivables_) owed = add(owed, due.amount);
  const int64_t owned = add(add(add(add(cash_, value), owed), totals_.fees), totals_.taxes);
  const int64_t earned = add(add(totals_.deposits, totals_.price_pnl), totals_.dividends);
  if (owned != earned || value != market_value_ || owed != receivable_) {
    broken("ledger.conservation",
           "cash + positions + receivable + fees + taxes differ from deposits + gains by " +
               std::to_string(sub(owned, earned)) + " micro-yuan");
  }
}

bool Ledger::sound(int32_t instruments) const {
  const auto count = static_cast<int64_t>(positions_.size());
  if (slot_of_.size() != static_cast<size_t>(instruments)) return false;
  int64_t named = 0;
  for (size_t i = 0; i < slot_of_.size(); ++i) {
    const int32_t slot = slot_of_[i];
    if (slot < -1 || slot >= count) return false;
    if (slot < 0) continue;
    if (positions_[static_cast<size_t>(slot)].instrument != static_cast<int32_t>(i)) return false;
    ++named;
  }
  int64_t holding = 0;
  for (const Position& p : positions_) {
    if (p.quantity < 0 || p.locked < 0 || p.locked > p.quantity || p.mark < 0) return false;
    if (p.open_sell < 0 || p.open_sell > p.quantity || p.open_buy < 0) return false;
    if (p.sessions_held < 0 || p.sessions_held > (1 << 30)) return false;
    holding += p.quantity > 0;
    int64_t shares = 0;
    for (size_t k = 0; k < p.lots.size(); ++k) {
      const Lot& lot = p.lots[k];
      if (lot.quantity <= 0 || lot.quantity > p.quantity - shares) return false;
      if (k > 0 && lot.bought < p.lots[k - 1].bought) return false;
      shares += lot.quantity;
    }
    if (shares != p.quantity) return false;
    for (const Distribution& paid : p.distributions) {
      if (paid.taxable < 0) return false;
      for (const int64_t rate : {paid.rule.upto_month, paid.rule.upto_year, paid.rule.beyond}) {
        if (rate < 0 || rate > kRateScale) return false;
      }
    }
  }
  int32_t last = -1;
  for (const int32_t slot : held_) {
    if (slot < 0 || slot >= count) return false;
    const Position& p = positions_[static_cast<size_t>(slot)];
    if (p.quantity == 0 || p.instrument <= last) return false;
    last = p.instrument;
  }
  const auto owned = [&](int32_t instrument) { return instrument >= 0 && instrument < instruments; };
  for (const Receivable& due : receivables_) {
    if (!owned(due.instrument) || due.amount < 0) return false;
  }
  for (const LedgerEntry& entry : entries_) {
    if (entry.instrument != -1 && !owned(entry.instrument)) return false;
    if (entry.kind > LedgerKind::kDividendTax) return false;
  }
  return named == count && holding == static_cast<int64_t>(held_.size());
}

void Ledger::record(int32_t row, LedgerKind kind, int32_t instrument, int64_t amount, int64_t quantity,
                    int64_t order_id) {
  entries_.push_back({row, kind, instrument, amount, quantity, order_id});
}

void Ledger::hold(const Position& position) {
  const auto less = [&](int32_t slot, int32_t instrument) { return at(slot).instrument < instrument; };
  const auto place = std::lower_bound(held_.begin(), held_.end(), position.instrument, less);
  held_.insert(place, slot_of_[static_cast<size_t>(position.instrument)]);
}

void Ledger::drop(const Position& position) {
  held_.erase(std::find(held_.begin(), held_.end(), slot_of_[static_cast<size_t>(position.instrument)]));
}

}  // namespace quant
