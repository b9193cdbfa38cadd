// SPDX-License-Identifier: BSD-3-Clause
#include "model/safetensors.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>

#include "model/checked_json.hpp"

namespace mlcalc {

namespace {

constexpr std::size_t max_header = std::size_t{16} << 20;
constexpr long long max_size = 0x7fffffffffffffffLL;

std::uint64_t little_endian(const unsigned char* bytes, int n) {
    std::uint64_t value = 0;
    for (int i = n - 1; i >= 0; i--) value = value << 8 | bytes[i];
    return value;
}

std::uint64_t fnv1a(std::uint64_t hash, const void* bytes, std::size_t n) {
    const auto* p = static_cast<const unsigned char*>(bytes);
    for (std::size_t i = 0; i < n; i++) hash = (hash ^ p[i]) * 1099511628211ULL;
    return hash;
}

std::string text(const std::vector<std::size_t>& shape) {
    std::string out = "(";
    for (std::size_t i = 0; i < shape.size(); i++) out += (i ? ", " : "") + std::to_string(shape[i]);
    return out + ")";
}

std::string field_of(const std::string& name) {
    return "tensor " + in_quotes(name);
}

}  // namespace

std::string model_checksum(const void* json, std::size_t json_size, const void* tensors, std::size_t tensors_size) {
    const std::uint64_t hash = fnv1a(fnv1a(14695981039346656037ULL, json, json_size), tensors, tensors_size);
    char digits[17];
    std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(hash));
    return std::string("fnv1a64:") + digits;
}

std::size_t header_length(const void* bytes, std::size_t size, const std::string& source) {
    if (size < 8) refuse(source, "header length", "the file has only " + std::to_string(size) + " bytes");
    const std::uint64_t length = little_endian(static_cast<const unsigned char*>(bytes), 8);
    if (length > size - 8 || length > max_header) {
        refuse(source, "header length",
               "is " + std::to_string(length) + " in a file of " + std::to_string(size) +
                   " bytes; this is not a model file, or it is cut off");
    }
    return static_cast<std::size_t>(length);
}

TensorFile::TensorFile(const void* bytes, std::size_t size, std::string source) : source_(std::move(source)) {
    const auto* file = static_cast<const unsigned char*>(bytes);
    const std::size_t header_bytes = header_length(bytes, size, source_);
    const unsigned char* data = file + 8 + header_bytes;
    const std::size_t data_size = size - 8 - header_bytes;
    const auto json = parse_json(reinterpret_cast<const char*>(file + 8), header_bytes, source_, "header");
    const Field header(json, source_, "header");
    const Field metadata = header["__metadata__"];
    document_ = metadata["mlcalc"].string();
    checksum_ = metadata["checksum"].string();

    for (const std::string& name : header.keys()) {
        if (name != "__metadata__") add(name, Field(json[name], source_, field_of(name)), data_size);
    }
    check_layout(data_size);
    for (auto& entry : tensors_) entry.second.data = data + entry.second.begin;
    const std::string found = model_checksum(document_.data(), document_.size(), data, data_size);
    if (found != checksum_) {
        refuse(source_, "checksum",
               "the contents give " + found + ", the file says " + in_quotes(checksum_) + "; the file is damaged");
    }
}

