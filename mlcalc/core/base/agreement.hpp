// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <exception>
#include <stdexcept>

#include "base/system.hpp"

namespace mlcalc {

/// Throws on every rank if one of them failed, so that none waits in a collective call that the others do not reach.
/// `talk` is false where nothing is collective, and then no rank asks the others.
inline void agree(Communicator& ranks, bool talk, const std::exception_ptr& failure) {
    double failed = failure ? 1.0 : 0.0;
    if (talk && ranks.size() > 1) failed = ranks.max(failed);
    if (failure) std::rethrow_exception(failure);
    if (failed > 0.0) throw std::runtime_error("another rank could not evaluate its atoms; its message says why");
}

}  // namespace mlcalc
