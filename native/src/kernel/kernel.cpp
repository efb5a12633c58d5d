#include "quant/kernel/kernel.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "quant/prim/wide.hpp"

namespace quant {
namespace {
constexpr uint32_t kKernelMagic = 0x324b5351;  // "QSK2"
}

Kernel::Kernel(const Market& market, KernelConfig config)
    : market_(market), config_(std::move(config)), ledger_(market.S, config_.cash) {
  restart();
}

void Kernel::restart() {
  row_ = marked_ = -1;
  phase_ = Phase::kClose;
  closed_ = true;
  halted_ = paused_ = false;
  open_orders_ = open_sells_ = carried_ = 0;
  next_action_ = 0;
  ledger_ = Ledger(market_.S, config_.cash);
  orders_.clear();
  fills_.clear();
  pending_.clear();
  waiting_.clear();
  open_.clear();
  nav_history_.clear();
  position_history_.clear();
  chain_.clear();
  session_.clear();
  session_.mute(config_.brief);
  forbidden_.assign(static_cast<size_t>(market_.S), 0);
  for (const int32_t i : config_.forbidden) forbidden_.at(static_cast<size_t>(i)) = 1;
  peak_ = previous_nav_ = config_.cash;
  opened_ = ledger_.totals();
  Writer genesis;
  genesis(std::string("quant/state/1"), config_.cash);
  head_ = sha256(genesis.bytes().data(), genesis.bytes().size());
}

void Kernel::expect(size_t orders) {
  orders_.reserve(orders_.size() + orders);
  fills_.reserve(fills_.size() + orders);
  ledger_.expect(orders);
}

void Kernel::on_slice(int32_t t, Phase phase, Commands& out) {
  if (t < 0 || t >= market_.T)
    throw Failure(FailureKind::kUsage, "kernel.slice", "the slice lies outside the market");
  if (!follows(t, phase)) {
    broken("kernel.order",
           "slices must come in order: preopen of a session's first bar, open, (decide,) close of each bar");
  }
  if (phase == Phase::kPreopen) {
    open_session(t, out);
  } else if (t != row_) {
    begin_bar(t, out);
  } else {
    phase_ = phase;
  }
  if (phase == Phase::kClose && !market_.closes(row_)) mark_to_close(row_);
  settle(out);
}

// Bars without orders may be left out, but never the first or the last of a session.
bool Kernel::follows(int32_t t, Phase phase) const {
  if (t == row_) return phase > phase_;
  if (t < row_ || phase_ != Phase::kClose) return false;
  if (phase == Phase::kPreopen) return market_.opens(t) && (row_ < 0 || market_.closes(row_));
  return phase == Phase::kOpen && row_ >= 0 && market_.day[t] == market_.day[row_];
}

void Kernel::on_intents(const std::vector<Intent>& intents, Commands& out) {
  for (const Intent& intent : intents) {
    if (intent.instrument < 0 || intent.instrument >= market_.S) {
      throw Failure(FailureKind::kUsage, "kernel.instrument",
                    "an intent names an instrument outside the market");
    }
  }
  const auto amends = [](const Intent& i) {
    return i.kind == IntentKind::kCancel || i.kind == IntentKind::kReplace;
  };
  for (const Intent& intent : intents) {
    if (amends(intent) && (intent.order_id < 1 || intent.order_id > static_cast<int64_t>(orders_.size()))) {
      throw Failure(FailureKind::kUsage, "kernel.order_id", "an intent names an order that does not exist");
    }
  }
  for (const Intent& intent : intents) record(intent);
  if (!std::any_of(intents.begin(), intents.end(), amends)) return take(intents, out);
  std::vector<Intent> others;
  for (const Intent& intent : intents) {
    if (amends(intent)) {
      amend(intent, out);
    } else {
      others.push_back(intent);
    }
  }
  take(others, out);
}

void Kernel::take(const std::vector<Intent>& intents, Commands& out) {
  if (halted_) {
    convert(intents, out);  // every one is refused
    return;
  }
  if (closed_ || phase_ >= config_.fill.phase()) {
    pending_.insert(pending_.end(), intents.begin(), intents.end());
    return;
  }
  convert(intents, out);
  settle(out);
}

void Kernel::on_reports(const std::vector<Report>& reports, Commands& out) {
  for (const Report& report : reports) {
    Order& target = order(report.order_id);
    switch (report.kind) {
      case ReportKind::kAck:
        advance(target, OrderEvent::ACK, target.reason);
        break;
      case ReportKind::kFill:
        apply_fill(target, report);
        break;
      case ReportKind::kCancelled:
        advance(target, OrderEvent::CANCEL, target.reason == Reason::NONE ? report.reason : target.reason);
        break;
      case ReportKind::kRejected:
        advance(target, OrderEvent::REJECT, report.reason);
        break;
      case ReportKind::kExpired:
        advance(target, OrderEvent::EXPIRE, report.reason);
        break;
      case ReportKind::kCancelRejected:
        advance(target, OrderEvent::CANCEL_REFUSED, report.reason);
        break;
      case ReportKind::kReplaced:
        replaced(target, report);
        break;
      case ReportKind::kReplaceRejected:
        drop_replace(target);
        advance(target, OrderEvent::REPLACE_REFUSED, report.reason);
        break;
      case ReportKind::kTriggered:
        advance(target, OrderEvent::TRIGGER, target.reason);
        break;
      case ReportKind::kCarried:
        carry(target);
        break;
      default:
        broken("kernel.report", "a report of an unknown kind");
    }
  }
  settle(out);
}

void Kernel::on_control(const Control& control, Commands& out) {
  const bool names = control.kind == ControlKind::kForbid || control.kind == ControlKind::kAllow;
  if (names && (control.value < 0 || control.value >= market_.S)) {
    throw Failure(FailureKind::kUsage, "kernel.instrument",
                  "a control event names an instrument outside the market");
  }
  session_(Mark::kControl, control.kind, control.value, control.note);
  switch (control.kind) {
    case ControlKind::kPause:
      paused_ = true;
      break;
    case ControlKind::kResume:
      paused_ = false;
      break;
    case ControlKind::kHalt:
      halt(Reason::OPERATOR, &out);
      break;
    case ControlKind::kReset:
      if (halted_) peak_ = ledger_.nav();  // the loss is accepted: the next drawdown counts from here
      halted_ = false;
      break;
    case ControlKind::kForbid:
    case ControlKind::kAllow:
      forbidden_[static_cast<size_t>(control.value)] = control.kind == ControlKind::kForbid;
      break;
    default:
      broken("kernel.control", "a control event of an unknown kind");
  }
  settle(out);
}

const LotRule& Kernel::lots(int32_t instrument) const {
  return config_.lots.at(session(), market_.board(row_, instrument));
}

const FeeRule& Kernel::fees(int32_t instrument) const {
  return config_.fees.at(session(), market_.board(row_, instrument));
}

DividendTaxRule Kernel::dividend_tax(int32_t instrument) const {
  if (config_.dividend_tax.sessions == 0) return {};
  return config_.dividend_tax.at(session(), market_.board(row_, instrument));
}

std::string Kernel::snapshot() const {
  auto& self = const_cast<Kernel&>(*this);
  self.session_bytes_ = session_.bytes();
  Writer writer;
  writer(kKernelMagic);
  self.fields(writer);
  self.session_bytes_.clear();
  return writer.bytes();
}

void Kernel::restore(const std::string& bytes) {
  Reader reader(bytes);
  uint32_t magic = 0;
  reader(magic);
  if (magic != kKernelMagic)
    throw Failure(FailureKind::kConflict, "snapshot.format", "not a snapshot of this kernel");
  fields(reader);
  if (!reader.exhausted() || !sound()) {
    throw Failure(FailureKind::kConflict, "snapshot.format",
                  "the snapshot belongs to another market or version");
  }
  session_.assign(std::exchange(session_bytes_, {}));
}

// Whether what was read can be the state of a kernel over this market: everything that is used as an index or
// an enumerator is in range, the counters are those of the orders, and the book adds up.
bool Kernel::sound() const {
  const auto row = [&](int32_t t) { return t >= -1 && t < market_.T; };
  const auto instrument = [&](int32_t i) { return i >= 0 && i < market_.S; };
  if (!row(row_) || !row(marked_) || marked_ > row_ || phase_ > Phase::kClose ||
      (row_ < 0 && !(closed_ && phase_ == Phase::kClose)))
    return false;
  if (row_ >= 0 && closed_ && (phase_ != Phase::kClose || !market_.closes(row_))) return false;
  if (forbidden_.size() != static_cast<size_t>(market_.S) || next_action_ > market_.actions.size)
    return false;
  if (!ledger_.sound(market_.S)) return false;
  int64_t open = 0, sells = 0, carried = 0;
  std::vector<std::array<int64_t, 2>> on_way(ledger_.positions().size());  // sells, buys by position
  try {
    int64_t reserved = 0;
    for (size_t k = 0; k < orders_.size(); ++k) {
      const Order& o = orders_[k];
      if (o.id != static_cast<int64_t>(k) + 1 || !row(o.row) || !instrument(o.instrument)) return false;
      if ((o.side != kBuy && o.side != kSell) || o.target > Target::kHold) return false;
      if (o.state == OrderState::NEW || o.state >= OrderState::kCount) return false;
      if (o.filled < 0 || o.quantity < o.filled || o.reserved < 0 || o.notional < 0) return false;
      if (o.commission < 0 || o.stamp < 0 || o.transfer < 0) return false;
      if (o.kind > OrderKind::kCloseAuction || o.tif > Tif::kFok || o.reserve_price < 0) return false;
      if (o.next_quantity < 0 || o.next_reserve < 0) return false;
      if (is_final(o.state)) {
        if (o.reserved != 0) return false;
        continue;
      }
      const Position* position = ledger_.find(o.instrument);
      if (position == nullptr || o.remaining() == 0) return false;
      int64_t& way = on_way[static_cast<size_t>(position - ledger_.positions().data())][o.side == kBuy];
      way = add(way, o.on_way());
      reserved = add(reserved, o.reserved);
      if (static_cast<size_t>(open) >= open_.size() || open_[static_cast<size_t>(open)] != o.id) return false;
      ++open;
      sells += o.side == kSell && o.kind == OrderKind::kMarket;
      carried += o.carried;
    }
    if (reserved != ledger_.reserved()) return false;
    ledger_.check();
  } catch (const Failure&) {
    return false;
  }
  for (size_t k = 0; k < on_way.size(); ++k) {
    const Position& p = ledger_.positions()[k];
    if (p.open_sell != on_way[k][0] || p.open_buy != on_way[k][1]) return false;
  }
  if (open != open_orders_ || sells != open_sells_ || carried != carried_) return false;
  if (open_.size() != static_cast<size_t>(open)) return false;
  std::vector<bool> waits(orders_.size(), false);
  for (const int64_t id : waiting_) {
    if (id < 1 || id > static_cast<int64_t>(orders_.size())) return false;
    const auto k = static_cast<size_t>(id - 1);
    if (waits[k] || orders_[k].state != OrderState::WAITING || orders_[k].side != kBuy) return false;
    waits[k] = true;
  }
  for (size_t k = 0; k < orders_.size(); ++k) {
    if (orders_[k].state == OrderState::WAITING && !waits[k]) return false;
  }
  const auto placed = [&](const auto& record) { return row(record.row) && instrument(record.instrument); };
  return std::all_of(fills_.begin(), fills_.end(), placed) &&
         std::all_of(position_history_.begin(), position_history_.end(), placed) &&
         std::all_of(nav_history_.begin(), nav_history_.end(), [&](const auto& r) { return row(r.row); }) &&
         std::all_of(pending_.begin(), pending_.end(),
                     [&](const auto& i) { return instrument(i.instrument); });
}

}  // namespace quant
