// SPDX-License-Identifier: BSD-3-Clause
#pragma once

namespace mlcalc {

enum class InstructionSet { baseline, avx2, avx512 };

/// The best set that this CPU has, or the one named by the environment variable MLCALC_INSTRUCTION_SET
/// ("baseline", "avx2", "avx512"). Chosen at the first call. Throws std::runtime_error for a name that is unknown or
/// a set that the CPU lacks.
InstructionSet selected_instruction_set();

/// Its name.
const char* instruction_set();

}  // namespace mlcalc
