#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "quant/kernel/records.hpp"
#include "quant/ledger/ledger.hpp"
#include "quant/market/market.hpp"
#include "quant/market/messages.hpp"
#include "quant/market/rulebook_costs.hpp"
#include "quant/market/rules.hpp"
#include "quant/oms/order.hpp"
#include "quant/prim/archive.hpp"
#include "quant/risk/gates.hpp"

namespace quant {

// A buy that costs more than the cash at hand: cut to what it pays for, refused, or paid on credit.
enum class CashPolicy : uint8_t { kReduce = 0, kReject = 1, kOverdraft = 2 };

struct KernelConfig {
  int64_t cash = 0;
  FillRule fill;
  CashPolicy on_insufficient_cash = CashPolicy::kReduce;
  int64_t protection =
      100'000'000;       // above the reference price, of buys without a limit where the day has none
  int64_t rounding = 1;  // fees are multiples of this many micro-yuan
  RiskLimits limits;
  DatedTable<LotRule> lots;
  DatedTable<FeeRule> fees;
  DatedTable<DividendTaxRule> dividend_tax;  // by ex-date; without rows no tax
  std::vector<int32_t> forbidden;
  // Without NAV, hash and month-end positions of single sessions; then sessions in which nothing is decided,
  // on its way or entitled may be left out. For many short backtests (sweep.hpp).
  bool brief = false;
};

using Commands = std::vector<Command>;

// Beyond what any market trades: refused before its arithmetic could overflow.
bool too_large(const Intent& intent);

// The book of one account. Inputs take effect in the order they are stepped; every step appends the commands
// it causes. Only names held, ordered or with an event are touched, never the whole cross-section.
class Kernel {
 public:
  Kernel(const Market& market, KernelConfig config);

  // Back to the first instant, as a new kernel would be.
  void restart();

  void on_slice(int32_t t, Phase phase, Commands& out);
  void on_intents(const std::vector<Intent>& intents, Commands& out);
  void on_reports(const std::vector<Report>& reports, Commands& out);
  void on_control(const Control& control, Commands& out);

  // Makes room for that many orders, which grow the books anyway.
  void expect(size_t orders);

  bool brief() const { return config_.brief; }
  int32_t row() const { return row_; }
  int32_t session() const { return market_.day[row_]; }
  // Nothing is decided, waiting or on its way: bars up to the session's last one change nothing.
  bool idle() const { return open_orders_ == 0 && pending_.empty() && waiting_.empty(); }
  Phase phase() const { return phase_; }
  int64_t now() const { return row_ < 0 ? 0 : market_.instant(row_, phase_); }
  bool halted() const { return halted_; }
  bool paused() const { return paused_; }
  const Digest& head() const { return head_; }
  const Market& market() const { return market_; }
  const Ledger& ledger() const { return ledger_; }
  const std::vector<Order>& orders() const { return orders_; }
  const std::vector<Fill>& fills() const { return fills_; }
  const std::vector<NavRecord>& nav_history() const { return nav_history_; }
  const std::vector<PositionRecord>& position_history() const { return position_history_; }
  const std::vector<ChainLink>& chain() const { return chain_; }

  std::string snapshot() const;
  void restore(const std::string& bytes);

 private:
  struct Planned {
    const Intent* intent;
    int8_t side;
    int64_t quantity;
    Reason reason;
  };

  // session.cpp: the instants of a session
  bool follows(int32_t t, Phase phase) const;
  void begin_bar(int32_t t, Commands& out);
  void open_session(int32_t t, Commands& out);
  void book_actions(Commands& out);
  void settle(Commands& out);
  void close_session();
  void mark_to_close(int32_t t);
  void mark(Position& position, int32_t t, int32_t since);
  void check_breakers(int64_t nav);
  void halt(Reason reason, Commands* out);
  bool month_ends() const;

  // convert.cpp: intents become orders
  void take(const std::vector<Intent>& intents, Commands& out);
  void convert(const std::vector<Intent>& intents, Commands& out);
  Planned plan(const Intent& intent);
  Planned plan_target(const Intent& intent, int64_t desired_micros, int64_t desired_quantity);
  void place_sell(const Planned& planned, Commands& out);
  void place_buy(const Planned& planned);
  int64_t create(const Planned& planned, int64_t wanted, Reason refused);
  Reason terms_of(const Intent& intent) const;
  // The newest close of the session before this bar, else its ex-reference price, else the mark; 0 = none.
  int64_t reference_price(int32_t instrument) const;

  // orders.cpp: the life of an order
  Order& order(int64_t id);
  void advance(Order& order, OrderEvent event, Reason reason);
  void send(Order& order, Commands& out);
  void finish(Order& order);
  void apply_fill(Order& order, const Report& report);
  void release_buys(Commands& out);
  bool releasable(const Order& order) const;
  Reason admit_buy(Order& order);
  // What the cash of a buy is set aside for: the bar's price, its limit, or the highest price it may fill at.
  int64_t buying_price(const Order& order) const;
  int64_t protection(int32_t instrument, int64_t least) const;
  int64_t rest_cost(const Order& order, int64_t total, int64_t price) const;
  void set_aside(Order& order);
  Reason gate(const Order& order, int64_t price) const;
  OrderView view_of(const Order& order, int64_t total, int64_t price) const;

  // amend.cpp: cancel and replace
  void amend(const Intent& intent, Commands& out);
  void request_cancel(Order& order, Reason reason, Commands& out);
  void request_replace(Order& order, const Intent& intent, Commands& out);
  Reason refuse_replace(const Order& order, int64_t total, int64_t price, int64_t stop) const;
  void replaced(Order& order, const Report& report);
  void drop_replace(Order& order);
  void carry(Order& order);

  void record(const Intent& intent);
  bool sound() const;

  const LotRule& lots(int32_t instrument) const;
  const FeeRule& fees(int32_t instrument) const;
  DividendTaxRule dividend_tax(int32_t instrument) const;

  template <class A>
  void fields(A& a) {
    a(row_, marked_, phase_, closed_, halted_, paused_, head_, session_bytes_, peak_, previous_nav_,
      open_orders_, open_sells_, carried_, next_action_, ledger_, orders_, fills_, pending_, waiting_,
      forbidden_, nav_history_, position_history_, chain_, opened_, open_);
  }

  const Market& market_;
  KernelConfig config_;

  int32_t row_ = -1;
  int32_t marked_ = -1;  // the bar whose closes were the last marks
  Phase phase_ = Phase::kClose;
  bool closed_ = true;
  bool halted_ = false;
  bool paused_ = false;
  Digest head_{};
  Writer session_;             // canonical bytes of the session so far
  std::string session_bytes_;  // the same while a snapshot is written or read
  int64_t peak_ = 0;
  int64_t previous_nav_ = 0;
  int64_t open_orders_ = 0;
  int64_t open_sells_ = 0;  // market orders, whose cash waiting buys wait for
  int64_t carried_ = 0;     // of the open orders those that rest beyond the session
  uint64_t next_action_ = 0;
  Ledger ledger_;
  std::vector<Order> orders_;
  std::vector<Fill> fills_;
  std::vector<Intent> pending_;
  std::vector<int64_t> waiting_;
  std::vector<int64_t> open_;  // orders without a final state, oldest first
  std::vector<uint8_t> forbidden_;
  std::vector<NavRecord> nav_history_;
  std::vector<PositionRecord> position_history_;
  std::vector<ChainLink> chain_;
  Totals opened_;  // totals when the session began
};

}  // namespace quant
