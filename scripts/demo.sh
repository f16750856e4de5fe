#!/usr/bin/env bash
# The whole job on one screen: a film in, a draft, a signature, an ORU and an SR out. Everything happens in a scratch
# folder and on loopback, with the demonstration model.
set -euo pipefail
cd "$(dirname "$0")/.."

binaries=.build/release
film=fixtures/films/chest-pa.dcm
scratch=$(mktemp -d "${TMPDIR:-/tmp}/radialogd-demo.XXXXXX")
daemon=
cleanup() {
    if [ -n "$daemon" ] && kill -0 "$daemon" 2>/dev/null; then kill -TERM "$daemon"; wait "$daemon" || true; fi
    rm -rf "$scratch"
}
trap cleanup EXIT
fail() { echo "demo: $1" >&2; [ -f "$scratch/daemon.log" ] && tail -n 20 "$scratch/daemon.log" >&2; exit 1; }
say() { printf '\n\033[1m== %s\033[0m\n' "$1"; }

# A port of loopback that nobody listens on.
port=11112
while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((port + 1)); done

cat > "$scratch/radialogd.conf" <<CONF
state_dir = "$scratch/state"
[dicom]
port = $port
[study]
quiet_period = "2s"
[model]
bundle = "$PWD/models/radialog-demo"
allow_demonstration = true
[[destination]]
name = "outbox"
kind = "folder"
path = "$scratch/outbox"
receives = ["drafts", "signed"]
CONF
ctl() { "$binaries/radialogctl" "$@" --config "$scratch/radialogd.conf"; }

say "1. Start the daemon (scratch folder $scratch)"
mkdir -p "$scratch/outbox"
"$binaries/radialogd" --config "$scratch/radialogd.conf" 2>"$scratch/daemon.log" &
daemon=$!
for _ in $(seq 1 150); do
    echoscu -aec RADIALOGD 127.0.0.1 "$port" >/dev/null 2>&1 && break
    kill -0 "$daemon" 2>/dev/null || fail "the daemon did not start"
    sleep 0.2
done
echoscu -aec RADIALOGD 127.0.0.1 "$port" || fail "the daemon does not answer C-ECHO"
echo "listening on 127.0.0.1:$port, C-ECHO answered"
printf 'a-demo-password\n' | ctl user add demo --role radiologist --name 'Demo^Reader' --organization 'Demo Hospital' --password-stdin

say "2. A modality (here storescu) sends a chest film"
storescu -v -aec RADIALOGD 127.0.0.1 "$port" "$film" 2>&1 | grep -E 'Association Accepted|Store Response' || fail "storescu was not answered Success"

say "3. The draft, once the study has been quiet for 2 s"
study=
for _ in $(seq 1 150); do
    state=$(ctl study list --json | jq -r '.[0].state // empty')
    case "$state" in
        drafted) study=$(ctl study list --json | jq -r '.[0].study_instance_uid'); break ;;
        no-draft) fail "no draft: $(ctl study list --json | jq -r '.[0].no_draft_reason')" ;;
    esac
    sleep 0.2
done
[ -n "$study" ] || fail "no draft after 30 s"
ctl study show "$study"

say "4. A named human signs"
printf 'a-demo-password\n' | ctl sign "$study" --user demo --password-stdin

say "5. The final ORU^R01 and the SR that went to the outbox"
for _ in $(seq 1 100); do
    [ "$(ctl delivery list --json | jq '[.[] | select(.state == "delivered")] | length')" -ge 4 ] && break
    sleep 0.2
done
ls -1 "$scratch/outbox"
ctl export "$study" --format oru --version final --output "$scratch/final.hl7"
tr '\r' '\n' < "$scratch/final.hl7"
ctl export "$study" --format sr --version final --output "$scratch/final.dcm"
dsrdump "$scratch/final.dcm"

say "6. The audit trail holds; stop"
ctl audit verify
kill -TERM "$daemon"
wait "$daemon" || fail "the daemon did not stop cleanly"
daemon=
echo "stopped cleanly"
