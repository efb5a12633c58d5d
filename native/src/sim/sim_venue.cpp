#include "quant/sim/sim_venue.hpp"

#include <algorithm>

#include "quant/prim/archive.hpp"
#include "quant/prim/wide.hpp"

namespace quant {
namespace {
constexpr uint32_t kVenueMagic = 0x31565351;  // "QSV1"
}

SimVenue::SimVenue(const Market& market, const FillRule& fill, const DatedTable<LotRule>& lots)
    : market_(market), fill_(fill), lots_(lots) {}

void SimVenue::check(const Command& command) const {
  const bool inside = command.instrument >= 0 && command.instrument < market_.S;
  if (!inside || (command.side != kBuy && command.side != kSell) || command.quantity < 0) {
    throw Failure(FailureKind::kUsage, "venue.order", "an order is not of this market");
  }
}

void SimVenue::submit(const std::vector<Command>& commands) {
  for (const Command& command : commands) check(command);
  fresh_.insert(fresh_.end(), commands.begin(), commands.end());
}

void SimVenue::poll(int32_t t, Phase phase, std::vector<Report>& out) {
  if (t < 0 || t >= market_.T || phase > Phase::kClose) {
    throw Failure(FailureKind::kUsage, "venue.slice", "the slice lies outside the market");
  }
  if (t != row_) used_.clear();
  row_ = t;
  phase_ = phase;
  drain(out);
}

void SimVenue::drain(std::vector<Report>& out) {
  accept(out);
  if (row_ < 0 || resting_.empty() || phase_ < fill_.phase()) return;
  for (const Resting& resting : resting_) {
    if (phase_ == fill_.phase()) {
      match(resting.order, out);
    } else {
      out.push_back(
          {resting.order.order_id, ReportKind::kExpired, resting.order.quantity, 0, Reason::DAY_END});
    }
  }
  resting_.clear();
}

void SimVenue::accept(std::vector<Report>& out) {
  for (const Command& command : fresh_) {
    if (command.action == Action::kReplace) {
      out.push_back({command.order_id, ReportKind::kReplaceRejected, 0, 0, Reason::INVALID});
      continue;
    }
    if (command.action == Action::kNew) {
      if (command.kind > OrderKind::kLimit || command.tif != Tif::kDay) {
        out.push_back({command.order_id, ReportKind::kRejected, command.quantity, 0, Reason::INVALID});
        continue;
      }
      resting_.push_back({command});
      out.push_back({command.order_id, ReportKind::kAck, command.quantity, 0, Reason::NONE});
      continue;
    }
    const auto found = std::find_if(resting_.begin(), resting_.end(), [&](const Resting& resting) {
      return resting.order.order_id == command.order_id;
    });
    if (found == resting_.end()) continue;  // it is done already: its last report is on the way
    out.push_back(
        {command.order_id, ReportKind::kCancelled, found->order.quantity, 0, Reason::CANCEL_REQUESTED});
    resting_.erase(found);
  }
  fresh_.clear();
}

void SimVenue::match(const Command& order, std::vector<Report>& out) {
  const Reason reason = blocked(market_, row_, order, fill_);
  if (reason != Reason::NONE) {
    out.push_back({order.order_id, ReportKind::kExpired, order.quantity, 0, reason});
    return;
  }
  const int64_t quantity = tradable(order);
  if (quantity > 0) {
    const int64_t price = fill_price(market_, row_, order.instrument, order.side, fill_);
    out.push_back({order.order_id, ReportKind::kFill, quantity, price, Reason::NONE});
  }
  if (quantity < order.quantity) {
    out.push_back(
        {order.order_id, ReportKind::kExpired, order.quantity - quantity, 0, Reason::PARTICIPATION});
  }
}

int64_t SimVenue::tradable(const Command& order) {
  if (fill_.participation < 0) return order.quantity;
  auto used = std::find_if(used_.begin(), used_.end(),
                           [&](const Used& u) { return u.instrument == order.instrument; });
  if (used == used_.end()) used = used_.insert(used_.end(), {order.instrument, 0});
  const int64_t volume = market_.volume[market_.at(row_, order.instrument)];
  const int64_t room = mul_div(volume, fill_.participation, kRateScale) - used->volume;
  int64_t quantity = order.quantity;
  if (room < quantity) {
    const LotRule& rule = lots_.at(market_.day[row_], market_.board(row_, order.instrument));
    const int64_t step = order.side == kBuy ? rule.buy_step : rule.sell_step;
    quantity = std::max<int64_t>(room, 0) / step * step;
  }
  used->volume = add(used->volume, quantity);
  return quantity;
}

template <class A>
void SimVenue::fields(A& a) {
  a(row_, phase_, fresh_, resting_, used_);
}

std::string SimVenue::snapshot() const {
  Writer writer;
  writer(kVenueMagic);
  const_cast<SimVenue*>(this)->fields(writer);
  return writer.bytes();
}

void SimVenue::restore(const std::string& bytes) {
  Reader reader(bytes);
  uint32_t magic = 0;
  reader(magic);
  if (magic != kVenueMagic) {
    throw Failure(FailureKind::kConflict, "snapshot.format", "not a snapshot of this venue");
  }
  fields(reader);
  bool sound = reader.exhausted() && row_ >= -1 && row_ < market_.T && phase_ <= Phase::kClose;
  for (const Used& used : used_) {
    sound = sound && used.instrument >= 0 && used.instrument < market_.S && used.volume >= 0;
  }
  try {
    for (const Command& command : fresh_) check(command);
    for (const Resting& resting : resting_) check(resting.order);
  } catch (const Failure&) {
    sound = false;
  }
  if (!sound) {
    throw Failure(FailureKind::kConflict, "snapshot.format",
                  "the snapshot belongs to another market or version");
  }
}

}  // namespace quant
