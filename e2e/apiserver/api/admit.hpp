#pragma once

#include "e2e/apiserver/json/failure.hpp"
#include "e2e/apiserver/registry/kind.hpp"
#include "e2e/apiserver/storage/store.hpp"

// What the API server itself fills in and checks for built-in kinds before it stores them:
// defaults, allocated addresses and ports, status of new objects. Custom kinds go by their schema
// instead.
namespace steelyard::apiserver {

// Reads what has a form of its own on the wire (MicroTime in Leases) and writes it as the server
// does; what cannot be read is a BadRequest.
[[nodiscard]] Outcome<> decode_builtin(const Kind& kind, const std::string& version, Json& object);

// Changes object in place; what it must not be is returned. `live` is null for a new object.
[[nodiscard]] FieldErrors admit_builtin(
    const Kind& kind, Json& object, const Json* live, const Store& store
);

// spec.clusterIP from 10.96.0.0/16 (and fd00:10:96::/112 when IPv6 is asked for), spec.ports[].
// nodePort from 30000-32767, healthCheckNodePort, and every field Kubernetes defaults.
[[nodiscard]] FieldErrors admit_service(Json& service, const Json* live, const Store& store);

[[nodiscard]] FieldErrors admit_lease(const Json& lease);
// CustomResourceDefinitions, and the configurations of admission webhooks.
[[nodiscard]] FieldErrors admit_definition(Json& definition);
[[nodiscard]] FieldErrors admit_webhook_configuration(Json& configuration);

}  // namespace steelyard::apiserver
