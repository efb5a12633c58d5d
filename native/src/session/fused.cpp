#include "quant/session/fused.hpp"

#include <algorithm>
#include <bit>

#include "quant/session/loop.hpp"

namespace quant {
namespace {

// The decisions still to be taken.
class Ahead {
 public:
  Ahead(const Kernel& kernel, const ConstructPlan& plan, const Decisions& decisions, int32_t first)
      : kernel_(kernel),
        plan_(plan),
        decisions_(decisions),
        width_(static_cast<size_t>(kernel.market().S)),
        count_(static_cast<size_t>(decisions.count)) {
    next_ = static_cast<size_t>(std::lower_bound(decisions.rows, decisions.rows + count_, first) -
                                decisions.rows);
    if (plan.method == Method::kFixed && width_ == 1 && decisions.eligible == nullptr) find_turns();
  }

  bool due(int32_t t) const { return next_ < count_ && decisions_.rows[next_] == t; }

  // Past a decision that wants exactly what is held: it has no intents.
  bool passes() {
    if (!single_ || !kernel_.idle() || held() != (decisions_.scores[next_] > 0)) return false;
    ++next_;
    return true;
  }

  std::vector<Intent> take() {
    const size_t at = next_++ * width_;
    return construct(plan_, decisions_.scores + at, eligible(at), kernel_);
  }

  // Orders that are likely to come, at least.
  size_t orders() const { return turns_.size(); }

  // The bar of the next decision that can cause an order while nothing is on its way, at most `last`.
  int32_t bar(int32_t last) {
    if (plan_.method == Method::kFixed) skip();
    return next_ < count_ ? std::min(decisions_.rows[next_], last) : last;
  }

 private:
  const bool* eligible(size_t at) const {
    return decisions_.eligible == nullptr ? nullptr : decisions_.eligible + at;
  }

  bool held() const { return !kernel_.ledger().held().empty(); }

  // One name: where its score crosses 0 is known beforehand.
  void find_turns() {
    single_ = true;
    bool before = false;
    for (size_t k = next_; k < count_; ++k) {
      if (k > next_ && steady(k)) {
        k += kSteady - 1;
        continue;
      }
      const bool wants = decisions_.scores[k] > 0;
      if (wants != before) turns_.push_back({k, decisions_.rows[k], wants});
      before = wants;
    }
  }

  // Whether the scores from k on are, to the bit, the one before, as conditions are most of the time.
  bool steady(size_t k) const {
    if (k + kSteady > count_) return false;
    const double* scores = decisions_.scores + k;
    uint64_t change = 0;
    for (size_t i = 0; i < kSteady; ++i) {
      change |= std::bit_cast<uint64_t>(scores[i]) ^ std::bit_cast<uint64_t>(*(scores + i - 1));
    }
    return change == 0;
  }

  // The next decision that wants something else than what is held, and the memory of the one after it on its
  // way from afar.
  void skip_to_turn(bool holds) {
    while (turn_ < turns_.size() && turns_[turn_].at < next_) ++turn_;
    const bool wants = turn_ > 0 && turns_[turn_ - 1].wants;  // of the decisions before that turn
    const bool turns_now = turn_ < turns_.size() && turns_[turn_].at == next_;
    if (next_ >= count_ || (turns_now ? turns_[turn_].wants : wants) != holds) return;
    while (turn_ < turns_.size() && turns_[turn_].wants == holds) ++turn_;
    next_ = turn_ < turns_.size() ? turns_[turn_].at : count_;
    if (turn_ + kAhead < turns_.size()) kernel_.market().prefetch(turns_[turn_ + kAhead].bar);
  }

  // Past the decisions that want exactly what is held: they have no intents.
  void skip() {
    if (single_) return skip_to_turn(held());
    held_.assign(width_, 0);
    for (const int32_t slot : kernel_.ledger().held()) {
      held_[static_cast<size_t>(kernel_.ledger().positions()[static_cast<size_t>(slot)].instrument)] = 1;
    }
    for (; next_ < count_; ++next_) {
      const size_t at = next_ * width_;
      for (size_t i = 0; i < width_; ++i) {
        if (wanted(decisions_.scores + at, eligible(at), i) != (held_[i] != 0)) return;
      }
    }
  }

  const Kernel& kernel_;
  const ConstructPlan& plan_;
  const Decisions& decisions_;
  size_t width_, count_, next_ = 0;
  std::vector<uint8_t> held_;
  // A decision that wants something else than the one before it.
  struct Turn {
    size_t at;
    int32_t bar;
    bool wants;
  };
  static constexpr size_t kAhead = 4;   // turns whose memory is asked for beforehand
  static constexpr size_t kSteady = 8;  // scores looked at together
  bool single_ = false;
  std::vector<Turn> turns_;
  size_t turn_ = 0;
};

}  // namespace

void run_fused(Kernel& kernel, SimVenue& venue, const ConstructPlan& plan, const Decisions& decisions,
               int32_t first, int32_t last, bool before_close) {
  Loop loop(kernel, venue);
  Ahead ahead(kernel, plan, decisions, first);
  kernel.expect(ahead.orders());
  const Market& market = kernel.market();
  int32_t end = -1;  // last bar of t's session
  const CorporateActions& actions = market.actions;
  size_t event = 0;
  // The session after the present one in which a held name has an event, at most `session`.
  const auto eventful = [&](int32_t session) {
    while (event < actions.size && actions.ex_index[event] <= kernel.session()) ++event;
    for (size_t k = event; k < actions.size && actions.ex_index[k] < session; ++k) {
      const Position* position = kernel.ledger().find(actions.instrument[k]);
      if (position != nullptr && position->quantity > 0) return actions.ex_index[k];
    }
    return session;
  };
  // The next bar at which something can happen: without an order only decisions and the ends of a session.
  const auto following = [&](int32_t t) {
    if (!kernel.idle()) return t + 1;
    if (end < t) end = std::min(market.last_bar(t), last);
    if (t != end) return std::max(ahead.bar(end), t + 1);
    return kernel.brief() && t < last ? market.first_bar(eventful(market.day[ahead.bar(last)])) : t + 1;
  };
  for (int32_t t = first; t <= last; t = following(t)) {
    const bool decides = ahead.due(t);
    if (t < 0 || t >= market.T || market.opens(t)) loop.slice(t, Phase::kPreopen);
    loop.slice(t, Phase::kOpen);
    if (before_close && decides) {
      loop.slice(t, Phase::kDecide);
      loop.decide(ahead.take());
    }
    loop.slice(t, Phase::kClose);
    if (!before_close && decides && !ahead.passes()) loop.decide(ahead.take());
  }
}

}  // namespace quant
