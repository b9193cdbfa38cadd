// SPDX-License-Identifier: GPL-2.0-only
#include "large_pages.h"

#include <fstream>
#include <sstream>
#include <string>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace mlcalc_lammps {

LargePages::LargePages() : before_(mappings()) {}

void LargePages::advise_new_memory() const {
#if defined(__linux__)
    constexpr std::uintptr_t page = std::uintptr_t{2} << 20;
    for (const auto& [begin, end] : mappings()) {
        const std::uintptr_t first = (begin + page - 1) / page * page, last = end / page * page;
        if (before_.count({begin, end}) == 0 && last > first + page)
            madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);
    }
#endif
}

/// Private, writable memory without a file behind it; none where the system does not tell.
LargePages::Mappings LargePages::mappings() {
    Mappings found;
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
        std::istringstream words(line);
        std::uintptr_t begin = 0, end = 0;
        char dash = ' ';
        std::string access, offset, device;
        unsigned long inode = 1;
        words >> std::hex >> begin >> dash >> end >> access >> offset >> device >> std::dec >> inode;
        if (words && access == "rw-p" && inode == 0) found.insert({begin, end});
    }
    return found;
}

}  // namespace mlcalc_lammps
