#pragma once
#include <array>
#include <cstdint>

#include "quant/session/loop.hpp"

namespace quant {

// When the caller of a run is asked: `rows` [T] marks bars (null = all), `phases` the instants of them.
struct AskedAt {
  const uint8_t* rows = nullptr;
  std::array<bool, 4> phases{};
  bool decide_seen = false;  // DECIDE is an instant of this run
};

// All bars of the market; `ask(t, phase, intents)` fills in what is wanted at each instant it is asked at,
// and returns whether anything is. The same steps in the same order as the loop that is driven from Python.
template <class Ask>
void run_called(Kernel& kernel, SimVenue& venue, const AskedAt& at, Ask&& ask) {
  Loop loop(kernel, venue);
  const Market& market = kernel.market();
  std::vector<Intent> intents;
  const auto instant = [&](int32_t t, Phase phase, bool asked) {
    loop.slice(t, phase);
    if (!asked || !at.phases[static_cast<size_t>(phase)]) return;
    intents.clear();
    if (ask(t, phase, intents)) loop.decide(intents);
  };
  for (int32_t t = 0; t < market.T; ++t) {
    const bool asked = at.rows == nullptr || at.rows[t] != 0;
    if (market.opens(t)) instant(t, Phase::kPreopen, asked);
    instant(t, Phase::kOpen, asked);
    if (at.decide_seen) instant(t, Phase::kDecide, asked);
    instant(t, Phase::kClose, asked);
  }
}

}  // namespace quant
