#pragma once
#include <cstdint>
#include <span>

#include "quant/prim/wide.hpp"

// Fees and taxes that the lot and fee tables of the kernel do not hold. Money in micro-yuan, rates at
// kRateScale; `unit` is what a result is rounded to, half up: 10,000 for the cent.
namespace quant {

// amount * rate.
int64_t levy(int64_t amount, int64_t rate, int64_t unit);

// The clearing house's fee: of the turnover, or of face value (micro-yuan a share), with a minimum.
struct TransferRule {
  int64_t rate = 0, per_share = 0, minimum = 0;
};
int64_t transfer_fee(int64_t amount, int64_t quantity, const TransferRule& rule, int64_t unit);

// Tax on dividends by how long a lot was held: calendar month and year from the buy date to the day before
// the sale, so that a sale on the same day of the next month is exactly one month.
struct DividendTaxRule {
  int64_t upto_month = 0, upto_year = 0, beyond = 0;
  // Whether the time does not matter: then the tax is withheld when the dividend is paid.
  bool flat() const { return upto_month == beyond && upto_year == beyond; }
};

// Days since 1970-01-01, the day kept or cut to the end of the month.
int32_t add_months(int32_t day, int32_t months);
int64_t dividend_tax_rate(const DividendTaxRule& rule, int32_t bought, int32_t sold);

struct TaxLot {
  int32_t bought = 0;
  int64_t quantity = 0;
};

// Tax due when `quantity` shares of lots in buy order are sold first in, first out. `taxable` is micro-yuan a
// share: gross cash, and face value for bonus shares. Shares bought after the record date, and shares sold on
// or before it, received nothing.
int64_t dividend_tax(const DividendTaxRule& rule, std::span<const TaxLot> lots, int32_t record, int32_t sold,
                     int64_t quantity, int64_t taxable, int64_t unit);

}  // namespace quant