void TensorFile::add(const std::string& name, const Field& entry, std::size_t data_size) {
    entry.only({"dtype", "shape", "data_offsets"});
    Tensor tensor;
    tensor.is_double = entry["dtype"].one_of({"F64", "I32"}) == "F64";
    tensor.size = 1;
    const std::size_t item_size = tensor.is_double ? 8 : 4;
    for (const Field& extent : entry["shape"].array(0, 8)) {
        const auto n = static_cast<std::size_t>(extent.integer(0, max_size));
        // neither an overflowing product nor absurd extents of an empty tensor get past this
        if (n > data_size || (n != 0 && tensor.size > data_size / item_size / n)) {
            entry["shape"].refuse("asks for more than the " + std::to_string(data_size) +
                                  " bytes of tensors in the file");
        }
        tensor.size *= n;
        tensor.shape.push_back(n);
    }
    const auto offsets = entry["data_offsets"].array(2, 2);
    tensor.begin = static_cast<std::size_t>(offsets[0].integer(0, max_size));
    tensor.end = static_cast<std::size_t>(offsets[1].integer(0, max_size));
    if (tensor.begin > tensor.end || tensor.end > data_size) {
        entry["data_offsets"].refuse("[" + std::to_string(tensor.begin) + ", " + std::to_string(tensor.end) +
                                     "] lie outside the " + std::to_string(data_size) + " bytes of tensors");
    }
    if (tensor.end - tensor.begin != tensor.size * item_size) {
        entry["data_offsets"].refuse("span " + std::to_string(tensor.end - tensor.begin) + " bytes, but shape " +
                                     text(tensor.shape) + " needs " + std::to_string(tensor.size * item_size));
    }
    tensors_.emplace(name, std::move(tensor));
}

void TensorFile::check_layout(std::size_t data_size) const {
    std::vector<std::pair<const Tensor*, std::string>> tensors;
    for (const auto& entry : tensors_) tensors.emplace_back(&entry.second, entry.first);
    std::sort(tensors.begin(), tensors.end(), [](const auto& left, const auto& right) {
        return std::make_pair(left.first->begin, left.first->end) <
               std::make_pair(right.first->begin, right.first->end);
    });
    std::size_t reached = 0;
    for (const auto& [tensor, name] : tensors) {
        if (tensor->begin != reached) {
            refuse(source_, field_of(name) + ".data_offsets",
                   "begin at " + std::to_string(tensor->begin) + ", but the tensor before it ends at " +
                       std::to_string(reached));
        }
        reached = tensor->end;
    }
    if (reached != data_size) {
        refuse(
            source_, "tensors",
            "end at byte " + std::to_string(reached) + " of " + std::to_string(data_size) + "; the rest is no tensor");
    }
}

const TensorFile::Tensor& TensorFile::find(const std::string& name, bool is_double, std::size_t rank) const {
    const auto found = tensors_.find(name);
    if (found == tensors_.end()) refuse(source_, field_of(name), "is missing");
    const Tensor& tensor = found->second;
    if (tensor.is_double != is_double) {
        refuse(source_, field_of(name) + ".dtype", is_double ? "must be F64, got I32" : "must be I32, got F64");
    }
    if (tensor.shape.size() != rank) {
        refuse(source_, field_of(name) + ".shape",
               "must have " + std::to_string(rank) + " dimensions, got " + text(tensor.shape));
    }
    return tensor;
}

std::vector<std::size_t> TensorFile::shape(const std::string& name, std::size_t rank) const {
    return find(name, true, rank).shape;
}

std::vector<double> TensorFile::doubles(const std::string& name, const std::vector<std::size_t>& shape) {
    const Tensor& tensor = find(name, true, shape.size());
    if (tensor.shape != shape) {
        refuse(source_, field_of(name) + ".shape", "must be " + text(shape) + ", got " + text(tensor.shape));
    }
    used_.insert(name);
    std::vector<double> values(tensor.size);
    for (std::size_t i = 0; i < tensor.size; i++) {
        const std::uint64_t bits = little_endian(tensor.data + 8 * i, 8);
        std::memcpy(&values[i], &bits, 8);
        if (!std::isfinite(values[i])) {
            refuse(source_, field_of(name), "entry " + std::to_string(i) + " is not a finite number");
        }
    }
    return values;
}

std::vector<int> TensorFile::integers(const std::string& name) {
    const Tensor& tensor = find(name, false, 1);
    used_.insert(name);
    std::vector<int> values(tensor.size);
    for (std::size_t i = 0; i < tensor.size; i++) {
        values[i] = static_cast<std::int32_t>(static_cast<std::uint32_t>(little_endian(tensor.data + 4 * i, 4)));
    }
    return values;
}

void TensorFile::require_all_used() const {
    for (const auto& entry : tensors_) {
        if (used_.count(entry.first) == 0) {
            refuse(source_, field_of(entry.first), "does not belong to anything in the description");
        }
    }
}

}  // namespace mlcalc
