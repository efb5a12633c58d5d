#include "quant/session/construct.hpp"

#include <algorithm>
#include <cmath>

#include "quant/prim/wide.hpp"

namespace quant {
namespace {

bool better(const Chosen& a, const Chosen& b) {
  return a.score != b.score ? a.score > b.score : a.instrument < b.instrument;
}

int64_t capped(const ConstructPlan& plan, int64_t weight) {
  return plan.max_weight < 0 ? weight : std::min(weight, plan.max_weight);
}

// Scores too large to be summed become parts of the largest; infinite ones share alone.
void keep_sum_finite(std::vector<Chosen>& chosen) {
  double sum = 0;
  for (const Chosen& name : chosen) sum += name.score;
  if (std::isfinite(sum)) return;
  const double most = chosen.front().score;
  for (Chosen& name : chosen) {
    name.score = std::isinf(most) ? (std::isinf(name.score) ? 1.0 : 0.0) : name.score / most;
  }
}

// Proportional to the score; what the cap cuts off goes to the uncapped names, as long as there are any.
void weigh_by_score(const ConstructPlan& plan, int64_t invest, std::vector<Chosen>& chosen) {
  const int64_t cap = plan.max_weight < 0 ? kRateScale : plan.max_weight;
  std::vector<bool> full(chosen.size(), false);
  keep_sum_finite(chosen);
  for (bool again = true; again;) {
    again = false;
    int64_t left = invest;
    double sum = 0;
    for (size_t k = 0; k < chosen.size(); ++k) {
      if (full[k])
        left -= cap;
      else
        sum += chosen[k].score;
    }
    left = std::max<int64_t>(left, 0);
    for (size_t k = 0; k < chosen.size(); ++k) {
      if (full[k]) continue;
      const double share = chosen[k].score / sum;
      chosen[k].weight = static_cast<int64_t>(std::floor(static_cast<double>(left) * share));
      if (chosen[k].weight > cap) again = full[k] = true;
    }
    for (size_t k = 0; k < chosen.size(); ++k) {
      if (full[k]) chosen[k].weight = cap;
    }
  }
}

struct Change {
  int32_t instrument;
  int64_t from;
  int64_t to;
};

// Shrinks all changes alike until the sum of their absolute values keeps within the cap.
void limit_turnover(const ConstructPlan& plan, const Kernel& kernel, std::vector<Intent>& intents) {
  if (plan.turnover_cap < 0) return;
  const int64_t nav = kernel.ledger().nav();
  std::vector<Change> changes;
  int64_t sum = 0;
  for (const Intent& intent : intents) {
    const Position* position = kernel.ledger().find(intent.instrument);
    const int64_t value = position == nullptr ? 0 : notional_micros(position->mark, position->quantity);
    const int64_t from = nav > 0 ? mul_div(value, kRateScale, nav) : 0;
    changes.push_back({intent.instrument, from, intent.weight});
    sum = add(sum, std::abs(intent.weight - from));
  }
  if (sum <= plan.turnover_cap) return;
  for (size_t k = 0; k < intents.size(); ++k) {
    const int64_t step = mul_div(std::abs(changes[k].to - changes[k].from), plan.turnover_cap, sum);
    intents[k].weight = changes[k].to > changes[k].from ? changes[k].from + step : changes[k].from - step;
  }
}

// Names that are held and stay are left alone, whatever their quantity.
std::vector<Intent> enter_and_leave(const ConstructPlan& plan, const double* scores, const bool* eligible,
                                    const Kernel& kernel) {
  std::vector<Intent> intents;
  const Ledger& ledger = kernel.ledger();
  const auto target = [&](int32_t instrument, int64_t quantity) {
    Intent& intent = intents.emplace_back();
    intent.instrument = instrument;
    intent.kind = IntentKind::kQuantity;
    intent.quantity = quantity;
  };
  for (const int32_t slot : ledger.held()) {
    const int32_t instrument = ledger.positions()[static_cast<size_t>(slot)].instrument;
    if (!wanted(scores, eligible, static_cast<size_t>(instrument))) target(instrument, 0);
  }
  for (int32_t i = 0; i < kernel.market().S; ++i) {
    if (!wanted(scores, eligible, static_cast<size_t>(i))) continue;
    const Position* position = ledger.find(i);
    if (position == nullptr || (position->quantity == 0 && position->open_buy == 0)) target(i, plan.quantity);
  }
  return intents;
}

}  // namespace

std::vector<Chosen> choose(const ConstructPlan& plan, const double* scores, const bool* eligible, int32_t S) {
  std::vector<Chosen> chosen;
  const bool positive = plan.method != Method::kEqual;
  for (int32_t i = 0; i < S; ++i) {
    if ((eligible == nullptr || eligible[i]) && !std::isnan(scores[i]) && (!positive || scores[i] > 0))
      chosen.push_back({i, scores[i], 0});
  }
  if (plan.method >= Method::kThreshold) return chosen;
  const auto top = static_cast<size_t>(std::max(plan.top, 0));
  if (chosen.size() > top) {
    std::nth_element(chosen.begin(), chosen.begin() + static_cast<std::ptrdiff_t>(top), chosen.end(), better);
    chosen.resize(top);
  }
  std::sort(chosen.begin(), chosen.end(), better);
  return chosen;
}

void weigh(const ConstructPlan& plan, std::vector<Chosen>& chosen) {
  if (chosen.empty()) return;
  const int64_t invest = kRateScale - plan.cash_buffer;
  if (plan.method == Method::kScore) return weigh_by_score(plan, invest, chosen);
  const auto slots = plan.method == Method::kEqual ? int64_t{plan.top} : static_cast<int64_t>(chosen.size());
  for (Chosen& name : chosen) name.weight = capped(plan, invest / slots);
}

std::vector<Intent> construct(const ConstructPlan& plan, const double* scores, const bool* eligible,
                              const Kernel& kernel) {
  if (plan.method == Method::kFixed) return enter_and_leave(plan, scores, eligible, kernel);
  std::vector<Chosen> chosen = choose(plan, scores, eligible, kernel.market().S);
  weigh(plan, chosen);
  std::vector<int32_t> staying;
  staying.reserve(chosen.size());
  for (const Chosen& name : chosen) staying.push_back(name.instrument);
  std::sort(staying.begin(), staying.end());
  std::vector<Intent> intents;
  const Ledger& ledger = kernel.ledger();
  for (const int32_t slot : ledger.held()) {
    const int32_t instrument = ledger.positions()[static_cast<size_t>(slot)].instrument;
    if (std::binary_search(staying.begin(), staying.end(), instrument)) continue;
    intents.emplace_back().instrument = instrument;
  }
  for (const Chosen& name : chosen) {
    Intent& intent = intents.emplace_back();
    intent.instrument = name.instrument;
    intent.weight = name.weight;
  }
  limit_turnover(plan, kernel, intents);
  return intents;
}

}  // namespace quant
