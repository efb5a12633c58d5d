#include "quant/market/rulebook_costs.hpp"

#include <algorithm>
#include <chrono>

#include "quant/prim/failure.hpp"

namespace quant {
namespace {

// A sum of products of money and rates, rounded once at the end.
class ExactLevy {
 public:
  explicit ExactLevy(int64_t unit) : unit_(unit), over_(mul(kRateScale, unit)) {}
  void add_product(int64_t amount, int64_t rate) {
    const int64_t whole = mul_div(amount, rate, over_);
    // The remainder is below over_, so that arithmetic modulo 2^64 gives it exactly.
    const auto rest = static_cast<uint64_t>(amount) * static_cast<uint64_t>(rate) -
                      static_cast<uint64_t>(whole) * static_cast<uint64_t>(over_);
    whole_ = add(whole_, whole);
    rest_ = add(rest_, static_cast<int64_t>(rest));
  }
  int64_t half_up() const { return mul(add(whole_, add(rest_, over_ / 2) / over_), unit_); }

 private:
  int64_t unit_, over_, whole_ = 0, rest_ = 0;
};

}  // namespace

int64_t levy(int64_t amount, int64_t rate, int64_t unit) {
  return mul(mul_div_half_up(amount, rate, mul(kRateScale, unit)), unit);
}

int64_t transfer_fee(int64_t amount, int64_t quantity, const TransferRule& rule, int64_t unit) {
  if (amount == 0 && quantity == 0) return 0;
  const int64_t due = add(levy(amount, rule.rate, 1), mul(quantity, rule.per_share));
  const int64_t rounded =
      rule.per_share == 0 ? levy(amount, rule.rate, unit) : mul(add(due, unit / 2) / unit, unit);
  return std::max(rounded, rule.minimum);
}

int32_t add_months(int32_t day, int32_t months) {
  using namespace std::chrono;
  const year_month_day from{sys_days{days{day}}};
  const year_month_day to = from + std::chrono::months{months};
  const sys_days found = to.ok() ? sys_days{to} : sys_days{to.year() / to.month() / last};
  return static_cast<int32_t>(found.time_since_epoch().count());
}

int64_t dividend_tax_rate(const DividendTaxRule& rule, int32_t bought, int32_t sold) {
  if (sold <= add_months(bought, 1)) return rule.upto_month;
  return sold <= add_months(bought, 12) ? rule.upto_year : rule.beyond;
}

int64_t dividend_tax(const DividendTaxRule& rule, std::span<const TaxLot> lots, int32_t record, int32_t sold,
                     int64_t quantity, int64_t taxable, int64_t unit) {
  ExactLevy tax(unit);
  int64_t left = quantity;
  for (const TaxLot& lot : lots) {
    const int64_t taken = std::min(left, lot.quantity);
    left -= taken;
    if (lot.bought <= record && sold > record)
      tax.add_product(mul(taken, taxable), dividend_tax_rate(rule, lot.bought, sold));
    if (left == 0) break;
  }
  if (left > 0)
    throw Failure(FailureKind::kUsage, "dividend_tax.lots", "more shares are sold than the lots hold");
  return tax.half_up();
}

}  // namespace quant
