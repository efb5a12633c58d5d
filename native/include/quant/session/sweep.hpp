#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "quant/factor/vm.hpp"
#include "quant/kernel/kernel.hpp"
#include "quant/session/construct.hpp"

// Many backtests of one strategy: every variant of its program on every name, each with an account of its
// own. What variants have in common (a window over a column) is computed once a name; the kernel that trades
// is the one of a single backtest, without NAV and hash of sessions in which nothing happens.
namespace quant {

// Variants differ in the parameters of their instructions alone: params [variants, instructions].
struct SweepPlan {
  FactorProgram program;
  std::vector<double> params;
  size_t variants = 0;
};

// What all backtests share. `rows` ascend: the bars at which variants decide, each from its own longest
// window on. `columns` of `input` are [T, S] like the market.
struct SweepInput {
  const Market& market;
  const FactorInput& input;
  std::span<const int32_t> rows;
  std::span<const int32_t> instruments;
};

struct SweepOptions {
  unsigned threads = 1;
  Isa isa = Isa::base;
  bool before_close = false;
  bool fills = false;
  size_t memory_limit = size_t{4} << 30;
};

// Of one backtest, micro-yuan.
struct SweepCell {
  int64_t nav = 0, fees = 0, traded = 0, fills = 0;
};

struct SweepFill {
  int32_t variant = 0;
  Fill fill;  // its instrument is the market's
};

struct SweepResult {
  std::vector<SweepCell> cells;  // [variants, instruments]
  std::vector<SweepFill> fills;  // by instrument, then variant, if asked for
};

// Throws std::invalid_argument for programs that cannot run or compare names, std::length_error when the
// common rows would pass the memory limit.
SweepResult run_sweep(const SweepPlan& plan, const SweepInput& input, const KernelConfig& config,
                      const ConstructPlan& construct, const SweepOptions& options);

}  // namespace quant
