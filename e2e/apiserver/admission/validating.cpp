#include "e2e/apiserver/admission/validating.hpp"

#include "e2e/apiserver/admission/match.hpp"
#include "e2e/apiserver/admission/review.hpp"
#include "e2e/apiserver/callout/resolve.hpp"
#include "e2e/apiserver/conversion/conversion.hpp"

#include <functional>
#include <optional>

namespace steelyard::apiserver {

namespace {

constexpr std::int64_t kDefaultTimeout = 10;  // seconds

// What became of asking one webhook.
struct Asked {
    bool pending = false;
    std::optional<Failure> refusal;  // a denial, or a failure under failurePolicy Fail
    std::vector<std::string> warnings;
};

class Asker {
public:
    Asker(const AdmissionAttributes& attributes, const Store& store, Exchange& exchange)
        : attributes_(attributes), store_(store), exchange_(exchange) {}

    Asked ask(const Json& webhook, const std::string& version) {
        const std::string name = text_at(webhook, "name");
        const std::string effects = text_at(webhook, "sideEffects");
        if (attributes_.dry_run && effects != "None" && effects != "NoneOnDryRun") {
            return refused(
                bad_request("admission webhook \"" + name + "\" does not support dry run")
            );
        }
        const std::string reviewed = review_version(webhook);
        const auto object = in(version, attributes_.object);
        const auto old_object = in(version, attributes_.old_object);
        if (!object || !old_object) {
            if (exchange_.pending()) {
                return waiting();
            }
            return refused(object ? old_object.error() : object.error());
        }
        Json request = admission_request(attributes_, version, *object, *old_object);
        const std::string question = "admit " + name + " " + dump(request);
        const std::string uid = exchange_.uid(question);
        request["uid"] = uid;
        const auto timeout =
            std::chrono::seconds(integer_at(webhook, "timeoutSeconds").value_or(kDefaultTimeout));
        HookCall call = resolve_hook(
            object_at(webhook, "clientConfig"), timeout, store_, std::hash<std::string>()(uid)
        );
        call.body = dump(Json{
            {"kind", "AdmissionReview"},
            {"apiVersion", "admission.k8s.io/" + reviewed},
            {"request", std::move(request)}});
        const HookAnswer* answer = exchange_.ask(question, call);
        if (answer == nullptr) {
            return waiting();
        }
        return judged(webhook, *answer, call.url, reviewed, uid);
    }

private:
    static Asked waiting() {
        Asked asked;
        asked.pending = true;
        return asked;
    }
    static Asked refused(Failure failure) {
        Asked asked;
        asked.refusal = std::move(failure);
        return asked;
    }

    Outcome<Json> in(const std::string& version, const Json& object) {
        if (object.is_null() || version == attributes_.version) {
            return Outcome<Json>(boost::system::in_place_value, object);
        }
        return convert_one(*attributes_.kind, version, object, store_, exchange_);
    }

    static Asked judged(
        const Json& webhook,
        const HookAnswer& answer,
        const std::string& url,
        const std::string& version,
        const std::string& uid
    ) {
        const std::string name = text_at(webhook, "name");
        std::string why = hook_failure(url, answer);
        Verdict verdict;
        if (!why.empty()) {
            why = "failed to call webhook: " + why;
        } else {
            verdict = read_verdict(answer.body, name, version, uid);
            if (!verdict.problem.empty()) {
                why = "received invalid webhook response: " + verdict.problem;
            }
        }
        if (!why.empty()) {
            const bool ignored = text_at(webhook, "failurePolicy") == "Ignore";
            return ignored ? Asked() : refused(call_failed(name, why));
        }
        Asked asked;
        asked.warnings = std::move(verdict.warnings);
        if (!verdict.allowed) {
            asked.refusal = std::move(verdict.denial);
        }
        return asked;
    }

    const AdmissionAttributes& attributes_;
    const Store& store_;
    Exchange& exchange_;
};

}  // namespace

Outcome<> validate_by_webhooks(
    const AdmissionAttributes& attributes,
    const Store& store,
    Exchange& exchange,
    std::vector<std::string>& warnings
) {
    // Nobody may lock himself out by a webhook that guards the webhooks.
    if (attributes.kind->group == "admissionregistration.k8s.io") {
        return {};
    }
    Asker asker(attributes, store, exchange);
    std::optional<Failure> refusal;
    bool pending = false;
    for (const Object& configuration :
         store.list("validatingwebhookconfigurations.admissionregistration.k8s.io", "")) {
        for (const Json& webhook : array_at(*configuration, "webhooks")) {
            const auto version = matched_version(webhook, attributes, store);
            if (!version) {
                continue;
            }
            Asked asked = asker.ask(webhook, *version);
            pending = pending || asked.pending;
            warnings.insert(warnings.end(), asked.warnings.begin(), asked.warnings.end());
            if (!refusal) {
                refusal = std::move(asked.refusal);
            }
        }
    }
    if (pending) {
        return pending_failure();
    }
    if (refusal) {
        return std::move(*refusal);
    }
    return {};
}

}  // namespace steelyard::apiserver
