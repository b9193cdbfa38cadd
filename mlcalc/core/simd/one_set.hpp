// SPDX-License-Identifier: BSD-3-Clause
/// The source of each_set.hpp for one instruction set, in its namespace.
namespace mlcalc::MLCALC_SET {
namespace {

#include "simd/vector_lanes.hpp"
//
#include "simd/spline_lanes.hpp"
//
#include "simd/harmonics_lanes.hpp"
//
#include MLCALC_SOURCE

}  // namespace
}  // namespace mlcalc::MLCALC_SET

#undef MLCALC_SET
#undef MLCALC_LANES
