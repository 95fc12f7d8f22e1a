#include "controller/check/command.hpp"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace steelyard::check {
namespace {

namespace fs = std::filesystem;

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

struct Outcome {
    int status;
    std::string out;
    std::string err;
};

Outcome validate(const std::vector<std::string>& args, const std::string& input = {}) {
    std::istringstream in(input);
    std::ostringstream out;
    std::ostringstream err;
    const int status = validate_command(args, in, out, err);
    return {status, out.str(), err.str()};
}

// Manifests from standard input.
Outcome judge(const std::string& text, std::vector<std::string> args = {}) {
    args.emplace_back("-");
    return validate(args, text);
}

// A folder that goes away with the test.
class Folder {
public:
    Folder() : path_(fs::path(testing::TempDir()) / ("check_" + name())) {
        fs::remove_all(path_);
        fs::create_directories(path_);
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    ~Folder() { fs::remove_all(path_); }
    void write(const std::string& file, const std::string& text) const {
        fs::create_directories((path_ / file).parent_path());
        std::ofstream(path_ / file) << text;
    }
    [[nodiscard]] std::string path(const std::string& file = {}) const {
        return file.empty() ? path_.string() : (path_ / file).string();
    }

private:
    static std::string name() {
        return testing::UnitTest::GetInstance()->current_test_info()->name();
    }
    fs::path path_;
};

const std::string kPool = R"(apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: a}
spec:
  addresses:
  - 192.0.2.0/28
)";
const std::string kAdvertisement = R"(---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {name: all}
)";

TEST(ValidateCommandTest, RightManifestsAreRight) {
    const Outcome outcome = judge(kPool + kAdvertisement);
    EXPECT_EQ(outcome.status, 0);
    EXPECT_EQ(outcome.out, "2 objects in 1 file: all right\n");
    EXPECT_EQ(outcome.err, "");
}

TEST(ValidateCommandTest, AProblemIsOneLineWithThePlaceOfTheField) {
    const Outcome outcome = judge(kPool + "  - 192.0.2.77\n" + kAdvertisement);
    EXPECT_EQ(outcome.status, 1);
    EXPECT_THAT(
        outcome.out,
        StartsWith("(standard input):7: error: IPAddressPool metallb-system/a: spec.addresses[1]: "
                   "\"192.0.2.77\": give a CIDR")
    );
    EXPECT_THAT(outcome.out, HasSubstr("\n2 objects in 1 file: 1 error\n"));
}

TEST(ValidateCommandTest, FilesAreJudgedTogether) {
    const Folder folder;
    folder.write("pools/a.yaml", kPool);
    folder.write("pools/b.yml", R"({"apiVersion": "metallb.io/v1beta1", "kind": "IPAddressPool",
 "metadata": {"name": "b"}, "spec": {"addresses": ["192.0.2.8/32"]}})");
    folder.write("l2.json", R"({"apiVersion": "metallb.io/v1beta1", "kind": "L2Advertisement",
 "metadata": {"name": "all"}})");
    folder.write("readme.txt", "[not yaml");
    folder.write(".git/config.yaml", "[not yaml");
    const Outcome outcome = validate({folder.path()});
    EXPECT_EQ(outcome.status, 1);
    EXPECT_THAT(
        outcome.out,
        AllOf(
            StartsWith(folder.path("pools/b.yml") + ":2: error: IPAddressPool metallb-system/b"),
            HasSubstr("ranges must not overlap"),
            HasSubstr("3 objects in 3 files: 1 error\n")
        )
    );
    EXPECT_EQ(validate({folder.path("pools/a.yaml"), folder.path("l2.json")}).status, 0);
}

TEST(ValidateCommandTest, AListIsItsItems) {
    const Outcome outcome = judge(R"(apiVersion: v1
kind: List
items:
- apiVersion: metallb.io/v1beta1
  kind: IPAddressPool
  metadata: {name: a}
  spec:
    addresses:
    - nonsense
- apiVersion: v1
  kind: ConfigMap
)");
    EXPECT_EQ(outcome.status, 1);
    EXPECT_THAT(outcome.out, HasSubstr("(standard input):9: error: IPAddressPool"));
    EXPECT_THAT(
        outcome.out, HasSubstr("1 object in 1 file: 1 error, 1 warning; 1 of other kinds skipped")
    );
}

