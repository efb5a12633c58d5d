#include "quant/factor/vm.hpp"

#include <algorithm>
#include <atomic>
#include <barrier>
#include <cstring>
#include <limits>
#include <memory>
#include <stdexcept>
#include <thread>

#include "quant/factor/dense.hpp"
#include "quant/factor/lookup.hpp"
#include "quant/factor/schedule.hpp"
#include "quant/series/cross_section.hpp"

namespace quant {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t kTile =
    512;  // instruments of one tile: the rows in work stay in the second-level cache

// Everything one evaluation shares between its threads.
struct Evaluation {
  const FactorProgram& program;
  const FactorInput& input;
  const Schedule& schedule;
  const RowKernels& kernels;
  std::span<const std::int32_t> rows;
  double* out;
};

// The rows in work of every slot, for instruments [first, first + width).
class Workspace {
 public:
  Workspace(const Evaluation& run, std::size_t width) : run_(run), width_(width) {
    const auto& slots = run.schedule.slots;
    held_ = std::make_unique_for_overwrite<double[]>(run.schedule.stored_rows() * width);
    bases_.resize(slots.size());
    double* next = held_.get();
    for (std::size_t slot = 0; slot < slots.size(); ++slot) {
      const Instruction& code = run.program.code[slot];
      bases_[slot] = next;
      next += (slots[slot].stored ? slots[slot].capacity : 1) * width;
      if (code.op == Op::constant) std::fill_n(bases_[slot], width, code.param);
    }
  }

  void move_to(std::size_t first) { first_ = first; }

  // Row at `position` of a slot, at instrument `first`.
  const double* row(int slot, std::int32_t position) const {
    const auto s = static_cast<std::size_t>(slot);
    const Instruction& code = run_.program.code[s];
    if (code.op == Op::constant) return bases_[s];
    const auto p = static_cast<std::size_t>(position);
    if (code.op == Op::load) {
      return run_.input.columns[static_cast<std::size_t>(code.param)] + p * run_.input.instruments + first_;
    }
    return bases_[s] + p % run_.schedule.slots[s].capacity * width_;
  }

  double* own_row(std::size_t slot, std::size_t position) {
    return bases_[slot] + position % run_.schedule.slots[slot].capacity * width_;
  }

  std::size_t first() const { return first_; }

 private:
  const Evaluation& run_;
  std::size_t width_;
  std::size_t first_ = 0;
  std::unique_ptr<double[]> held_;
  std::vector<double*> bases_;
};

// Computes rows of slots; one per thread.
class Worker {
 public:
  explicit Worker(const Evaluation& run) : run_(run), xs_(kMaxWindow), ys_(kMaxWindow) {}

  // The rows of a chunk of every cell and time operation of a stage, for columns [at, at + n) of the
  // workspace.
  void run_stage(Workspace& space, std::size_t chunk, int stage, std::size_t at, std::size_t n) {
    for (std::size_t slot = 0; slot < run_.program.code.size(); ++slot) {
      const SlotSchedule& own = run_.schedule.slots[slot];
      if (!own.stored || own.stage != stage || info(run_.program.code[slot].op).crosses) continue;
      for (std::size_t p = begin_of(own, chunk); p < own.ends[chunk]; ++p) compute(space, slot, p, at, n);
    }
  }

  // Every share-th row of a chunk of every cross-sectional operation of a stage.
  void run_crosses(Workspace& space, std::size_t chunk, int stage, std::size_t share, std::size_t of) {
    for (std::size_t slot = 0; slot < run_.program.code.size(); ++slot) {
      const SlotSchedule& own = run_.schedule.slots[slot];
      if (!own.stored || own.stage != stage || !info(run_.program.code[slot].op).crosses) continue;
      for (std::size_t p = begin_of(own, chunk) + share; p < own.ends[chunk]; p += of) cross(space, slot, p);
    }
  }

  // The output slot's rows of a chunk to the caller's array, every NaN with the same bits.
  void deliver(const Workspace& space, std::size_t chunk, std::size_t at, std::size_t n) {
    const SlotSchedule& own = run_.schedule.slots[static_cast<std::size_t>(run_.program.output)];
    for (std::size_t p = begin_of(own, chunk); p < own.ends[chunk]; ++p) {
      deliver_row(space, p, static_cast<std::int32_t>(p), at, n);
    }
  }

