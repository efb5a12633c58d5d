#pragma once
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>

// Which compiled variant of a routine runs. Every variant gives the same bytes; the choice is one of speed.
// Sources under src/isa must not include this header: they share no inline code.
namespace quant {

enum class Isa : int { base = 0, avx2 = 1, avx512 = 2 };

inline constexpr std::string_view kIsaNames[] = {"base", "avx2", "avx512"};

inline std::string_view isa_name(Isa isa) { return kIsaNames[static_cast<int>(isa)]; }

inline bool isa_supported(Isa isa) {
#if defined(QUANT_X86_VARIANTS)
  switch (isa) {
    case Isa::base:
      return true;
    case Isa::avx2:
      return __builtin_cpu_supports("avx2");
    case Isa::avx512:
      return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
             __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw");
  }
  return false;
#else
  return isa == Isa::base;
#endif
}

// The variant asked for by argument, else by the environment variable QUANT_ISA, else the best of this CPU.
// Throws std::invalid_argument for a name that is unknown or that this CPU or build does not have.
inline Isa choose_isa(std::string_view request = {}) {
  std::string wanted(request);
  if (wanted.empty()) {
    if (const char* value = std::getenv("QUANT_ISA")) wanted = value;
  }
  if (wanted.empty()) {
    if (isa_supported(Isa::avx512)) return Isa::avx512;
    return isa_supported(Isa::avx2) ? Isa::avx2 : Isa::base;
  }
  for (Isa isa : {Isa::base, Isa::avx2, Isa::avx512}) {
    if (wanted != isa_name(isa)) continue;
    if (!isa_supported(isa))
      throw std::invalid_argument("this CPU or build has no instruction set " + wanted);
    return isa;
  }
  throw std::invalid_argument("unknown instruction set '" + wanted + "': base, avx2 or avx512");
}

}  // namespace quant
