#include "quant/market/options.hpp"

#include <algorithm>

#include "quant/prim/wide.hpp"

namespace quant::options {
namespace {

constexpr int64_t kCent = 10'000;

// Of a price, in units of 1 / (kPriceScale * 10,000): exact for rates of whole hundredths of a percent.
int64_t part(int64_t price, int64_t rate) { return mul_div_half_up(price, rate, kRateScale / kCent); }

}  // namespace

int64_t seller_margin(Kind kind, int64_t settle, int64_t underlying, int64_t strike, int64_t unit,
                      const MarginTerms& terms) {
  const bool call = kind == Kind::kCall;
  const int64_t out = std::max<int64_t>(call ? strike - underlying : underlying - strike, 0);
  const int64_t far = sub(part(underlying, terms.far), mul(out, kCent));
  const int64_t near = part(call ? underlying : strike, terms.near);
  int64_t share = add(mul(settle, kCent), std::max(far, near));
  if (!call) share = std::min(share, mul(strike, kCent));
  // kPriceScale * 10,000 units a yuan: 100 of them are a micro-yuan
  return mul(mul_div_half_up(share, unit, kCent * 100), kCent);
}

}  // namespace quant::options
