#pragma once
#include <cstdint>

// Margin of a short exchange-traded fund option in China: prices at kPriceScale, rates at kRateScale.
// core/market/options.py resolves dated rows into the terms.
namespace quant::options {

struct MarginTerms {
  int64_t far = 0;   // of the underlying's price, less what the option is out of the money
  int64_t near = 0;  // the least: of the underlying for calls, of the strike for puts
};

enum class Kind : uint8_t { kCall = 0, kPut = 1 };

// Micro-yuan for one contract of `unit` shares, half up to the cent. Opening takes yesterday's settlement and
// the underlying's previous close, maintenance those of the day.
int64_t seller_margin(Kind kind, int64_t settle, int64_t underlying, int64_t strike, int64_t unit,
                      const MarginTerms& terms);

}  // namespace quant::options
