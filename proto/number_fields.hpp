#pragma once

#include "proto/assert.hpp"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <cstdint>
#include <limits>

// Fields of messages that are numbers, by their name: what goes by one name in every layer need not
// be listed in each of them. For messages that are rare; the library looks the name up.
namespace weir::proto {

inline const google::protobuf::FieldDescriptor& number_field(
    const google::protobuf::Message& message, const char* name) {
  const auto* field = message.GetDescriptor()->FindFieldByName(name);
  WEIR_ASSERT(field != nullptr, "the message has a field of that name");
  return *field;
}

/// Whether an optional field is set.
[[nodiscard]] inline bool has_number(const google::protobuf::Message& message, const char* name) {
  return message.GetReflection()->HasField(message, &number_field(message, name));
}

/// A value beyond what fits is the largest that does: it stays beyond any limit of ours.
[[nodiscard]] inline std::int64_t number(const google::protobuf::Message& message,
                                         const char* name) {
  using google::protobuf::FieldDescriptor;
  const FieldDescriptor& field = number_field(message, name);
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
  const FieldDescriptor& field = number_field(message, name);
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

}  // namespace weir::proto
