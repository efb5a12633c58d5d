#include "quant/bars/resample.hpp"

#include <algorithm>

#include "quant/prim/failure.hpp"

namespace quant::bars {
namespace {

// Where each part begins among the segments, and how much of it was traded before each segment.
struct Clock {
  std::span<const Segment> segments;
  std::vector<std::int64_t> before;  // ns of the part traded before the segment
  std::vector<std::size_t> first;    // first segment of the segment's part
  std::vector<std::size_t> last;     // last one

  Clock(std::span<const Segment> given, bool whole_sessions) : segments(given) {
    const auto group = [&](std::size_t k) { return whole_sessions ? given[k].session : given[k].part; };
    before.resize(given.size());
    first.resize(given.size());
    last.resize(given.size());
    for (std::size_t k = 0; k < given.size(); ++k) {
      const Segment& s = given[k];
      if (s.end <= s.start || s.from > s.start || s.till < s.end || (k > 0 && s.start < given[k - 1].end))
        throw Failure(FailureKind::kUsage, "bars.segments", "trading hours must follow one another");
      const bool fresh = k == 0 || group(k) != group(k - 1);
      first[k] = fresh ? k : first[k - 1];
      before[k] = fresh ? 0 : before[k - 1] + given[k - 1].end - given[k - 1].start;
    }
    for (std::size_t k = given.size(); k-- > 0;)
      last[k] = k + 1 < given.size() && first[k + 1] == first[k] ? last[k + 1] : k;
  }

  std::int64_t total(std::size_t k) const {
    return before[last[k]] + segments[last[k]].end - segments[last[k]].start;
  }

  // The clock's time when `traded` ns of the part of segment k are over: an end, never the start after a
  // break.
  std::int64_t instant(std::size_t k, std::int64_t traded) const {
    std::size_t at = first[k];
    while (at < last[k] && before[at] + segments[at].end - segments[at].start < traded) ++at;
    return std::min(segments[at].start + (traded - before[at]), segments[at].end);
  }
};

void add(Bar& bar, const Rows& rows, std::int64_t k, const How& how) {
  ++bar.rows;
  const bool traded = rows.volume == nullptr || rows.volume[k] > 0;
  const bool priced = (traded || !how.every_trade) && rows.close[k] > 0;
  if (priced) {
    if (bar.open == 0) bar.open = rows.open[k];
    bar.high = std::max(bar.high, rows.high[k]);
    bar.low = bar.low == 0 ? rows.low[k] : std::min(bar.low, rows.low[k]);
    bar.close = rows.close[k];
  }
  if (rows.volume != nullptr) bar.volume += rows.volume[k];
  const bool amount_known = rows.amount != nullptr && (rows.amount_known == nullptr || rows.amount_known[k]);
  if (amount_known)
    bar.amount += rows.amount[k];
  else
    bar.amount_known = false;
  if (rows.interest != nullptr && (rows.interest_known == nullptr || rows.interest_known[k])) {
    bar.interest = rows.interest[k];
    bar.interest_known = true;
  }
}

class Builder {
 public:
  Builder(const Rows& rows, const Clock& clock, const How& how) : rows_(rows), clock_(clock), how_(how) {}

  Resampled run() {
    std::size_t at = 0;
    for (std::int64_t k = 0; k < rows_.count; ++k) {
      if (k > 0 && rows_.ts[k] < rows_.ts[k - 1])
        throw Failure(FailureKind::kUsage, "bars.order", "rows go back in time");
      while (at < clock_.segments.size() && over(at, rows_.ts[k])) ++at;
      if (at == clock_.segments.size() || !inside(clock_.segments[at], rows_.ts[k])) {
        out_.outside.push_back(k);
        continue;
      }
      const std::int64_t index = bar_of(rows_.ts[k], at);
      if (out_.bars.empty() || clock_.first[at] != part_ || index != index_) begin(at, index);
      add(out_.bars.back(), rows_, k, how_);
    }
    if (how_.empty && how_.length > 0) fill();
    return std::move(out_);
  }

 private:
  // Where markets never close, midnight belongs to the day that begins.
  bool over(std::size_t at, std::int64_t ts) const {
    const bool begun = at + 1 < clock_.segments.size() && clock_.segments[at + 1].start <= ts;
    return ts > clock_.segments[at].till || (begun && !how_.right_closed);
  }

  bool inside(const Segment& s, std::int64_t ts) const {
    return ts >= s.from && ts <= s.till && !(how_.right_closed && ts == s.from && s.from == s.start);
  }

  std::int64_t bar_of(std::int64_t ts, std::size_t at) const {
    if (how_.length == 0) return 0;
    const Segment& s = clock_.segments[at];
    const std::int64_t gone = clock_.before[at] + std::clamp(ts - s.start, std::int64_t{0}, s.end - s.start);
    const std::int64_t most = (clock_.total(at) - 1) / how_.length;
    // The segment's end belongs to its last bar, also where the next bar begins after the break.
    const bool at_end = how_.right_closed || ts >= s.end;
    return std::min((at_end ? std::max(gone - 1, std::int64_t{0}) : gone) / how_.length, most);
  }

  std::int64_t end_of(std::size_t at, std::int64_t index) const {
    if (how_.length == 0) return clock_.segments[clock_.last[at]].end;
    return clock_.instant(at, std::min((index + 1) * how_.length, clock_.total(at)));
  }

  void begin(std::size_t at, std::int64_t index) {
    Bar bar;
    bar.session = clock_.segments[at].session;
    bar.end = end_of(at, index);
    out_.bars.push_back(bar);
    part_ = clock_.first[at];
    index_ = index;
  }

  // Every bar of the sessions that have one.
  void fill() {
    std::vector<Bar> all;
    std::size_t next = 0, at = 0;
    std::int64_t carried = 0;
    while (next < out_.bars.size()) {
      const std::int32_t session = out_.bars[next].session;
      while (clock_.segments[at].session != session) at = clock_.last[at] + 1;
      for (; at < clock_.segments.size() && clock_.segments[at].session == session; at = clock_.last[at] + 1)
        for (std::int64_t k = 0; k <= (clock_.total(at) - 1) / how_.length; ++k) {
          if (next < out_.bars.size() && out_.bars[next].end == end_of(at, k))
            all.push_back(out_.bars[next++]);
          else
            all.push_back(empty_bar(session, end_of(at, k), carried));
          if (all.back().close > 0) carried = all.back().close;
        }
    }
    out_.bars = std::move(all);
  }

  Bar empty_bar(std::int32_t session, std::int64_t end, std::int64_t price) const {
    Bar bar;
    bar.session = session;
    bar.end = end;
    bar.open = bar.high = bar.low = bar.close = price;
    bar.amount_known = rows_.amount != nullptr;
    return bar;
  }

  const Rows& rows_;
  const Clock& clock_;
  const How& how_;
  Resampled out_;
  std::size_t part_ = 0;
  std::int64_t index_ = 0;
};

}  // namespace

Resampled resample(const Rows& rows, std::span<const Segment> segments, const How& how) {
  if (how.length < 0) throw Failure(FailureKind::kUsage, "bars.length", "a bar must last some time");
  if (segments.empty()) {
    Resampled out;
    for (std::int64_t k = 0; k < rows.count; ++k) out.outside.push_back(k);
    return out;
  }
  const Clock clock(segments, how.length == 0);
  return Builder(rows, clock, how).run();
}

}  // namespace quant::bars
