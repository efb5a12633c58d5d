#include "bind_kernel.hpp"

#include "bind.hpp"
#include "quant/kernel_hash.hpp"

namespace quant {

void bind_kernel(nanobind::module_& m) {
  m.attr("KERNEL_HASH") = kKernelHash;
  bind_errors(m);
  bind_enums(m);
  bind_market(m);
  bind_kernel_class(m);
  bind_venue(m);
  bind_session(m);
}

}  // namespace quant
