#include "quant/session/sweep.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>

#include "quant/factor/lookup.hpp"
#include "quant/session/fused.hpp"
#include "quant/session/variants.hpp"

namespace quant {
namespace {

// One name of the market as a market of its own; the columns of its programs with it.
class Lane {
 public:
  explicit Lane(const SweepInput& sweep) : sweep_(sweep), market_(sweep.market) {
    market_.S = 1;
    columns_.resize(sweep.input.columns.size());
    for (std::vector<double>& column : columns_) column.resize(bars());
    for (const std::vector<double>& column : columns_) pointers_.push_back(column.data());
  }

  const Market& market() const { return market_; }
  const std::vector<const double*>& columns() const { return pointers_; }

  void move_to(int32_t instrument) {
    const Market& all = sweep_.market;
    const auto i = static_cast<size_t>(instrument);
    take(all.open, bars(), i, open_, market_.open);
    take(all.high, bars(), i, high_, market_.high);
    take(all.low, bars(), i, low_, market_.low);
    take(all.close, bars(), i, close_, market_.close);
    take(all.vwap, bars(), i, vwap_, market_.vwap);
    take(all.volume, bars(), i, volume_, market_.volume);
    take(all.pre_close, days(), i, pre_close_, market_.pre_close);
    take(all.limit_up, days(), i, limit_up_, market_.limit_up);
    take(all.limit_down, days(), i, limit_down_, market_.limit_down);
    take(all.flags, days(), i, flags_, market_.flags);
    for (size_t c = 0; c < columns_.size(); ++c) {
      const double* from = sweep_.input.columns[c];
      for (size_t t = 0; t < bars(); ++t) columns_[c][t] = from[t * width() + i];
    }
    take_actions(instrument);
  }

 private:
  size_t bars() const { return static_cast<size_t>(sweep_.market.T); }
  size_t days() const { return static_cast<size_t>(sweep_.market.D); }
  size_t width() const { return static_cast<size_t>(sweep_.market.S); }

  template <class T>
  void take(const T* from, size_t rows, size_t i, std::vector<T>& into, const T*& pointer) {
    into.resize(rows);
    for (size_t t = 0; t < rows; ++t) into[t] = from[t * width() + i];
    pointer = into.data();
  }

  void take_actions(int32_t instrument) {
    const CorporateActions& all = sweep_.market.actions;
    for (auto* part : {&ex_, &pay_, &owner_}) part->clear();
    for (auto* part : {&cash_, &ratio_}) part->clear();
    for (size_t k = 0; k < all.size; ++k) {
      if (all.instrument[k] != instrument) continue;
      ex_.push_back(all.ex_index[k]);
      pay_.push_back(all.pay_index[k]);
      owner_.push_back(0);
      cash_.push_back(all.cash_per_share[k]);
      ratio_.push_back(all.bonus_ratio[k]);
    }
    market_.actions = {ex_.size(), ex_.data(), pay_.data(), owner_.data(), cash_.data(), ratio_.data()};
  }

  const SweepInput& sweep_;
  Market market_;
  std::vector<int64_t> open_, high_, low_, close_, vwap_, volume_, pre_close_, limit_up_, limit_down_;
  std::vector<uint32_t> flags_;
  std::vector<int32_t> ex_, pay_, owner_;
  std::vector<int64_t> cash_, ratio_;
  std::vector<std::vector<double>> columns_;
  std::vector<const double*> pointers_;
};

// Runs every variant on one name after the other; one per thread.
class Runner {
 public:
  Runner(const VariantGraph& graph, const SweepInput& sweep, const KernelConfig& config,
         const ConstructPlan& construct, const SweepOptions& options)
      : graph_(graph),
        sweep_(sweep),
        config_(brief(config)),
        construct_(construct),
        options_(options),
        lane_(sweep),
        values_(graph, kernels_of(options.isa), static_cast<size_t>(sweep.market.T)),
        kernel_(lane_.market(), config_),
        every_(sweep.rows.size() == static_cast<size_t>(sweep.market.T)),
        never_(config.forbidden) {
    std::sort(never_.begin(), never_.end());
  }

  void run(size_t name, size_t variants, SweepResult& result, std::vector<SweepFill>& fills) {
    const int32_t instrument = sweep_.instruments[name];
    forbidden_ = std::binary_search(never_.begin(), never_.end(), instrument);
    lane_.move_to(instrument);
    values_.begin(lane_.columns());
    for (size_t v = 0; v < variants; ++v) {
      trade(v);
      const Totals& totals = kernel_.ledger().totals();
      result.cells[v * sweep_.instruments.size() + name] = {kernel_.ledger().nav(),
                                                            add(totals.fees, totals.taxes), totals.traded,
                                                            static_cast<int64_t>(kernel_.fills().size())};
      if (!options_.fills) continue;
      for (const Fill& fill : kernel_.fills()) {
        fills.push_back({static_cast<int32_t>(v), fill});
        fills.back().fill.instrument = instrument;
      }
    }
  }

