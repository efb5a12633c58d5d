#include <cmath>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <random>
#include <vector>

#include "check.hpp"
#include "quant/factor/vm.hpp"
#include "quant/metrics/performance.hpp"

using namespace quant;

namespace {

std::vector<double> noise(size_t size, uint32_t seed) {
  std::mt19937 engine(seed);
  std::normal_distribution<double> normal(0.0, 0.02);
  std::vector<double> out(size);
  for (double& x : out) x = normal(engine);
  for (size_t k = 0; k < size; k += 97) out[k] = std::nan("");
  return out;
}

std::vector<double> evaluated(const FactorProgram& program, const std::vector<double>& cells,
                              const std::vector<uint8_t>& mask, size_t sessions, size_t instruments,
                              unsigned threads) {
  std::vector<int32_t> rows(sessions);
  std::iota(rows.begin(), rows.end(), 0);
  std::vector<double> out(cells.size());
  const FactorInput input{{cells.data()}, mask.data(), sessions, instruments};
  evaluate_factor(program, input, rows, out.data(), {threads, Isa::base});
  return out;
}

void same_for_any_threads(const FactorProgram& program) {
  constexpr size_t sessions = 70, instruments = 1'300;
  const auto cells = noise(sessions * instruments, 3);
  const std::vector<uint8_t> mask(cells.size(), 1);
  const auto one = evaluated(program, cells, mask, sessions, instruments, 1);
  for (const unsigned threads : {2u, 3u, 8u}) {
    const auto more = evaluated(program, cells, mask, sessions, instruments, threads);
    CHECK(std::memcmp(one.data(), more.data(), one.size() * sizeof(double)) == 0);
  }
}

}  // namespace

TEST(a_time_series_factor_is_the_same_for_any_number_of_threads) {
  FactorProgram program;
  program.code = {{Op::load, {}, 0}, {Op::mean, {0}, 20}, {Op::ref, {1}, 3}, {Op::sub, {1, 2}}};
  program.output = 3;
  program.columns = 1;
  same_for_any_threads(program);
}

TEST(a_cross_sectional_factor_is_the_same_for_any_number_of_threads) {
  FactorProgram program;
  program.code = {
      {Op::load, {}, 0}, {Op::sum, {0}, 5}, {Op::cs_rank, {1}}, {Op::mean, {2}, 4}, {Op::cs_zscore, {3}}};
  program.output = 4;
  program.columns = 1;
  same_for_any_threads(program);
}

TEST(metrics_are_the_same_for_any_number_of_threads) {
  constexpr int64_t rows = 300, columns = 150;
  const auto returns = noise(rows * columns, 5);
  const metrics::Table table{returns.data(), rows, columns};
  std::vector<double> one(metrics::kPerformanceRows * columns), more(one.size());
  metrics::performance(table, {252, 0, 0.05}, {metrics::passes("base"), 1}, one.data());
  for (const int threads : {2, 5}) {
    metrics::performance(table, {252, 0, 0.05}, {metrics::passes("base"), threads}, more.data());
    CHECK(std::memcmp(one.data(), more.data(), one.size() * sizeof(double)) == 0);
  }
}