  void deliver_row(const Workspace& space, std::size_t result, std::int32_t position, std::size_t at,
                   std::size_t n) {
    const double* from = space.row(run_.program.output, position) + at;
    double* to = run_.out + result * run_.input.instruments + space.first() + at;
    for (std::size_t i = 0; i < n; ++i) to[i] = from[i] == from[i] ? from[i] : kNan;
  }

 private:
  static std::size_t begin_of(const SlotSchedule& slot, std::size_t chunk) {
    return chunk == 0 ? 0 : slot.ends[chunk - 1];
  }

  void compute(Workspace& space, std::size_t slot, std::size_t p, std::size_t at, std::size_t n) {
    const Instruction& code = run_.program.code[slot];
    const SlotSchedule& own = run_.schedule.slots[slot];
    double* to = space.own_row(slot, p) + at;
    const auto source = [&](std::size_t i) { return space.row(code.args[i], own.sources[i][p]) + at; };
    switch (info(code.op).parameter) {
      case Parameter::lag:
        return compute_lag(space, slot, p, to, at, n);
      case Parameter::window:
        return compute_window(space, slot, p, to, at, n);
      default:
        break;
    }
    if (info(code.op).arity == 1) return unary(run_.kernels, code.op)(to, source(0), n);
    if (info(code.op).arity == 2) return binary(run_.kernels, code.op)(to, source(0), source(1), n);
    run_.kernels.where(to, source(0), source(1), source(2), n);
  }

  void compute_lag(Workspace& space, std::size_t slot, std::size_t p, double* to, std::size_t at,
                   std::size_t n) {
    const Instruction& code = run_.program.code[slot];
    const auto& sources = run_.schedule.slots[slot].sources;
    const std::int32_t earlier = sources.back()[p];
    if (earlier < 0) {
      std::fill_n(to, n, kNan);
      return;
    }
    const double* past = space.row(code.args[0], earlier) + at;
    if (code.op == Op::ref) {
      std::memcpy(to, past, n * sizeof *to);
      return;
    }
    run_.kernels.sub(to, space.row(code.args[0], sources[0][p]) + at, past, n);
  }

  void compute_window(Workspace& space, std::size_t slot, std::size_t p, double* to, std::size_t at,
                      std::size_t n) {
    const Instruction& code = run_.program.code[slot];
    const SlotSchedule& own = run_.schedule.slots[slot];
    const auto count = static_cast<std::size_t>(std::min(code.reach(), own.rows[p])) + 1;
    gather(xs_, space, code.args[0], own.sources[0][p], count);
    if (code.op != Op::corr) {
      return window(run_.kernels, code.op)(to, xs_.data(), count, code.valid_needed(), at, n);
    }
    gather(ys_, space, code.args[1], own.sources[1][p], count);
    run_.kernels.corr(to, xs_.data(), ys_.data(), count, code.valid_needed(), at, n);
  }

  // The `count` rows of a slot that end at position `last`, in time order.
  static void gather(std::vector<const double*>& into, const Workspace& space, int slot, std::int32_t last,
                     std::size_t count) {
    std::int32_t position = last - static_cast<std::int32_t>(count) + 1;
    for (std::size_t i = 0; i < count; ++i) into[i] = space.row(slot, position++);
  }

  void cross(Workspace& space, std::size_t slot, std::size_t p) {
    const Instruction& code = run_.program.code[slot];
    const SlotSchedule& own = run_.schedule.slots[slot];
    const std::size_t n = run_.input.instruments;
    const double* from = space.row(code.args[0], own.sources[0][p]);
    const std::uint8_t* mask = run_.input.mask;
    if (mask != nullptr) mask += static_cast<std::size_t>(own.rows[p]) * n;
    double* to = space.own_row(slot, p);
    if (code.op == Op::cs_rank) return cross_rank(to, from, mask, n, scratch_);
    cross_zscore(to, from, mask, n);
  }

