#include "quant/kernel/kernel.hpp"

#include <utility>

#include "quant/prim/wide.hpp"

namespace quant {
namespace {
constexpr uint32_t kKernelMagic = 0x314b5351;  // "QSK1"
}

Kernel::Kernel(const Market& market, KernelConfig config)
    : market_(market), config_(std::move(config)), ledger_(market.S, config_.cash) {
  forbidden_.assign(static_cast<size_t>(market.S), 0);
  for (const int32_t i : config_.forbidden) forbidden_.at(static_cast<size_t>(i)) = 1;
  peak_ = previous_nav_ = config_.cash;
  opened_ = ledger_.totals();
  Writer genesis;
  genesis(std::string("quant/state/1"), config_.cash);
  head_ = sha256(genesis.bytes().data(), genesis.bytes().size());
}

void Kernel::on_slice(int32_t t, Phase phase, Commands& out) {
  if (t < 0 || t >= market_.T)
    throw Failure(FailureKind::kUsage, "kernel.slice", "the slice lies outside the market");
  const bool begins = phase == Phase::kPreopen;
  if (begins ? t <= row_ || phase_ != Phase::kClose : t != row_ || phase <= phase_) {
    broken("kernel.order", "slices must come in order: preopen, open, (decide,) close of each session");
  }
  if (begins) {
    open_session(t, out);
  } else {
    phase_ = phase;
  }
  settle(out);
}

void Kernel::on_intents(const std::vector<Intent>& intents, Commands& out) {
  for (const Intent& intent : intents) {
    if (intent.instrument < 0 || intent.instrument >= market_.S) {
      throw Failure(FailureKind::kUsage, "kernel.instrument",
                    "an intent names an instrument outside the market");
    }
    session_(Mark::kIntent, intent);
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
      default:
        broken("kernel.report", "a report of an unknown kind");
    }
  }
  settle(out);
}

void Kernel::on_control(const Control& control, Commands& out) {
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
      if (control.value < 0 || control.value >= market_.S) {
        throw Failure(FailureKind::kUsage, "kernel.instrument",
                      "a control event names an instrument outside the market");
      }
      forbidden_[static_cast<size_t>(control.value)] = control.kind == ControlKind::kForbid;
      break;
    default:
      broken("kernel.control", "a control event of an unknown kind");
  }
  settle(out);
}

const LotRule& Kernel::lots(int32_t instrument) const {
  return config_.lots.at(row_, market_.board(row_, instrument));
}

const FeeRule& Kernel::fees(int32_t instrument) const {
  return config_.fees.at(row_, market_.board(row_, instrument));
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
  if (!reader.exhausted() || forbidden_.size() != static_cast<size_t>(market_.S)) {
    throw Failure(FailureKind::kConflict, "snapshot.format",
                  "the snapshot belongs to another market or version");
  }
  session_.assign(std::exchange(session_bytes_, {}));
}

}  // namespace quant