TEST(ValidateCommandTest, WarningsAreNoErrorsUnlessAsked) {
    const Outcome outcome = judge(kPool);
    EXPECT_EQ(outcome.status, 0);
    EXPECT_THAT(outcome.out, HasSubstr("(standard input):3: warning: IPAddressPool"));
    EXPECT_THAT(outcome.out, HasSubstr("1 object in 1 file: 1 warning\n"));
    EXPECT_EQ(judge(kPool, {"--strict"}).status, 1);
    EXPECT_EQ(judge(kPool, {"-q"}).out, "");
}

TEST(ValidateCommandTest, AMisspeltFieldAndAWrongTypeAreErrors) {
    const Outcome outcome = judge(R"(apiVersion: metallb.io/v1beta2
kind: BGPPeer
metadata:
  name: router
spec:
  myASN: "64512"
  peerASN: 64513
  peerAdress: 192.0.2.1
)");
    EXPECT_EQ(outcome.status, 1);
    EXPECT_THAT(
        outcome.out,
        AllOf(
            HasSubstr("(standard input):6: error: BGPPeer metallb-system/router: spec.myASN: "
                      "\"64512\": give a whole number, without quotes\n"),
            HasSubstr("(standard input):8: error: BGPPeer metallb-system/router: spec.peerAdress: "
                      "\"192.0.2.1\": there is no such field; peerAddress?\n"),
            Not(HasSubstr("give 1 to 4294967295")),
            HasSubstr("exactly one of peerAddress and interface")
        )
    );
}

TEST(ValidateCommandTest, ReferencesAreFollowed) {
    const Outcome outcome = judge(R"(apiVersion: metallb.io/v1beta2
kind: BGPPeer
metadata: {name: router}
spec: {myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.1, bfdProfile: fast}
---
apiVersion: metallb.io/v1beta1
kind: BGPAdvertisement
metadata: {name: all}
spec:
  aggregationLength: 24
  communities: [nobody-knows]
---
)" + kPool);
    EXPECT_EQ(outcome.status, 1);
    EXPECT_THAT(
        outcome.out,
        AllOf(
            HasSubstr(
                ":4: error: BGPPeer metallb-system/router: spec.bfdProfile: \"fast\": there is no"
            ),
            HasSubstr(
                ":10: error: BGPAdvertisement metallb-system/all: spec.aggregationLength: \"24\""
            ),
            HasSubstr(":11: error: BGPAdvertisement metallb-system/all: spec.communities[0]")
        )
    );
}

const std::string kPeerWithSecret = R"(---
apiVersion: metallb.io/v1beta2
kind: BGPPeer
metadata: {name: router}
spec: {myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.1, passwordSecret: {name: key}}
---
apiVersion: metallb.io/v1beta1
kind: BGPAdvertisement
metadata: {name: all}
)";

TEST(ValidateCommandTest, ASecretThatIsNotHereIsNotJudged) {
    const Outcome outcome = judge(kPool + kPeerWithSecret);
    EXPECT_EQ(outcome.status, 0);
    EXPECT_THAT(
        outcome.out, HasSubstr("spec.passwordSecret.name: \"key\": no Secret of this name")
    );
}

TEST(ValidateCommandTest, ASecretThatIsHereIsJudged) {
    const auto with = [](const std::string& secret) {
        return judge(
            kPool + kPeerWithSecret + "---\napiVersion: v1\nkind: Secret\nmetadata: {name: key}\n" +
            secret
        );
    };
    EXPECT_EQ(with("type: kubernetes.io/basic-auth\nstringData: {password: x}").status, 0);
    EXPECT_EQ(with("type: kubernetes.io/basic-auth\ndata: {password: eA==}").status, 0);
    const Outcome opaque = with("type: Opaque\nstringData: {password: hunter2}");
    EXPECT_EQ(opaque.status, 1);
    EXPECT_THAT(opaque.out, HasSubstr("the Secret has type Opaque"));
    EXPECT_THAT(opaque.out, Not(HasSubstr("hunter2")));
    EXPECT_EQ(with("type: kubernetes.io/basic-auth\ndata: {password: '%%%'}").status, 1);
}

TEST(ValidateCommandTest, ObjectsOfOtherNamespacesDoNotCount) {
    const std::string other = R"(apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: a, namespace: lb}
spec: {addresses: [nonsense]}
)";
    const Outcome outcome = judge(other);
    EXPECT_EQ(outcome.status, 0);
    EXPECT_THAT(outcome.out, HasSubstr(":3: warning: IPAddressPool lb/a: metadata.namespace"));
    EXPECT_EQ(judge(other, {"--namespace", "lb"}).status, 1);
}

