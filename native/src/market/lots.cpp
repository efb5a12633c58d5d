#include <algorithm>

#include "quant/market/rules.hpp"

namespace quant {

bool legal_buy(int64_t quantity, const LotRule& rule) {
  return quantity >= rule.buy_min && (quantity - rule.buy_min) % rule.buy_step == 0;
}

int64_t floor_buy(int64_t wanted, const LotRule& rule) {
  if (wanted < rule.buy_min) return 0;
  return wanted - (wanted - rule.buy_min) % rule.buy_step;
}

// Sells come in steps of at least buy_min; what is left below that goes in one order, alone or added to a
// round quantity (exchange trading rules: the odd part must be sold at once).
bool legal_sell(int64_t quantity, int64_t held, const LotRule& rule) {
  if (quantity <= 0 || quantity > held) return false;
  const int64_t odd = held % rule.sell_step;
  if (quantity >= rule.buy_min && quantity % rule.sell_step == 0) return true;
  if (rule.odd_lot_sell == 0) return false;
  if (quantity == held) return true;
  return odd != 0 && quantity % rule.sell_step == odd;
}

int64_t floor_sell(int64_t wanted, int64_t sellable, int64_t held, const LotRule& rule) {
  const int64_t quantity = std::min(wanted, sellable);
  if (quantity == held && legal_sell(quantity, held, rule)) return quantity;
  const int64_t round = quantity - quantity % rule.sell_step;
  return round >= rule.buy_min ? round : 0;
}

}  // namespace quant
