#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "quant/factor/program.hpp"
#include "quant/factor/vm.hpp"
#include "quant/series/cross_section.hpp"
#include "quant/series/row_kernels.hpp"

// Narrow panels: consecutive rows lie behind each other in memory, so one call of a row kernel computes many
// rows. An operation that looks back reads the same cells some rows earlier; its bits are those of the
// row-by-row evaluation.
namespace quant {

// Computes blocks of consecutive rows of single instructions; one per thread.
class RowBlock {
 public:
  RowBlock(const RowKernels& kernels, std::size_t instruments, const std::uint8_t* mask = nullptr);

  // Rows [row, row + rows) of one stored instruction into `out`. args[i] is the argument's cell at `row`,
  // instrument 0; as many earlier rows as the instruction reaches lie before it (none before row 0).
  void run(const Instruction& code, const double* const* args, double* out, std::size_t row,
           std::size_t rows);

 private:
  void lag(const Instruction& code, const double* x, double* out, std::size_t row, std::size_t rows);
  void window(const Instruction& code, const double* const* args, double* out, std::size_t row,
              std::size_t rows);
  RowKernels::Window window_of(const Instruction& code, const double* x, std::size_t count,
                               std::size_t n) const;
  void cross(const Instruction& code, const double* x, double* out, std::size_t row, std::size_t rows);

  const RowKernels& kernels_;
  std::size_t instruments_;
  const std::uint8_t* mask_;
  std::vector<const double*> xs_, ys_;
  CrossScratch scratch_;
};

// Whether the rows asked for are better evaluated in blocks of rows.
bool dense_fits(const FactorProgram& program, const FactorInput& input, std::span<const std::int32_t> rows,
                const FactorOptions& options);

// evaluate_factor for consecutive rows [first, last) of a narrow panel.
void evaluate_dense(const FactorProgram& program, const FactorInput& input, std::size_t first,
                    std::size_t last, double* out, const FactorOptions& options);

}  // namespace quant
