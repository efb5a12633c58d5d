#pragma once
#include <functional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "quant/prim/failure.hpp"

// The smallest test frame: TEST registers a case, CHECK and CHECK_EQ stop it with place and values.
namespace quant::tests {

struct Case {
  const char* name;
  void (*run)();
};

inline std::vector<Case>& cases() {
  static std::vector<Case> all;
  return all;
}

struct Registered {
  Registered(const char* name, void (*run)()) { cases().push_back({name, run}); }
};

[[noreturn]] inline void failed(const char* file, int line, const std::string& what) {
  throw std::runtime_error(std::string(file) + ":" + std::to_string(line) + ": " + what);
}

template <class A, class B>
void check_equal(const A& a, const B& b, const char* text, const char* file, int line) {
  if (a == b) return;
  std::ostringstream out;
  out << text << ": " << a << " is not " << b;
  failed(file, line, out.str());
}

// The code of the Failure that `run` ends with, "" if it ends without one.
template <class Run>
std::string failure_of(Run run) {
  try {
    run();
  } catch (const Failure& failure) {
    return failure.code();
  }
  return "";
}

}  // namespace quant::tests

#define TEST(name)                                                      \
  static void name();                                                   \
  static const quant::tests::Registered registered_##name(#name, name); \
  static void name()
#define CHECK(condition) \
  if (!(condition)) quant::tests::failed(__FILE__, __LINE__, #condition)
#define CHECK_EQ(a, b) quant::tests::check_equal(a, b, #a " == " #b, __FILE__, __LINE__)
