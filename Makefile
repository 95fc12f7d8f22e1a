# Steelyard: the few commands a person needs. `make help` lists them.
.DEFAULT_GOAL := help
JOBS ?= $(shell nproc)
export SY_BUILD ?= $(CURDIR)/build/release
# Lets ccache recognise a file whatever folder the clone is in.
export CCACHE_BASEDIR := $(CURDIR)
export CCACHE_NOHASHDIR := 1

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  KEEP=1 make demo            leave the demo's cluster running, for the three below"
	@echo "  make shell NODE=node1       a shell on a node (node1 node2 node3 client router)"
	@echo '  make kubectl ARGS="get svc" kubectl against the running cluster'
	@echo "  make down                   stop the running cluster"

setup: ## install what is missing, from the distribution's packages
	@scripts/setup.sh

build: setup ## build the product and the lab's programs
	@cmake --preset release --log-level=WARNING >/dev/null
	@cmake --build --preset release -j $(JOBS) --target product

demo: build ## a cluster on this machine: an address is given out, answers, and moves
	@e2e/demo/demo

test: build ## everything: lints, unit tests under sanitizers, component tests, lab scenarios
	@scripts/run-tests

unit: setup ## unit tests alone, as fast as possible
	@scripts/run-tests unit

lint: setup ## the checks on the source alone
	@scripts/run-tests lint

scenarios: build ## lab scenarios alone (NAME="failover local" picks some)
	@e2e/scenarios/run $(NAME)

conformance: build ## foreign peers and a real Kubernetes, where they can be had (NAME="demo sharing")
	@scripts/setup.sh --peers || echo "conformance: serf cannot be installed here: skipped"
	@cmake --build --preset release -j $(JOBS) --target gossip_node bgp_node
	@e2e/peers/run; peers=$$?; e2e/kubernetes/conformance $(NAME) && exit $$peers

fuzz: ## run every fuzz target for ten seconds (needs clang)
	@scripts/setup.sh --build --fuzz
	@cmake --preset fuzz --log-level=WARNING >/dev/null
	@cmake --build --preset fuzz -j $(JOBS) --target fuzzers
	@ctest --preset fuzz

bench: setup ## benchmarks of the hot paths, each printing its ratios
	@cmake --preset release --log-level=WARNING >/dev/null
	@cmake --build --preset release -j $(JOBS) --target sy_elect_bench sy_plan_bench sy_ipam_bench sy_controller_plan_bench sy_controller_bench sy_kube_decode_bench steelyard-controller sy_gossip_sim_bench sy_ring_sim_bench sy_l2_bench sy_bgp_rib_bench
	@build/release/speaker/elect/sy_elect_bench
	@build/release/speaker/plan/sy_plan_bench
	@build/release/controller/ipam/sy_ipam_bench
	@build/release/controller/plan/sy_controller_plan_bench
	@build/release/bench/controller/sy_controller_bench
	@build/release/common/kube/watch/sy_kube_decode_bench
	@build/release/speaker/sim/sy_gossip_sim_bench
	@build/release/speaker/sim/sy_ring_sim_bench --gtest_brief=1
	@build/release/speaker/io/l2/sy_l2_bench
	@build/release/speaker/bgp/rib/sy_bgp_rib_bench

bench-failover: build ## how fast addresses move, as root (ARGS=--quick for 90 seconds of it)
	@cmake --build --preset release -j $(JOBS) --target sy_vip_prober
	@bench/failover/run $(ARGS)

bench-bgp: build ## BGP beside BIRD, as root (ARGS=--quick for a minute of it)
	@cmake --build --preset release -j $(JOBS) --target bgp_node
	@bench/bgp/run $(ARGS)

bench-proxy: build ## the service proxy in a kernel with IPVS (ARGS="change packets" for parts)
	@cmake --build --preset release -j $(JOBS) --target sy_proxy_bench sy_proxy_event_bench sy_proxy_plan_bench
	@test -n "$(ARGS)" || build/release/speaker/proxy/diff/sy_proxy_plan_bench
	@test -n "$(ARGS)" || build/release/bench/proxy/sy_proxy_event_bench
	@e2e/lab/lab run --mem 2048M --timeout 3600 -- build/release/bench/proxy/sy_proxy_bench $(ARGS)

shell:
	@e2e/lab/lab shell $(or $(NODE),node1)

kubectl:
	@e2e/lab/lab kubectl $(ARGS)

down:
	@e2e/lab/lab down

format: ## format every C++ file
	@git ls-files -co --exclude-standard '*.cpp' '*.hpp' | xargs clang-format-14 -i

clean: ## remove the build directory
	@rm -rf build

.PHONY: help setup build demo test unit lint scenarios conformance fuzz bench bench-failover bench-bgp bench-proxy shell kubectl down format clean
