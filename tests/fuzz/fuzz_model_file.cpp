// SPDX-License-Identifier: BSD-3-Clause
/// Feeds mutated model files to the reader: `fuzz_model_file <seed> <n_mutations> <directory> <model file>...`
/// The mutants that are accepted are kept in the directory.
///
/// Every mutant must be accepted or refused with one sentence that names the file and a field, within a second and
/// within memory that follows from its size. Most mutants get a new checksum, so that they reach the checks behind it.
/// Compile with -fsanitize=address,undefined. Prints the slowest and largest case and every kind of refusal.

#include <malloc.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iostream>
#include <iterator>
#include <limits>
#include <map>
#include <new>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "model/reader.hpp"
#include "model/safetensors.hpp"

namespace {

std::size_t allocated = 0, peak = 0;

void* allocate(std::size_t size) {
    void* memory = std::malloc(size == 0 ? 1 : size);
    if (memory == nullptr) throw std::bad_alloc();
    allocated += malloc_usable_size(memory);
    peak = std::max(peak, allocated);
    return memory;
}

void release(void* memory) noexcept {
    if (memory != nullptr) allocated -= malloc_usable_size(memory);
    std::free(memory);
}

}  // namespace

void* operator new(std::size_t size) {
    return allocate(size);
}
void* operator new[](std::size_t size) {
    return allocate(size);
}
void operator delete(void* memory) noexcept {
    release(memory);
}
void operator delete[](void* memory) noexcept {
    release(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
    release(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
    release(memory);
}

namespace {

using nlohmann::json;

/// A model file taken apart: `document` is the description as text, so that it can be broken as text, too.
struct Parts {
    json header;
    std::string document;
    std::string tensors;
};

Parts take_apart(const std::string& file) {
    std::uint64_t n = 0;
    std::memcpy(&n, file.data(), 8);
    Parts parts;
    parts.header = json::parse(file.substr(8, n));
    parts.document = parts.header["__metadata__"]["mlcalc"].get<std::string>();
    parts.tensors = file.substr(8 + n);
    return parts;
}

std::string with_header(const std::string& header, const std::string& tensors) {
    const std::uint64_t n = header.size();
    std::string file(8, '\0');
    std::memcpy(file.data(), &n, 8);
    return file + header + tensors;
}

std::string put_together(Parts parts) {
    json& metadata = parts.header["__metadata__"];
    if (metadata.is_object()) {
        metadata["mlcalc"] = parts.document;
        metadata["checksum"] = mlcalc::model_checksum(parts.document.data(), parts.document.size(),
                                                      parts.tensors.data(), parts.tensors.size());
    }
    // text that is no longer UTF-8 goes into the header as it is
    const bool valid = json::accept(json(parts.document).dump(-1, ' ', false, json::error_handler_t::ignore));
    return with_header(parts.header.dump(-1, ' ', !valid, json::error_handler_t::replace), parts.tensors);
}

class Mutator {
public:
    explicit Mutator(std::uint64_t seed) : random_(seed) {}
    std::string mutate(const std::string& file);

private:
    std::size_t below(std::size_t n) { return n == 0 ? 0 : static_cast<std::size_t>(random_() % n); }
    template <class T>
    const T& pick(const std::vector<T>& choices) {
        return choices[below(choices.size())];
    }
    json hostile_value();
    std::string nested();
    std::string many_values();
    void change(Parts& parts, std::size_t kind);
    void change_json(json& value);
    void change_bytes(std::string& bytes);
    void change_entry(json& header);
    void change_text(std::string& text);
    void change_values(Parts& parts);

    std::mt19937_64 random_;
};

json Mutator::hostile_value() {
    static const std::vector<json> values = {nullptr,
                                             true,
                                             false,
                                             0,
                                             1,
                                             -1,
                                             2,
                                             3,
                                             7,
                                             33,
                                             65,
                                             119,
                                             1025,
                                             -2147483648LL,
                                             2147483647,
                                             2147483648LL,
                                             4294967295LL,
                                             4294967296LL,
                                             9007199254740993LL,
                                             std::numeric_limits<long long>::max(),
                                             std::numeric_limits<long long>::min(),
                                             std::numeric_limits<unsigned long long>::max(),
                                             0.0,
                                             -0.0,
                                             0.5,
                                             -0.5,
                                             1e-320,
                                             2.3e-308,
                                             5e-324,
                                             1.7e308,
                                             1e-7,
                                             1e-12,
                                             1e12,
                                             1e300,
                                             -1e300,
                                             "",
                                             "rho",
                                             "V",
                                             "kernel",
                                             "linear",
                                             "gto",
                                             "potential",
                                             "density",
                                             "..",
                                             "a b",
                                             "\xc3\xa9\n",
                                             std::string(1000, 'x'),
                                             json::array(),
                                             json::object(),
                                             json::array({1, 2}),
                                             json::array({-8, 8}),
                                             json::array({0, 1e30}),
                                             json::array({0, std::numeric_limits<unsigned long long>::max()}),
                                             json::object({{"type", "gto"}}),
                                             json::array({4294967296LL, 4294967296LL}),
                                             json::array({0, 4294967296LL, 4294967296LL}),
                                             json::array({1, 1, 1, 1, 1, 1, 1, 1, 1, 1})};
    return pick(values);
}

std::string Mutator::nested() {
    const std::size_t depth = pick(std::vector<std::size_t>{33, 1000, 100000});
    const std::string open = pick(std::vector<std::string>{"[", "{\"a\":", "[{\"b\":", "[0,"});
    std::string text;
    for (std::size_t i = 0; i < depth; i++) text += open;
    return text;
}

std::string Mutator::many_values() {
    const std::string value = pick(std::vector<std::string>{"0", "[]", "{}", "[[],[]]", "{\"a\":0}"});
    std::string text = "[" + value;
    for (std::size_t i = 0, n = below(250000); i < n; i++) text += "," + value;
    return text + "]";
}

/// Walks to a random value of a tree and changes it.
void Mutator::change_json(json& value) {
    json* at = &value;
    json* parent = nullptr;
    while (at->is_structured() && !at->empty() && (parent == nullptr || below(8) != 0)) {
        parent = at;
        auto entry = at->begin();
        std::advance(entry, static_cast<std::ptrdiff_t>(below(at->size())));
        at = &*entry;
    }
    switch (below(7)) {
        case 0:
            if (at->is_structured() && !at->empty()) {
                auto entry = at->begin();
                std::advance(entry, static_cast<std::ptrdiff_t>(below(at->size())));
                at->erase(entry);
                return;
            }
            break;
        case 1:
            if (at->is_array() && !at->empty()) return at->push_back(json(at->front()));
            break;
        case 2:
            if (at->is_object()) return void((*at)["unknown"] = hostile_value());
            break;
        case 3:
            if (at->is_number_integer())
                return void(*at = static_cast<long long>(at->get<std::uint64_t>() + (below(2) ? 1 : ~0ULL)));
            break;
        case 4:
            if (at->is_boolean()) return void(*at = !at->get<bool>());
            break;
        default:
            break;
    }
    *at = hostile_value();
}

void Mutator::change_bytes(std::string& bytes) {
    if (bytes.empty()) return;
    const std::size_t at = below(bytes.size()), n = 1 + below(std::min<std::size_t>(64, bytes.size() - at));
    switch (below(6)) {
        case 0:
            bytes.erase(at, n);
            break;
        case 1:
            bytes.insert(at, bytes.substr(below(bytes.size()), n));
            break;
        case 2:
            bytes.resize(at);
            break;
        case 3:
            bytes.append(n, static_cast<char>(random_()));
            break;
        default:
            for (std::size_t i = 0; i <= below(8); i++) bytes[below(bytes.size())] ^= static_cast<char>(1 << below(8));
    }
}

/// Damages the directory of the tensors.
void Mutator::change_entry(json& header) {
    std::vector<std::string> names;
    for (const auto& entry : header.items()) names.push_back(entry.key());
    const std::string name = pick(names), other = pick(names);
    json& entry = header[name];
    switch (below(6)) {
        case 0:
            std::swap(header[name], header[other]);
            break;
        case 1:
            header[name + "x"] = entry;
            break;
        case 2:
            if (entry.contains("data_offsets") && header[other].contains("data_offsets")) {
                entry["data_offsets"] = header[other]["data_offsets"];
            }
            break;
        case 3:
            if (entry.contains("shape")) {
                json& shape = entry["shape"];
                if (shape.empty() || below(2)) {
                    shape.push_back(hostile_value());
                } else {
                    shape[below(shape.size())] = hostile_value();
                }
            }
            break;
        case 4:
            if (entry.contains("dtype"))
                entry["dtype"] = pick(std::vector<std::string>{"F32", "I64", "BF16", "I32", "F64"});
            break;
        default:
            change_json(entry);
    }
}

void Mutator::change_text(std::string& text) {
    static const std::vector<std::string> inserts = {"{\"a\":1,\"a\":2}",
                                                     "1e999",
                                                     "-",
                                                     "NaN",
                                                     "\\ud800",
                                                     "\"",
                                                     "\xff\xfe",
                                                     std::string("\0", 1),
                                                     "/*",
                                                     "[,]",
                                                     "123456789012345678901234567890",
                                                     ",",
                                                     "}",
                                                     "\"species\":[11],"};
    const std::size_t at = below(text.size() + 1);
    switch (below(4)) {
        case 0:
            text.insert(at, nested());
            break;
        case 1:
            text.insert(at, pick(inserts));
            break;
        case 2:
            // many values, to make a tree much larger than its text
            text.insert(at, many_values());
            break;
        default:
            change_bytes(text);
    }
}

/// Every tensor is met as often as every other, so that those of one number are.
void Mutator::change_values(Parts& parts) {
    static const std::vector<double> values = {std::numeric_limits<double>::quiet_NaN(),
                                               std::numeric_limits<double>::infinity(),
                                               -std::numeric_limits<double>::infinity(),
                                               std::numeric_limits<double>::max(),
                                               std::numeric_limits<double>::min(),
                                               std::numeric_limits<double>::denorm_min(),
                                               1e308,
                                               1e200,
                                               1e12,
                                               1e-6,
                                               1e-200,
                                               1e-310,
                                               -1.0,
                                               -0.0,
                                               0.0};
    static const std::vector<std::int32_t> integers = {-1, 0, 1, 2147483647, -2147483647 - 1, 1000000};
    std::vector<std::string> names;
    for (const auto& entry : parts.header.items())
        if (entry.value().contains("data_offsets")) names.push_back(entry.key());
    if (names.empty()) return;
    const json& entry = parts.header.at(pick(names));
    const auto begin = entry.at("data_offsets").at(0).get<std::size_t>();
    const auto end = entry.at("data_offsets").at(1).get<std::size_t>();
    const bool real = entry.at("dtype").get<std::string>() == "F64";
    const std::size_t size = real ? 8 : 4;
    if (begin > end || end > parts.tensors.size() || end - begin < size) return;
    char* at = &parts.tensors[begin + below((end - begin) / size) * size];
    if (real) {
        std::memcpy(at, &pick(values), 8);
    } else {
        std::memcpy(at, &pick(integers), 4);
    }
}

/// One change to a file taken apart. An earlier change may have left nothing that this one could work on.
void Mutator::change(Parts& parts, std::size_t kind) {
    try {
        if (kind < 6) {
            change_entry(parts.header);
        } else if (kind < 8) {
            change_text(parts.document);
        } else if (kind < 10) {
            change_values(parts);
        } else if (json document = json::parse(parts.document, nullptr, false); !document.is_discarded()) {
            change_json(document);
            parts.document = document.dump();
        }
    } catch (const json::exception&) {
    }
}

std::string Mutator::mutate(const std::string& file) {
    std::string mutant = file;
    const std::size_t kind = below(16);
    if (kind == 0) {
        change_bytes(mutant);
        return mutant;
    }
    if (kind == 1) {
        static const std::vector<std::uint64_t> lengths = {
            0, 1, 2, 7, file.size() - 8, file.size() - 7, file.size(), 1ULL << 32, 1ULL << 63, ~0ULL};
        std::memcpy(mutant.data(), &pick(lengths), 8);
        return mutant;
    }
    Parts parts = take_apart(file);
    if (kind == 2) {
        std::string header = parts.header.dump();
        change_text(header);
        return with_header(header, parts.tensors);
    }
    for (std::size_t i = 0; i <= below(3); i++) change(parts, kind);
    return put_together(std::move(parts));
}

/// A message without its numbers and quotations: what kind of refusal it is.
std::string kind_of(const std::string& message) {
    std::string kind;
    bool quotation = false;
    for (const char c : message.substr(0, std::min(message.find(", got"), message.find("give fnv")))) {
        if (c == '\'') quotation = !quotation;
        if (quotation || (c >= '0' && c <= '9')) continue;
        kind += c;
    }
    return kind.substr(0, 100);
}

struct Summary {
    std::size_t accepted = 0, largest = 0;
    double slowest = 0.0, largest_ratio = 0.0;
    std::map<std::string, std::size_t> refusals;
};

/// Reads one mutant. Returns what is wrong with the way it was treated, or an empty string.
std::string judge(const std::string& file, Summary& summary) {
    const std::clock_t start = std::clock();
    const std::size_t before = allocated;
    peak = allocated;
    std::string message;
    try {
        mlcalc::parse_model(file.data(), file.size(), "mutant.mlcalc");
        summary.accepted++;
    } catch (const std::runtime_error& error) {
        message = error.what();
    } catch (const std::exception& error) {
        return std::string("threw something else: ") + error.what();
    }
    const std::size_t used = peak - before;
    const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    summary.slowest = std::max(summary.slowest, seconds);
    summary.largest = std::max(summary.largest, used);
    const double ratio = static_cast<double>(used) / static_cast<double>(file.size() + 65536);
    summary.largest_ratio = std::max(summary.largest_ratio, ratio);
    if (seconds > 1.0) return "took " + std::to_string(seconds) + " s";
    if (ratio > 32.0) return "allocated " + std::to_string(used) + " bytes for " + std::to_string(file.size());
    if (message.empty()) return "";
    const bool sentence = message.rfind("mutant.mlcalc: ", 0) == 0 && message.find(": ", 15) != std::string::npos &&
                          message.size() < 400 &&
                          std::all_of(message.begin(), message.end(), [](char c) { return c >= 32 && c < 127; });
    if (!sentence) return "no sentence that names a field: " + message;
    summary.refusals[kind_of(message.substr(15))]++;
    return "";
}

std::string read(const char* path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw std::runtime_error(std::string("cannot read ") + path);
    return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 5) {
        std::cerr << "usage: fuzz_model_file <seed> <n_mutations> <directory> <model file>...\n";
        return 2;
    }
    Mutator mutator(std::strtoull(argv[1], nullptr, 10));
    const std::size_t n_mutations = std::strtoull(argv[2], nullptr, 10);
    std::vector<std::string> files;
    for (int i = 4; i < argc; i++) {
        files.push_back(read(argv[i]));
        mlcalc::parse_model(files.back().data(), files.back().size(), argv[i]);
    }
    const std::string directory = argv[3];
    Summary summary;
    for (std::size_t i = 0; i < n_mutations; i++) {
        const std::string mutant = mutator.mutate(files[i % files.size()]);
        const std::size_t accepted = summary.accepted;
        const std::string fault = judge(mutant, summary);
        if (summary.accepted > accepted) {
            std::ofstream(directory + "/" + std::to_string(i) + ".mlcalc", std::ios::binary) << mutant;
        }
        if (!fault.empty()) {
            std::ofstream("fault.mlcalc", std::ios::binary) << mutant;
            std::cerr << "mutant " << i << " of " << argv[4 + i % files.size()] << ", kept as fault.mlcalc: " << fault
                      << "\n";
            return 1;
        }
    }
    std::printf("%zu mutants of %zu files: %zu accepted, %zu refused for %zu different reasons\n", n_mutations,
                files.size(), summary.accepted, n_mutations - summary.accepted, summary.refusals.size());
    std::printf("slowest %.3f s, most memory %.2f MB, at most %.1f times the size of the file + 64 KiB\n",
                summary.slowest, static_cast<double>(summary.largest) / 1e6, summary.largest_ratio);
    for (const auto& [kind, count] : summary.refusals) std::printf("%6zu  %s\n", count, kind.c_str());
    return 0;
}
