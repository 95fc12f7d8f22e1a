#pragma once

#include <string>
#include <string_view>

// Private to protobuf: the messages we can read, by the field numbers of Kubernetes'
// generated.proto files.
namespace steelyard::apiserver {

enum class FieldType {
    Text,
    Bytes,
    Integer,
    Boolean,
    TextMap,
    BytesMap,
    Time,
    IntOrString,
    Quantity,
    QuantityMap,
    Message,
};

struct MessageField {
    const char* message;  // the message it belongs to
    unsigned number;
    const char* name;  // in JSON
    FieldType type;
    bool repeated = false;
    bool keep_zero = false;  // a pointer in Go: its zero says something
    const char* inner = "";  // of Message: which
};

// Null when the message has no such field that we know.
[[nodiscard]] const MessageField* find_field(std::string_view message, unsigned number);
[[nodiscard]] bool knows_message(std::string_view message);

}  // namespace steelyard::apiserver
