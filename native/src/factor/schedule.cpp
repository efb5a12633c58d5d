#include "quant/factor/schedule.hpp"

#include <algorithm>

namespace quant {
namespace {

constexpr std::size_t kChunkRows = 32;

using Marks = std::vector<std::uint8_t>;  // [sessions], 1 where a row is needed; empty: none

bool stored(Op op) { return op != Op::load && op != Op::constant; }

std::vector<std::int32_t> marked_rows(const Marks& marks) {
  std::vector<std::int32_t> rows;
  for (std::size_t t = 0; t < marks.size(); ++t) {
    if (marks[t]) rows.push_back(static_cast<std::int32_t>(t));
  }
  return rows;
}

// The rows of an argument that the given rows of its reader need.
void mark_needed(Marks& marks, const Instruction& reader, const std::vector<std::int32_t>& rows,
                 std::size_t sessions) {
  marks.resize(sessions);
  const Parameter parameter = info(reader.op).parameter;
  const std::int32_t reach = reader.reach();
  std::int32_t from = 0;  // rows before it are marked already
  for (const std::int32_t t : rows) {
    if (parameter == Parameter::window) {
      for (std::int32_t u = std::max(from, t - reach); u <= t; ++u) marks[static_cast<std::size_t>(u)] = 1;
      from = t + 1;
      continue;
    }
    if (parameter != Parameter::lag || reader.op == Op::delta) marks[static_cast<std::size_t>(t)] = 1;
    if (parameter == Parameter::lag && t >= reach) marks[static_cast<std::size_t>(t - reach)] = 1;
  }
}

// Position in `of` of each row; a load is stored whole, so there the position is the row itself.
std::vector<std::int32_t> positions(const std::vector<std::int32_t>& rows, const SlotSchedule& of) {
  if (!of.stored) return rows;
  std::vector<std::int32_t> found(rows.size());
  std::size_t p = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    while (of.rows[p] < rows[i]) ++p;
    found[i] = static_cast<std::int32_t>(p);
  }
  return found;
}

// As `positions`, of the rows `lag` sessions earlier; -1 where there is none.
std::vector<std::int32_t> lagged_positions(const std::vector<std::int32_t>& rows, std::int32_t lag,
                                           const SlotSchedule& of) {
  std::vector<std::int32_t> earlier;
  for (const std::int32_t t : rows) {
    if (t >= lag) earlier.push_back(t - lag);
  }
  std::vector<std::int32_t> found(rows.size() - earlier.size(), -1);
  const std::vector<std::int32_t> known = positions(earlier, of);
  found.insert(found.end(), known.begin(), known.end());
  return found;
}

void find_sources(Schedule& schedule, const FactorProgram& program) {
  for (std::size_t slot = 0; slot < program.code.size(); ++slot) {
    SlotSchedule& own = schedule.slots[slot];
    const Instruction& code = program.code[slot];
    if (!own.stored) continue;
    for (int i = 0; i < code.arity(); ++i) {
      const int arg = code.args[static_cast<std::size_t>(i)];
      SlotSchedule& source = schedule.slots[static_cast<std::size_t>(arg)];
      source.capacity = std::max(source.capacity, static_cast<std::size_t>(code.reach()));
      const bool crosses = info(program.code[static_cast<std::size_t>(arg)].op).crosses;
      own.stage = std::max(own.stage, source.stage + (crosses ? 1 : 0));
      if (code.op != Op::ref) own.sources.push_back(positions(own.rows, source));
      if (info(code.op).parameter == Parameter::lag) {
        own.sources.push_back(lagged_positions(own.rows, code.reach(), source));
      }
    }
    schedule.stages = std::max(schedule.stages, own.stage + 1);
    schedule.crosses = schedule.crosses || info(code.op).crosses;
  }
}

void cut_chunks(Schedule& schedule, std::size_t sessions) {
  Marks any(sessions);
  for (const SlotSchedule& slot : schedule.slots) {
    for (const std::int32_t t : slot.rows) any[static_cast<std::size_t>(t)] = 1;
  }
  const std::vector<std::int32_t> rows = marked_rows(any);
  schedule.chunks = (rows.size() + kChunkRows - 1) / kChunkRows;
  for (SlotSchedule& slot : schedule.slots) {
    slot.capacity = std::max<std::size_t>(1, std::min(slot.capacity + kChunkRows, slot.rows.size()));
    std::size_t end = 0;
    for (std::size_t chunk = 0; chunk < schedule.chunks; ++chunk) {
      const std::int32_t last = rows[std::min((chunk + 1) * kChunkRows, rows.size()) - 1];
      while (end < slot.rows.size() && slot.rows[end] <= last) ++end;
      slot.ends.push_back(end);
    }
  }
}

}  // namespace

std::size_t Schedule::stored_rows() const {
  std::size_t total = 0;
  for (const SlotSchedule& slot : slots) total += slot.stored ? slot.capacity : 1;
  return total;
}

Schedule make_schedule(const FactorProgram& program, std::span<const std::int32_t> rows,
                       std::size_t sessions) {
  Schedule schedule;
  schedule.slots.resize(program.code.size());
  std::vector<Marks> marks(program.code.size());
  const auto output = static_cast<std::size_t>(program.output);
  marks[output].resize(sessions);
  for (const std::int32_t t : rows) marks[output][static_cast<std::size_t>(t)] = 1;
  for (std::size_t slot = output + 1; slot-- > 0;) {
    const Instruction& code = program.code[slot];
    SlotSchedule& own = schedule.slots[slot];
    if (marks[slot].empty() || !stored(code.op)) continue;
    own.stored = true;
    own.rows = marked_rows(marks[slot]);
    Marks().swap(marks[slot]);
    for (int i = 0; i < code.arity(); ++i) {
      mark_needed(marks[static_cast<std::size_t>(code.args[static_cast<std::size_t>(i)])], code, own.rows,
                  sessions);
    }
  }
  find_sources(schedule, program);
  cut_chunks(schedule, sessions);
  return schedule;
}

}  // namespace quant