TEST(ValidateCommandTest, KindsAndVersionsThatDoNotExistAreErrors) {
    struct Row {
        const char* text;
        const char* told;
    };
    for (const Row& row : {
             Row{"apiVersion: metallb.io/v1beta1\nkind: IpAddressPool\n",
                 ":2: error: kind: \"IpAddressPool\": give one of IPAddressPool, "},
             Row{"apiVersion: metallb.io/v1\nkind: BGPPeer\n",
                 ":1: error: apiVersion: BGPPeer is of metallb.io/v1beta1 or metallb.io/v1beta2"},
             Row{"apiVersion: metallb.io/v1beta1\nkind: AddressPool\n", "no longer read"},
             Row{"apiVersion: metallb.io/v1beta1\nkind: Community\n", "metadata.name is missing"},
             Row{"just text", "no object of Kubernetes"},
             Row{"[1, 2]", "no object of Kubernetes"},
             Row{"apiVersion: metallb.io/v1beta1\nkind: Community\nmetadata: {name: A_b}\n",
                 ":3: error: Community metallb-system/A_b: metadata.name"},
         }) {
        const Outcome outcome = judge(row.text);
        EXPECT_EQ(outcome.status, 1) << row.text;
        EXPECT_THAT(outcome.out, HasSubstr(row.told));
    }
}

TEST(ValidateCommandTest, TheOldPeerIsJudgedAndWarnedOf) {
    const Outcome outcome = judge(R"(apiVersion: metallb.io/v1beta1
kind: BGPPeer
metadata: {name: router}
spec: {myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.1, holdTime: 2s}
)");
    EXPECT_EQ(outcome.status, 1);
    EXPECT_THAT(
        outcome.out,
        AllOf(
            HasSubstr("warning: BGPPeer metallb-system/router: apiVersion"),
            HasSubstr("spec.holdTime")
        )
    );
}

TEST(ValidateCommandTest, OwnKindsAreJudged) {
    const Outcome outcome = judge(kPool + kAdvertisement + R"(---
apiVersion: steelyard.io/v1alpha1
kind: AllocationPolicy
metadata: {name: rules}
spec:
  exclude: [192.0.2.1, oops]
  quotas:
  - namespaces: [web]
    addresses: -1
---
apiVersion: steelyard.io/v1alpha1
kind: AddressReservation
metadata: {name: kept}
spec: {serviceNamespace: web, serviceName: shop, addresses: [192.0.2.2, 192.0.2.3]}
)");
    EXPECT_EQ(outcome.status, 1);
    EXPECT_THAT(
        outcome.out,
        AllOf(
            HasSubstr("AllocationPolicy metallb-system/rules: spec.exclude[1]: \"oops\""),
            HasSubstr("spec.quotas[0].addresses: \"-1\": give 0 to"),
            HasSubstr("AddressReservation metallb-system/kept: spec.addresses[1]"),
            HasSubstr("4 objects in 1 file: 3 errors\n")
        )
    );
}

TEST(ValidateCommandTest, WhatCannotBeReadIsToldApart) {
    const Folder folder;
    folder.write("bad.yaml", "a: [1\n");
    folder.write("good.yaml", kPool);
    const Outcome outcome = validate({folder.path()});
    EXPECT_EQ(outcome.status, 2);
    EXPECT_THAT(outcome.err, StartsWith(folder.path("bad.yaml") + ":"));
    EXPECT_THAT(outcome.out, HasSubstr("not all could be read"));
    EXPECT_THAT(outcome.out, Not(HasSubstr("warning:")));
    EXPECT_EQ(validate({folder.path("absent.yaml")}).status, 2);
    EXPECT_THAT(validate({folder.path("absent.yaml")}).err, HasSubstr("No such file"));
    folder.write("empty/readme", "");
    EXPECT_EQ(validate({folder.path("empty")}).status, 2);
}

TEST(ValidateCommandTest, TheCommandLineIsExplained) {
    EXPECT_EQ(validate({}).status, 2);
    EXPECT_THAT(validate({}).err, HasSubstr("paths"));
    EXPECT_EQ(validate({"--nonsense", "-"}).status, 2);
    const Outcome help = validate({"--help"});
    EXPECT_EQ(help.status, 0);
    EXPECT_THAT(help.out, AllOf(HasSubstr("--namespace"), HasSubstr("Exit status")));
}

}  // namespace
}  // namespace steelyard::check
