#pragma once

#include "speaker/plan/endpoints.hpp"
#include "speaker/plan/plan.hpp"
#include "speaker/plan/ring.hpp"
#include "speaker/plan/suitability.hpp"

#include <map>
#include <optional>
#include <vector>

// One run of plan(): turns addresses into questions, has them all elected together, and turns the
// answers into plans. Private to the room.
namespace steelyard::speaker_plan {

class Planning {
public:
    // `snapshot` must outlive it.
    explicit Planning(const Snapshot& snapshot);

    // Once.
    void run();
    [[nodiscard]] const Announcements& announcements() const { return out_; }
    [[nodiscard]] Announcements take() { return std::move(out_); }

    // After run(): the full verdict; nothing for an address that was not put to election.
    [[nodiscard]] std::optional<elect::Verdict> verdict(const net::IpAddress& address) const;
    [[nodiscard]] const std::string& name_of(elect::NodeIndex node) const {
        return facts_.nodes[node].name;
    }

private:
    struct Own {  // a Service of ours
        const kube::ObjectKey* key = nullptr;
        const kube::Service* service = nullptr;
    };
    struct Asked {  // what goes with a question
        AddressPlan* plan = nullptr;
        const Coverage* coverage = nullptr;
    };

    void collect_services();
    void collect_addresses();
    void ask(const net::IpAddress& address, std::size_t row, std::size_t end, AddressPlan& planned);
    void add_local(elect::Question& question, const std::vector<const kube::Service*>& carriers);
    void settle(std::size_t i, std::optional<elect::NodeIndex> winner);
    [[nodiscard]] Reasons why_nobody(const elect::Question& question);
    void collect_silent();

    const Snapshot& snapshot_;
    Ring ring_;
    ServingEndpoints endpoints_;
    std::optional<Suitability> suitability_;  // when there is a configuration
    std::vector<Own> services_;               // in key order
    struct Row {
        net::IpAddress address;
        std::size_t service = 0;  // position in services_
        friend auto operator<=>(const Row&, const Row&) = default;
    };
    std::vector<Row> rows_;  // sorted, each once
    elect::Facts facts_;
    std::vector<elect::Question> questions_;
    std::vector<Asked> asked_;  // one a question
    std::map<std::uint32_t, Reasons> nobody_by_fits_;
    Announcements out_;
};

}  // namespace steelyard::speaker_plan
