#include "speaker/app/gossip_key.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace steelyard::speaker {
namespace {

using gossip_wire::metallb_key;
using testing::ElementsAre;
using testing::HasSubstr;

class GossipKeyTest : public testing::Test {
protected:
    GossipKeyTest() {
        std::string name = testing::TempDir() + "gossip-key-XXXXXX";
        EXPECT_NE(::mkdtemp(name.data()), nullptr);
        folder_ = name;
    }
    ~GossipKeyTest() override { std::filesystem::remove_all(folder_); }
    void write(const std::string& name, const std::string& text) const {
        std::ofstream(folder_ + "/" + name) << text;
    }
    std::string folder_;
};

TEST_F(GossipKeyTest, TheKeySealsAndThoseBesideItOpen) {
    write("secretkey-old", "old secret");
    write("secretkey", "secret");
    write("secretkey-new", "new secret");
    write("another", "file");

    const auto keys = load_gossip_keys(folder_);

    ASSERT_TRUE(keys.has_value()) << to_string(keys.error());
    EXPECT_THAT(
        keys->keys(),
        ElementsAre(metallb_key("secret"), metallb_key("new secret"), metallb_key("old secret"))
    );
}

TEST_F(GossipKeyTest, AMissingOrEmptyKeyIsOneLineThatNamesTheFile) {
    EXPECT_THAT(to_string(load_gossip_keys(folder_).error()), HasSubstr(folder_ + "/secretkey"));
    write("secretkey", "");
    EXPECT_THAT(to_string(load_gossip_keys(folder_).error()), HasSubstr("secretkey is empty"));
    write("secretkey", "secret");
    write("secretkey-2", "");
    EXPECT_THAT(to_string(load_gossip_keys(folder_).error()), HasSubstr("secretkey-2 is empty"));
}

}  // namespace
}  // namespace steelyard::speaker
