#pragma once
#include <cstdint>
#include <vector>

#include "quant/market/messages.hpp"
#include "quant/market/rulebook_costs.hpp"
#include "quant/market/rules.hpp"

namespace quant {

enum class LedgerKind : uint8_t {
  kDeposit = 0,
  kTrade = 1,
  kCommission = 2,
  kStamp = 3,
  kTransfer = 4,
  kDividend = 5,      // booked on the ex-date as a receivable
  kDividendPaid = 6,  // receivable becomes cash
  kBonus = 7,         // new shares, no money
  kDividendTax = 8,   // on what sold lots had received, by how long they were held
};

// Amounts in micro-yuan, + increases what we own; kDividendPaid moves money and counts once (in kDividend).
struct LedgerEntry {
  int32_t row = 0;
  LedgerKind kind = LedgerKind::kDeposit;
  int32_t instrument = -1;
  int64_t amount = 0;
  int64_t quantity = 0;
  int64_t order_id = 0;
  template <class A>
  void fields(A& a) {
    a(row, kind, instrument, amount, quantity, order_id);
  }
};

// Shares bought on one day, sold first in, first out.
struct Lot {
  int32_t bought = 0;  // days since 1970-01-01
  int32_t free = 0;    // the session from which they may be sold
  int64_t quantity = 0;
  template <class A>
  void fields(A& a) {
    a(bought, free, quantity);
  }
};

// A dividend whose tax falls due when the lots that received it are sold.
struct Distribution {
  int32_t ex = 0;       // days since 1970-01-01; lots bought before received it
  int64_t taxable = 0;  // micro-yuan a share
  DividendTaxRule rule;
  template <class A>
  void fields(A& a) {
    a(ex, taxable, rule.upto_month, rule.upto_year, rule.beyond);
  }
};

// One name ever touched. `locked` shares were bought too lately to be sold yet (T+1 and longer).
struct Position {
  int32_t instrument = 0;
  int64_t quantity = 0;
  int64_t locked = 0;
  int64_t open_sell = 0;
  int64_t open_buy = 0;
  int64_t mark = 0;    // last price used for valuation
  int64_t cost = 0;    // of what is held, buying fees included
  int64_t pnl = 0;     // price gains and dividends minus fees, since the start
  int64_t traded = 0;  // two-sided notional since the start
  int32_t sessions_held = 0;
  std::vector<Lot> lots;  // oldest first
  std::vector<Distribution> distributions;
  int64_t sellable() const { return quantity - locked - open_sell; }
  template <class A>
  void fields(A& a) {
    a(instrument, quantity, locked, open_sell, open_buy, mark, cost, pnl, traded, sessions_held, lots,
      distributions);
  }
};

struct Receivable {
  int32_t pay_session = 0;
  int32_t instrument = 0;
  int64_t amount = 0;
  template <class A>
  void fields(A& a) {
    a(pay_session, instrument, amount);
  }
};

// Totals since the start; each is summed on its own, so that the identity in check() has two sides.
struct Totals {
  int64_t deposits = 0;
  int64_t price_pnl = 0;
  int64_t dividends = 0;
  int64_t fees = 0;   // commission and transfer fee
  int64_t taxes = 0;  // stamp duty and tax on dividends
  int64_t traded = 0;
  template <class A>
  void fields(A& a) {
    a(deposits, price_pnl, dividends, fees, taxes, traded);
  }
};

// Cash, positions and what is owed to us, in exact integers.
class Ledger {
 public:
  Ledger(int32_t instruments, int64_t cash);

  int64_t cash() const { return cash_; }
  int64_t available() const { return cash_ - reserved_; }
  int64_t reserved() const { return reserved_; }
  // What could leave the account today: the day's sales are cash tomorrow.
  int64_t withdrawable() const;
  int64_t receivable() const { return receivable_; }
  int64_t market_value() const { return market_value_; }
  int64_t nav() const;
  const Totals& totals() const { return totals_; }
  const std::vector<LedgerEntry>& entries() const { return entries_; }
  const std::vector<Position>& positions() const { return positions_; }
  const std::vector<int32_t>& held() const { return held_; }  // slots, by ascending instrument

  const Position* find(int32_t instrument) const;
  Position& touch(int32_t instrument);
  Position& at(int32_t slot) { return positions_[static_cast<size_t>(slot)]; }

  void reserve(int64_t amount);
  // A new session: lots become sellable, the proceeds of the one before withdrawable.
  void begin_session(int32_t session, int32_t date);
  void expect(size_t fills) { entries_.reserve(entries_.size() + 2 * fills); }
  void pay_receivables(int32_t row, int32_t session);  // dividends due by this session become cash
  // Entitlement of what was held before the ex-date; `reference` is the ex-reference price, 0 = compute it.
  // The new shares are sellable after `bonus_days` sessions. Paid at the opening of `pay_session`. A tax that
  // depends on how long lots are held falls due when they are sold; one that does not is withheld from the
  // payment, rounded half up to `unit`, and returned.
  int64_t book_action(int32_t row, int32_t pay_session, int32_t instrument, int64_t cash_per_share,
                      int64_t bonus_ratio, int64_t reference, int64_t bonus_days, const DividendTaxRule& tax,
                      int64_t unit);
  void mark(Position& position, int64_t price);
  void fill(int32_t row, int64_t order_id, Position& position, int8_t side, int64_t quantity, int64_t price,
            const Fees& fees, int64_t settlement_days);
  // What selling `quantity` owes on the dividends that its lots received; each dividend rounded to `unit`.
  int64_t dividend_tax(const Position& position, int64_t quantity, int64_t unit) const;
  void pay_dividend_tax(int32_t row, int64_t order_id, Position& position, int64_t tax);
  // Raises InvariantBroken unless the sums add up; cheap, for every step.
  void balance() const;
  // Raises InvariantBroken unless cash + positions + receivable + fees + taxes = deposits + gains, exactly.
  void check() const;
  // Whether what a snapshot said can be true: indices in range, quantities that fit each other.
  bool sound(int32_t instruments) const;

  template <class A>
  void fields(A& a) {
    a(cash_, reserved_, receivable_, market_value_, totals_, entries_, positions_, slot_of_, held_,
      receivables_, session_, today_, unsettled_);
  }

 private:
  void record(int32_t row, LedgerKind kind, int32_t instrument, int64_t amount, int64_t quantity,
              int64_t order_id);
  void take_lots(Position& position, int64_t quantity);
  void hold(const Position& position);
  void drop(const Position& position);

  int64_t cash_ = 0;
  int64_t reserved_ = 0;
  int64_t receivable_ = 0;
  int64_t market_value_ = 0;
  int64_t unsettled_ = 0;  // proceeds of the session's sales
  int32_t session_ = 0;
  int32_t today_ = 0;  // days since 1970-01-01
  Totals totals_;
  std::vector<LedgerEntry> entries_;
  std::vector<Position> positions_;
  std::vector<int32_t> slot_of_;
  std::vector<int32_t> held_;
  std::vector<Receivable> receivables_;
};

}  // namespace quant
