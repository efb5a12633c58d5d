#pragma once
#include <cstdint>
#include <vector>

#include "quant/market/market.hpp"
#include "quant/market/messages.hpp"
#include "quant/market/slippage.hpp"
#include "quant/prim/failure.hpp"
#include "quant/prim/wide.hpp"

// Dated lot rules, fees and fill prices: looked up by (session, board), never constants.
namespace quant {

struct LotRule {
  int64_t buy_min = 1, buy_step = 1, sell_step = 1, odd_lot_sell = 1, max_order = 1, settlement_days = 0;
  int64_t bonus_days = 0;  // sessions after the ex-date before bonus shares may be sold, 0 or 1
};

// Rates at kRateScale of the turnover; commission_min in micro-yuan an order, transfer_per_share in
// micro-yuan a share (Shanghai until 2015-07-31).
struct FeeRule {
  int64_t commission = 0, stamp_buy = 0, stamp_sell = 0, transfer = 0, commission_min = 0,
          transfer_per_share = 0;
};

template <class Rule>
struct DatedTable {
  int32_t sessions = 0;
  uint32_t boards = 0;
  std::vector<Rule> rows;  // [D, B]
  const Rule& at(int32_t session, uint32_t board) const {
    if (session >= sessions || board >= boards)
      broken("rules.missing", "no rule row for this session and board");
    return rows[static_cast<size_t>(session) * boards + board];
  }
};

// The largest legal buy quantity <= wanted, 0 if none.
int64_t floor_buy(int64_t wanted, const LotRule& rule);
// The largest legal sell quantity <= min(wanted, sellable) of `held` shares; a whole position may be odd.
int64_t floor_sell(int64_t wanted, int64_t sellable, int64_t held, const LotRule& rule);
bool legal_buy(int64_t quantity, const LotRule& rule);
bool legal_sell(int64_t quantity, int64_t held, const LotRule& rule);

struct Fees {
  int64_t commission = 0, stamp = 0, transfer = 0;
  int64_t total() const { return add(add(commission, stamp), transfer); }
};

// Fees of an order with this cumulative notional and quantity; each component rounded half up to `unit`
// micro-yuan.
Fees fees_of(int64_t notional, int64_t quantity, int8_t side, const FeeRule& rule, int64_t unit);

// The worst of a bar is its high for a buy and its low for a sell.
enum class FillAt : uint8_t { kOpen = 0, kClose = 1, kVwap = 2, kWorst = 3 };

struct FillRule {
  FillAt at = FillAt::kOpen;
  bool by_target = false;
  int64_t participation = -1;  // of the bar's volume at kRateScale, -1 = unlimited
  SlippageRule slippage;
  bool touch = false;  // a limit order fills when the bar's range only reaches its price
  // Whether a fill waits for the volume of its bar.
  bool needs_volume() const { return participation >= 0 || slippage.eta > 0; }
  Phase phase() const { return at == FillAt::kOpen ? Phase::kOpen : Phase::kClose; }
};

// The price the bar offers before slippage, 0 = none; known from the fill phase on.
int64_t bar_price(const Market& market, int32_t t, int32_t i, int8_t side, const FillRule& rule);
// With slippage and impact of `quantity` against the trader, never through a price limit.
int64_t fill_price(const Market& market, int32_t t, int32_t i, int8_t side, int64_t quantity,
                   const FillRule& rule);
// What a taker pays who meets `price` at bar t.
int64_t taker_price(const Market& market, int32_t t, int32_t i, int8_t side, int64_t quantity, int64_t price,
                    const FillRule& rule);
// Why the order cannot trade at this bar, NONE if it can.
Reason blocked(const Market& market, int32_t t, const Command& order, const FillRule& rule);

}  // namespace quant
