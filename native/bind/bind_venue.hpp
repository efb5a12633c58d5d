#pragma once
#include <utility>

#include "quant/kernel/kernel.hpp"
#include "quant/sim/sim_venue.hpp"

namespace quant {

// The venue with the tables it reads.
struct VenueHandle {
  VenueHandle(const Market& market, KernelConfig given)
      : config(std::move(given)), venue(market, config.fill, config.lots) {}
  KernelConfig config;
  SimVenue venue;
};

}  // namespace quant
