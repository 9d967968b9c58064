#!/usr/bin/env bash
# Tailcall, with the C library that it was built for (lib/, fetched by bench/compare/run).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
config=$(mktemp --suffix .graphql)
sed -e "s|UPSTREAM_KEY|$UPSTREAM_KEY|g" -e "s|UPSTREAM|$UPSTREAM|g" -e "s|PORT|$PORT|" "$here/tailcall.graphql" > "$config"
export TAILCALL_LOG_LEVEL=error TAILCALL_TRACKER=false
exec "$here/lib/ld-linux-x86-64.so.2" --library-path "$here/lib" \
  "$here/node_modules/@tailcallhq/core-linux-x64-gnu/bin/tailcall" start "$config"
