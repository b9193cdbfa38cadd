// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <exception>

#include "base/failure.hpp"
#include "base/system.hpp"

namespace mlcalc {

/// Throws on every rank if one of them failed, so that none waits in a collective call that the others do not reach.
/// `talk` is false where nothing is collective, and then no rank asks the others.
inline void agree(Communicator& ranks, bool talk, const std::exception_ptr& failure) {
    const bool together = talk && ranks.size() > 1;
    double failed = failure ? 1.0 : 0.0;
    if (together) failed = ranks.max(failed);
    if (failure && !together) std::rethrow_exception(failure);
    if (failure) rethrow_shared(failure);
    if (failed > 0.0) throw FailureElsewhere();
}

}  // namespace mlcalc
