#!/usr/bin/env bash
# Every relative link in the documents resolves; nothing generated is committed.
set -euo pipefail
cd "$(dirname "$0")/.."
failed=0
while IFS= read -r document; do
    while IFS= read -r link; do
        target=${link%%#*}
        case "$target" in ''|http://*|https://*|mailto:*) continue ;; esac
        if [ ! -e "$(dirname "$document")/$target" ]; then echo "$document: broken link $link"; failed=1; fi
    done < <(grep -oE '\]\([^) ]+\)' "$document" | sed -E 's/^\]\(//; s/\)$//')
done < <(find . -name '*.md' -not -path './.build*' -not -path './.venv*' | sort)
if git rev-parse --git-dir >/dev/null 2>&1; then
    stray=$(git ls-files | grep -E '(^|/)(Package\.resolved|\.build[^/]*/|__pycache__/|.*\.pyc)' || true)
    if [ -n "$stray" ]; then echo "committed by mistake:"; echo "$stray"; failed=1; fi
fi
[ $failed = 0 ] && echo "documents are sound"
exit $failed
