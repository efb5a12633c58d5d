#include <cstdio>
#include <cstring>
#include <exception>

#include "check.hpp"

// Runs every case, or those whose name holds the given text.
int main(int count, char** given) {
  const char* wanted = count > 1 ? given[1] : "";
  int ran = 0, wrong = 0;
  for (const auto& test : quant::tests::cases()) {
    if (std::strstr(test.name, wanted) == nullptr) continue;
    ++ran;
    try {
      test.run();
    } catch (const std::exception& error) {
      ++wrong;
      std::fprintf(stderr, "%s failed: %s\n", test.name, error.what());
    }
  }
  std::printf("%d cases, %d failed\n", ran, wrong);
  return wrong != 0 || ran == 0;
}