  const Evaluation& run_;
  std::vector<const double*> xs_, ys_;
  CrossScratch scratch_;
};

std::size_t tiles_of(std::size_t instruments) { return (instruments + kTile - 1) / kTile; }

template <class Body>
void in_parallel(unsigned threads, Body body) {
  std::vector<std::jthread> others;
  for (unsigned i = 1; i < threads; ++i) others.emplace_back([&body, i] { body(i); });
  body(0);
}

// Without cross-sectional operations every tile of instruments walks through time on its own.
void run_tiles(const Evaluation& run, unsigned threads) {
  const std::size_t instruments = run.input.instruments, tiles = tiles_of(instruments);
  std::vector<Workspace> spaces;
  std::vector<Worker> workers;
  for (unsigned i = 0; i < threads; ++i) {
    spaces.emplace_back(run, std::min(kTile, instruments));
    workers.emplace_back(run);
  }
  std::atomic<std::size_t> next{0};
  in_parallel(threads, [&](unsigned id) {
    for (std::size_t tile = next++; tile < tiles; tile = next++) {
      const std::size_t n = std::min(kTile, instruments - tile * kTile);
      spaces[id].move_to(tile * kTile);
      for (std::size_t chunk = 0; chunk < run.schedule.chunks; ++chunk) {
        workers[id].run_stage(spaces[id], chunk, 0, 0, n);
        workers[id].deliver(spaces[id], chunk, 0, n);
      }
    }
  });
}

// With them all instruments advance together: tiles, then rows, then tiles …, a barrier between.
void run_stages(const Evaluation& run, unsigned threads) {
  const std::size_t instruments = run.input.instruments, tiles = tiles_of(instruments);
  Workspace space(run, instruments);
  std::vector<Worker> workers(threads, Worker(run));
  std::barrier barrier(static_cast<std::ptrdiff_t>(threads));
  in_parallel(threads, [&](unsigned id) {
    const auto for_tiles = [&](auto body) {
      for (std::size_t tile = id; tile < tiles; tile += threads) {
        body(tile * kTile, std::min(kTile, instruments - tile * kTile));
      }
      barrier.arrive_and_wait();
    };
    for (std::size_t chunk = 0; chunk < run.schedule.chunks; ++chunk) {
      for (int stage = 0; stage < run.schedule.stages; ++stage) {
        for_tiles([&](std::size_t at, std::size_t n) { workers[id].run_stage(space, chunk, stage, at, n); });
        workers[id].run_crosses(space, chunk, stage, id, threads);
        barrier.arrive_and_wait();
      }
      for_tiles([&](std::size_t at, std::size_t n) { workers[id].deliver(space, chunk, at, n); });
    }
  });
}

// A program that is one column or one constant computes nothing.
void copy_output(const Evaluation& run) {
  Workspace space(run, run.input.instruments);
  Worker worker(run);
  for (std::size_t i = 0; i < run.rows.size(); ++i) {
    worker.deliver_row(space, i, run.rows[i], 0, run.input.instruments);
  }
}

void check_rows(std::span<const std::int32_t> rows, std::size_t sessions) {
  std::int64_t last = -1;
  for (const std::int32_t t : rows) {
    if (t <= last || t >= static_cast<std::int64_t>(sessions)) {
      throw std::invalid_argument("rows must ascend strictly and lie inside the panel");
    }
    last = t;
  }
}

void check_memory(const Schedule& schedule, std::size_t width, unsigned copies, std::size_t limit) {
  const double bytes =
      static_cast<double>(schedule.stored_rows()) * static_cast<double>(width) * 8.0 * copies;
  if (bytes > static_cast<double>(limit)) {
    throw std::length_error("the program's intermediate rows would take " +
                            std::to_string(static_cast<long long>(bytes / 1048576.0)) + " MiB");
  }
}

}  // namespace

void evaluate_factor(const FactorProgram& program, const FactorInput& input,
                     std::span<const std::int32_t> rows, double* out, const FactorOptions& options) {
  program.check();
  if (static_cast<int>(input.columns.size()) != program.columns) {
    throw std::invalid_argument("the number of columns is not the program's");
  }
  check_rows(rows, input.sessions);
  if (rows.empty() || input.instruments == 0) return;
  if (dense_fits(program, input, rows, options)) {
    const auto first = static_cast<std::size_t>(rows.front());
    return evaluate_dense(program, input, first, first + rows.size(), out, options);
  }
  const Schedule schedule = make_schedule(program, rows, input.sessions);
  const Evaluation run{program, input, schedule, kernels_of(options.isa), rows, out};
  const auto most = static_cast<unsigned>(std::min<std::size_t>(tiles_of(input.instruments), 64));
  const unsigned threads = std::clamp(options.threads, 1u, most);
  const std::size_t width = schedule.crosses ? input.instruments : std::min(kTile, input.instruments);
  check_memory(schedule, width, schedule.crosses ? 1 : threads, options.memory_limit);
  if (!schedule.slots[static_cast<std::size_t>(program.output)].stored) return copy_output(run);
  if (schedule.crosses) return run_stages(run, threads);
  run_tiles(run, threads);
}

}  // namespace quant
