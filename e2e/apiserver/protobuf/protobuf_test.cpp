#include "e2e/apiserver/protobuf/protobuf.hpp"

#include <gtest/gtest.h>

namespace steelyard::apiserver {
namespace {

std::string field(unsigned number, const std::string& bytes) {
    return std::string{static_cast<char>(number << 3U | 2U), static_cast<char>(bytes.size())} +
           bytes;
}

std::string number(unsigned field_number, char value) {
    return std::string{static_cast<char>(field_number << 3U), value};
}

std::string body(const std::string& version, const std::string& kind, const std::string& object) {
    return std::string("k8s\0", 4) + field(1, field(1, version) + field(2, kind)) +
           field(2, object);
}

TEST(ProtobufTest, ReadsANamespaceWithLabels) {
    const std::string metadata = field(1, "foo") + field(11, field(1, "a") + field(2, "b"));

    const auto read = protobuf_to_json(body("v1", "Namespace", field(1, metadata) + field(2, "")));

    ASSERT_TRUE(read);
    EXPECT_EQ(*read, parse_json(R"({"apiVersion":"v1","kind":"Namespace",
                       "metadata":{"name":"foo","labels":{"a":"b"}}})"));
}

TEST(ProtobufTest, ReadsAServicePortWithANamedTarget) {
    const std::string target = number(1, 1) + number(2, 0) + field(3, "web");
    const std::string port = field(1, "http") + number(3, 80) + field(4, target) + number(5, 0);

    const auto read = protobuf_to_json(body("v1", "Service", field(2, field(1, port))));

    ASSERT_TRUE(read);
    EXPECT_EQ(
        (*read)["spec"]["ports"], parse_json(R"([{"name":"http","port":80,"targetPort":"web"}])")
    );
}

TEST(ProtobufTest, EveryCutOfAMessageIsAnErrorOrAnObject) {
    const std::string whole =
        body("v1", "ConfigMap", field(1, field(1, "c")) + field(2, field(1, "k") + field(2, "v")));

    for (std::size_t size = 0; size < whole.size(); ++size) {
        const auto read = protobuf_to_json(std::string_view(whole).substr(0, size));
        EXPECT_TRUE(!read || read->is_object()) << size;
    }
}

TEST(ProtobufTest, AKindOutsideTheTableIsUnsupported) {
    const auto read = protobuf_to_json(body("example.org/v1", "Pool", ""));

    ASSERT_FALSE(read);
    EXPECT_TRUE(is(read.error(), Errc::Unsupported));
}

}  // namespace
}  // namespace steelyard::apiserver
