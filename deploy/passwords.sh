#!/usr/bin/env bash
# Sets the passwords of the two roles when the database of compose.yaml is made.
set -euo pipefail

set_password() { # $1: role, $2: password
  psql --no-psqlrc -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d "$POSTGRES_DB" \
    -v role="$1" -v password="$2" <<<"alter role :\"role\" password :'password'"
}

set_password trialogue_owner "$OWNER_PASSWORD"
set_password trialogue_server "$SERVER_PASSWORD"
