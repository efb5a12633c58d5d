#include "quant/sim/sim_venue.hpp"

#include <algorithm>

#include "quant/prim/archive.hpp"
#include "quant/prim/wide.hpp"

namespace quant {
namespace {
bool plain(const Command& order) { return order.kind == OrderKind::kMarket && order.tif == Tif::kDay; }

constexpr uint32_t kVenueMagic = 0x32565351;  // "QSV2"
}  // namespace

SimVenue::SimVenue(const Market& market, const FillRule& fill, const DatedTable<LotRule>& lots)
    : market_(market), fill_(fill), lots_(lots) {}

void SimVenue::check(const Command& command) const {
  const bool inside = command.instrument >= 0 && command.instrument < market_.S;
  const bool known = command.action <= Action::kReplace && command.kind <= OrderKind::kCloseAuction &&
                     command.tif <= Tif::kFok && command.price >= 0 && command.stop >= 0 &&
                     command.protect >= 0;
  if (!inside || !known || (command.side != kBuy && command.side != kSell) || command.quantity < 0) {
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
  if (row_ < 0 || resting_.empty()) return;
  for (Resting& resting : resting_) {
    if (!plain(resting.order)) {
      work(resting, out);
    } else if (phase_ >= fill_.phase()) {
      if (phase_ == fill_.phase())
        match(resting.order, out);
      else
        end(resting, Reason::DAY_END, out);
      resting.order.quantity = 0;
    }
  }
  std::erase_if(resting_, [](const Resting& resting) { return resting.order.quantity == 0; });
}

void SimVenue::accept(std::vector<Report>& out) {
  for (const Command& command : fresh_) {
    if (command.action == Action::kNew) {
      if (const Reason reason = refuse(command); reason != Reason::NONE) {
        out.push_back({command.order_id, ReportKind::kRejected, command.quantity, 0, reason});
        continue;
      }
      out.push_back({command.order_id, ReportKind::kAck, command.quantity, 0, Reason::NONE});
      // After the last bar of a session there is nothing left to meet today.
      const bool over = !plain(command) && row_ >= 0 && phase_ == Phase::kClose && market_.closes(row_);
      if (over && command.tif != Tif::kGtc) {
        out.push_back({command.order_id, ReportKind::kExpired, command.quantity, 0, Reason::DAY_END});
        continue;
      }
      if (over) out.push_back({command.order_id, ReportKind::kCarried, command.quantity, 0, Reason::NONE});
      resting_.push_back(working(command));
      continue;
    }
    const auto found = std::find_if(resting_.begin(), resting_.end(), [&](const Resting& resting) {
      return resting.order.order_id == command.order_id;
    });
    if (found == resting_.end()) continue;  // it is done already: its last report is on the way
    if (command.action == Action::kReplace) {
      replace(*found, command, out);
      continue;
    }
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
  const int64_t quantity = tradable(order, false);
  if (quantity > 0) {
    const int64_t price = fill_price(market_, row_, order.instrument, order.side, quantity, fill_);
    out.push_back({order.order_id, ReportKind::kFill, quantity, price, Reason::NONE});
  }
  if (quantity < order.quantity) {
    out.push_back(
        {order.order_id, ReportKind::kExpired, order.quantity - quantity, 0, Reason::PARTICIPATION});
  }
}

// What the participation leaves of the bar's volume; `whole`: all or nothing.
int64_t SimVenue::tradable(const Command& order, bool whole) {
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
  if (whole && quantity < order.quantity) return 0;
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
    for (const Resting& resting : resting_) {
      check(resting.order);
      sound = sound && resting.order.quantity > 0 && resting.filled >= 0 && resting.from >= 0 &&
              resting.from <= market_.T && resting.done >= -1 && resting.done < market_.T;
    }
  } catch (const Failure&) {
    sound = false;
  }
  if (!sound) {
    throw Failure(FailureKind::kConflict, "snapshot.format",
                  "the snapshot belongs to another market or version");
  }
}

}  // namespace quant
