#include <cmath>
#include <limits>

#include "quant/metrics/performance.hpp"

namespace quant::metrics {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

double over(double numerator, double denominator) {
  return denominator > 0.0 ? numerator / denominator : kNaN;
}

// Rows where the series and the benchmark are both known.
struct Pairs {
  const Table& table;
  const double* benchmark;
  std::int64_t column;

  template <class Job>
  void each(const Job& job) const {
    for (std::int64_t t = 0; t < table.rows; ++t) {
      const double r = table.cells[t * table.columns + column], b = benchmark[t];
      if (r == r && b == b) job(r, b);
    }
  }
};

struct Sums {
  double n = 0, r = 0, b = 0, own = 1, other = 1;
  double rr = 0, bb = 0, rb = 0, active = 0;
};

Sums measure(const Pairs& pairs) {
  Sums s;
  bool constant = true;
  double first = kNaN;
  pairs.each([&](double r, double b) {
    s.n += 1.0;
    s.r += r;
    s.b += b;
    s.own *= 1.0 + r;
    s.other *= 1.0 + b;
    if (first != first) first = b;
    constant = constant && b == first;
  });
  const double mr = s.r / s.n, mb = constant ? first : s.b / s.n;
  pairs.each([&](double r, double b) {
    const double dr = r - mr, db = b - mb, da = (r - b) - (mr - mb);
    s.rr += dr * dr;
    s.bb += db * db;
    s.rb += dr * db;
    s.active += da * da;
  });
  return s;
}

void finish(const Sums& s, const Terms& terms, double (&row)[kRelativeRows]) {
  const bool any = s.n > 0.0;
  const double years = s.n / terms.periods, rate = terms.risk_free / terms.periods;
  const double own = any ? std::pow(s.own, 1.0 / years) - 1.0 : kNaN;
  const double other = any ? std::pow(s.other, 1.0 / years) - 1.0 : kNaN;
  const double beta = s.n > 1.0 ? over(s.rb, s.bb) : kNaN;
  const double active = s.n > 1.0 ? std::sqrt(s.active / (s.n - 1.0)) : kNaN;
  int i = 0;
  row[i++] = s.n;
  row[i++] = other;
  row[i++] = own - other;
  row[i++] = (1.0 + own) / (1.0 + other) - 1.0;
  row[i++] = beta;
  row[i++] = ((s.r / s.n - rate) - beta * (s.b / s.n - rate)) * terms.periods;
  row[i++] = over(s.rb, std::sqrt(s.rr * s.bb));
  row[i++] = active * std::sqrt(terms.periods);
  row[i++] = over((s.r - s.b) / s.n, active) * std::sqrt(terms.periods);
}

}  // namespace

void relative(const Table& returns, const double* benchmark, const Terms& terms, double* out) {
  double row[kRelativeRows];
  for (std::int64_t j = 0; j < returns.columns; ++j) {
    finish(measure(Pairs{returns, benchmark, j}), terms, row);
    for (int i = 0; i < kRelativeRows; ++i) out[i * returns.columns + j] = row[i];
  }
}

void turnover(const Table& traded, double periods, double* out) {
  for (std::int64_t j = 0; j < traded.columns; ++j) {
    double n = 0, sum = 0, active = 0, highest = kNaN;
    for (std::int64_t t = 0; t < traded.rows; ++t) {
      const double value = traded.cells[t * traded.columns + j];
      if (value != value) continue;
      n += 1.0;
      sum += value;
      active += value > 0.0 ? 1.0 : 0.0;
      highest = value <= highest ? highest : value;
    }
    const double mean = over(sum, n);
    const double row[kTurnoverRows] = {mean,    mean * periods,  mean * periods / 2.0,
                                       highest, over(active, n), over(2.0, mean)};
    for (int i = 0; i < kTurnoverRows; ++i) out[i * traded.columns + j] = row[i];
  }
}

}  // namespace quant::metrics
