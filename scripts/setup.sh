#!/bin/sh
# Installs from the distribution's own packages what Steelyard needs, and nothing else.
#   scripts/setup.sh [--build] [--lab] [--lint] [--fuzz] [--peers]     (no flag: --build --lab --lint)
# Debian 12, Debian 13 and Ubuntu 24.04. Doing it twice changes nothing; when everything is there, neither
# root nor the network is needed.
set -eu

die() {
    echo "setup: $*" >&2
    exit 1
}

[ -r /etc/os-release ] || die "/etc/os-release is missing: cannot tell the distribution"
# shellcheck disable=SC1091
. /etc/os-release
release="$ID-${VERSION_ID:-}"

# Boost 1.81 is the oldest that has what we use; Debian 12's default is 1.74.
case "$release" in
    debian-12)
        boost=libboost1.81-dev
        lint="clang-format-14 clang-tidy-14 clang-tools-14 python3-yaml"
        fuzz="clang-14 libclang-rt-14-dev"
        kubectl=kubernetes-client
        peers=serf
        ;;
    debian-13)
        boost=libboost-dev
        lint="python3-yaml"
        fuzz="clang"
        kubectl=kubernetes-client
        ;;
    ubuntu-24.04)
        boost=libboost-dev
        lint="clang-format-14 clang-tidy-14 clang-tools-14 python3-yaml"
        fuzz="clang-14 libclang-rt-14-dev"
        kubectl=
        ;;
    *)
        die "$release is not one of debian-12, debian-13, ubuntu-24.04; install by hand what this script lists"
        ;;
esac

peers=${peers:-}

build="g++ cmake ninja-build ccache $boost libssl-dev libyaml-cpp-dev nlohmann-json3-dev
 libspdlog-dev libcli11-dev prometheus-cpp-dev
 libgtest-dev libgmock-dev"
lab="user-mode-linux kmod iproute2 ipset ipvsadm iptables arping ndisc6 iputils-ping curl openssl procps python3 tcpdump
 util-linux bird2 frr gobgpd"

wanted=
[ $# -gt 0 ] || set -- --build --lab --lint
for flag in "$@"; do
    case "$flag" in
        --build) wanted="$wanted $build" ;;
        --lab)
            wanted="$wanted $lab"
            if ! command -v kubectl >/dev/null 2>&1; then
                [ -n "$kubectl" ] || die "kubectl is missing and $release does not package it: put one on PATH"
                wanted="$wanted $kubectl"
            fi
            ;;
        --lint) wanted="$wanted $lint" ;;
        --fuzz) wanted="$wanted $fuzz" ;;
        --peers)
            [ -n "$peers" ] || die "$release is not known to package a foreign gossip peer (serf)"
            wanted="$wanted $peers"
            ;;
        *) die "$flag is not one of --build, --lab, --lint, --fuzz, --peers" ;;
    esac
done

missing=
for package in $wanted; do
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

sudo=
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null 2>&1 || die "these packages are missing and only root can install them:$missing"
    sudo=sudo
fi
echo "setup: installing$missing"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
policy=/usr/sbin/policy-rc.d
own_policy=
tidy() {
    rm -f "$log"
    [ -z "$own_policy" ] || $sudo rm -f "$policy"
}
trap tidy EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Some packages would start a daemon of their own, now and at every boot; only the tests should do that. Masked
# are only units of packages that are not here yet, and an administrator's own policy-rc.d stays as it is.
units=
for package in $missing; do
    case "$package" in
        serf) units="$units serf.service" ;;
        bird2) units="$units bird.service" ;;
        frr) units="$units frr.service" ;;
        gobgpd) units="$units gobgpd.service" ;;
    esac
done
if [ -n "$units" ]; then
    if command -v systemctl >/dev/null 2>&1; then
        # shellcheck disable=SC2086
        $sudo systemctl mask $units >/dev/null 2>&1 || true
    fi
    if [ ! -e "$policy" ] && [ ! -L "$policy" ]; then
        own_policy=1
        printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null
        $sudo chmod 755 "$policy"
    fi
fi
# shellcheck disable=SC2086
if ! { $sudo apt-get update && $sudo apt-get install -y --no-install-recommends $missing; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    die "apt-get failed; its last lines are above"
fi
