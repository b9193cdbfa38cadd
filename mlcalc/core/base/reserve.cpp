// SPDX-License-Identifier: BSD-3-Clause
#include "base/reserve.hpp"

#include <sys/mman.h>

#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace mlcalc {
namespace {

/// Of OpenBLAS 0.3, on x86-64.
constexpr std::size_t bytes_per_caller = std::size_t{32} << 20;

/// Starts n threads that are there at the same time.
bool can_start(int n) {
    std::mutex mutex;
    std::condition_variable all_are_there;
    bool leave = false;
    std::vector<std::thread> threads;
    bool started = true;
    try {
        threads.reserve(static_cast<std::size_t>(n));
        for (int k = 0; k < n; ++k) {
            threads.emplace_back([&] {
                std::unique_lock<std::mutex> lock(mutex);
                all_are_there.wait(lock, [&] { return leave; });
            });
        }
    } catch (const std::system_error&) {
        started = false;
    } catch (const std::bad_alloc&) {
        started = false;
    }
    {
        const std::lock_guard<std::mutex> lock(mutex);
        leave = true;
    }
    all_are_there.notify_all();
    for (std::thread& thread : threads) thread.join();
    return started;
}

bool can_map(std::size_t bytes) {
    void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return false;
    munmap(memory, bytes);
    return true;
}

}  // namespace

void reserve_threads(int n) {
    thread_local int had = 1;  // libgomp keeps a team for each thread that begins parallel regions
    if (n <= had) return;
    if (!can_start(n - 1)) throw NoMemoryForThreads();
    had = n;
}

void reserve_blas_buffers(int n_callers) {
    static std::mutex mutex;
    static int had = 0;
    const std::lock_guard<std::mutex> lock(mutex);
    if (n_callers <= had) return;
    if (!can_map(static_cast<std::size_t>(n_callers - had) * bytes_per_caller)) throw NoMemoryForThreads();
    had = n_callers;
}

}  // namespace mlcalc
