#include "quant/metrics/performance.hpp"

#include <cmath>
#include <limits>

#include "quant/metrics/blocks.hpp"
#include "quant/metrics/quantile.hpp"

namespace quant::metrics {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

double over(double numerator, double denominator) {
  return denominator > 0.0 ? numerator / denominator : kNaN;
}

// Bias-corrected skewness G1 and excess kurtosis G2 (Joanes and Gill 1998).
double skewness(const Lanes& s, int j) {
  const double n = s.count[j], m2 = s.m2[j] / n, m3 = s.m3[j] / n;
  return n < 3.0 || !(m2 > 0.0) ? kNaN : std::sqrt(n * (n - 1.0)) / (n - 2.0) * m3 / std::pow(m2, 1.5);
}

double excess_kurtosis(const Lanes& s, int j) {
  const double n = s.count[j], m2 = s.m2[j] / n, m4 = s.m4[j] / n;
  if (n < 4.0 || !(m2 > 0.0)) return kNaN;
  return (n - 1.0) / ((n - 2.0) * (n - 3.0)) * ((n + 1.0) * (m4 / (m2 * m2) - 3.0) + 6.0);
}

struct Tail {
  double limit[kLanes];
  double sum[kLanes];
  double count[kLanes];
};

void measure_tail(Block& block, std::int64_t rows, const Terms& terms, const Work& work, const Lanes& s,
                  Tail& tail) {
  for (int j = 0; j < kLanes; ++j) {
    // About a tenth of a normal sample lies below; only the time of the search depends on it.
    const double guess = s.mean[j] - 1.2 * std::sqrt(s.m2[j] / s.count[j]);
    const Series series{block.cells.data() + j, rows, kLanes, static_cast<std::int64_t>(s.count[j])};
    tail.limit[j] = j < block.width ? quantile(series, terms.tail, guess, block.scratch) : kNaN;
  }
  work.passes->tail(block.cells.data(), rows, tail.limit, tail.sum, tail.count);
}

void finish(const Lanes& s, const Tail& tail, int j, const Terms& terms, double (&row)[kPerformanceRows]) {
  const double n = s.count[j], years = n / terms.periods, annual = std::sqrt(terms.periods);
  const bool any = n > 0.0;
  const double deviation = n > 1.0 ? std::sqrt(s.m2[j] / (n - 1.0)) : kNaN;
  const double excess = s.mean[j] - terms.risk_free / terms.periods;
  const double cagr = any ? std::pow(s.equity[j], 1.0 / years) - 1.0 : kNaN;
  int i = 0;
  row[i++] = n;
  row[i++] = any ? s.equity[j] - 1.0 : kNaN;
  row[i++] = cagr;
  row[i++] = deviation * annual;
  row[i++] = over(excess, deviation) * annual;
  row[i++] = any ? over(excess, std::sqrt(s.downside[j] / n)) * annual : kNaN;
  row[i++] = over(cagr, -s.drawdown[j]);
  row[i++] = any ? s.drawdown[j] : kNaN;
  row[i++] = s.start[j];
  row[i++] = s.trough[j];
  row[i++] = s.recovery[j];
  row[i++] = s.longest[j];
  row[i++] = tail.limit[j];
  row[i++] = over(tail.sum[j], tail.count[j]);
  row[i++] = skewness(s, j);
  row[i++] = excess_kurtosis(s, j);
  row[i++] = over(s.hits[j], n);
  row[i++] = any ? s.best[j] : kNaN;
  row[i++] = any ? s.worst[j] : kNaN;
}

}  // namespace

void performance(const Table& returns, const Terms& terms, const Work& work, double* out) {
  const double target = terms.risk_free / terms.periods;
  for_each_block(returns, work.threads, [&](Block& block) {
    Lanes s;
    Tail tail;
    work.passes->walk(block.cells.data(), returns.rows, &s);
    for (int j = 0; j < kLanes; ++j) {
      // The mean of equal numbers is that number; a rounded sum would give it a deviation.
      s.mean[j] = s.best[j] == s.worst[j] ? s.best[j] : s.sum[j] / s.count[j];
    }
    work.passes->moments(block.cells.data(), returns.rows, target, &s);
    measure_tail(block, returns.rows, terms, work, s, tail);
    double row[kPerformanceRows];
    for (int j = 0; j < block.width; ++j) {
      finish(s, tail, j, terms, row);
      for (int i = 0; i < kPerformanceRows; ++i) out[i * returns.columns + block.first + j] = row[i];
    }
  });
}

void drawdown_series(const Table& returns, const Work& work, double* out) {
  for_each_block(returns, work.threads, [&](Block& block) {
    block.result.resize(block.cells.size());
    work.passes->drawdowns(block.cells.data(), returns.rows, block.result.data());
    store(block, block.result.data(), returns.rows, returns.columns, out);
  });
}

void rolling_sharpe(const Table& returns, std::int64_t window, const Terms& terms, const Work& work,
                    double* out) {
  const double half = static_cast<double>((window + 1) / 2);
  for_each_block(returns, work.threads, [&](Block& block) {
    block.result.resize(block.cells.size());
    block.scratch.resize(static_cast<std::size_t>(window) * 3 * kLanes);
    const Rolling how{window, half < 2.0 ? 2.0 : half, terms.risk_free / terms.periods,
                      std::sqrt(terms.periods), block.scratch.data()};
    work.passes->rolling(block.cells.data(), returns.rows, &how, block.result.data());
    store(block, block.result.data(), returns.rows, returns.columns, out);
  });
}

void compound(const Table& returns, const std::int64_t* starts, std::int64_t periods, const Work& work,
              double* out) {
  for_each_block(returns, work.threads, [&](Block& block) {
    block.result.resize(static_cast<std::size_t>(periods) * kLanes);
    for (std::int64_t p = 0; p < periods; ++p) {
      const std::int64_t last = p + 1 < periods ? starts[p + 1] : returns.rows;
      work.passes->compound(block.cells.data(), starts[p], last, block.result.data() + p * kLanes);
    }
    store(block, block.result.data(), periods, returns.columns, out);
  });
}

}  // namespace quant::metrics
