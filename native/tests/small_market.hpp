#pragma once
#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

#include "quant/kernel/kernel.hpp"
#include "quant/market/market.hpp"

// A random walk in cents inside its limits, with halts and distributions, and the rules to trade in it.
namespace quant::tests {

struct SmallMarket {
  std::vector<int32_t> sessions, day, ex, pay, names;
  std::vector<int64_t> instants, open, high, low, close, vwap, volume, pre_close, limit_up, limit_down, cash,
      bonus;
  std::vector<uint32_t> flags;
  Market market;

  SmallMarket(int32_t days, int32_t bars, int32_t width, uint32_t seed) {
    std::mt19937 engine(seed);
    const auto pick = [&](int64_t from, int64_t to) {
      return std::uniform_int_distribution<int64_t>(from, to)(engine);
    };
    std::vector<int64_t> last(static_cast<size_t>(width));
    for (int64_t& price : last) price = pick(300, 6'000) * 100;
    for (int32_t d = 0; d < days; ++d) {
      const size_t first = open.size();
      sessions.push_back(18'000 + d);
      for (int32_t i = 0; i < width; ++i) {
        int64_t before = last[static_cast<size_t>(i)];
        if (d > 0 && pick(0, 39) == 0) {
          const int64_t per_share = pick(1, std::max<int64_t>(before / 2'000, 2)) * 10'000;
          const int64_t ratio = pick(0, 2) * 15'000'000;
          ex.push_back(d), names.push_back(i), cash.push_back(per_share), bonus.push_back(ratio);
          pay.push_back(pick(0, 1) != 0 ? d : d + 2);
          before = std::max<int64_t>((before - per_share / 100) * 100 / (100 + ratio / 1'000'000) / 100 * 100,
                                     100);
        }
        pre_close.push_back(before);
        limit_up.push_back(before * 11 / 1'000 * 100 + 100);
        limit_down.push_back(std::max<int64_t>(before * 9 / 1'000 * 100, 100));
        flags.push_back(kListed | (pick(0, 29) == 0 ? kSuspended : kTrading) | 1u << 8);
        last[static_cast<size_t>(i)] = before;
      }
      for (int32_t b = 0; b < bars; ++b) {
        day.push_back(d);
        const int64_t start = (sessions.back() * int64_t{86'400} + 5'400 + b * 240) * 1'000'000'000;
        for (const int64_t after : {-900, 0, 200, 239}) instants.push_back(start + after * 1'000'000'000);
        for (int32_t i = 0; i < width; ++i) {
          const size_t cell = pre_close.size() - static_cast<size_t>(width - i);
          const bool halted = (flags[cell] & kSuspended) != 0;
          int64_t& price = last[static_cast<size_t>(i)];
          const auto moved = [&] {
            const int64_t step = pick(0, 19) == 0 ? price / 500 * 100 : pick(-3, 3) * 100;
            return std::clamp(price + (pick(0, 1) != 0 ? step : -step), limit_down[cell], limit_up[cell]);
          };
          const int64_t from = halted ? price : moved();
          price = halted ? price : moved();
          open.push_back(from), close.push_back(price);
          high.push_back(std::max(from, price)), low.push_back(std::min(from, price));
          vwap.push_back((from + price) / 200 * 100);
          volume.push_back(halted ? 0 : pick(1, 4'000) * 100);
        }
      }
      (void)first;
    }
    market = {static_cast<int32_t>(day.size()),
              width,
              days,
              sessions.data(),
              day.data(),
              instants.data(),
              open.data(),
              high.data(),
              low.data(),
              close.data(),
              vwap.data(),
              volume.data(),
              pre_close.data(),
              limit_up.data(),
              limit_down.data(),
              flags.data(),
              {ex.size(), ex.data(), pay.data(), names.data(), cash.data(), bonus.data()}};
  }
  SmallMarket(const SmallMarket&) = delete;

  KernelConfig config(FillAt at = FillAt::kOpen) const {
    KernelConfig config;
    config.cash = 1'000'000 * kMoneyScale;
    config.fill.at = at;
    if (at != FillAt::kOpen) config.fill.participation = kRateScale / 10;
    config.rounding = 10'000;  // cents
    LotRule lot;
    lot.buy_min = lot.buy_step = lot.sell_step = 100;
    lot.max_order = 1'000'000;
    lot.settlement_days = 1;
    FeeRule fee;
    fee.commission = 250'000;  // 2.5 of ten thousand
    fee.stamp_sell = 500'000;
    fee.transfer = 10'000;
    fee.commission_min = 5 * kMoneyScale;
    const auto cells = static_cast<size_t>(market.D) * 2;
    config.lots = {market.D, 2, std::vector<LotRule>(cells, lot)};
    config.fees = {market.D, 2, std::vector<FeeRule>(cells, fee)};
    return config;
  }
};

}  // namespace quant::tests
