#include "quant/factor/dense.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <thread>

#include "quant/factor/lookup.hpp"

namespace quant {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t kNarrow = 128;       // instruments; wider rows pay for their own calls
constexpr std::size_t kCells = 4096;       // of one block: all slots in work stay in the second-level cache
constexpr std::size_t kPerThread = 65536;  // cells below which another thread does not pay

bool stored(Op op) { return op != Op::load && op != Op::constant; }

// What a slot keeps: `history` rows before the block in work, the block itself, and from which panel row on
// it is needed at all.
struct Slot {
  bool needed = false;
  std::size_t from = 0;
  std::size_t history = 0;
  std::vector<double> cells;
};

struct Layout {
  std::vector<Slot> slots;
  std::size_t block = 0;  // rows

  double bytes(std::size_t instruments) const {
    double rows = 0;
    for (const Slot& slot : slots) rows += slot.needed ? static_cast<double>(slot.history + block) : 0.0;
    return rows * static_cast<double>(instruments) * 8.0;
  }
};

Layout layout_of(const FactorProgram& program, std::size_t first, std::size_t instruments) {
  Layout layout;
  layout.slots.resize(program.code.size());
  const auto output = static_cast<std::size_t>(program.output);
  layout.slots[output].needed = true;
  layout.slots[output].from = first;
  std::size_t furthest = 1;
  for (std::size_t at = output + 1; at-- > 0;) {
    const Slot& reader = layout.slots[at];
    const Instruction& code = program.code[at];
    if (!reader.needed) continue;
    const auto reach = static_cast<std::size_t>(code.reach());
    furthest = std::max(furthest, reach);
    for (int i = 0; i < code.arity(); ++i) {
      Slot& source = layout.slots[static_cast<std::size_t>(code.args[static_cast<std::size_t>(i)])];
      const std::size_t from = reader.from - std::min(reach, reader.from);
      source.from = source.needed ? std::min(source.from, from) : from;
      source.history = std::max(source.history, reach);
      source.needed = true;
    }
  }
  layout.block = std::max({std::size_t{1}, kCells / instruments, std::min(furthest, kCells)});
  return layout;
}

class Walk {
 public:
  Walk(const FactorProgram& program, const FactorInput& input, const RowKernels& kernels, std::size_t first)
      : program_(program),
        input_(input),
        layout_(layout_of(program, first, input.instruments)),
        rows_(kernels, input.instruments, input.mask) {
    for (std::size_t at = 0; at < program.code.size(); ++at) {
      Slot& slot = layout_.slots[at];
      const Instruction& code = program.code[at];
      if (!slot.needed || code.op == Op::load) continue;
      const double value = code.op == Op::constant ? code.param : 0.0;
      slot.cells.assign((slot.history + layout_.block) * input.instruments, value);
    }
  }

  void run(std::size_t first, std::size_t last, double* out) {
    std::size_t begin = first;
    for (const Slot& slot : layout_.slots) begin = slot.needed ? std::min(begin, slot.from) : begin;
    for (std::size_t row = begin; row < last; row += layout_.block) {
      const std::size_t end = std::min(row + layout_.block, last);
      for (std::size_t at = 0; at < program_.code.size(); ++at) compute(at, row, end);
      const std::size_t from = std::max(row, first);
      if (from < end) {
        const double* cells = at_row(program_.output, row, from);
        double* to = out + (from - first) * input_.instruments;
        const std::size_t n = (end - from) * input_.instruments;
        for (std::size_t i = 0; i < n; ++i) to[i] = cells[i] == cells[i] ? cells[i] : kNan;
      }
      if (end < last) carry();
    }
  }

 private:
  // The cell of a slot at panel row `row`, while the block that begins at `block` is in work.
  const double* at_row(int slot, std::size_t block, std::size_t row) const {
    const auto at = static_cast<std::size_t>(slot);
    const Instruction& code = program_.code[at];
    if (code.op == Op::load) {
      return input_.columns[static_cast<std::size_t>(code.param)] + row * input_.instruments;
    }
    const Slot& own = layout_.slots[at];
    return own.cells.data() + (own.history + row - block) * input_.instruments;
  }

  void compute(std::size_t at, std::size_t row, std::size_t end) {
    const Instruction& code = program_.code[at];
    Slot& slot = layout_.slots[at];
    const std::size_t from = std::max(row, slot.from);
    if (!slot.needed || !stored(code.op) || from >= end) return;
    const double* args[3] = {};
    for (int i = 0; i < code.arity(); ++i) {
      args[i] = at_row(code.args[static_cast<std::size_t>(i)], row, from);
    }
    double* to = slot.cells.data() + (slot.history + from - row) * input_.instruments;
    rows_.run(code, args, to, from, end - from);
  }

  // The rows that later blocks look back at move before the block.
  void carry() {
    for (std::size_t at = 0; at < program_.code.size(); ++at) {
      Slot& slot = layout_.slots[at];
      if (!slot.needed || slot.history == 0 || !stored(program_.code[at].op)) continue;
      const std::size_t n = input_.instruments;
      std::memmove(slot.cells.data(), slot.cells.data() + layout_.block * n,
                   slot.history * n * sizeof(double));
    }
  }

  const FactorProgram& program_;
  const FactorInput& input_;
  Layout layout_;
  RowBlock rows_;
};

}  // namespace

