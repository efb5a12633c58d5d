#include "quant/session/variants.hpp"

#include <algorithm>
#include <bit>
#include <map>
#include <tuple>

namespace quant {
namespace {

using Key = std::tuple<Op, std::array<int, 3>, uint64_t>;

// Which slots the output needs.
std::vector<uint8_t> needed_slots(const FactorProgram& program) {
  std::vector<uint8_t> needed(program.code.size(), 0);
  needed[static_cast<size_t>(program.output)] = 1;
  for (size_t at = needed.size(); at-- > 0;) {
    if (!needed[at]) continue;
    for (int i = 0; i < program.code[at].arity(); ++i) {
      needed[static_cast<size_t>(program.code[at].args[static_cast<size_t>(i)])] = 1;
    }
  }
  return needed;
}

}  // namespace

VariantGraph::VariantGraph(const SweepPlan& plan)
    : paths_(plan.variants), lookbacks_(plan.variants), outputs_(plan.variants) {
  const std::vector<Instruction>& code = plan.program.code;
  const std::vector<uint8_t> needed = needed_slots(plan.program);
  std::map<Key, int32_t> known;
  std::vector<int32_t> users;
  std::vector<int32_t> node_of(code.size()), depth(code.size());
  for (size_t v = 0; v < plan.variants; ++v) {
    for (size_t slot = 0; slot <= static_cast<size_t>(plan.program.output); ++slot) {
      if (!needed[slot]) continue;
      Instruction own = code[slot];
      own.param = plan.params[v * code.size() + slot];
      depth[slot] = 0;
      for (int i = 0; i < own.arity(); ++i) {
        int& arg = own.args[static_cast<size_t>(i)];
        depth[slot] = std::max(depth[slot], depth[static_cast<size_t>(arg)] + own.reach());
        arg = node_of[static_cast<size_t>(arg)];
      }
      const Key key{own.op, own.args, std::bit_cast<uint64_t>(own.param)};
      const auto [found, fresh] = known.emplace(key, static_cast<int32_t>(nodes_.size()));
      if (fresh) {
        nodes_.push_back({own, static_cast<size_t>(depth[slot])});
        users.push_back(0);
      }
      node_of[slot] = found->second;
      if (std::find(paths_[v].begin(), paths_[v].end(), found->second) == paths_[v].end()) {
        paths_[v].push_back(found->second);
        ++users[static_cast<size_t>(found->second)];
      }
    }
    outputs_[v] = node_of[static_cast<size_t>(plan.program.output)];
    lookbacks_[v] = depth[static_cast<size_t>(plan.program.output)];
    longest_ = std::max(longest_, paths_[v].size());
  }
  for (size_t n = 0; n < nodes_.size(); ++n) {
    nodes_[n].shared = users[n] > 1 && nodes_[n].code.op != Op::load;
    shared_ += nodes_[n].shared;
  }
}

VariantValues::VariantValues(const VariantGraph& graph, const RowKernels& kernels, size_t bars)
    : graph_(graph),
      block_(kernels, 1),
      bars_(bars),
      at_(graph.nodes().size()),
      kept_(graph.nodes().size()),
      own_(graph.longest()) {}

void VariantValues::begin(const std::vector<const double*>& columns) {
  for (size_t n = 0; n < at_.size(); ++n) {
    const Instruction& code = graph_.nodes()[n].code;
    at_[n] = code.op == Op::load ? columns[static_cast<size_t>(code.param)] : nullptr;
  }
}

const double* VariantValues::of(size_t variant) {
  const std::vector<int32_t>& path = graph_.path(variant);
  for (size_t k = 0; k < path.size(); ++k) {
    const auto n = static_cast<size_t>(path[k]);
    const VariantGraph::Node& node = graph_.nodes()[n];
    if (node.code.op == Op::load || (node.shared && at_[n] != nullptr)) continue;
    std::vector<double>& cells = node.shared ? kept_[n] : own_[k];
    cells.resize(bars_);
    compute(path[k], cells.data());
    at_[n] = cells.data();
  }
  return at_[static_cast<size_t>(graph_.output(variant))];
}

void VariantValues::compute(int32_t node, double* out) {
  const auto& [code, depth, shared] = graph_.nodes()[static_cast<size_t>(node)];
  if (code.op == Op::constant) {
    std::fill_n(out, bars_, code.param);
    return;
  }
  const double* args[3] = {};
  for (int i = 0; i < code.arity(); ++i) args[i] = cells(code.args[static_cast<size_t>(i)]) + depth;
  if (depth < bars_) block_.run(code, args, out + depth, depth, bars_ - depth);
}

}  // namespace quant
