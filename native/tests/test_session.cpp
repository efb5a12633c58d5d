#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "check.hpp"
#include "quant/kernel/kernel.hpp"
#include "quant/session/loop.hpp"
#include "quant/sim/sim_venue.hpp"
#include "small_market.hpp"

using namespace quant;
using quant::tests::SmallMarket;

namespace {

// A session with random intents at random bars; the ledger checks its identity at every step.
class Session {
 public:
  Session(const SmallMarket& small, const KernelConfig& config, uint32_t seed)
      : market_(small.market),
        config_(config),
        kernel_(market_, config_),
        venue_(market_, config_.fill, config_.lots),
        loop_(kernel_, venue_),
        engine_(seed) {}

  void run(int32_t from, int32_t to) {
    for (int32_t t = from; t < to; ++t) {
      if (market_.opens(t)) loop_.slice(t, Phase::kPreopen);
      loop_.slice(t, Phase::kOpen);
      loop_.slice(t, Phase::kClose);
      if (pick(0, 2) == 0) decide();
      check();
    }
  }

  Kernel& kernel() { return kernel_; }
  SimVenue& venue() { return venue_; }
  std::mt19937& engine() { return engine_; }

 private:
  int64_t pick(int64_t from, int64_t to) { return std::uniform_int_distribution<int64_t>(from, to)(engine_); }
  void decide() {
    std::vector<Intent> intents;
    for (int64_t k = pick(0, 4); k >= 0; --k) {
      Intent intent;
      intent.instrument = static_cast<int32_t>(pick(0, market_.S - 1));
      intent.kind = static_cast<IntentKind>(pick(0, 2));
      intent.weight = pick(0, 4) * kRateScale / 10;
      intent.quantity = pick(0, 30) * 50;
      intent.side = pick(0, 1) != 0 ? kBuy : kSell;
      if (pick(0, 2) == 0) intent.price = pick(300, 6'000) * 100;
      intents.push_back(intent);
    }
    loop_.decide(intents);
  }
  void check() const {
    kernel_.ledger().check();
    CHECK(kernel_.ledger().available() >= 0);
    for (const Position& position : kernel_.ledger().positions()) {
      CHECK(position.quantity >= 0);
      CHECK(position.locked >= 0);
      CHECK(position.sellable() >= 0);
    }
  }

  const Market& market_;
  const KernelConfig config_;
  Kernel kernel_;
  SimVenue venue_;
  Loop loop_;
  std::mt19937 engine_;
};

}  // namespace

TEST(random_sessions_keep_the_books) {
  for (uint32_t seed = 1; seed <= 6; ++seed) {
    for (const FillAt at : {FillAt::kOpen, FillAt::kClose, FillAt::kVwap}) {
      const SmallMarket small(12, seed % 2 == 0 ? 1 : 6, 7, seed);
      Session session(small, small.config(at), seed);
      session.run(0, small.market.T);
      CHECK_EQ(session.kernel().nav_history().size(), size_t{12});
      CHECK(!session.kernel().fills().empty());
    }
  }
}

TEST(a_session_goes_on_from_its_snapshot) {
  const SmallMarket small(10, 4, 5, 9);
  const KernelConfig config = small.config();
  Session whole(small, config, 4), first(small, config, 4), second(small, config, 4);
  whole.run(0, small.market.T);
  first.run(0, 18);
  second.kernel().restore(first.kernel().snapshot());
  second.venue().restore(first.venue().snapshot());
  second.engine() = first.engine();
  second.run(18, small.market.T);
  CHECK(second.kernel().head() == whole.kernel().head());
  CHECK(second.kernel().snapshot() == whole.kernel().snapshot());
}

TEST(a_damaged_snapshot_is_refused_or_sound) {
  const SmallMarket small(6, 2, 4, 5);
  const KernelConfig config = small.config();
  Session session(small, config, 8);
  session.run(0, 7);
  const std::string good = session.kernel().snapshot();
  for (size_t k = 0; k < good.size(); k += 3) {
    std::string bad = good;
    bad[k] = static_cast<char>(bad[k] ^ 0x41);
    Session other(small, config, 8);
    const std::string code = quant::tests::failure_of([&] { other.kernel().restore(bad); });
    if (code.empty()) other.kernel().ledger().check();
  }
}
