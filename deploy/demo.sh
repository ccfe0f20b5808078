#!/bin/sh
# Starts the service as shipped, with sample messages in its inbox, and shows what it did with each. `make run` calls it.
# No server is needed: the ledger is a file, the queue lies inside the process, and all of it is written below var/.
set -eu
cd "$(dirname "$0")/.."
export POSTROOM_CONFIG=config/postroom.yaml
postroom=.venv/bin/postroom

if [ ! -d var/inbox ]; then
  mkdir -p var/inbox/new var/inbox/cur var/inbox/tmp
  cp deploy/samples/*.eml var/inbox/new/
fi

$postroom run &
service=$!
trap 'kill -TERM $service 2>/dev/null || true; wait $service || true' EXIT
trap 'exit 0' INT TERM

# Until the samples have reached their end, or the service has.
until $postroom messages --mailbox inbox --state settled 2>/dev/null | grep -q '^5'; do
  kill -0 $service 2>/dev/null || exit 1  # it has said why
  sleep 0.2
done

echo
$postroom messages --mailbox inbox
cat <<'HINTS'

The service goes on until Ctrl-C. In another terminal, put a message into var/inbox/new, or hand one over by LMTP:

  .venv/bin/postroom-deliver --socket var/lmtp.sock --recipient me@example.com < deploy/samples/letter.eml

and look at what it does:

  .venv/bin/postroom status                                    mailboxes, queue and ledger
  .venv/bin/postroom messages                                  what came, and what the rules decided
  .venv/bin/postroom explain deploy/samples/invoice.eml        which rules a message meets, and why
  curl http://127.0.0.1:9925/metrics                           for Prometheus; also /healthz and /readyz

The rules are pipelines/quickstart.yaml, the settings config/postroom.yaml.
HINTS
wait $service
