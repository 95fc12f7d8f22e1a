#pragma once

#include "common/rt/asio.hpp"
#include "e2e/apiserver/callout/exchange.hpp"

// Calling webhooks: one HTTPS request each, the certificate verified, all of it within the call's
// timeout. What goes wrong is told in the words of Go's HTTP client.
namespace steelyard::apiserver {

awaitable<HookAnswer> call_out(HookCall call);
// Asks what the exchange wants to know, one after the other.
awaitable<void> answer_wanted(Exchange& exchange);

}  // namespace steelyard::apiserver
