#pragma once

#include "common/config/validate.hpp"
#include "common/yaml/documents.hpp"

#include <cstddef>
#include <list>
#include <map>
#include <string>
#include <utility>
#include <vector>

// Many manifests, taken together for one configuration: each document becomes an object of it, a
// remark, or nothing, if its kind is not ours. Pure; remembers where everything was written.
namespace steelyard::check {

struct Remark {
    enum class Level { Error, Warning };
    Level level = Level::Error;
    std::string file;
    std::size_t line = 0;  // 0: not known
    std::string text;
    friend bool operator==(const Remark&, const Remark&) = default;
};
// "pools.yaml:7: error: IPAddressPool ...", as compilers write it.
[[nodiscard]] std::string to_string(const Remark& remark);

class Manifests {
public:
    // Objects without a namespace are taken to lie in `ns`; those elsewhere count for nothing.
    explicit Manifests(std::string ns) : ns_(std::move(ns)) {}

    // `name` is what remarks call the file.
    void add(const std::string& file, const yaml::Document& document);

    // Everything about the objects added, by file and line. `complete`: whether all of what was
    // meant to be checked is here; if not, a reference to nothing is no news.
    [[nodiscard]] std::vector<Remark> judge(bool complete) const;

    [[nodiscard]] std::size_t objects() const { return objects_; }
    [[nodiscard]] std::size_t skipped() const { return skipped_; }  // of kinds that are not ours

private:
    // Where an object was written: `above` leads to it in a document that is a List.
    struct Place {
        std::string file;
        const yaml::Lines* lines = nullptr;
        std::size_t first_line = 0;
        std::string above;
        std::vector<std::string> misfits;  // fields that were told already and taken out
    };
    using Name = std::pair<config::Kind, kube::ObjectKey>;

    void add_object(const nlohmann::json& object, Place place);
    void add_ours(nlohmann::json object, Place place);
    void add_secret(nlohmann::json object, const Place& place);
    template <class T>
    void decode(const nlohmann::json& object, Place place, config::Kind kind, std::vector<T>& into);
    [[nodiscard]] bool elsewhere(nlohmann::json& object, const Place& place);
    void remark(
        Remark::Level level, const Place& place, const std::string& field, std::string text
    );
    void place_problems(
        const std::vector<config::Problem>& problems, Remark::Level level, std::vector<Remark>& into
    ) const;
    [[nodiscard]] config::Objects without_unknown_secrets(std::vector<Remark>& into) const;

    std::string ns_;
    std::list<yaml::Lines> documents_;  // stay put: Places point to them
    config::Objects objects_of_ = {};
    std::vector<kube::Secret> secrets_;
    std::map<Name, Place> places_;
    std::vector<Remark> remarks_;
    std::size_t objects_ = 0;
    std::size_t skipped_ = 0;
};

}  // namespace steelyard::check
