// SPDX-License-Identifier: BSD-3-Clause
/// Failures, told apart by who knows of them. One that all ranks know of is a `Shared<...>`: every rank throws, and the
/// front-end reports it as an ordinary error. Any other exception is known to one rank alone while the rest may wait
/// for it in a collective call; the front-end then has to end the run.
#pragma once

#include <exception>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace mlcalc {

/// The mark of an exception that every rank throws.
struct SharedFailure {
    virtual ~SharedFailure() = default;
};

template <class Failure>
struct Shared : Failure, SharedFailure {
    explicit Shared(const Failure& failure) : Failure(failure) {}
};

inline bool is_shared(const std::exception& failure) {
    return dynamic_cast<const SharedFailure*>(&failure) != nullptr;
}

/// Another rank failed, and knows why.
struct FailureElsewhere : std::runtime_error, SharedFailure {
    FailureElsewhere() : std::runtime_error("another rank could not evaluate its atoms; its message says why") {}
};

/// Something is wrong with certain atoms. The core counts them as the views that it was given; whoever gave them words
/// the sentence with the numbers that its user knows.
class AtomFailure : public std::invalid_argument {
public:
    /// Each {} of the sentence stands for one of the atoms.
    AtomFailure(const std::string& sentence, std::vector<int> atoms)
        : std::invalid_argument(worded(sentence, atoms)), sentence_(sentence), atoms_(std::move(atoms)) {}
    const std::vector<int>& atoms() const { return atoms_; }
    /// With these numbers in place of those of `atoms`.
    template <class Number>
    std::string with(const std::vector<Number>& numbers) const {
        return worded(sentence_, numbers);
    }

private:
    template <class Number>
    static std::string worded(const std::string& sentence, const std::vector<Number>& numbers) {
        std::string out = sentence;
        for (const Number number : numbers) {
            const std::size_t at = out.find("{}");
            if (at != std::string::npos) out.replace(at, 2, std::to_string(number));
        }
        return out;
    }
    std::string sentence_;
    std::vector<int> atoms_;
};

/// Throws what this rank failed with as a failure that all ranks know of.
[[noreturn]] inline void rethrow_shared(const std::exception_ptr& failure) {
    try {
        std::rethrow_exception(failure);
    } catch (const SharedFailure&) {
        throw;
    } catch (const AtomFailure& e) {
        throw Shared<AtomFailure>(e);
    } catch (const std::bad_alloc& e) {
        throw Shared<std::bad_alloc>(e);
    } catch (const std::invalid_argument& e) {
        throw Shared<std::invalid_argument>(e);
    } catch (const std::exception& e) {
        throw Shared<std::runtime_error>(std::runtime_error(e.what()));
    }
}

}  // namespace mlcalc