 private:
  static KernelConfig brief(KernelConfig config) {
    config.brief = config.limits.daily_loss < 0 && config.limits.max_drawdown < 0;
    config.forbidden.clear();
    return config;
  }

  void trade(size_t variant) {
    const double* values = values_.of(variant);
    const auto from = std::lower_bound(sweep_.rows.begin(), sweep_.rows.end(), graph_.lookback(variant));
    const auto skipped = static_cast<size_t>(from - sweep_.rows.begin());
    const size_t count = sweep_.rows.size() - skipped;
    const double* scores = values + skipped;
    if (!every_) {
      scores_.resize(count);
      for (size_t k = 0; k < count; ++k)
        scores_[k] = values[static_cast<size_t>(from[static_cast<std::ptrdiff_t>(k)])];
      scores = scores_.data();
    }
    const Decisions decisions{static_cast<int32_t>(count), sweep_.rows.data() + skipped, scores, nullptr};
    kernel_.restart();
    if (forbidden_) kernel_.on_control({ControlKind::kForbid, 0, {}}, none_);
    SimVenue venue(lane_.market(), config_.fill, config_.lots);
    run_fused(kernel_, venue, construct_, decisions, 0, sweep_.market.T - 1, options_.before_close);
  }

  const VariantGraph& graph_;
  const SweepInput& sweep_;
  KernelConfig config_;
  const ConstructPlan& construct_;
  const SweepOptions& options_;
  Lane lane_;
  VariantValues values_;
  Kernel kernel_;
  bool every_;
  std::vector<int32_t> never_;  // instruments that may not be bought, ascending
  bool forbidden_ = false;
  Commands none_;
  std::vector<double> scores_;
};

void check(const SweepPlan& plan, const SweepInput& sweep) {
  FactorProgram variant = plan.program;
  for (size_t v = 0; v < plan.variants; ++v) {
    for (size_t slot = 0; slot < variant.code.size(); ++slot) {
      variant.code[slot].param = plan.params[v * variant.code.size() + slot];
    }
    variant.check();
  }
  for (const Instruction& code : plan.program.code) {
    if (info(code.op).crosses)
      throw std::invalid_argument("a sweep runs names apart and cannot compare them");
  }
  if (static_cast<int>(sweep.input.columns.size()) != plan.program.columns) {
    throw std::invalid_argument("the number of columns is not the program's");
  }
}

}  // namespace

SweepResult run_sweep(const SweepPlan& plan, const SweepInput& sweep, const KernelConfig& config,
                      const ConstructPlan& construct, const SweepOptions& options) {
  check(plan, sweep);
  SweepResult result;
  result.cells.resize(plan.variants * sweep.instruments.size());
  if (sweep.market.T == 0 || result.cells.empty()) return result;
  const VariantGraph graph(plan);
  const size_t most = std::max<size_t>(sweep.instruments.size(), 1);
  const auto threads =
      static_cast<unsigned>(std::clamp<size_t>(options.threads, 1, std::min<size_t>(most, 64)));
  const double bytes = static_cast<double>(graph.shared() + graph.longest()) *
                       static_cast<double>(sweep.market.T) * 8.0 * threads;
  if (bytes > static_cast<double>(options.memory_limit)) {
    throw std::length_error("what the variants have in common would take " +
                            std::to_string(static_cast<long long>(bytes / 1048576.0)) + " MiB");
  }
  std::vector<std::vector<SweepFill>> fills(sweep.instruments.size());
  std::atomic<size_t> next{0};
  std::exception_ptr failed;
  std::mutex guard;
  const auto work = [&] {
    try {
      Runner runner(graph, sweep, config, construct, options);
      for (size_t name = next++; name < sweep.instruments.size(); name = next++) {
        runner.run(name, plan.variants, result, fills[name]);
      }
    } catch (...) {
      const std::scoped_lock lock(guard);
      if (!failed) failed = std::current_exception();
      next = sweep.instruments.size();
    }
  };
  {
    std::vector<std::jthread> others;
    for (unsigned i = 1; i < threads; ++i) others.emplace_back(work);
    work();
  }
  if (failed) std::rethrow_exception(failed);
  for (const std::vector<SweepFill>& part : fills)
    result.fills.insert(result.fills.end(), part.begin(), part.end());
  return result;
}

}  // namespace quant
