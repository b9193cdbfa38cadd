// SPDX-License-Identifier: BSD-3-Clause
#include "model/checked_json.hpp"

#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <stdexcept>

namespace mlcalc {

using nlohmann::json;

namespace {

constexpr std::size_t max_depth = 32;
constexpr std::size_t max_values = 50000;

/// Follows the parser through a text; what is wrong with it is `fault`.
struct Limits : nlohmann::json_sax<json> {
    bool null() override { return count(); }
    bool boolean(bool) override { return count(); }
    bool number_integer(number_integer_t) override { return count(); }
    bool number_unsigned(number_unsigned_t) override { return count(); }
    bool number_float(number_float_t, const string_t&) override { return count(); }
    bool string(string_t&) override { return count(); }
    bool binary(binary_t&) override { return count(); }
    bool start_object(std::size_t) override { return enter(); }
    bool start_array(std::size_t) override { return enter(); }
    bool end_object() override { return leave(); }
    bool end_array() override { return leave(); }
    bool key(string_t& key) override {
        return keys.back().insert(key).second || stop("has the key " + in_quotes(key) + " twice in one object");
    }
    bool parse_error(std::size_t byte, const std::string&, const nlohmann::detail::exception& error) override {
        // 406: the only number that JSON allows and we do not have
        return stop(error.id == 406 ? "holds a number that is out of range"
                                    : "is not valid JSON at byte " + std::to_string(byte));
    }

    bool count() { return ++n_values <= max_values || stop("has more than " + std::to_string(max_values) + " values"); }
    bool enter() {
        keys.emplace_back();
        return count() &&
               (keys.size() <= max_depth || stop("is nested deeper than " + std::to_string(max_depth) + " levels"));
    }
    bool leave() {
        keys.pop_back();
        return true;
    }
    bool stop(const std::string& why) {
        fault = why;
        return false;
    }

    std::vector<std::set<std::string>> keys;
    std::size_t n_values = 0;
    std::string fault;
};

std::string kind(const json& value) {
    if (value.is_string()) return "the string " + in_quotes(value.get_ref<const std::string&>());
    if (value.is_number() || value.is_boolean()) return value.dump();
    return value.is_null() ? "null" : std::string("an ") + value.type_name();
}

std::string text(double value) {
    std::ostringstream out;
    out << value;
    return out.str();
}

std::string list(const std::vector<const char*>& names) {
    std::string out;
    for (const char* name : names) out += (out.empty() ? "" : ", ") + std::string(name);
    return out;
}

}  // namespace

std::string in_quotes(const std::string& text) {
    std::string out = "'";
    for (std::size_t i = 0; i < text.size() && i < 60; i++) out += text[i] >= 32 && text[i] < 127 ? text[i] : '?';
    return out + (text.size() > 60 ? "..'" : "'");
}

void refuse(const std::string& source, const std::string& field, const std::string& message) {
    throw std::runtime_error(source + ": " + field + ": " + message);
}

json parse_json(const char* text, std::size_t size, const std::string& source, const std::string& field) {
    // the limits are checked before a tree is built: the parser's own callback takes quadratic time in nested arrays
    Limits limits;
    if (!json::sax_parse(text, text + size, &limits)) refuse(source, field, limits.fault);
    return json::parse(text, text + size);
}

void Field::refuse(const std::string& message) const {
    mlcalc::refuse(*source_, path_, message);
}

bool Field::is_null() const {
    return value_->is_null();
}

bool Field::is_number() const {
    return value_->is_number();
}

bool Field::boolean() const {
    if (!value_->is_boolean()) refuse("must be true or false, got " + kind(*value_));
    return value_->get<bool>();
}

long long Field::integer(long long lowest, long long highest) const {
    const bool fits = value_->is_number_unsigned() ? value_->get<unsigned long long>() <= 0x7fffffffffffffffULL
                                                   : value_->is_number_integer();
    if (!fits || value_->get<long long>() < lowest || value_->get<long long>() > highest) {
        refuse("must be an integer from " + std::to_string(lowest) + " to " + std::to_string(highest) + ", got " +
               kind(*value_));
    }
    return value_->get<long long>();
}

double Field::number(double lowest, double highest) const {
    const double value = value_->is_number() ? value_->get<double>() : std::nan("");
    if (!(value >= lowest && value <= highest)) {
        refuse("must be a number from " + text(lowest) + " to " + text(highest) + ", got " + kind(*value_));
    }
    return value;
}

double Field::above(double lowest, double highest) const {
    const double value = number(lowest, highest);
    if (value == lowest) refuse("must be above " + text(lowest));
    return value;
}

double Field::length(double lowest, double highest) const {
    const double value = above(0, highest);
    if (value < lowest) refuse("must be at least " + text(lowest) + ", got " + kind(*value_));
    return value;
}

std::string Field::string() const {
    if (!value_->is_string()) refuse("must be a string, got " + kind(*value_));
    return value_->get<std::string>();
}

std::string Field::one_of(std::initializer_list<const char*> choices) const {
    const std::string value = string();
    for (const char* choice : choices) {
        if (value == choice) return value;
    }
    refuse("must be one of " + list(choices) + ", got " + in_quotes(value));
}

std::string Field::name() const {
    const std::string value = string();
    const auto allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+";
    if (value.empty() || value.size() > 64 || value.find_first_not_of(allowed) != std::string::npos) {
        refuse("must be 1 to 64 letters, digits, '_', '-' or '+', got " + in_quotes(value));
    }
    return value;
}

std::vector<Field> Field::array(std::size_t shortest, std::size_t longest) const {
    if (!value_->is_array()) refuse("must be an array, got " + kind(*value_));
    if (value_->size() < shortest || value_->size() > longest) {
        const std::string wanted = shortest == longest ? std::to_string(shortest)
                                                       : std::to_string(shortest) + " to " + std::to_string(longest);
        refuse("must have " + wanted + " entries, got " + std::to_string(value_->size()));
    }
    std::vector<Field> fields;
    fields.reserve(value_->size());
    for (const json& entry : *value_) {
        fields.emplace_back(entry, *source_, path_ + "[" + std::to_string(fields.size()) + "]");
    }
    return fields;
}

const json& Field::object() const {
    if (!value_->is_object()) refuse("must be an object, got " + kind(*value_));
    return *value_;
}

bool Field::has(const char* key) const {
    return object().contains(key);
}

Field Field::operator[](const char* key) const {
    const auto found = object().find(key);
    const std::string path = path_ + "." + key;
    if (found == value_->end()) mlcalc::refuse(*source_, path, "is missing");
    return Field(*found, *source_, path);
}

std::vector<std::string> Field::keys() const {
    std::vector<std::string> names;
    for (const auto& entry : object().items()) names.push_back(entry.key());
    return names;
}

void Field::only(const std::vector<const char*>& keys) const {
    for (const auto& entry : object().items()) {
        bool known = false;
        for (const char* key : keys) known = known || entry.key() == key;
        if (!known) refuse("has the unknown setting " + in_quotes(entry.key()) + "; known are " + list(keys));
    }
}

}  // namespace mlcalc
