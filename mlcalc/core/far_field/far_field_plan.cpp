// SPDX-License-Identifier: BSD-3-Clause
#include "far_field/far_field_plan.hpp"

#include <new>
#include <stdexcept>
#include <string>

#include "base/failure.hpp"

namespace mlcalc {
namespace {

/// Both directions of the same walk through a plan, as numbers: ranks exchange nothing else.
class Walk {
public:
    Walk() = default;
    explicit Walk(std::vector<double> numbers) : numbers_(std::move(numbers)), reading_(true) {}
    std::vector<double> numbers() && { return std::move(numbers_); }

    template <class Value>
    void operator()(Value& value) {
        if (reading_) {
            value = static_cast<Value>(numbers_.at(at_++));
        } else {
            numbers_.push_back(static_cast<double>(value));
        }
    }
    template <class Value, std::size_t n>
    void operator()(std::array<Value, n>& values) {
        for (Value& value : values) (*this)(value);
    }
    template <class Value>
    void operator()(std::vector<Value>& values) {
        std::size_t n = values.size();
        (*this)(n);
        values.resize(n);
        for (Value& value : values) (*this)(value);
    }
    void operator()(Mesh::Settings& mesh) {
        (*this)(mesh.grid.shape);
        (*this)(mesh.grid.order);
        (*this)(mesh.grid.beta);
        (*this)(mesh.filters);
    }
    void operator()(SlabPadding& padding) {
        (*this)(padding.axis);
        (*this)(padding.length);
        (*this)(padding.start);
        (*this)(padding.room);
    }
    void operator()(FarFieldPlan& plan) {
        (*this)(plan.evaluator);
        (*this)(plan.reference_cell);
        (*this)(plan.reduced);
        (*this)(plan.basis);
        (*this)(plan.padding);
        (*this)(plan.k_cutoff);
        (*this)(plan.wave_vectors);
        (*this)(plan.meshes.meshes);
        (*this)(plan.meshes.padding);
        (*this)(plan.meshes.estimate);
        (*this)(plan.meshes.n_threads);
        (*this)(plan.radius);
        (*this)(plan.near);
    }

private:
    std::vector<double> numbers_;
    bool reading_ = false;
    std::size_t at_ = 0;
};

enum class Outcome { plan, refusal, memory, failure };

[[noreturn]] void fail(Outcome outcome, const std::vector<double>& letters) {
    std::string sentence;
    for (const double letter : letters) sentence += static_cast<char>(letter);
    if (outcome == Outcome::memory) throw Shared<std::bad_alloc>(std::bad_alloc());
    if (outcome == Outcome::refusal) throw Shared<std::invalid_argument>(std::invalid_argument(sentence));
    throw Shared<std::runtime_error>(std::runtime_error(sentence));
}

}  // namespace

FarFieldPlan plan_together(Communicator& ranks, const std::function<FarFieldPlan()>& make) {
    if (ranks.size() == 1) return make();
    Outcome outcome = Outcome::plan;
    std::vector<double> numbers;
    if (ranks.rank() == 0) {
        try {
            FarFieldPlan plan = make();
            Walk walk;
            walk(plan);
            numbers = std::move(walk).numbers();
        } catch (const std::bad_alloc&) {
            outcome = Outcome::memory;
        } catch (const std::exception& e) {
            outcome = dynamic_cast<const std::invalid_argument*>(&e) ? Outcome::refusal : Outcome::failure;
            const std::string sentence = e.what();
            numbers.assign(sentence.begin(), sentence.end());
        }
    }
    double head[2] = {static_cast<double>(outcome), static_cast<double>(numbers.size())};
    ranks.broadcast(head, 2);
    numbers.resize(static_cast<std::size_t>(head[1]));
    ranks.broadcast(numbers.data(), numbers.size());
    outcome = static_cast<Outcome>(static_cast<int>(head[0]));
    if (outcome != Outcome::plan) fail(outcome, numbers);
    FarFieldPlan plan;
    Walk walk(std::move(numbers));
    walk(plan);
    return plan;
}

}  // namespace mlcalc
