#!/bin/sh
# Hands the secrets that are files to what reads the environment, then becomes the service's command.
set -eu
secrets=${ONELEDGER_SECRETS_DIR:-/run/secrets}

# AIRFLOW_CONN_… of the sources and of notices, one a line, as `oneledger city serve` writes them.
if [ -r "$secrets/connections" ]; then
    set -a
    . "$secrets/connections"
    set +a
fi
if [ -f "$secrets/web_tokens" ] && [ -s "$secrets/web_tokens" ]; then
    ONELEDGER_WEB_TOKENS=$(cat "$secrets/web_tokens")
    export ONELEDGER_WEB_TOKENS
fi
if [ -f "$secrets/signing_key" ] && [ -s "$secrets/signing_key" ]; then
    export ONELEDGER_SIGNING_KEY="$secrets/signing_key"
fi
# Airflow opens the file of passwords for writing, which a secret does not allow.
if [ -r "$secrets/airflow_passwords" ]; then
    (umask 077 && cat "$secrets/airflow_passwords" > "$AIRFLOW_HOME/passwords.json")
fi
exec "$@"
