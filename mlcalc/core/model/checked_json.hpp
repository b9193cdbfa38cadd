// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <initializer_list>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace mlcalc {

/// Text from an untrusted file, fit for an error message: in quotes, printable, at most 60 characters.
std::string in_quotes(const std::string& text);

/// Throws std::runtime_error("<source>: <field>: <message>").
[[noreturn]] void refuse(const std::string& source, const std::string& field, const std::string& message);

/// Parses JSON from an untrusted file: limited depth and number of values, no duplicate keys.
nlohmann::json parse_json(const char* text, std::size_t size, const std::string& source, const std::string& field);

/// A value inside a JSON document together with where it stands, so that whatever is wrong with it can be said in one
/// sentence. Every accessor throws std::runtime_error naming the file and the field.
class Field {
public:
    Field(const nlohmann::json& value, const std::string& source, std::string path)
        : value_(&value), source_(&source), path_(std::move(path)) {}

    bool is_null() const;
    bool is_number() const;
    bool boolean() const;
    long long integer(long long lowest, long long highest) const;
    double number(double lowest, double highest) const;
    /// A number above `lowest`, exclusive.
    double above(double lowest, double highest) const;
    /// A number above 0 that is not so small that what is computed with it overflows.
    double length(double lowest, double highest) const;
    std::string string() const;
    std::string one_of(std::initializer_list<const char*> choices) const;
    /// Letters, digits, '_', '-' and '+', at most 64: what can stand in the name of a tensor.
    std::string name() const;
    std::vector<Field> array(std::size_t shortest, std::size_t longest) const;
    /// A member of this object.
    Field operator[](const char* key) const;
    bool has(const char* key) const;
    /// Refuses an object with other members: a setting that this version does not know must not be ignored.
    void only(const std::vector<const char*>& keys) const;
    std::vector<std::string> keys() const;
    [[noreturn]] void refuse(const std::string& message) const;
    const std::string& source() const { return *source_; }

private:
    const nlohmann::json& object() const;
    const nlohmann::json* value_;
    const std::string* source_;
    std::string path_;
};

}  // namespace mlcalc
