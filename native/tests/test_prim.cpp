#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "check.hpp"
#include "quant/prim/archive.hpp"
#include "quant/prim/sha256.hpp"
#include "quant/prim/wide.hpp"

using namespace quant;
using quant::tests::failure_of;

namespace {

constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
constexpr int64_t kLeast = std::numeric_limits<int64_t>::min();

struct State {
  int64_t number = 0;
  uint8_t byte = 0;
  std::string text;
  std::vector<int32_t> row;
  template <class A>
  void fields(A& a) {
    a(number, byte, text, row);
  }
};

}  // namespace

TEST(money_never_wraps) {
  CHECK_EQ(add(kMost - 1, 1), kMost);
  CHECK_EQ(sub(kLeast + 1, 1), kLeast);
  CHECK_EQ(failure_of([] { add(kMost, 1); }), "money.overflow");
  CHECK_EQ(failure_of([] { sub(kLeast, 1); }), "money.overflow");
  CHECK_EQ(failure_of([] { mul(kMost, 2); }), "money.overflow");
  CHECK_EQ(failure_of([] { mul_div(kMost, kMost, 2); }), "money.overflow");
}

TEST(products_of_128_bits_are_exact) {
  CHECK_EQ(mul_div(kMost, kMost - 1, kMost), kMost - 1);
  CHECK_EQ(mul_div_half_up(5, 1, 10), 1);
  CHECK_EQ(mul_div_half_up(4, 1, 10), 0);
  CHECK(product_greater(kMost, kMost, kMost, kMost - 1));
  CHECK(!product_greater(kMost, 2, kMost, 2));
  CHECK_EQ(notional_micros(123'400, 1'000), int64_t{12'340'000'000});  // 12.34 yuan x 1000
}

TEST(a_snapshot_reads_back_and_a_cut_one_is_refused) {
  State state{kLeast, 255, std::string("\0x", 2), {1, -2, 3}};
  Writer writer;
  writer(state);
  State back;
  Reader reader(writer.bytes());
  reader(back);
  CHECK(reader.exhausted());
  CHECK_EQ(back.number, state.number);
  CHECK_EQ(back.text, state.text);
  CHECK(back.row == state.row);
  for (size_t size = 0; size < writer.bytes().size(); ++size) {
    const std::string cut = writer.bytes().substr(0, size);
    CHECK_EQ(failure_of([&] {
               State wrong;
               Reader short_reader(cut);
               short_reader(wrong);
             }),
             "snapshot.short");
  }
}

TEST(sha256_of_the_published_example) {
  CHECK_EQ(hex(sha256("abc", 3)), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}
