#!/usr/bin/env bash
# The tree's import rules (docs/architecture.md): arrows point one way, and each C or third-party module has one user.
set -euo pipefail
cd "$(dirname "$0")/.."
failed=0

# only MODULE TARGET…: no target but these imports MODULE.
only() {
    local module=$1; shift
    local target allowed hits
    for target in Sources/*/; do
        target=$(basename "$target")
        allowed=no
        for name in "$@"; do [ "$target" = "$name" ] && allowed=yes; done
        [ $allowed = yes ] && continue
        hits=$(grep -rnE "^ *(@[A-Za-z_]+ +)?((public|package|internal|fileprivate|private) +)?import +(struct +|class +|enum +|func +)?$module(\.|$|[[:space:]])" --include='*.swift' "Sources/$target" || true)
        if [ -n "$hits" ]; then echo "only $* may import $module:"; echo "$hits"; failed=1; fi
    done
}

only CDCMTK DICOM radialog-decode
only CKernels RaDialogPipeline
only CJPEG RaDialogPipeline
only CPNG RaDialogPipeline
only GRDB ReportQueue
only TOMLKit Configuration
only ServiceLifecycle WorklistDaemon radialogd
only ArgumentParser radialogd radialogctl
# The four in the middle never import each other; only the daemon (and through it the command line) joins them.
only DICOM WorklistDaemon radialogctl
only RaDialogPipeline WorklistDaemon ModelImport radialogctl
only ModelImport radialogctl
only ReportLabeler WorklistDaemon radialogctl
only ReportQueue WorklistDaemon radialogctl
only HL7Out WorklistDaemon radialogctl
only Configuration WorklistDaemon radialogctl radialogd
only WorklistDaemon radialogd radialogctl

# DCMTK headers stay behind the shim.
hits=$(grep -rnE '#include *[<"](dcmtk|openjpeg)' Sources --include='*.h' --include='*.hpp' --include='*.c' | grep -v '^Sources/CDCMTK/[^/]*\.hpp:' || true)
if [ -n "$hits" ]; then echo "DCMTK and OpenJPEG headers belong into Sources/CDCMTK/*.cpp:"; echo "$hits"; failed=1; fi
# Public C symbols carry their target's prefix.
hits=$(grep -hoE '^[a-z][A-Za-z0-9_ *]*[ *]([a-z][a-z0-9_]*)\(' Sources/CDCMTK/include/*.h | grep -vE '[ *]cdcmtk_[a-z0-9_]*\($' | grep -v '^typedef' || true)
if [ -n "$hits" ]; then echo "functions in Sources/CDCMTK/include start with cdcmtk_:"; echo "$hits"; failed=1; fi

[ $failed = 0 ] && echo "import rules hold"
exit $failed
