#include <math.h>

#include "quant/metrics/passes.hpp"

// One lane per series, so vector width never changes the order of a sum: every variant gives the same bytes.
namespace quant::QUANT_ISA {

using metrics::kLanes;
using metrics::Lanes;
using metrics::Rolling;

namespace {

constexpr double kInfinity = __builtin_huge_val();
constexpr double kNaN = __builtin_nan("");

void walk(const double* x, std::int64_t rows, Lanes* out) {
  Lanes s;
  for (int j = 0; j < kLanes; ++j) {
    s.count[j] = s.sum[j] = s.hits[j] = s.drawdown[j] = s.underwater[j] = s.longest[j] = 0.0;
    s.best[j] = -kInfinity;
    s.worst[j] = kInfinity;
    s.equity[j] = s.peak[j] = 1.0;
    s.peak_row[j] = s.start[j] = s.trough[j] = s.recovery[j] = -1.0;
  }
  for (std::int64_t t = 0; t < rows; ++t) {
    const double* row = x + t * kLanes;
    const double now = static_cast<double>(t);
    for (int j = 0; j < kLanes; ++j) {
      const double r = row[j];
      const bool known = r == r;
      s.count[j] += known ? 1.0 : 0.0;
      s.sum[j] += known ? r : 0.0;
      s.hits[j] += r > 0.0 ? 1.0 : 0.0;
      s.best[j] = r > s.best[j] ? r : s.best[j];
      s.worst[j] = r < s.worst[j] ? r : s.worst[j];
      s.equity[j] *= known ? 1.0 + r : 1.0;
    }
    for (int j = 0; j < kLanes; ++j) {
      const double equity = s.equity[j];
      const bool higher = equity > s.peak[j];
      const double peak = higher ? equity : s.peak[j];
      const double peak_row = higher ? now : s.peak_row[j];
      const double down = equity / peak - 1.0;
      const bool deeper = down < s.drawdown[j];
      const bool above = down >= 0.0;
      const double recovery = (above & (s.recovery[j] < 0.0) & (s.trough[j] >= 0.0)) ? now : s.recovery[j];
      const double underwater = above ? 0.0 : s.underwater[j] + 1.0;
      s.peak[j] = peak;
      s.peak_row[j] = peak_row;
      s.drawdown[j] = deeper ? down : s.drawdown[j];
      s.start[j] = deeper ? peak_row : s.start[j];
      s.trough[j] = deeper ? now : s.trough[j];
      s.recovery[j] = deeper ? -1.0 : recovery;
      s.underwater[j] = underwater;
      s.longest[j] = underwater > s.longest[j] ? underwater : s.longest[j];
    }
  }
  *out = s;
}

void moments(const double* x, std::int64_t rows, double target, Lanes* io) {
  double m2[kLanes] = {}, m3[kLanes] = {}, m4[kLanes] = {}, downside[kLanes] = {}, mean[kLanes];
  for (int j = 0; j < kLanes; ++j) mean[j] = io->mean[j];
  for (std::int64_t t = 0; t < rows; ++t) {
    const double* row = x + t * kLanes;
    for (int j = 0; j < kLanes; ++j) {
      const double r = row[j];
      const double d = r == r ? r - mean[j] : 0.0;
      const double short_of = r < target ? r - target : 0.0;
      const double d2 = d * d;
      m2[j] += d2;
      m3[j] += d2 * d;
      m4[j] += d2 * d2;
      downside[j] += short_of * short_of;
    }
  }
  for (int j = 0; j < kLanes; ++j) {
    io->m2[j] = m2[j];
    io->m3[j] = m3[j];
    io->m4[j] = m4[j];
    io->downside[j] = downside[j];
  }
}

void tail(const double* x, std::int64_t rows, const double* limit, double* sum, double* count) {
  double s[kLanes] = {}, n[kLanes] = {};
  for (std::int64_t t = 0; t < rows; ++t) {
    const double* row = x + t * kLanes;
    for (int j = 0; j < kLanes; ++j) {
      const bool in = row[j] <= limit[j];
      s[j] += in ? row[j] : 0.0;
      n[j] += in ? 1.0 : 0.0;
    }
  }
  for (int j = 0; j < kLanes; ++j) {
    sum[j] = s[j];
    count[j] = n[j];
  }
}

void drawdowns(const double* x, std::int64_t rows, double* out) {
  double equity[kLanes], peak[kLanes];
  for (int j = 0; j < kLanes; ++j) equity[j] = peak[j] = 1.0;
  for (std::int64_t t = 0; t < rows; ++t) {
    const double* row = x + t * kLanes;
    double* to = out + t * kLanes;
    for (int j = 0; j < kLanes; ++j) {
      const double r = row[j];
      equity[j] *= r == r ? 1.0 + r : 1.0;
      peak[j] = equity[j] > peak[j] ? equity[j] : peak[j];
      to[j] = equity[j] / peak[j] - 1.0;
    }
  }
}

// Welford's update (Technometrics 4, 1962): exact zero variance for a constant series.
inline void absorb(const double* row, double* count, double* mean, double* m2) {
  for (int j = 0; j < kLanes; ++j) {
    const double r = row[j];
    const bool known = r == r;
    const double n = count[j] + 1.0;
    const double delta = r - mean[j];
    const double next = mean[j] + delta / n;
    const double grown = m2[j] + delta * (r - next);
    count[j] = known ? n : count[j];
    mean[j] = known ? next : mean[j];
    m2[j] = known ? grown : m2[j];
  }
}

inline void clear(double* count, double* mean, double* m2) {
  for (int j = 0; j < kLanes; ++j) count[j] = mean[j] = m2[j] = 0.0;
}

// Merges the suffix of the previous chunk and the prefix of this one (Chan, Golub, LeVeque 1979, eq. 2.1).
inline void merged_sharpe(const double* suffix, const double* count, const double* mean, const double* m2,
                          const Rolling& how, double* to) {
  for (int j = 0; j < kLanes; ++j) {
    const double na = suffix[j], nb = count[j], n = na + nb;
    const double whole = n > 0.0 ? n : 1.0;
    const double delta = mean[j] - suffix[kLanes + j];
    const double average = suffix[kLanes + j] + delta * (nb / whole);
    const double squares = suffix[2 * kLanes + j] + m2[j] + delta * delta * (na * (nb / whole));
    const double deviation = sqrt(squares / (n > 1.0 ? n - 1.0 : 1.0));
    const double ratio = (average - how.target) / deviation * how.annual;
    to[j] = ((n >= how.least) & (deviation > 0.0)) ? ratio : kNaN;
  }
}

// A window is always made of its own rows only: chunks of `window` rows, the suffixes of the previous chunk
// merged with the prefix of the current one (van Herk 1992). No running sum drifts or carries old garbage.
void rolling(const double* x, std::int64_t rows, const Rolling* how, double* out) {
  const std::int64_t w = how->window;
  double* suffix = how->scratch;  // [w][count, mean, m2][kLanes]
  double count[kLanes], mean[kLanes], m2[kLanes], empty[3 * kLanes] = {};
  for (std::int64_t first = 0; first < rows; first += w) {
    const std::int64_t last = first + w < rows ? first + w : rows;
    clear(count, mean, m2);
    for (std::int64_t t = first; t < last; ++t) {
      absorb(x + t * kLanes, count, mean, m2);
      double* to = out + t * kLanes;
      const std::int64_t offset = t - first;
      const bool full = offset == w - 1;
      if (first == 0 && !full) {
        for (int j = 0; j < kLanes; ++j) to[j] = kNaN;
      } else {
        merged_sharpe(full ? empty : suffix + (offset + 1) * 3 * kLanes, count, mean, m2, *how, to);
      }
    }
    if (last - first < w) return;
    clear(count, mean, m2);
    for (std::int64_t k = w - 1; k >= 0; --k) {
      absorb(x + (first + k) * kLanes, count, mean, m2);
      double* to = suffix + k * 3 * kLanes;
      for (int j = 0; j < kLanes; ++j) {
        to[j] = count[j];
        to[kLanes + j] = mean[j];
        to[2 * kLanes + j] = m2[j];
      }
    }
  }
}

void compound(const double* x, std::int64_t first, std::int64_t last, double* out) {
  double growth[kLanes], known_rows[kLanes];
  for (int j = 0; j < kLanes; ++j) {
    growth[j] = 1.0;
    known_rows[j] = 0.0;
  }
  for (std::int64_t t = first; t < last; ++t) {
    const double* row = x + t * kLanes;
    for (int j = 0; j < kLanes; ++j) {
      const bool known = row[j] == row[j];
      growth[j] *= known ? 1.0 + row[j] : 1.0;
      known_rows[j] += known ? 1.0 : 0.0;
    }
  }
  for (int j = 0; j < kLanes; ++j) out[j] = known_rows[j] > 0.0 ? growth[j] - 1.0 : kNaN;
}

}  // namespace

extern const metrics::Passes metrics_passes;
const metrics::Passes metrics_passes = {walk, moments, tail, drawdowns, rolling, compound};

}  // namespace quant::QUANT_ISA
