#pragma once
#include <vector>

#include "quant/kernel/kernel.hpp"
#include "quant/sim/sim_venue.hpp"

namespace quant {

// Kernel and venue joined: each input with everything that follows from it within the instant.
class Loop {
 public:
  Loop(Kernel& kernel, SimVenue& venue) : kernel_(kernel), venue_(venue) {}

  void slice(int32_t t, Phase phase) {
    kernel_.on_slice(t, phase, commands_);
    submit();
    venue_.poll(t, phase, reports_);
    answer();
  }

  void decide(const std::vector<Intent>& intents) {
    kernel_.on_intents(intents, commands_);
    submit();
    venue_.drain(reports_);
    answer();
  }

 private:
  void submit() {
    venue_.submit(commands_);
    commands_.clear();
  }

  // Until the venue has nothing more to say at this instant.
  void answer() {
    while (!reports_.empty()) {
      kernel_.on_reports(reports_, commands_);
      reports_.clear();
      submit();
      venue_.drain(reports_);
    }
  }

  Kernel& kernel_;
  SimVenue& venue_;
  Commands commands_;
  std::vector<Report> reports_;
};

}  // namespace quant
