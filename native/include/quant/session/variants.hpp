#pragma once
#include <cstdint>
#include <vector>

#include "quant/factor/dense.hpp"
#include "quant/session/sweep.hpp"

namespace quant {

// The instructions of all variants, each different one once.
class VariantGraph {
 public:
  explicit VariantGraph(const SweepPlan& plan);

  struct Node {
    Instruction code;  // its arguments are nodes
    size_t depth = 0;  // bars before its own that it reads; no earlier value is ever asked for
    bool shared = false;
  };
  const std::vector<Node>& nodes() const { return nodes_; }
  // The nodes that a variant's output needs, arguments first, and the output.
  const std::vector<int32_t>& path(size_t variant) const { return paths_[variant]; }
  int32_t output(size_t variant) const { return outputs_[variant]; }
  // Bars before its own that a variant reads.
  int32_t lookback(size_t variant) const { return lookbacks_[variant]; }
  size_t shared() const { return shared_; }
  size_t longest() const { return longest_; }

 private:
  std::vector<Node> nodes_;
  std::vector<std::vector<int32_t>> paths_;
  std::vector<int32_t> lookbacks_, outputs_;
  size_t shared_ = 0;
  size_t longest_ = 0;  // most nodes of one variant
};

// The values of variants for one name at a time.
class VariantValues {
 public:
  VariantValues(const VariantGraph& graph, const RowKernels& kernels, size_t bars);

  // Another name; columns[c] holds its bars one behind the other.
  void begin(const std::vector<const double*>& columns);
  // The output of a variant at every bar from its lookback on, until the next call.
  const double* of(size_t variant);

 private:
  const double* cells(int32_t node) const { return at_[static_cast<size_t>(node)]; }
  void compute(int32_t node, double* out);

  const VariantGraph& graph_;
  RowBlock block_;
  size_t bars_;
  std::vector<const double*> at_;  // by node; nullptr: not computed yet
  std::vector<std::vector<double>> kept_;
  std::vector<std::vector<double>> own_;  // of the variant in work
};

}  // namespace quant
