#include "quant/factor/lookup.hpp"

namespace quant {

const RowKernels& kernels_of(Isa isa) {
#if defined(QUANT_X86_VARIANTS)
  if (isa == Isa::avx512) return avx512::row_kernels;
  if (isa == Isa::avx2) return avx2::row_kernels;
#endif
  (void)isa;
  return base::row_kernels;
}

RowKernels::Unary unary(const RowKernels& k, Op op) {
  switch (op) {
    case Op::neg:
      return k.neg;
    case Op::abs:
      return k.abs;
    case Op::log:
      return k.log;
    case Op::sign:
      return k.sign;
    case Op::sqrt:
      return k.sqrt;
    case Op::logical_not:
      return k.logical_not;
    default:
      return nullptr;
  }
}

RowKernels::Binary binary(const RowKernels& k, Op op) {
  switch (op) {
    case Op::add:
      return k.add;
    case Op::sub:
      return k.sub;
    case Op::mul:
      return k.mul;
    case Op::div:
      return k.div;
    case Op::power:
      return k.power;
    case Op::max2:
      return k.max2;
    case Op::min2:
      return k.min2;
    case Op::gt:
      return k.gt;
    case Op::ge:
      return k.ge;
    case Op::lt:
      return k.lt;
    case Op::le:
      return k.le;
    case Op::eq:
      return k.eq;
    case Op::ne:
      return k.ne;
    case Op::logical_and:
      return k.logical_and;
    case Op::logical_or:
      return k.logical_or;
    default:
      return nullptr;
  }
}

RowKernels::Window window(const RowKernels& k, Op op) {
  switch (op) {
    case Op::mean:
      return k.mean;
    case Op::std:
      return k.std;
    case Op::sum:
      return k.sum;
    case Op::min:
      return k.min;
    case Op::max:
      return k.max;
    case Op::rank:
      return k.rank;
    default:
      return nullptr;
  }
}

}  // namespace quant
