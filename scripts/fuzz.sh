#!/usr/bin/env bash
# Gives the readers of untrusted files what libFuzzer makes up (Fuzz/README.md).
#
#   scripts/fuzz.sh READER|all [SECONDS]      600 seconds each unless said otherwise
#
# Fails where a reader crashes, takes more than 5 seconds for a file, or allocates more than the file's size and 64 MB; the file is then in
# .build-fuzz/findings/READER. RADIALOG_FUZZ_BINARY names a fuzzer that is built already.
set -euo pipefail
cd "$(dirname "$0")/.."

readers=(checkpoint safetensors gguf tokenizer manifest)
reader=${1:-}
seconds=${2:-600}
case " ${readers[*]} all " in *" $reader "*) [ -n "$reader" ] ;; *) false ;; esac || { echo "usage: scripts/fuzz.sh all|$(IFS='|'; echo "${readers[*]}") [SECONDS]" >&2; exit 2; }
[ "$reader" = all ] || readers=("$reader")

scratch=.build-fuzz
binary=${RADIALOG_FUZZ_BINARY:-}
if [ -z "$binary" ]; then
    swift build --package-path Fuzz --scratch-path $scratch -c release --product FuzzReaders
    binary=$scratch/release/FuzzReaders
fi

# Files of other tests that the reader accepts or refuses: more to begin with.
seeds() {
    echo "fixtures/fuzz/$1"
    case $1 in
        checkpoint) echo fixtures/checkpoints ;;
        gguf) echo fixtures/blocks ;;
        tokenizer) echo fixtures/tokenizer ;;
    esac
}

for reader in "${readers[@]}"; do
    mkdir -p "$scratch/corpus/$reader" "$scratch/findings/$reader"
    echo "== $reader, $seconds seconds"
    # A single allocation above the longest file and 64 MB is refused by libFuzzer, all of them together by the target itself; RSS holds
    # AddressSanitizer's own memory, too. Hashes are seeded alike in every run, so that a finding can be repeated.
    RADIALOG_FUZZ_READER=$reader SWIFT_DETERMINISTIC_HASHING=1 SWIFT_BACKTRACE=enable=no ASAN_OPTIONS=quarantine_size_mb=16:detect_leaks=1 \
    "$binary" -max_total_time="$seconds" -max_len=65536 -timeout=5 -malloc_limit_mb=65 -rss_limit_mb=768 \
        -dict="Fuzz/dictionaries/$reader.dict" -artifact_prefix="$scratch/findings/$reader/" -print_final_stats=1 \
        "$scratch/corpus/$reader" $(seeds "$reader")
done
