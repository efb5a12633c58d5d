#pragma once
#include <string>
#include <vector>

#include "quant/book/resting.hpp"
#include "quant/market/market.hpp"
#include "quant/market/messages.hpp"
#include "quant/market/rules.hpp"
#include "quant/sim/bar_match.hpp"

namespace quant {

// The simulated exchange for bars. Orders rest until the fill phase of their bar, where each is filled
// (wholly, or up to the participation) or expires with its reason. Orders of one bar share its volume.
class SimVenue {
 public:
  SimVenue(const Market& market, const FillRule& fill, const DatedTable<LotRule>& lots);

  void submit(const std::vector<Command>& commands);
  // Advances to a slice (or stays, with drain) and appends what the venue has to say.
  void poll(int32_t t, Phase phase, std::vector<Report>& out);
  void drain(std::vector<Report>& out);

  int32_t row() const { return row_; }
  Phase phase() const { return phase_; }
  const std::vector<Resting>& resting() const { return resting_; }
  std::string snapshot() const;
  void restore(const std::string& bytes);

 private:
  template <class A>
  void fields(A& a);
  void check(const Command& command) const;
  void accept(std::vector<Report>& out);
  void match(const Command& order, std::vector<Report>& out);
  int64_t tradable(const Command& order, bool whole);

  // sim_working.cpp: orders that live on
  Resting working(const Command& command) const;
  Reason refuse(const Command& command) const;
  void replace(Resting& resting, const Command& command, std::vector<Report>& out);
  void work(Resting& resting, std::vector<Report>& out);
  void close_bar(Resting& resting, std::vector<Report>& out);
  void end(Resting& resting, Reason reason, std::vector<Report>& out);
  Bar bar_of(const Resting& resting) const;

  const Market& market_;
  FillRule fill_;
  const DatedTable<LotRule>& lots_;
  int32_t row_ = -1;
  Phase phase_ = Phase::kPreopen;
  std::vector<Command> fresh_;
  std::vector<Resting> resting_;
  std::vector<Used> used_;  // volume taken of this bar, by instrument
};

}  // namespace quant
