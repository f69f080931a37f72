#pragma once

#include "proto/assert.hpp"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <cstdint>
#include <limits>
#include <string>
#include <utility>

// Fields of messages that are numbers or texts, by their name: what goes by one name in every layer
// need not be listed in each of them. For messages that are rare; the library looks the name up.
namespace weir::proto {

inline const google::protobuf::FieldDescriptor& setting_field(
    const google::protobuf::Message& message, const char* name) {
  const auto* field = message.GetDescriptor()->FindFieldByName(name);
  WEIR_ASSERT(field != nullptr, "the message has a field of that name");
  return *field;
}

/// Whether an optional field is set.
[[nodiscard]] inline bool has_setting(const google::protobuf::Message& message, const char* name) {
  return message.GetReflection()->HasField(message, &setting_field(message, name));
}

/// A value beyond what fits is the largest that does: it stays beyond any limit of ours.
[[nodiscard]] inline std::int64_t number(const google::protobuf::Message& message,
                                         const char* name) {
  using google::protobuf::FieldDescriptor;
  const FieldDescriptor& field = setting_field(message, name);
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_UINT32:
      return reflection.GetUInt32(message, &field);
    case FieldDescriptor::CPPTYPE_INT64:
      return reflection.GetInt64(message, &field);
    default: {
      constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
      const std::uint64_t value = reflection.GetUInt64(message, &field);
      return static_cast<std::int64_t>(value < kMax ? value : kMax);
    }
  }
}

/// A negative value is one beyond any limit where the field has no sign.
inline void set_number(google::protobuf::Message& message, const char* name, std::int64_t value) {
  using google::protobuf::FieldDescriptor;
  const FieldDescriptor& field = setting_field(message, name);
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_UINT32:
      return reflection.SetUInt32(&message, &field, static_cast<std::uint32_t>(value));
    case FieldDescriptor::CPPTYPE_INT64:
      return reflection.SetInt64(&message, &field, value);
    default:
      return reflection.SetUInt64(&message, &field, static_cast<std::uint64_t>(value));
  }
}

[[nodiscard]] inline std::string text(const google::protobuf::Message& message, const char* name) {
  return message.GetReflection()->GetString(message, &setting_field(message, name));
}

inline void set_text(google::protobuf::Message& message, const char* name, std::string value) {
  message.GetReflection()->SetString(&message, &setting_field(message, name), std::move(value));
}

}  // namespace weir::proto
