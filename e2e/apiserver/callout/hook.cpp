#include "e2e/apiserver/callout/hook.hpp"

namespace steelyard::apiserver {

std::string hook_failure(const std::string& url, const HookAnswer& answer) {
    if (!answer.problem.empty()) {
        return "Post \"" + url + "\": " + answer.problem;
    }
    if (answer.status >= 200 && answer.status <= 206) {
        return {};
    }
    switch (answer.status) {
        case 400:
            return "the server rejected our request for an unknown reason";
        case 401:
            return "the server has asked for the client to provide credentials";
        case 403:
            return answer.body;
        case 404:
            return "the server could not find the requested resource";
        case 405:
            return "the server does not allow this method on the requested resource";
        case 429:
            return "the server has received too many requests and has asked us to try again later";
        case 503:
            return "the server is currently unable to handle the request";
        case 504:
            return "the server was unable to return a response in the time allotted, but may still "
                   "be processing the request";
        default:
            break;
    }
    if (answer.status < 500) {
        return "the server responded with the status code " + std::to_string(answer.status) +
               " but did not return more information";
    }
    return "an error on the server (" + dump(Json(answer.body)) +
           ") has prevented the request from succeeding";
}

}  // namespace steelyard::apiserver
