// Per-event latency of the fused tick run, for tests/bench/w5.py. Reads the file that ../shared/bench's
// w5_limit reads: n, then ts, bid, ask, bid size, ask size. Prints one JSON object.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <vector>

#include "quant/session/tick_run.hpp"
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace {

using Clock = std::chrono::steady_clock;

uint64_t stamp() {
#if defined(__x86_64__)
  unsigned processor = 0;
  return __rdtscp(&processor);
#else
  return static_cast<uint64_t>(Clock::now().time_since_epoch().count());
#endif
}

struct Recording {
  std::vector<int64_t> ts, bid, ask, bid_size, ask_size;
  quant::Ticks ticks() const {
    return {ts.size(),       ts.data(),       nullptr, bid.data(), ask.data(),
            bid_size.data(), ask_size.data(), nullptr, nullptr};
  }
};

bool read_column(std::FILE* file, size_t n, double scale, std::vector<int64_t>& out) {
  std::vector<double> values(n);
  if (std::fread(values.data(), 8, n, file) != n) return false;
  out.resize(n);
  for (size_t k = 0; k < n; ++k) out[k] = std::llround(values[k] * scale);
  return true;
}

bool read(const char* path, Recording& out) {
  std::FILE* file = std::fopen(path, "rb");
  if (file == nullptr) return false;
  int64_t rows = 0;
  bool whole = std::fread(&rows, 8, 1, file) == 1 && rows > 0;
  const auto n = static_cast<size_t>(rows);
  out.ts.resize(whole ? n : 0);
  whole = whole && std::fread(out.ts.data(), 8, n, file) == n && read_column(file, n, 10'000, out.bid) &&
          read_column(file, n, 10'000, out.ask) && read_column(file, n, 1, out.bid_size) &&
          read_column(file, n, 1, out.ask_size);
  std::fclose(file);
  return whole;
}

// One session of one instrument without limits or fees; the close is the last middle.
struct Day {
  explicit Day(const Recording& r)
      : session{static_cast<int32_t>(r.ts.front() / 86'400'000'000'000)},
        price{(r.bid.back() + r.ask.back()) / 2},
        instants{r.ts.front() - 2, r.ts.front() - 1, r.ts.back(), r.ts.back() + 1} {
    market.T = market.S = market.D = 1;
    market.sessions = session;
    market.day = row;
    market.instants = instants;
    market.open = market.high = market.low = market.close = market.vwap = market.pre_close = price;
    market.volume = market.limit_up = market.limit_down = none;
    market.flags = flags;
  }
  int32_t session[1], row[1] = {0};
  int64_t price[1], none[1] = {0}, instants[4];
  uint32_t flags[1] = {quant::kListed | quant::kTrading | quant::kNoLimit};
  quant::Market market;
};

quant::KernelConfig config() {
  quant::KernelConfig out;
  out.cash = 1'000'000 * quant::kMoneyScale;
  out.fill.at = quant::FillAt::kClose;
  out.limits.order_quantity_max = 100;
  out.limits.order_value_max = 10'000'000 * quant::kMoneyScale;
  quant::LotRule lots;
  lots.max_order = 100;
  out.lots = {1, 1, {lots}};
  out.fees = {1, 1, {quant::FeeRule{}}};
  return out;
}

}  // namespace

int main(int count, char** arguments) {
  Recording recording;
  if (count < 2 || !read(arguments[1], recording)) {
    std::fprintf(stderr, "usage: w5 FILE (ticks as w5_limit reads them)\n");
    return 2;
  }
  const Day day(recording);
  const quant::Ticks ticks = recording.ticks();
  quant::TickPlan plan;
  plan.enter = quant::kRateScale * 98 / 100;
  plan.leave = quant::kRateScale * 2 / 100;
  std::vector<double> seconds;
  double equity = 0;
  size_t trades = 0;
  for (int pass = 0; pass < 5; ++pass) {
    quant::Kernel kernel(day.market, config());
    quant::TickVenue venue(1, {});
    const auto start = Clock::now();
    quant::run_ticks(kernel, venue, ticks, plan, {0, static_cast<int64_t>(ticks.N)});
    seconds.push_back(std::chrono::duration<double>(Clock::now() - start).count());
    equity = static_cast<double>(kernel.ledger().nav()) / quant::kMoneyScale - 1e6;
    trades = kernel.fills().size();
  }
  std::sort(seconds.begin(), seconds.end());

  std::vector<uint32_t> events(ticks.N), empty(100'000);
  quant::Kernel kernel(day.market, config());
  quant::TickVenue venue(1, {});
  quant::TickLoop loop(kernel, venue, ticks, plan);
  loop.begin(0);
  const auto wall = Clock::now();
  const uint64_t from = stamp();
  for (size_t k = 0; k < ticks.N; ++k) {
    const uint64_t before = stamp();
    loop.step(k);
    events[k] = static_cast<uint32_t>(std::min<uint64_t>(stamp() - before, 4'000'000'000u));
  }
  const double per_ns = static_cast<double>(stamp() - from) /
                        std::chrono::duration<double, std::nano>(Clock::now() - wall).count();
  loop.end(0, recording.ts.back());
  for (uint32_t& pair : empty) {
    const uint64_t before = stamp();
    pair = static_cast<uint32_t>(stamp() - before);
  }
  std::sort(empty.begin(), empty.end());
  std::sort(events.begin(), events.end());
  const double overhead = empty[empty.size() / 2];
  const auto quantile = [&](double q) {
    return std::max(0.0, events[static_cast<size_t>(q * static_cast<double>(events.size() - 1))] - overhead) /
           per_ns;
  };
  std::printf(
      "{\"rows\": %zu, \"seconds\": %.6f, \"final_equity\": %.4f, \"trades\": %zu, \"p50_ns\": %.1f, "
      "\"p99_ns\": %.1f, \"p999_ns\": %.1f, \"max_ns\": %.1f, \"timer_overhead_ns\": %.1f}\n",
      ticks.N, seconds[2], equity, trades, quantile(0.5), quantile(0.99), quantile(0.999), quantile(1.0),
      overhead / per_ns);
  return 0;
}
