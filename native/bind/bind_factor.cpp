#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <numeric>

#include "bind.hpp"
#include "bind_program.hpp"
#include "quant/factor/vm.hpp"

namespace nb = nanobind;

namespace quant {

Instruction instruction_of(const Code& code) {
  const auto& [name, args, params] = code;
  Instruction out{op_named(name)};
  const OpInfo& op = info(out.op);
  if (static_cast<int>(args.size()) != op.arity ||
      params.size() != (op.parameter == Parameter::none ? 0 : 1)) {
    throw std::invalid_argument("wrong number of arguments or parameters for " + name);
  }
  std::copy(args.begin(), args.end(), out.args.begin());
  if (!params.empty()) out.param = params[0];
  return out;
}

namespace {

using Column = nb::ndarray<const double, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Mask = nb::ndarray<const bool, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Rows = nb::ndarray<const std::int32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Result = nb::ndarray<double, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

class BoundProgram {
 public:
  BoundProgram(const std::vector<Code>& code, int output, int columns) {
    for (const Code& line : code) program_.code.push_back(instruction_of(line));
    program_.output = output;
    program_.columns = columns;
    program_.check();
  }

  void evaluate(const std::vector<Column>& columns, std::optional<Mask> mask, std::optional<Rows> rows,
                Result out, unsigned threads, const std::string& isa, std::size_t memory_limit) const {
    FactorInput input;
    input.instruments = out.shape(1);
    input.sessions = columns.empty() ? (mask ? mask->shape(0) : out.shape(0)) : columns[0].shape(0);
    for (const Column& column : columns) {
      check_shape(column.shape(0), column.shape(1), input);
      input.columns.push_back(column.data());
    }
    if (mask) {
      check_shape(mask->shape(0), mask->shape(1), input);
      input.mask = reinterpret_cast<const std::uint8_t*>(mask->data());
    }
    std::vector<std::int32_t> every;
    if (!rows) {
      every.resize(input.sessions);
      std::iota(every.begin(), every.end(), 0);
    }
    const std::span<const std::int32_t> wanted =
        rows ? std::span<const std::int32_t>(rows->data(), rows->shape(0))
             : std::span<const std::int32_t>(every);
    if (out.shape(0) != wanted.size()) throw std::invalid_argument("the result has the wrong number of rows");
    const FactorOptions options{threads, choose_isa(isa), memory_limit};
    try {
      nb::gil_scoped_release release;
      evaluate_factor(program_, input, wanted, out.data(), options);
    } catch (const std::length_error& error) {
      PyErr_SetString(PyExc_MemoryError, error.what());
      throw nb::python_error();
    }
  }

 private:
  static void check_shape(std::size_t sessions, std::size_t instruments, const FactorInput& input) {
    if (sessions != input.sessions || instruments != input.instruments) {
      throw std::invalid_argument("columns, mask and result do not have the same shape");
    }
  }

  FactorProgram program_;
};

std::vector<std::tuple<std::string, int, bool>> factor_ops() {
  std::vector<std::tuple<std::string, int, bool>> ops;
  for (const OpInfo& op : kOps) {
    ops.emplace_back(std::string(op.name), op.arity, op.parameter != Parameter::none);
  }
  return ops;
}

std::vector<std::string> isas() {
  std::vector<std::string> names;
  for (Isa isa : {Isa::base, Isa::avx2, Isa::avx512}) {
    if (isa_supported(isa)) names.emplace_back(isa_name(isa));
  }
  return names;
}

}  // namespace

void bind_factor(nb::module_& m) {
  nb::class_<BoundProgram>(m, "FactorProgram", "A checked factor program; see quant.native.factor.")
      .def(nb::init<const std::vector<Code>&, int, int>(), nb::arg("code"), nb::arg("output"),
           nb::arg("columns"))
      .def("evaluate", &BoundProgram::evaluate, nb::arg("columns").noconvert(), nb::arg("mask").none(),
           nb::arg("rows").none(), nb::arg("out").noconvert(), nb::arg("threads"), nb::arg("isa"),
           nb::arg("memory_limit"), "Fill out with the program's value at the rows. The GIL is released.");
  m.def("factor_ops", &factor_ops, "(name, number of slots, has a parameter) of every operation.");
  m.def("instruction_sets", &isas, "Instruction-set variants this CPU can run.");
  m.def(
      "chosen_instruction_set",
      [](const std::string& request) { return std::string(isa_name(choose_isa(request))); },
      nb::arg("request") = "", "The variant in use: argument, else QUANT_ISA, else the best.");
}

}  // namespace quant
