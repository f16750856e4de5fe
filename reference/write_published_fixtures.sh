#!/usr/bin/env bash
# Writes fixtures/published: small random checkpoints in the layouts that RaDialog and CheXbert are published in, and what PyTorch makes of them.
#
#   reference/write_published_fixtures.sh PYTHON [DIR]      PYTHON has torch, safetensors, sentencepiece and numpy
set -euo pipefail
cd "$(dirname "$0")/.."
python=${1:?usage: $0 PYTHON [DIR]}
folder=${2:-fixtures/published}

rm -rf "$folder"
mkdir -p "$folder"
for generation in v1 v2; do
    "$python" reference/write_radialog_checkpoints.py "$folder/$generation" --generation "$generation" --expected
done
# Rows that q4_k can take; its vision is v2's.
"$python" reference/write_radialog_checkpoints.py "$folder/wide" --generation v2 --hidden 256 --layers 1 --expected
rm "$folder"/wide/{biovil_t_image_model_proj_size_128.pt,ChexpertClassifier.ckpt}
rm "$folder"/wide/expected/forward.*
"$python" reference/write_chexbert.py "$folder/chexbert"
