#!/usr/bin/env bash
# Makes a virtual environment with the peers: Benchmarks/peers/install.sh DIR [native|avx2]
#
# native (default): llama.cpp compiled for this processor. avx2: for any processor with AVX2 (FMA, F16C, BMI2), to compare with
# our dispatch forced down. Sizes and times: README.md. Python 3.11 and the Swift toolchain, whose clang compiles llama.cpp: with gcc 12 its AMX
# path crashes in ldtilecfg, because that compiler drops the stores of the tile configuration.
set -euo pipefail
[ $# -ge 1 ] && [ $# -le 2 ] || { echo "usage: $0 DIR [native|avx2]" >&2; exit 64; }
directory=$1
case "${2:-native}" in
    native) cmake_arguments=-DGGML_NATIVE=ON ;;
    avx2) cmake_arguments=-DGGML_NATIVE=OFF ;;
    *) echo "$0: \"$2\" is neither native nor avx2" >&2; exit 64 ;;
esac
swift=$(command -v swift) || { echo "$0: swift is not in PATH" >&2; exit 69; }
tools=$(dirname "$(readlink -f "$swift")")
here=$(dirname "$(readlink -f "$0")")

python3 -m venv "$directory"
"$directory/bin/pip" install -r "$here/requirements.txt"
# No cache: pip keeps one wheel of a version, whichever way it was compiled.
CC="$tools/clang" CXX="$tools/clang++" CMAKE_ARGS="$cmake_arguments" \
    "$directory/bin/pip" install --no-binary llama-cpp-python --no-cache-dir llama-cpp-python==0.3.36

# Whoever compares without this line may compare with another program.
"$directory/bin/python" -c 'from llama_cpp import llama_cpp; print(llama_cpp.llama_print_system_info().decode())'
