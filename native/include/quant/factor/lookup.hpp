#pragma once
#include "quant/factor/program.hpp"
#include "quant/prim/isa.hpp"
#include "quant/series/row_kernels.hpp"

// The row kernel of an operation; nullptr if it has none of that shape.
namespace quant {

const RowKernels& kernels_of(Isa isa);
RowKernels::Unary unary(const RowKernels& kernels, Op op);
RowKernels::Binary binary(const RowKernels& kernels, Op op);
RowKernels::Window window(const RowKernels& kernels, Op op);

}  // namespace quant