RowBlock::RowBlock(const RowKernels& kernels, std::size_t instruments, const std::uint8_t* mask)
    : kernels_(kernels), instruments_(instruments), mask_(mask), xs_(kMaxWindow), ys_(kMaxWindow) {}

void RowBlock::run(const Instruction& code, const double* const* args, double* out, std::size_t row,
                   std::size_t rows) {
  const OpInfo& op = info(code.op);
  const std::size_t n = rows * instruments_;
  if (op.crosses) return cross(code, args[0], out, row, rows);
  if (op.parameter == Parameter::lag) return lag(code, args[0], out, row, rows);
  if (op.parameter == Parameter::window) return window(code, args, out, row, rows);
  if (op.arity == 1) return unary(kernels_, code.op)(out, args[0], n);
  if (op.arity == 2) return binary(kernels_, code.op)(out, args[0], args[1], n);
  kernels_.where(out, args[0], args[1], args[2], n);
}

void RowBlock::lag(const Instruction& code, const double* x, double* out, std::size_t row, std::size_t rows) {
  const auto reach = static_cast<std::size_t>(code.reach());
  const std::size_t unknown = row < reach ? std::min(reach - row, rows) : 0;
  std::fill_n(out, unknown * instruments_, kNan);
  if (unknown == rows) return;
  const std::size_t skip = unknown * instruments_, n = (rows - unknown) * instruments_;
  const double* past = x + skip - reach * instruments_;
  if (code.op == Op::ref) {
    std::memcpy(out + skip, past, n * sizeof *out);
  } else {
    kernels_.sub(out + skip, x + skip, past, n);
  }
}

void RowBlock::window(const Instruction& code, const double* const* args, double* out, std::size_t row,
                      std::size_t rows) {
  const auto reach = static_cast<std::size_t>(code.reach());
  for (std::size_t done = 0; done < rows;) {
    const bool whole = row + done >= reach;
    const std::size_t count = std::min(reach, row + done) + 1;
    const std::size_t taken = whole ? rows - done : 1;  // a window that begins before row 0 is shorter
    const std::size_t skip = done * instruments_, n = taken * instruments_;
    for (std::size_t k = 0; k < count; ++k) {
      const std::size_t back = (count - 1 - k) * instruments_;
      xs_[k] = args[0] + skip - back;
      if (code.op == Op::corr) ys_[k] = args[1] + skip - back;
    }
    if (code.op == Op::corr) {
      kernels_.corr(out + skip, xs_.data(), ys_.data(), count, code.valid_needed(), 0, n);
    } else {
      window_of(code, args[0] + skip, count, n)(out + skip, xs_.data(), count, code.valid_needed(), 0, n);
    }
    done += taken;
  }
}

// For n cells from x on, with windows of `count` rows. A mean or sum of known values takes fewer steps.
RowKernels::Window RowBlock::window_of(const Instruction& code, const double* x, std::size_t count,
                                       std::size_t n) const {
  const RowKernels::Window plain = quant::window(kernels_, code.op);
  if ((code.op != Op::mean && code.op != Op::sum) || count < code.valid_needed()) return plain;
  const std::size_t before = (count - 1) * instruments_;
  if (kernels_.any_unknown(x - before, before + n)) return plain;
  return code.op == Op::mean ? kernels_.whole_mean : kernels_.whole_sum;
}

void RowBlock::cross(const Instruction& code, const double* x, double* out, std::size_t row,
                     std::size_t rows) {
  for (std::size_t k = 0; k < rows; ++k, x += instruments_, out += instruments_) {
    const std::uint8_t* mask = mask_ == nullptr ? nullptr : mask_ + (row + k) * instruments_;
    if (code.op == Op::cs_rank) {
      cross_rank(out, x, mask, instruments_, scratch_);
    } else {
      cross_zscore(out, x, mask, instruments_);
    }
  }
}

bool dense_fits(const FactorProgram& program, const FactorInput& input, std::span<const std::int32_t> rows,
                const FactorOptions& options) {
  if (input.instruments > kNarrow || !stored(program.code[static_cast<std::size_t>(program.output)].op))
    return false;
  if (static_cast<std::size_t>(rows.back() - rows.front()) + 1 != rows.size()) return false;
  const Layout layout = layout_of(program, static_cast<std::size_t>(rows.front()), input.instruments);
  return layout.bytes(input.instruments) * std::max(options.threads, 1u) <=
         static_cast<double>(options.memory_limit);
}

void evaluate_dense(const FactorProgram& program, const FactorInput& input, std::size_t first,
                    std::size_t last, double* out, const FactorOptions& options) {
  const RowKernels& kernels = kernels_of(options.isa);
  const std::size_t most = std::max<std::size_t>((last - first) * input.instruments / kPerThread, 1);
  const std::size_t threads = std::clamp<std::size_t>(options.threads, 1, std::min<std::size_t>(most, 64));
  const std::size_t share = (last - first + threads - 1) / threads;
  const auto part = [&](std::size_t id) {
    const std::size_t begin = std::min(first + id * share, last), end = std::min(begin + share, last);
    if (begin == end) return;
    Walk(program, input, kernels, begin).run(begin, end, out + (begin - first) * input.instruments);
  };
  std::vector<std::jthread> others;
  for (std::size_t id = 1; id < threads; ++id) others.emplace_back(part, id);
  part(0);
}

}  // namespace quant
