#pragma once
#include <cstdint>

#include "quant/prim/sha256.hpp"

namespace quant {

// One closed session of the account.
struct NavRecord {
  int32_t row = 0;
  int32_t session = 0;  // days since 1970-01-01
  int64_t nav = 0, cash = 0, market_value = 0, receivable = 0;
  int64_t fees = 0;    // of the session, stamp duty included
  int64_t traded = 0;  // two-sided notional of the session
  int64_t positions = 0;
  template <class A>
  void fields(A& a) {
    a(row, session, nav, cash, market_value, receivable, fees, traded, positions);
  }
};

// A position as it stood at the close of a month's last session.
struct PositionRecord {
  int32_t row = 0;
  int32_t instrument = 0;
  int64_t quantity = 0, cost = 0, price = 0;
  template <class A>
  void fields(A& a) {
    a(row, instrument, quantity, cost, price);
  }
};

struct ChainLink {
  int32_t session = 0;
  Digest digest{};
  template <class A>
  void fields(A& a) {
    a(session, digest);
  }
};

// First byte of every record in a session's canonical bytes (docs/kernel.md).
enum class Mark : uint8_t {
  kIntent = 'I',
  kOrderIntent = 'J',  // one that is not plain
  kNewOrder = 'N',
  kNewSpecial = 'M',  // one with a kind or time in force of its own
  kReplace = 'R',
  kOrderEvent = 'O',
  kSent = 'S',
  kFill = 'F',
  kDividendTax = 'T',
  kAction = 'A',
  kControl = 'C',
  kHalt = 'H',
  kEnd = 'E',
};

}  // namespace quant
