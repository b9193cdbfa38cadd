// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace mlcalc {

class Field;

/// The 64-bit FNV-1a hash of the description followed by the tensor bytes, as written into a model file.
std::string model_checksum(const void* json, std::size_t json_size, const void* tensors, std::size_t tensors_size);

/// The length of the header, from the first 8 bytes of a file of `size` bytes. Throws if it cannot be one.
std::size_t header_length(const void* bytes, std::size_t size, const std::string& source);

/// A file in the safetensors layout that holds a model, read from memory: 8 bytes little-endian header length, a JSON
/// header, the tensors. The constructor checks the container: lengths, types, shapes, offsets (in order, without gaps
/// or overlaps, to the last byte) and the checksum. The getters check what a model asks of a tensor and copy it out.
/// All throw std::runtime_error with one sentence naming the file and the field.
class TensorFile {
public:
    TensorFile(const void* bytes, std::size_t size, std::string source);

    const std::string& source() const { return source_; }
    const std::string& document() const { return document_; }
    const std::string& checksum() const { return checksum_; }

    /// The shape of a float64 tensor of `rank` dimensions.
    std::vector<std::size_t> shape(const std::string& name, std::size_t rank) const;
    /// The finite values of a float64 tensor of exactly this shape.
    std::vector<double> doubles(const std::string& name, const std::vector<std::size_t>& shape);
    /// The values of a one-dimensional int32 tensor.
    std::vector<int> integers(const std::string& name);
    /// Refuses a tensor that no getter has asked for.
    void require_all_used() const;

private:
    struct Tensor {
        bool is_double = true;
        std::vector<std::size_t> shape;
        const unsigned char* data = nullptr;
        std::size_t size = 0;            ///< number of elements
        std::size_t begin = 0, end = 0;  ///< bytes, from the first tensor on
    };
    void add(const std::string& name, const Field& entry, std::size_t data_size);
    void check_layout(std::size_t data_size) const;
    const Tensor& find(const std::string& name, bool is_double, std::size_t rank) const;

    std::string source_;
    std::string document_;
    std::string checksum_;
    std::map<std::string, Tensor> tensors_;
    std::set<std::string> used_;
};

}  // namespace mlcalc
