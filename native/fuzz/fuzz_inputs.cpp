#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "../tests/small_market.hpp"
#include "quant/sim/sim_venue.hpp"

// Any sequence of inputs, their fields any bits: each is refused or leaves books that add up.
namespace {

using namespace quant;

class Bytes {
 public:
  Bytes(const uint8_t* data, size_t size) : data_(data), left_(size) {}
  bool empty() const { return left_ == 0; }
  template <class T>
  T take() {
    T value{};
    const size_t size = left_ < sizeof(T) ? left_ : sizeof(T);
    std::memcpy(&value, data_, size);
    data_ += size;
    left_ -= size;
    return value;
  }
  // An enumerator that need not exist.
  template <class E>
  E any() {
    return static_cast<E>(take<uint8_t>());
  }

 private:
  const uint8_t* data_;
  size_t left_;
};

Intent intent_of(Bytes& in) {
  Intent intent;
  intent.instrument = in.take<int8_t>();
  intent.kind = in.any<IntentKind>();
  intent.weight = in.take<int64_t>();
  intent.quantity = in.take<int32_t>();
  intent.side = in.take<int8_t>();
  intent.price = in.take<int32_t>();
  intent.tif = in.any<Tif>();
  intent.order_kind = in.any<OrderKind>();
  intent.stop = in.take<int32_t>();
  intent.order_id = in.take<int8_t>();
  return intent;
}

Report report_of(Bytes& in) {
  Report report;
  report.order_id = in.take<int8_t>();
  report.kind = in.any<ReportKind>();
  report.quantity = in.take<int32_t>();
  report.price = in.take<int32_t>();
  report.reason = static_cast<Reason>(in.take<uint16_t>());
  return report;
}

void drive(Kernel& kernel, SimVenue& venue, Bytes& in) {
  int32_t t = -1;
  Commands commands;
  std::vector<Report> reports;
  const auto slice = [&](Phase phase) {
    kernel.on_slice(t, phase, commands);
    venue.submit(commands);
    commands.clear();
    venue.poll(t, phase, reports);
  };
  while (!in.empty()) {
    switch (in.take<uint8_t>() % 6) {
      case 0:
        if (++t >= kernel.market().T) return;
        if (kernel.market().opens(t)) slice(Phase::kPreopen);
        slice(Phase::kOpen);
        break;
      case 1:
        slice(Phase::kClose);
        break;
      case 2:
        kernel.on_intents({intent_of(in)}, commands);
        break;
      case 3:
        kernel.on_reports({report_of(in)}, commands);
        break;
      case 4:
        kernel.on_control({in.any<ControlKind>(), in.take<int8_t>(), "x"}, commands);
        break;
      default:
        kernel.on_reports(reports, commands);
        reports.clear();
        venue.submit(commands);
        commands.clear();
        venue.drain(reports);
    }
    kernel.ledger().check();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const tests::SmallMarket small(4, 2, 3, 1);
  static const KernelConfig config = small.config();
  Kernel kernel(small.market, config);
  SimVenue venue(small.market, config.fill, config.lots);
  Bytes in(data, size);
  try {
    drive(kernel, venue, in);
  } catch (const Failure&) {
    // refused
  }
  return 0;
}
